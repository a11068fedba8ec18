"""`interpile cycle`: closing, showing, proving. `cycle proof` needs no database."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.commands.shell import (
    Failed,
    Json,
    group,
    message,
    note,
    progress_bar,
    show_facts,
    show_json,
    show_table,
    with_hub,
    yuan,
)
from operator_sdk.contract.messages.clearing import Cycle, CycleClose, CycleResult, Statement

cycle_app = group("Clearing cycles.")

SHOWN_MOST = 200
FORMATS = ("html", "csv", "json", "pdf", "xlsx")

CycleId = Annotated[str, typer.Argument(metavar="CYCLE")]


@cycle_app.command("close")
def close_cycle(
    cutoff: Annotated[str, typer.Option(help="Business time, RFC 3339: 2026-03-03T00:00:00+08:00.")],
    frequency: Annotated[str, typer.Option(help="daily, weekly or monthly.")] = "daily",
    as_json: Json = False,
) -> None:
    """Cut the open cycle off. Interrupted, it goes on where it stopped when it is called again."""
    close = message(CycleClose, cutoff_at=cutoff, frequency=frequency)

    async def work(hub: Any) -> CycleResult:
        with progress_bar() as told:
            result: CycleResult = await hub.clearing.close_cycle(
                close.cutoff_at, frequency=close.frequency, progress=told
            )
        await note(hub, "close_cycle", result.cycle.cycle_id, cutoff_at=close.cutoff_at.isoformat())
        return result

    _show_result(with_hub(work), as_json)


@cycle_app.command("advance")
def advance_cycles(as_json: Json = False) -> None:
    """Do every step that is due now, as the jobs would: cut off, net, propose, fix."""

    async def work(hub: Any) -> list[str]:
        from hub.clearing.jobs import advance

        with progress_bar() as told:
            moved = await advance(hub.clearing, hub.clock.business(), told)
        for cycle_id in moved:
            await note(hub, "advance_cycle", cycle_id)
        return moved

    moved = with_hub(work)
    show_json(moved) if as_json else show_table(("cycle",), ((cycle_id,) for cycle_id in moved))


@cycle_app.command("show")
def show_cycle(cycle_id: CycleId, as_json: Json = False) -> None:
    """A cycle with everybody's position."""
    _show_result(with_hub(lambda hub: hub.clearing.cycle_result(cycle_id)), as_json)


@cycle_app.command("list")
def list_cycles(as_json: Json = False) -> None:
    """Cycles, in order of change."""

    async def work(hub: Any) -> list[Cycle]:
        from hub.parties.scope import HUB

        return [cycle for _, cycle in await hub.clearing.cycles(HUB, limit=SHOWN_MOST)]

    cycles = with_hub(work)
    if as_json:
        show_json(cycles)
    else:
        show_table(
            ("cycle", "frequency", "state", "cut-off", "obligations"),
            ((one.cycle_id, one.frequency, one.state, _text(one.cutoff_at), one.obligations) for one in cycles),
        )


@cycle_app.command("transfers")
def show_transfers(
    cycle_id: CycleId,
    peer: Annotated[bool, typer.Option("--peer", help="Party to party, without a settlement account.")] = False,
    as_json: Json = False,
) -> None:
    """Who pays how much so that every position comes to zero."""

    async def work(hub: Any) -> list[dict[str, Any]]:
        from hub.clearing.model import peer_transfers, transfers

        result: CycleResult = await hub.clearing.cycle_result(cycle_id)
        net_fen = {one.party_id: one.amount_fen for one in result.positions}
        if peer:
            moved = [(one.payer, one.payee, one.amount_fen) for one in peer_transfers(net_fen)]
        else:
            hub_and_spoke = transfers(net_fen)
            moved = [
                (one.party_id, "settlement", one.amount_fen)
                if one.pays_in
                else ("settlement", one.party_id, one.amount_fen)
                for one in hub_and_spoke
            ]
        return [{"payer": payer, "payee": payee, "amount_fen": fen} for payer, payee, fen in moved]

    found = with_hub(work)
    if as_json:
        show_json(found)
    else:
        rows = ((one["payer"], one["payee"], yuan(one["amount_fen"])) for one in found)
        show_table(("payer", "payee", "CNY"), rows)


@cycle_app.command("export-proof")
def export_proof(
    cycle_id: CycleId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Compressed where its name ends in .gz.")],
) -> None:
    """Write the proof of a netted cycle: everybody's obligations, so it is for the hub's own eyes."""

    async def work(hub: Any) -> None:
        with progress_bar() as told:
            await hub.proofs.export(cycle_id, file, progress=told)
        await note(hub, "export_proof", cycle_id)

    try:
        with_hub(work)
    except OSError as problem:
        raise Failed(f"{file}: {problem.strerror or problem}") from problem


