"""The papers of a whole cycle, written to a folder: one page and one list of lines for each party.

Everything is read in one snapshot and streamed party by party, so the size of a cycle does not matter. A file
is written beside its name and put in place whole; a run that was stopped is done again and comes to the same
bytes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from itertools import chain
from pathlib import Path

from hub.clearing.model_papers import Part
from hub.clearing.statements import CSV_HEAD, csv_cells, csv_foot, statement_html, summary
from hub.clearing.tables import CycleRow, everybody, get_cycle, list_positions
from hub.clearing.tables_papers import stream_csv_lines, stream_parts
from hub.clearing.tables_rates import tax_codes
from hub.core.clock import local_day
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.parties.scope import HUB
from operator_sdk.contract.public_codes import Code

Progress = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _of: int) -> None:
    """Nobody looks."""


async def write_statements(
    database: Database, cycle_id: str, folder: Path, *, progress: Progress = silent
) -> list[Path]:
    """Write `{party_id}.html` and `{party_id}.csv` for everybody with a position; the files, in order.

    Raises:
        NotFoundError: no such cycle.
        HubError: state_conflict, it has no positions yet.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with database.reading() as unit:
        cycle = await get_cycle(HUB, unit, cycle_id)
        if cycle is None:
            raise NotFoundError
        if cycle.netted_at is None:
            raise HubError(Code.STATE_CONFLICT, state=cycle.state)
        positions = await list_positions(HUB, unit, cycle_id)
        pages = await _pages(unit, cycle, positions, folder, progress)
        lists = await _lists(unit, cycle, positions, folder, progress)
    return sorted((*pages, *lists))


async def _pages(
    unit: Unit, cycle: CycleRow, positions: dict[str, int], folder: Path, progress: Progress
) -> list[Path]:
    assert cycle.cutoff_at is not None, "a cycle with positions was cut off"
    names, codes = await everybody(unit), await tax_codes(unit, local_day(cycle.cutoff_at))
    written, left = [], dict(positions)

    def write(party: str, parts: list[Part]) -> None:
        statement = summary(cycle, party, names.get(party, party), parts, codes)
        assert statement.net_fen == left.pop(party), "a statement says what the position says"
        written.append(_put(folder.joinpath(f"{party}.html"), statement_html(statement, names).encode()))
        progress("pages", len(written), len(positions))

    async for party, parts in stream_parts(unit, cycle.cycle_id):
        write(party, parts)
    for party in sorted(left):
        write(party, [])
    return written


async def _lists(
    unit: Unit, cycle: CycleRow, positions: dict[str, int], folder: Path, progress: Progress
) -> list[Path]:
    names, left = await everybody(unit), dict(positions)
    written: list[Path] = []

    def write(party: str, blocks: list[list[str]]) -> None:
        written.append(_write_list(folder, cycle, party, names.get(party, party), left.pop(party), blocks))
        progress("lists", len(written), len(positions))

    async for party, blocks in _grouped(stream_csv_lines(unit, cycle.cycle_id)):
        write(party, blocks)
    for party in sorted(left):
        write(party, [])
    return written


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


def _write_list(
    folder: Path, cycle: CycleRow, party: str, name: str, net_fen: int, blocks: list[list[str]]
) -> Path:
    whose = csv_cells(cycle.cycle_id, party, name)
    lines = (f"{whose},{line}\r\n" for line in chain.from_iterable(blocks))
    foot = csv_foot((cycle.cycle_id, party, name), net_fen, cycle.currency)
    return _put(folder.joinpath(f"{party}.csv"), "".join((CSV_HEAD, *lines, foot)).encode())


def _put(file: Path, content: bytes) -> Path:
    beside = file.with_name(f".{file.name}.part")
    try:
        beside.write_bytes(content)
        beside.replace(file)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
    return file
