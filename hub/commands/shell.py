"""What every subcommand shares: opening the hub, printing results, and one line for what went wrong."""

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hub.core.database_errors import DATABASE_ERRORS
from hub.core.errors import HubError
from hub.core.secrets import SecretsError
from hub.settings import Settings, SettingsError
from operator_sdk.contract.public_codes import PUBLIC_CODES

if TYPE_CHECKING:
    from hub.wiring import Hub

T = TypeVar("T")

WIDE = 400
"""Columns where nobody looks: a pipe gets every id whole."""

Told = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is, and of how much."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class Failed(Exception):
    """The command cannot do what was asked; its text is the one line that is printed."""


TROUBLE: tuple[type[Exception], ...] = (HubError, Failed, SettingsError, SecretsError, *DATABASE_ERRORS)
"""What is told in one line; anything else is a bug."""


def group(text: str) -> typer.Typer:
    """A subcommand that has commands of its own, even if only one."""
    app = typer.Typer(help=text, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
    app.callback()(lambda: None)
    return app


def run(app: typer.Typer, name: str, argv: Sequence[str]) -> int:
    """Run an application and return its exit code."""
    try:
        typer.main.get_command(app).main(args=list(argv), prog_name=name)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except TROUBLE as problem:
        return complain(problem)
    return 0


def complain(problem: Exception) -> int:
    """One line for what went wrong; returns the exit code."""
    print("interpile:", " ".join(_in_words(problem).split()), file=sys.stderr)
    return 1


def _in_words(problem: Exception) -> str:
    if isinstance(problem, HubError):
        details = "; ".join(f"{name}: {value}" for name, value in problem.details.items())
        return f"{PUBLIC_CODES[problem.code].en} ({problem.code.value}) {details}"
    if isinstance(problem, DATABASE_ERRORS):
        return _database_problem(problem)
    return str(problem)


def _database_problem(problem: Exception) -> str:
    behind = problem.__cause__ or problem
    first = str(behind).strip().partition("\n")[0] or type(behind).__name__
    if "no such table" in first or "does not exist" in first:
        return f"the database is not ready; run: interpile migrate ({first})"
    return first


def with_hub(work: Callable[["Hub"], Awaitable[T]]) -> T:
    """Do something with the hub that the environment describes."""

    async def opened() -> T:
        from hub.wiring import open_hub

        async with open_hub(Settings.from_env()) as hub:
            return await work(hub)

    return asyncio.run(opened())


def read_text(file: Path) -> str:
    """A file of text, UTF-8."""
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise Failed(f"{file} cannot be read: {type(problem).__name__}") from problem


def actor() -> str:
    """Who acts: whoever holds the database, by the name of the account."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # an account without a name
        return "cli"


async def note(hub: "Hub", action: str, subject: str, **detail: Any) -> None:
    """Put on the audit log what the service behind it does not log by itself."""
    from hub.parties.audit import AuditLog

    async with hub.database.unit() as unit:
        AuditLog(hub.clock, hub.ids).note(unit, actor=actor(), action=action, subject=subject, **detail)


def message(kind: type[T], /, **fields: Any) -> T:
    """A message of the contract from arguments; what it does not allow is wrong usage."""
    try:
        return msgspec.convert(fields, type=kind)
    except msgspec.ValidationError as problem:
        wrong_usage(str(problem))


def wrong_usage(text: str) -> NoReturn:
    """End with exit code 2."""
    raise typer.BadParameter(text)


def show_json(result: Any) -> None:
    """Print a result for machines."""
    print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows for people; markup in names stays text."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell), overflow="fold") for cell in row))
    console().print(table)


def show_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Print one thing for people, a fact per line."""
    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        table.add_row(Text(name, style="bold"), Text("" if value is None else str(value), overflow="fold"))
    console().print(table)


def console(*, errors: bool = False) -> Console:
    """Standard output, or standard error for what is not the result."""
    stream = sys.stderr if errors else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


@contextmanager
def progress_bar() -> Iterator[Told]:
    """A bar for long work on standard error; nothing where nobody looks."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    looking = sys.stderr.isatty()
    with Progress(*columns, console=console(errors=True), disable=not looking, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def told(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=max(of, done, 1))

        yield told


def yuan(fen: int | None) -> str:
    """Money for people."""
    if fen is None:
        return ""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{rest:02d}"
