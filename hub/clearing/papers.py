"""The papers of a whole cycle, written to a folder: each party's page and lines, and PDF and XLSX on demand.

Pages and lists are read in one snapshot and streamed party by party, so the size of a cycle does not matter.
What is drawn takes long, so it is drawn party by party from rows that no longer change, and what is there
already is kept (`Manifest`). A file is written beside its name and put in place whole; a run that was stopped
is done again and comes to the same bytes.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

import msgspec

from hub.clearing.model_papers import Part
from hub.clearing.statement_words import DRAWN
from hub.clearing.statements import (
    CSV_HEAD,
    csv_cells,
    csv_foot,
    make_statement,
    render,
    statement_html,
    summary,
)
from hub.clearing.tables import CycleRow, everybody, get_cycle, list_positions
from hub.clearing.tables_papers import list_lines, stream_csv_lines, stream_parts
from hub.clearing.tables_rates import tax_codes
from hub.core.clock import local_day
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.parties.scope import HUB, of_party
from operator_sdk.contract.messages.clearing import Statement
from operator_sdk.contract.public_codes import Code

Progress = Callable[[str, int, int], None]
MANIFEST = ".papers.jsonl"


def silent(_what: str, _done: int, _of: int) -> None:
    """Nobody looks."""


class FolderProblem(Exception):
    """The folder does not take the papers; the text says which file and why.

    No `OSError`: in the midst of reading that would mean that the database is out of reach.
    """


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise FolderProblem(f"{problem.filename or file}: {problem.strerror or problem}") from problem


class Kept(msgspec.Struct, frozen=True):
    """A file that was drawn: what it was made of, and what it is, as SHA-256."""

    name: str
    made_of: str
    content: str


class Manifest:
    """What has been drawn in a folder, a line a file, the last one counts.

    A file is kept when it is byte for byte what was written, and would be made of the same again. A line that
    was cut off with the run that wrote it says nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder.joinpath(MANIFEST)
        self._kept: dict[str, Kept] = {}
        with _told(self._file):
            lines = self._file.read_bytes().splitlines() if self._file.exists() else []
        for line in lines:
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                kept = msgspec.json.decode(line, type=Kept)
                self._kept[kept.name] = kept

    def holds(self, name: str, made_of: str) -> bool:
        """Whether the file need not be drawn."""
        kept, file = self._kept.get(name), self._folder.joinpath(name)
        if kept is None or kept.made_of != made_of or not file.is_file():
            return False
        with _told(file):
            return sha256(file.read_bytes()) == kept.content

    def put(self, name: str, made_of: str, content: bytes) -> None:
        """Write a file, then say so; both may be cut off."""
        _put(self._folder.joinpath(name), content)
        kept = Kept(name, made_of, sha256(content))
        with _told(self._file), self._file.open("ab") as manifest:
            # Whatever a run before left of its last line, ours begins on a new one.
            manifest.write(b"\n" + msgspec.json.encode(kept) + b"\n")
        self._kept[name] = kept


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


async def write_statements(
    database: Database,
    cycle_id: str,
    folder: Path,
    *,
    forms: Collection[str] = (),
    progress: Progress = silent,
) -> list[Path]:
    """Write `{party_id}.html` and `{party_id}.csv` for everybody with a position; the files, in order.

    `forms` of `DRAWN` are written too, party by party, except for what an earlier run has drawn.

    Raises:
        NotFoundError: no such cycle.
        HubError: state_conflict, it has no positions yet; rule_violated, more lines than a workbook holds.
        ValueError: nothing is drawn in one of the forms.
        FolderProblem: the folder cannot be written to.
    """
    if unknown := set(forms) - set(DRAWN):
        raise ValueError(f"papers are not drawn as {', '.join(sorted(unknown))}")
    async with database.reading() as unit:
        cycle = await get_cycle(HUB, unit, cycle_id)
        if cycle is None:
            raise NotFoundError
        if cycle.netted_at is None:
            raise HubError(Code.STATE_CONFLICT, state=cycle.state)
        assert cycle.cutoff_at is not None, "a cycle with positions was cut off"
        with _told(folder):
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        papers = _Papers(
            database,
            cycle,
            folder,
            progress,
            names=await everybody(unit),
            codes=await tax_codes(unit, local_day(cycle.cutoff_at)),
        )
        positions = await list_positions(HUB, unit, cycle_id)
        written = [*await papers.pages(unit, positions), *await papers.lists(unit, positions)]
    return sorted([*written, *await papers.drawn(sorted(forms))])


