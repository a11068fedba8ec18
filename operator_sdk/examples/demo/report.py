"""The report: what happened, in whole numbers, and whether it holds."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import msgspec

from operator_sdk.contract.messages.common import BillLine
from operator_sdk.contract.messages.records import Record
from operator_sdk.contract.messages.roaming import Session, SessionProgress

REFUSALS = ("token_unknown", "token_blocked", "insufficient_funds", "connector_faulted")
PROGRESS_LEAST = 5


class Line(msgspec.Struct, frozen=True):
    """One stretch of one tariff period."""

    start: datetime
    end: datetime
    energy_wh: int
    electricity_micro: int
    service_micro: int
    electricity_fen: int
    service_fen: int


class Progress(msgspec.Struct, frozen=True):
    """One update, as a subscriber received it."""

    percent: int | None
    seconds_left: int | None
    energy_wh: int
    amount_fen: int


class Charge(msgspec.Struct, frozen=True):
    """A session with its record, its settlement and what was seen of it."""

    session_id: str
    home: str
    host: str
    start_mode: str
    connector_id: str
    stop_reason: str
    meter_start_wh: int
    meter_end_wh: int
    energy_wh: int
    amount_fen: int
    held_fen: int
    captured_fen: int
    released_fen: int
    lines: list[Line]
    progress: list[Progress]


class Refusal(msgspec.Struct, frozen=True):
    """Why nobody charged, and what the driver's home still holds."""

    reason: str
    held_fen_after: int


class Outage(msgspec.Struct, frozen=True):
    """The cut in mid-charge."""

    session_id: str
    outage_s: int
    updates_made: int
    updates_stored: int
    charge_records: int


class Repair(msgspec.Struct, frozen=True):
    """A work order that a driver's report made, and the states it went through."""

    id: str
    states: list[str]


class Frames(msgspec.Struct, frozen=True):
    """Counted at the agents, on all pile buses and all meter lines."""

    can: int
    meter: int


class Owed(msgspec.Struct, frozen=True):
    """One obligation."""

    debtor: str
    creditor: str
    amount_fen: int


class LedgerState(msgspec.Struct, frozen=True):
    """What recomputing the ledger said."""

    verified: bool
    postings: int


class Report(msgspec.Struct, frozen=True):
    """All of it."""

    sessions: list[Charge]
    refusals: list[Refusal]
    outage: Outage
    obligations: list[Owed]
    positions: dict[str, int]
    ledger: LedgerState
    work_orders: list[Repair]
    frames: Frames
    database: str


def charge_of(record: Record, session: Session, received: list[SessionProgress]) -> Charge:
    """A charge as it is reported: the record and its settlement, and what was held: the limit granted."""
    settlement = record.settlement
    return Charge(
        session_id=session.session_id,
        home=session.home_party_id,
        host=record.host_party_id,
        start_mode=session.start_mode,
        connector_id=record.connector.partition(".")[0],
        stop_reason=record.stop_reason,
        meter_start_wh=record.meter_start_wh,
        meter_end_wh=record.meter_end_wh,
        energy_wh=record.energy_wh,
        amount_fen=record.amount_fen,
        held_fen=session.limit_fen or 0,
        captured_fen=settlement.captured_fen if settlement else 0,
        released_fen=settlement.released_fen if settlement else 0,
        lines=[_line(one) for one in record.lines],
        progress=[Progress(one.percent, one.seconds_left, one.energy_wh, one.amount_fen) for one in received],
    )


def _line(line: BillLine) -> Line:
    return Line(**{name: getattr(line, name) for name in Line.__struct_fields__})


def problems(report: Report) -> list[str]:
    """What does not hold, in words; nothing, when all is well."""
    return [
        *_of_sessions(report),
        *_of_refusals(report),
        *_of_outage(report),
        *_of_money(report),
        *_of_upkeep(report),
    ]