@cycle_app.command("proof")
def check_proof(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As `export-proof` writes it, plain or .gz.")],
    digest: Annotated[str | None, typer.Option(help="The digest on a statement of the cycle.")] = None,
    as_json: Json = False,
) -> None:
    """Check a cycle's proof offline; fails with the first thing that is wrong."""
    from operator_sdk.contract.cycle_proof import ProofProblem, check

    try:
        with _opened(file) as lines, progress_bar() as told:
            proven = check(lines, digest=digest, seen=lambda done: told("lines", done, 0))
    except ProofProblem as problem:
        raise Failed(f"{file}: {problem}") from problem
    except (OSError, EOFError, zlib.error) as problem:
        raise Failed(f"{file}: {problem}") from problem
    if as_json:
        show_json(proven)
        return
    head = proven.head
    show_facts(
        (
            ("cycle", head.cycle_id),
            ("cut-off", _text(head.cutoff_at)),
            ("frequency", head.frequency),
            ("obligations", head.obligations),
            (f"total {head.currency}", yuan(proven.total_fen)),
            ("digest", proven.digest),
            ("proven", "yes"),
        )
    )
    show_table(
        ("party", f"position {head.currency}"), ((party, yuan(fen)) for party, fen in proven.net_fen.items())
    )


@contextmanager
def _opened(file: Path) -> Iterator[Iterable[bytes]]:
    with file.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                yield unpacked
        else:
            yield raw


@cycle_app.command("statement")
def show_statement(
    cycle_id: CycleId,
    party_id: Annotated[str, typer.Argument(metavar="PARTY", help="Whose statement.")],
    out: Annotated[Path | None, typer.Option(help="Write a .html, .csv, .json, .pdf or .xlsx file.")] = None,
    as_json: Json = False,
) -> None:
    """One party's statement, for those who have no platform to fetch their own."""
    if out is not None and out.suffix.lstrip(".") not in FORMATS:
        raise Failed("a statement is written as .html, .csv, .json, .pdf or .xlsx")

    async def work(hub: Any) -> tuple[Statement, dict[str, str]]:
        from hub.parties.scope import HUB

        return await hub.clearing.statement(HUB, cycle_id, party_id), await hub.clearing.names()

    statement, names = with_hub(work)
    if out is not None:
        _write(out, statement, names)
    if as_json:
        show_json(statement)
        return
    show_facts(
        (
            ("cycle", statement.cycle_id),
            ("party", f"{statement.party_id} {statement.party_name}"),
            ("receivable CNY", yuan(statement.receivable_fen)),
            ("payable CNY", yuan(statement.payable_fen)),
            ("net CNY", yuan(statement.net_fen)),
        )
    )
    show_table(
        ("counterparty", "for", "CNY", "obligation"),
        ((one.counterparty, one.kind, yuan(one.amount_fen), one.obligation_id) for one in statement.lines),
    )


def _write(out: Path, statement: Statement, names: dict[str, str]) -> None:
    from hub.clearing.statements import render

    content = render(statement, out.suffix.lstrip("."), names)
    try:
        out.write_bytes(content)
    except OSError as problem:
        raise Failed(f"{out}: {problem.strerror or problem}") from problem


@cycle_app.command("papers")
def write_papers(
    cycle_id: CycleId,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made where there is none.")],
    pdf: Annotated[bool, typer.Option("--pdf", help="Draw everybody's PDF too.")] = False,
    xlsx: Annotated[bool, typer.Option("--xlsx", help="Draw everybody's workbook too.")] = False,
    as_json: Json = False,
) -> None:
    """Write everybody's page and list of lines. Interrupted, call it again: what is drawn is kept."""
    forms = [form for form, wanted in (("pdf", pdf), ("xlsx", xlsx)) if wanted]

    from hub.clearing.papers import FolderProblem, write_statements

    async def work(hub: Any) -> list[Path]:
        with progress_bar() as told:
            written = await write_statements(hub.database, cycle_id, folder, forms=forms, progress=told)
        await note(hub, "write_papers", cycle_id, files=len(written))
        return written

    try:
        files = with_hub(work)
    except FolderProblem as problem:
        raise Failed(str(problem)) from problem
    if as_json:
        show_json([str(file) for file in files])
    else:
        show_facts((("cycle", cycle_id), ("folder", folder), ("files", len(files))))


def _show_result(result: CycleResult, as_json: bool) -> None:
    if as_json:
        show_json(result)
        return
    cycle = result.cycle
    show_facts(
        (
            ("cycle", cycle.cycle_id),
            ("frequency", cycle.frequency),
            ("state", cycle.state),
            ("cut-off", _text(cycle.cutoff_at)),
            ("obligations", cycle.obligations),
            ("digest", cycle.digest),
        )
    )
    positions = ((one.party_id, yuan(one.amount_fen)) for one in result.positions)
    show_table(("party", f"position {cycle.currency}"), positions)


def _text(at: Any) -> str:
    return at.isoformat() if at is not None else ""
