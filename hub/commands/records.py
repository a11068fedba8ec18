"""`interpile record`."""

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
from operator_sdk.contract.messages.records import (
    PartnerTrust,
    Record,
    RecordDecided,
    RecordDecision,
    RecordQuery,
    TrustRestore,
)
from operator_sdk.contract.messages.roaming import SessionRelease, SessionReleased

record_app = group("Charge records: what the rules said of them, and what becomes of the suspended ones.")

SHOWN_MOST = 200
RecordArgument = Annotated[str, typer.Argument(metavar="RECORD", help="The record's id (rec_...).")]
PartyArgument = Annotated[str, typer.Argument(metavar="PARTY", help="The host's organisation code.")]
Reason = Annotated[str, typer.Option(help="Why; both sides see it.")]


@record_app.command("list")
def list_records(
    state: Annotated[str | None, typer.Option(help="suspended, accepted, disputed, ...; else all.")] = None,
    as_json: Json = False,
) -> None:
    """Records, the newest change first."""
    asked = message(RecordQuery, state=state, order="newest")

    async def work(hub: Any) -> list[Record]:
        from hub.parties.scope import HUB

        found: list[Record] = await hub.roaming.reading.records(
            HUB, after=None, updated_since=None, limit=SHOWN_MOST, newest=True, state=asked.state
        )
        return found

    records = with_hub(work)
    if as_json:
        show_json(records)
        return
    show_table(
        ("record", "state", "kind", "home", "host", "connector", "ended", "CNY", "owed", "objections"),
        (
            (
                one.record_id,
                one.state,
                one.kind,
                one.home_party_id,
                one.host_party_id,
                one.connector.partition(".")[0],
                _time(one.ended_at),
                yuan(one.amount_fen),
                yuan(one.owed_fen),
                " ".join(finding.rule for finding in one.findings),
            )
            for one in records
        ),
    )


@record_app.command("show")
def show_record(record_id: RecordArgument, as_json: Json = False) -> None:
    """One record: what was billed, what each rule said, and how it was priced again."""

    async def work(hub: Any) -> Record:
        from hub.parties.scope import HUB

        record: Record = await hub.roaming.reading.record(HUB, record_id)
        return record

    record = with_hub(work)
    if as_json:
        show_json(record)
        return
    show_facts(_facts(record))
    show_table(
        ("rule", "code", "says", "because"),
        (
            (number, one.rule, one.verdict, one.detail)
            for number, one in enumerate(record.outcomes, 1)
            if one.verdict != "not_applicable"
        ),
    )
    if record.repriced is not None:
        show_table(
            ("from", "fee", "charged", "by the tariff", "difference", "tolerance"),
            (
                (
                    _time(part.start),
                    part.kind,
                    yuan(part.charged_fen),
                    yuan(part.repriced_fen),
                    yuan(part.difference_fen),
                    yuan(part.tolerance_fen),
                )
                for part in record.repriced.parts
            ),
        )


def _facts(record: Record) -> list[tuple[str, Any]]:
    return [
        ("record", record.record_id),
        ("state", record.state),
        ("kind", record.kind if record.credit_of is None else f"{record.kind} of {record.credit_of}"),
        ("home", record.home_party_id),
        ("host", record.host_party_id),
        ("connector", record.connector),
        ("session", record.session_id or f"none; the host's number is {record.session_ref}"),
        ("from", _time(record.started_at)),
        ("to", _time(record.ended_at)),
        ("kWh", f"{record.energy_wh // 1000}.{record.energy_wh % 1000:03d}"),
        ("electricity CNY", yuan(record.electricity_fen)),
        ("service CNY", yuan(record.service_fen)),
        ("parking CNY", yuan(record.parking_fen)),
        ("idle CNY", yuan(record.idle_fen)),
        ("amount CNY", yuan(record.amount_fen)),
        ("owed CNY", yuan(record.owed_fen)),
        ("tariff", f"{record.tariff_id} version {record.tariff_version}"),
        ("reason", record.reason),
    ]


@record_app.command("decide")
def decide_record(
    record_id: RecordArgument,
    decision: Annotated[str, typer.Argument(metavar="accept|reject", help="What becomes of it.")],
    reason: Reason,
    home: Annotated[str | None, typer.Option(help="Who owes it, where nobody is named.")] = None,
    as_json: Json = False,
) -> None:
    """Accept or reject a suspended record, alone, as whoever holds the database may; the audit log says so."""
    said = message(RecordDecision, decision=decision, reason=reason, home_party_id=home)

    async def work(hub: Any) -> RecordDecided:
        done: RecordDecided = await hub.roaming.deciding.decide(record_id, said, actor(), alone=True)
        return done

    decided = with_hub(work)
    if as_json:
        show_json(decided)
    else:
        show_facts((("record", decided.record_id), ("state", decided.state), ("home", decided.home_party_id)))


@record_app.command("release")
def release_session(
    session_id: Annotated[str, typer.Argument(metavar="SESSION", help="The session's id (ses_...).")],
    reason: Annotated[str, typer.Option(help="Why no bill is to be expected.")],
    as_json: Json = False,
) -> None:
    """Let go what is held for a session that no record stands for, alone; the audit log says so."""
    said = message(SessionRelease, reason=reason)

    async def work(hub: Any) -> SessionReleased:
        done: SessionReleased = await hub.roaming.releasing.release(session_id, said, actor(), alone=True)
        return done

    released = with_hub(work)
    if as_json:
        show_json(released)
        return
    show_facts(
        (
            ("session", released.session_id),
            ("state", released.state),
            ("authorization", f"{released.authorization_id} {released.authorization_state}"),
        )
    )


@record_app.command("partners")
def list_partners(as_json: Json = False) -> None:
    """Hosts whose records are disputed, and those that are not taken at their word."""

    async def work(hub: Any) -> list[PartnerTrust]:
        found: list[PartnerTrust] = await hub.roaming.trust.hosts(after=None, limit=SHOWN_MOST)
        return found

    hosts = with_hub(work)
    if as_json:
        show_json(hosts)
        return
    show_table(
        ("host", "day", "disputes", "at most", "stopped since", "lifted by", "reason"),
        (
            (one.party_id, one.day, one.disputes, one.disputes_most, one.stopped_day, one.lifted_by, one.reason)
            for one in hosts
        ),
    )


@record_app.command("restore")
def restore_partner(
    party_id: PartyArgument,
    reason: Reason,
    most: Annotated[int | None, typer.Option(help="Disputes a day from now on, at most.")] = None,
    as_json: Json = False,
) -> None:
    """Accept a host's records by the hub's own checks again."""
    request = message(TrustRestore, reason=reason, disputes_most=most)

    async def work(hub: Any) -> PartnerTrust:
        trust: PartnerTrust = await hub.roaming.trust.restore(party_id, request, actor())
        return trust

    trust = with_hub(work)
    if as_json:
        show_json(trust)
    else:
        show_facts((("host", trust.party_id), ("disputes a day, at most", trust.disputes_most)))


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M")