def _of_sessions(report: Report) -> Iterator[str]:
    if len(report.sessions) < 4:
        yield f"only {len(report.sessions)} sessions have a record"
    missing = {"hub", "host", "home"} - {one.start_mode for one in report.sessions}
    if missing:
        yield f"no charge was started by: {', '.join(sorted(missing))}"
    reasons = {one.stop_reason for one in report.sessions}
    if not {"driver_remote", "target_energy"} <= reasons:
        yield f"no stop by hand or none at the target: {', '.join(sorted(reasons))}"
    if all(len(one.lines) < 2 for one in report.sessions):
        yield "no charge crossed a tariff edge"
    for one in report.sessions:
        for problem in _of_session(one):
            yield f"{one.session_id}: {problem}"


def _of_session(one: Charge) -> Iterator[str]:
    if one.captured_fen + one.released_fen != one.held_fen:
        yield f"captured {one.captured_fen} and released {one.released_fen} are not the {one.held_fen} held"
    if not 0 < one.captured_fen == min(one.amount_fen, one.held_fen):
        yield f"captured {one.captured_fen} of {one.amount_fen}"
    measured, billed = one.meter_end_wh - one.meter_start_wh, sum(line.energy_wh for line in one.lines)
    if not measured == one.energy_wh == billed:
        yield "the energy is not what the meter and the lines say"
    if sum(line.electricity_fen + line.service_fen for line in one.lines) != one.amount_fen:
        yield "the amount is not the sum of its lines"
    if len(one.progress) < PROGRESS_LEAST:
        yield f"only {len(one.progress)} updates were received"
    seen = [step.percent for step in one.progress if step.percent is not None]
    if seen != sorted(seen):
        yield "its progress went backward"


def _of_refusals(report: Report) -> Iterator[str]:
    reasons = Counter(one.reason for one in report.refusals)
    for reason in REFUSALS:
        if reasons[reason] != 1:
            yield f"refused as {reason}: {reasons[reason]} times"
    for one in report.refusals:
        if one.held_fen_after != 0:
            yield f"{one.held_fen_after} fen are still held after {one.reason}"


def _of_outage(report: Report) -> Iterator[str]:
    outage = report.outage
    if outage.updates_made != outage.updates_stored or outage.updates_made == 0:
        yield f"{outage.updates_made} updates were made in the outage's session, {outage.updates_stored} stored"
    if outage.charge_records != 1:
        yield f"the outage's session has {outage.charge_records} charge records"
    if outage.outage_s < 1:
        yield "the outage was too short to be one"
    if outage.session_id not in {one.session_id for one in report.sessions}:
        yield "the outage's session is not among the sessions"


def _of_upkeep(report: Report) -> Iterator[str]:
    if not report.work_orders:
        yield "no driver's fault report became a work order"
    for one in report.work_orders:
        if (one.states[0], one.states[-1]) != ("open", "confirmed"):
            yield f"the work order {one.id} went {', '.join(one.states)}"
    if not (report.frames.can and report.frames.meter):
        yield f"frames were counted as {report.frames.can} and {report.frames.meter}"


def _of_money(report: Report) -> Iterator[str]:
    net: Counter[str] = Counter()
    for one in report.obligations:
        net[one.creditor] += one.amount_fen
        net[one.debtor] -= one.amount_fen
    if any(net[party] != fen for party, fen in report.positions.items()) or set(net) - set(report.positions):
        yield "the positions are not what the obligations come to"
    if sum(report.positions.values()) != 0:
        yield "the positions do not sum to zero"
    billed = Counter({(one.home, one.host): 0 for one in report.sessions})
    for charge in report.sessions:
        billed[charge.home, charge.host] += charge.amount_fen
    owed: Counter[tuple[str, str]] = Counter()
    for one in report.obligations:
        owed[one.debtor, one.creditor] += one.amount_fen
    if any(owed[pair] != fen for pair, fen in billed.items()):
        yield "the homes do not owe what was billed"
    if not report.ledger.verified or report.ledger.postings == 0:
        yield "the ledger does not verify"
