"""Rules of form that the linters cannot hold, each proved on a seeded violation."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("operator_sdk", "hub", "edge_agent", "mobile_bff")
GENERATED = ("hub/migrations/versions/*",)

MODELS = ("hub/*/model.py", "hub/*/model_*.py", "hub/*/model/*.py")
MIGRATIONS = ("hub/migrations/*",)
EXACT = (*MODELS, "operator_sdk/contract/*", "hub/ledger/*", "hub/clearing/*", "hub/auditor/*")
# `share = part / whole  # not exact: a progress bar`: the reason is part of the marker.
NOT_EXACT = re.compile(r"# not exact: \S")

MAY_COMMIT = ("hub/core/database*", "hub/core/group_writer.py", *MIGRATIONS)
PARTY_VISIBLE = tuple(
    f"hub/{room}/{name}"
    for room in ("roaming", "clearing", "accounts", "upkeep")
    for name in ("tables.py", "tables_*.py")
)

# Swallowing everything is right only where one failure must not stop the others.
MAY_CATCH_ALL = {
    "hub/app.py": "the outermost middleware turns any failure into one answer and one log line",
    "hub/core/group_writer.py": "each failure is handed to the caller whose unit it was",
    "hub/core/runner.py": "a loop beside the server outlives any one failure, and logs it",
    "hub/core/outbox.py": "the worker loop outlives any one message",
    "hub/protocols/tcec102/server.py": "a partner gets the standard's Ret 500, signed; the log gets the fault",
    "operator_sdk/site_gateway/own_code.py": "an operator's inbox may raise anything; one connection ends",
    "tests/simulation/door.py": "what the hub would answer with 500 is a finding of the simulation",
    "operator_sdk/operator.py": "an operator's handler may raise anything; the hub gets an answer",
    "operator_sdk/tcec102/own_code.py": "an operator's handler may raise anything; the partner gets a Ret",
}

# What may import it directly; a fnmatch `*` crosses folders.
DATABASE = ("hub/parties/scope.py", "hub/*/tables*", "hub/*/store*", "hub/core/*", *MIGRATIONS)
ONLY_IN = {
    "aiohttp": ("hub/core/outbound*",),
    "can": ("edge_agent/drivers/*", "edge_agent/sim/*"),
    "celery": ("hub/worker.py", "hub/core/doorbell.py"),
    "kombu": ("hub/worker.py", "hub/core/doorbell.py"),
    "serial": ("edge_agent/drivers/*", "edge_agent/sim/*"),
    "sqlalchemy": DATABASE,
    "sqlmodel": DATABASE,
    "starlette": (
        "hub/app.py",
        "hub/http*",
        "hub/protocols/*",
        "hub/console/*",
        "operator_sdk/*",
        "mobile_bff/*",
    ),
}
# Of the standard library, what a pure model cannot want.
IMPURE = {"asyncio", "random", "secrets", "socket", "sqlite3", "subprocess", "threading", "time"}

MARKERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
MARKED_KINDS = ("*.py", "*.toml", "*.html", "*.css", "*.js", "*.sh", "*.mako", "Makefile")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(work|root)/")


@dataclass(frozen=True)
class Module:
    """One Python file: where it is and what it says."""

    path: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, self.path)

    @cached_property
    def lines(self) -> list[str]:
        return self.source.splitlines()

    def is_in(self, patterns: tuple[str, ...]) -> bool:
        return any(fnmatchcase(self.path, pattern) for pattern in patterns)


Finding = tuple[int, str]
Rule = Callable[[Module], Iterator[Finding]]
TextRule = Callable[[str, str], Iterator[Finding]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def exact_numbers(module: Module) -> Iterator[Finding]:
    """Money and energy are whole numbers: no float, no true division."""
    if not module.is_in(EXACT):
        return
    for node, what in _inexact(module.tree):
        if not NOT_EXACT.search(module.lines[node.lineno - 1]):
            yield node.lineno, what


def _inexact(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt | ast.arg, str]]:
    refusals = {
        id(inner)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "isinstance"
        for inner in ast.walk(call)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex()):
                yield node, "a float literal"
            case ast.Name(id="float") if id(node) not in refusals:
                yield node, "the type float"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield node, "true division"
            case ast.arg(annotation=hint) | ast.AnnAssign(annotation=hint) if _quotes_float(hint):
                yield node, "the type float"
            case ast.FunctionDef(returns=hint) | ast.AsyncFunctionDef(returns=hint) if _quotes_float(hint):
                yield node, "the type float"


def _quotes_float(hint: ast.expr | None) -> bool:
    quoted = (node.value for node in ast.walk(hint or ast.Pass()) if isinstance(node, ast.Constant))
    return any(isinstance(text, str) and re.search(r"\bfloat\b", text) for text in quoted)


def commits_in_one_place(module: Module) -> Iterator[Finding]:
    """Only the unit of work begins and commits."""
    if not module.is_in(("hub/*",)) or module.is_in(MAY_COMMIT):
        return
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="commit" | "begin" as name)):
                yield node.lineno, f".{name}() outside the unit of work"


def queries_take_a_viewer(module: Module) -> Iterator[Finding]:
    """What parties see is asked for in the name of a party."""
    if not module.is_in(PARTY_VISIBLE):
        return
    for node in module.tree.body:
        if isinstance(node, Function) and node.name.startswith(("find_", "list_", "get_")):
            first = next(iter([*node.args.posonlyargs, *node.args.args]), None)
            annotation = ast.unparse(first.annotation) if first and first.annotation else ""
            scope = annotation.strip("'\"").rpartition(".")[2]
            if first is None or first.arg != "viewer" or scope != "PartyScope":
                yield node.lineno, f"{node.name} must take `viewer: PartyScope` first"


def sizes(module: Module) -> Iterator[Finding]:
    """A file stays under 400 lines, a function under 50."""
    if module.is_in(GENERATED):
        return
    if len(module.lines) >= 400:
        yield 1, f"a file of {len(module.lines)} lines"
    for node in ast.walk(module.tree):
        if isinstance(node, Function) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            if length >= 50:
                yield node.lineno, f"{node.name} has {length} lines"


def no_catch_all(module: Module) -> Iterator[Finding]:
    """A handler names what it can handle, or raises again what it caught."""
    if module.path in MAY_CATCH_ALL:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
            match node.body[-1]:
                case ast.Raise(exc=None):
                    pass
                case _:
                    yield node.lineno, "catches everything; see MAY_CATCH_ALL"


def _is_broad(caught: ast.expr | None) -> bool:
    match caught:
        case None | ast.Name(id="Exception" | "BaseException"):
            return True
        case ast.Tuple(elts=several):
            return any(_is_broad(one) for one in several)
        case _:
            return False


def module_docstring(module: Module) -> Iterator[Finding]:
    """Every module says in a sentence what it is for."""
    if not ast.get_docstring(module.tree):
        yield 1, "no module docstring"


def libraries_in_their_place(module: Module) -> Iterator[Finding]:
    """Each library with a place of its own is imported there only."""
    if module.is_in(("tests/*",)):
        return
    for line, name in _imports(module.tree):
        library = name.partition(".")[0]
        if library in ONLY_IN and not module.is_in(ONLY_IN[library]):
            yield line, f"{library} belongs in {', '.join(ONLY_IN[library])}"


def pure_models(module: Module) -> Iterator[Finding]:
    """A model knows the standard library, the contract and its own room's model."""
    if not module.is_in(MODELS):
        return
    own_room = module.path.split("/model")[0].replace("/", ".") + ".model"
    for line, name in _imports(module.tree):
        library = name.partition(".")[0]
        pure = library in sys.stdlib_module_names and library not in IMPURE
        contract = name == "operator_sdk.contract" or name.startswith("operator_sdk.contract.")
        if not (pure or contract or name.startswith(own_room)):
            yield line, f"a model imports {name}"