class _Papers:
    """The papers of one cycle, with what all of them need."""

    def __init__(
        self,
        database: Database,
        cycle: CycleRow,
        folder: Path,
        progress: Progress,
        *,
        names: Mapping[str, str],
        codes: Mapping[str, str],
    ) -> None:
        self._database, self._cycle, self._folder, self._progress = database, cycle, folder, progress
        self._names, self._codes = names, codes
        self._made_of: dict[str, str] = {}

    async def pages(self, unit: Unit, positions: Mapping[str, int]) -> list[Path]:
        """Everybody's page."""
        written, left = [], dict(positions)

        def write(party: str, parts: list[Part]) -> None:
            statement = summary(self._cycle, party, self._name(party), parts, self._codes)
            assert statement.net_fen == left.pop(party), "a statement says what the position says"
            self._made_of[party] = self._fingerprint(statement)
            page = statement_html(statement, self._names).encode()
            written.append(_put(self._folder.joinpath(f"{party}.html"), page))
            self._progress("pages", len(written), len(positions))

        async for party, parts in stream_parts(unit, self._cycle.cycle_id):
            write(party, parts)
        for party in sorted(left):
            write(party, [])
        return written

    async def lists(self, unit: Unit, positions: Mapping[str, int]) -> list[Path]:
        """Everybody's lines."""
        left = dict(positions)
        written: list[Path] = []

        def write(party: str, blocks: list[list[str]]) -> None:
            written.append(self._write_list(party, left.pop(party), blocks))
            self._progress("lists", len(written), len(positions))

        async for party, blocks in _grouped(stream_csv_lines(unit, self._cycle.cycle_id)):
            write(party, blocks)
        for party in sorted(left):
            write(party, [])
        return written

    def _write_list(self, party: str, net_fen: int, blocks: list[list[str]]) -> Path:
        whose = (self._cycle.cycle_id, party, self._name(party))
        begun = csv_cells(*whose)
        lines = (f"{begun},{line}\r\n" for line in chain.from_iterable(blocks))
        foot = csv_foot(whose, net_fen, self._cycle.currency)
        return _put(self._folder.joinpath(f"{party}.csv"), "".join((CSV_HEAD, *lines, foot)).encode())

    async def drawn(self, forms: list[str]) -> list[Path]:
        """Everybody's statement in each of the forms; what is there is kept."""
        if not forms:
            return []
        manifest = await asyncio.to_thread(Manifest, self._folder)
        count = 0
        for party, made_of in sorted(self._made_of.items()):
            names = [(form, f"{party}.{form}") for form in forms]
            missing = [(f, name) for f, name in names if not manifest.holds(name, made_of)]
            if missing:
                statement = await self._statement(party)
                assert self._fingerprint(statement) == made_of, "the rows of a cycle do not change"
                for form, name in missing:
                    content = await asyncio.to_thread(render, statement, form, self._names)
                    manifest.put(name, made_of, content)
            count += len(names)
            self._progress(" and ".join(forms), count, len(forms) * len(self._made_of))
        return [self._folder.joinpath(f"{party}.{form}") for party in self._made_of for form in forms]

    async def _statement(self, party: str) -> Statement:
        async with self._database.reading() as unit:
            rows = await list_lines(of_party(party), unit, self._cycle.cycle_id)
        return make_statement(self._cycle, party, self._name(party), rows, self._codes)

    def _fingerprint(self, statement: Statement) -> str:
        """Over all that a paper shows: the lines are the cycle's, whose digest is in the statement."""
        short = msgspec.structs.replace(statement, lines=[])
        theirs = {one.counterparty: self._names.get(one.counterparty) for one in statement.counterparties}
        return sha256(msgspec.json.encode((short, theirs)))

    def _name(self, party: str) -> str:
        return self._names.get(party, party)


async def _grouped(
    stream: AsyncIterator[tuple[str, list[str]]],
) -> AsyncIterator[tuple[str, list[list[str]]]]:
    current: str | None = None
    blocks: list[list[str]] = []
    async for party, lines in stream:
        if party != current:
            if current is not None:
                yield current, blocks
            current, blocks = party, []
        blocks.append(lines)
    if current is not None:
        yield current, blocks


def _put(file: Path, content: bytes) -> Path:
    beside = file.with_name(f".{file.name}.part")
    with _told(file):
        try:
            beside.write_bytes(content)
            beside.replace(file)
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()
    return file
