"""The auditor shares no code with what it audits."""

import ast
from collections.abc import Iterator
from pathlib import Path

AUDITOR = Path(__file__).parent / "auditor"
OWN = "tests.simulation.auditor"
STANDARD = frozenset(
    {"collections", "dataclasses", "fractions", "hashlib", "itertools", "json", "sqlite3", "typing"}
)


def imported(source: str) -> Iterator[str]:
    """What a module imports."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(origin)):
                yield origin


def foreign(source: str) -> list[str]:
    """What it may not."""
    return [
        name for name in imported(source) if not name.startswith(OWN) and name.split(".")[0] not in STANDARD
    ]


def test_the_auditor_imports_nothing_of_the_hub_or_the_contract() -> None:
    files = sorted(AUDITOR.glob("*.py"))
    assert len(files) > 5
    assert {file.name: foreign(file.read_text("utf-8")) for file in files} == {file.name: [] for file in files}


def test_a_foreign_import_is_seen() -> None:
    assert foreign("from operator_sdk.contract.money import amount_fen") == ["operator_sdk.contract.money"]
    assert foreign("import hub.ledger.model") == ["hub.ledger.model"]