def _imports(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(origin), names=names):
                yield from ((node.lineno, f"{origin}.{alias.name}") for alias in names)


MODULE_RULES: tuple[Rule, ...] = (
    exact_numbers,
    commits_in_one_place,
    queries_take_a_viewer,
    sizes,
    no_catch_all,
    module_docstring,
    libraries_in_their_place,
    pure_models,
)


def no_markers(path: str, text: str) -> Iterator[Finding]:
    """What is left to do is an issue, not a remark in the code."""
    if any(fnmatchcase(path, pattern) for pattern in MARKED_KINDS):
        for number, line in enumerate(text.splitlines(), 1):
            if found := MARKERS.search(line):
                yield number, f"leftover {found.group()}"


def no_machine_paths(path: str, text: str) -> Iterator[Finding]:
    """Nothing knows the machine it was written on."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := MACHINE_PATHS.search(line):
            yield number, f"{path} names {found.group()}"


def clean_lock(path: str, text: str) -> Iterator[Finding]:
    """The lock names packages, versions and hashes, and no place to fetch them from."""
    if path != "requirements.lock":
        return
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"://|\bfile:|--(extra-)?index-url|--find-links|^-[eif]\b", line):
            yield number, "an address"
        if re.match(r"\w", line) and not re.match(r"[\w.\[\],-]+==\S+ .*\\$", line):
            yield number, "a package without version or hash"


TEXT_RULES: tuple[TextRule, ...] = (no_markers, no_machine_paths, clean_lock)


def modules() -> Iterator[Module]:
    files = (path for package in (*PACKAGES, "tests") for path in (ROOT / package).rglob("*.py"))
    for path in sorted(files):
        yield Module(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))


def texts() -> Iterator[tuple[str, str]]:
    """Every text file that is, or would be, under version control."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for path in filter(None, listed.stdout.split("\0")):
        file = ROOT / path
        if file.is_file() and b"\0" not in (content := file.read_bytes()):
            yield path, content.decode("utf-8", "replace")


