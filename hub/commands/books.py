"""`interpile ledger`, `interpile cycle` and `interpile outbox`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.commands.shell import (
    Failed,
    Json,
    group,
    message,
    note,
    show_facts,
    show_json,
    show_table,
    with_hub,
    yuan,
)  # fmt: skip
from operator_sdk.contract.messages.admin import LedgerReport
from operator_sdk.contract.messages.clearing import Cycle, CycleClose, CycleResult, Statement

ledger_app = group("The ledger.")
cycle_app = group("Clearing cycles.")
outbox_app = group("Messages that gave up.")

SHOWN_MOST = 200


@ledger_app.command("verify")
def verify_ledger(as_json: Json = False) -> None:
    """Recompute every balance, digest and link from raw entries; fails when anything is off."""

    async def work(hub: Any) -> LedgerReport:
        from hub.ledger.jobs import verify

        async with hub.database.reading() as unit:
            return await verify(unit)

    report = with_hub(work)
    if as_json:
        show_json(report)
    else:
        show_facts(
            (
                ("postings", report.postings),
                ("entries", report.entries),
                ("accounts", report.accounts),
                ("sealed", report.sealed),
                ("verified", "yes" if report.verified else "no"),
                *(("problem", problem) for problem in report.problems),
            )
        )
    if not report.verified:
        raise Failed(f"the ledger does not verify: {len(report.problems)} problems")


@cycle_app.command("close")
def close_cycle(
    cutoff: Annotated[str, typer.Option(help="Business time, RFC 3339: 2026-03-03T00:00:00+08:00.")],
    as_json: Json = False,
) -> None:
    """Cut the open cycle off."""
    close = message(CycleClose, cutoff_at=cutoff)

    async def work(hub: Any) -> CycleResult:
        result: CycleResult = await hub.clearing.close_cycle(close.cutoff_at)
        await note(hub, "close_cycle", result.cycle.cycle_id, cutoff_at=close.cutoff_at.isoformat())
        return result

    _show_result(with_hub(work), as_json)


@cycle_app.command("show")
def show_cycle(cycle_id: Annotated[str, typer.Argument(metavar="CYCLE")], as_json: Json = False) -> None:
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
            ("cycle", "state", "cut-off", "obligations"),
            ((one.cycle_id, one.state, _text(one.cutoff_at), one.obligations) for one in cycles),
        )


@cycle_app.command("statement")
def show_statement(
    cycle_id: Annotated[str, typer.Argument(metavar="CYCLE")],
    party_id: Annotated[str, typer.Argument(metavar="PARTY", help="Whose statement.")],
    out: Annotated[Path | None, typer.Option(help="Write a .html, .csv or .json file.")] = None,
    as_json: Json = False,
) -> None:
    """One party's statement, for those who have no platform to fetch their own."""
    if out is not None and out.suffix.lstrip(".") not in {"html", "csv", "json"}:
        raise Failed("a statement is written as .html, .csv or .json")

    async def work(hub: Any) -> Statement:
        from hub.clearing.statements import render
        from hub.parties.scope import HUB

        statement: Statement = await hub.clearing.statement(HUB, cycle_id, party_id)
        if out is not None:
            out.write_bytes(render(statement, out.suffix.lstrip("."), await hub.clearing.names()))
        return statement

    statement = with_hub(work)
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


def _show_result(result: CycleResult, as_json: bool) -> None:
    if as_json:
        show_json(result)
        return
    cycle = result.cycle
    show_facts(
        (
            ("cycle", cycle.cycle_id),
            ("state", cycle.state),
            ("cut-off", _text(cycle.cutoff_at)),
            ("obligations", cycle.obligations),
            ("digest", cycle.digest),
        )
    )
    positions = ((one.party_id, yuan(one.amount_fen)) for one in result.positions)
    show_table(("party", f"position {cycle.currency}"), positions)


def _text(at: datetime | None) -> str:
    return at.isoformat() if at is not None else ""


@outbox_app.command("dead")
def list_dead(
    party: Annotated[str | None, typer.Option(help="Only messages to this party.")] = None,
    as_json: Json = False,
) -> None:
    """Messages that gave up, with the reason."""

    async def work(hub: Any) -> list[Any]:
        from hub.core.outbox import list_dead as dead_letters

        async with hub.database.reading() as unit:
            return list(await dead_letters(unit, party_id=party, after=None, limit=SHOWN_MOST))

    rows = with_hub(work)
    columns = ("letter_id", "kind", "party_id", "subject", "attempts", "reason", "dead_at")
    if as_json:
        show_json([{name: getattr(row, name) for name in columns} for row in rows])
    else:
        show_table(
            ("letter", "kind", "party", "subject", "attempts", "reason", "given up"),
            ([getattr(row, name) for name in columns[:-1]] + [_text(row.dead_at)] for row in rows),
        )


@outbox_app.command("replay")
def replay(letter_id: Annotated[str, typer.Argument(metavar="LETTER")], as_json: Json = False) -> None:
    """Try a message again, under the same id."""

    async def work(hub: Any) -> dict[str, Any]:
        async with hub.database.unit() as unit:
            row = await hub.outbox.replay(unit, letter_id)
        await note(hub, "replay_letter", letter_id)
        return {"letter_id": row.letter_id, "kind": row.kind, "subject": row.subject}

    replayed = with_hub(work)
    show_json(replayed) if as_json else show_facts(replayed.items())
