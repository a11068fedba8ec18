"""`interpile dispute`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from hub.commands.shell import (
    Json,
    actor,
    group,
    message,
    show_facts,
    show_json,
    show_table,
    with_hub,
    yuan,
)
from operator_sdk.contract.messages.disputes import Dispute, DisputeEvidence, DisputeQuery, DisputeResolve

dispute_app = group("Disputes over charge records: what each side says, and what becomes of the record.")

SHOWN_MOST = 200
DisputeArgument = Annotated[str, typer.Argument(metavar="DISPUTE", help="The dispute's id (dsp_...).")]


@dispute_app.command("list")
def list_disputes(
    state: Annotated[str | None, typer.Option(help="raised, answered, accepted or credited; else all.")] = None,
    as_json: Json = False,
) -> None:
    """Disputes, the newest change first."""
    asked = message(DisputeQuery, state=state, order="newest")

    async def work(hub: Any) -> list[Dispute]:
        from hub.parties.scope import HUB

        found: list[Dispute] = await hub.roaming.disputes.disputes(
            HUB, after=None, updated_since=None, limit=SHOWN_MOST, newest=True, state=asked.state
        )
        return found

    found = with_hub(work)
    if as_json:
        show_json(found)
        return
    show_table(
        ("dispute", "state", "waits for", "until", "record", "home", "host", "raised by", "CNY", "reason"),
        (
            (
                one.dispute_id,
                one.state,
                _waits_for(one),
                None if one.resolved_at else _time(one.due_at),
                one.record_id,
                one.home_party_id,
                one.host_party_id,
                "home" if one.raised_by == one.home_party_id else "host",
                yuan(one.amount_fen),
                one.resolution_reason or one.reason,
            )
            for one in found
        ),
    )


@dispute_app.command("show")
def show_dispute(dispute_id: DisputeArgument, as_json: Json = False) -> None:
    """One dispute with the evidence of both sides."""

    async def work(hub: Any) -> Dispute:
        from hub.parties.scope import HUB

        found: Dispute = await hub.roaming.disputes.dispute(HUB, dispute_id)
        return found

    _show(with_hub(work), as_json)


@dispute_app.command("resolve")
def resolve_dispute(
    dispute_id: DisputeArgument,
    outcome: Annotated[str, typer.Argument(metavar="accepted|credited", help="What becomes of the record.")],
    reason: Annotated[str, typer.Option(help="Why; both sides see it.")],
    as_json: Json = False,
) -> None:
    """Decide a dispute, alone, as whoever holds the database may; the audit log says so."""
    said = message(DisputeResolve, outcome=outcome, reason=reason)
    _show(with_hub(lambda hub: hub.roaming.disputes.resolve(dispute_id, said, actor(), alone=True)), as_json)


def _show(one: Dispute, as_json: bool) -> None:
    if as_json:
        show_json(one)
        return
    show_facts(fact for fact in _facts(one) if fact[1] is not None)


def _facts(one: Dispute) -> list[tuple[str, Any]]:
    return [
        ("dispute", one.dispute_id),
        ("state", one.state),
        ("record", one.record_id),
        ("home", one.home_party_id),
        ("host", one.host_party_id),
        (one.currency, yuan(one.amount_fen)),
        ("in time", "yes: out of its cycle" if one.in_time else "no: only a credit can follow"),
        ("raised by", one.raised_by),
        ("raised", _time(one.raised_at)),
        ("reason", one.reason),
        *_pieces("evidence", one.evidence),
        ("answer", one.answer),
        ("answered", _time(one.answered_at)),
        ("answer's reason", one.answer_reason),
        *_pieces("answer's evidence", one.answer_evidence),
        ("insisted", _time(one.insisted_at)),
        ("insists because", one.insist_reason),
        ("waits for", _waits_for(one)),
        ("until", None if one.resolved_at else _time(one.due_at)),
        ("proposed", one.proposed_outcome and f"{one.proposed_outcome} by {one.proposed_by}"),
        ("resolved by", one.resolved_by),
        ("resolved", _time(one.resolved_at)),
        ("because", one.resolution_reason),
    ]


def _pieces(label: str, evidence: list[DisputeEvidence]) -> list[tuple[str, str]]:
    return [
        (label, " | ".join(part for part in (one.name, one.text, one.link, one.sha256) if part))
        for one in evidence
    ]


def _waits_for(one: Dispute) -> str | None:
    if one.resolved_at is not None:
        return None
    if one.insisted_at is not None:
        return "staff"
    raised_by_home = one.raised_by == one.home_party_id
    return "host" if raised_by_home == (one.answer is None) else "home"


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%d %H:%M")