@cache
def found_in_modules() -> dict[Rule, list[str]]:
    """What each rule finds: a module is read and parsed once for all of them, and then let go."""
    found: dict[Rule, list[str]] = {rule: [] for rule in MODULE_RULES}
    for module in modules():
        for rule, lines in found.items():
            lines += [f"{module.path}:{line} {what}" for line, what in rule(module)]
    return found


@cache
def found_in_texts() -> dict[TextRule, list[str]]:
    """The same for texts."""
    found: dict[TextRule, list[str]] = {rule: [] for rule in TEXT_RULES}
    for path, text in texts():
        for rule, lines in found.items():
            lines += [f"{path}:{line} {what}" for line, what in rule(path, text)]
    return found


@pytest.mark.parametrize("rule", MODULE_RULES, ids=lambda rule: rule.__name__)
def test_modules(rule: Rule) -> None:
    found = found_in_modules()[rule]
    assert not found, f"{rule.__doc__}\n" + "\n".join(found)


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.__name__)
def test_texts(rule: TextRule) -> None:
    found = found_in_texts()[rule]
    assert not found, f"{rule.__doc__}\n" + "\n".join(found)


def test_nothing_is_excused_that_does_not_exist() -> None:
    assert all(path.split("/")[0] in (*PACKAGES, "tests") for path in MAY_CATCH_ALL)
    assert all(len(reason) > 20 for reason in MAY_CATCH_ALL.values())


SEEDED: tuple[tuple[Rule, str, str, bool], ...] = (
    (exact_numbers, "hub/roaming/model.py", "share = 0.5", True),
    (exact_numbers, "hub/ledger/service.py", "def f(x: float): ...", True),
    (exact_numbers, "hub/ledger/service.py", "def f(x: 'list[float]'): ...", True),
    (exact_numbers, "hub/clearing/netting.py", "x = float('1')", True),
    (exact_numbers, "operator_sdk/contract/money.py", "x = a / b", True),
    (exact_numbers, "operator_sdk/contract/money.py", "x /= b", True),
    (exact_numbers, "operator_sdk/contract/money.py", "x = a / b  # not exact:", True),
    (exact_numbers, "operator_sdk/contract/progress.py", "x = a / b  # not exact: a bar", False),
    (exact_numbers, "operator_sdk/contract/money.py", "x = isinstance(a, float)", False),
    (exact_numbers, "hub/insight/service.py", "x = 0.5", False),
    (commits_in_one_place, "hub/roaming/service.py", "session.commit()", True),
    (commits_in_one_place, "hub/roaming/tables.py", "async with engine.begin(): pass", True),
    (commits_in_one_place, "hub/core/database_sqlite.py", "session.commit()", False),
    (queries_take_a_viewer, "hub/roaming/tables.py", "async def find_x(session): ...", True),
    (queries_take_a_viewer, "hub/accounts/tables_cards.py", "def list_x(): ...", True),
    (queries_take_a_viewer, "hub/clearing/tables.py", "def get_x(viewer: str): ...", True),
    (queries_take_a_viewer, "hub/clearing/tables.py", "def get_x(viewer: PartyScope): ...", False),
    (queries_take_a_viewer, "hub/clearing/tables.py", "def save_x(session): ...", False),
    (sizes, "hub/core/ids.py", "x = 1\n" * 400, True),
    (sizes, "hub/core/ids.py", "def f():\n" + "    x = 1\n" * 49, True),
    (sizes, "hub/core/ids.py", "def f():\n" + "    x = 1\n" * 48, False),
    (no_catch_all, "hub/core/ids.py", "try: f()\nexcept: pass", True),
    (no_catch_all, "hub/core/ids.py", "try: f()\nexcept Exception: pass", True),
    (no_catch_all, "hub/core/ids.py", "try: f()\nexcept (KeyError, BaseException): pass", True),
    (no_catch_all, "hub/core/ids.py", "try: f()\nexcept BaseException:\n    g()\n    raise", False),
    (no_catch_all, "hub/app.py", "try: f()\nexcept Exception: pass", False),
    (module_docstring, "hub/core/ids.py", "x = 1", True),
    (module_docstring, "hub/core/ids.py", '"""Ids."""', False),
    (libraries_in_their_place, "hub/roaming/service.py", "from sqlmodel import Session", True),
    (libraries_in_their_place, "hub/roaming/jobs.py", "def f():\n    import celery.app", True),
    (libraries_in_their_place, "hub/roaming/tables_live.py", "import sqlalchemy as sa", False),
    (pure_models, "hub/roaming/model.py", "from hub.core import ids", True),
    (pure_models, "hub/roaming/model.py", "from operator_sdk import HubClient", True),
    (pure_models, "hub/roaming/model.py", "import time", True),
    (pure_models, "hub/roaming/model.py", "from operator_sdk import contract", False),
    (pure_models, "hub/roaming/model_live.py", "from hub.roaming.model import State", False),
)


@pytest.mark.parametrize(("rule", "path", "source", "broken"), SEEDED)
def test_a_module_rule_sees_what_it_should(rule: Rule, path: str, source: str, broken: bool) -> None:
    assert bool(list(rule(Module(path, source)))) is broken


def test_every_module_rule_is_proved_both_ways() -> None:
    assert {(rule, broken) for rule, _, _, broken in SEEDED} == {
        (rule, broken) for rule in MODULE_RULES for broken in (True, False)
    }


def test_text_rules_see_what_they_should() -> None:
    assert list(no_markers("hub/app.py", "x = 1  # TO" + "DO later"))
    assert not list(no_markers("hub/app.py", "todolist = XXXL"))
    assert list(no_machine_paths("README.md", "see /" + "work/main"))
    assert not list(no_machine_paths("README.md", "see docs/work/main and https://a.b/c"))
    lock = "anyio==4.0 \\\n    --hash=sha256:00\n"
    assert not list(clean_lock("requirements.lock", lock))
    for spoilt in ("--index-url https://a.b\n", "anyio==4.0\n", "anyio @ file:///a.whl\n"):
        assert list(clean_lock("requirements.lock", lock + spoilt))
