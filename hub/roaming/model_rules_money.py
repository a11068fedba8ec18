"""Rules of the money: the periods, the prices, the sums, when it comes, and what a credit may undo."""

from hub.roaming.model_facts import AnyRecord, Facts
from hub.roaming.model_repricing import FOR_TIME, is_bare, own_prices, price_problem, reprice
from hub.roaming.model_rules_charge import HOUR_S, whole_s
from hub.roaming.model_rules_who import NOT_APPLICABLE, PASS, Answer
from operator_sdk.contract.codes import RecordKind, RecordState, Verdict
from operator_sdk.contract.messages.records import Bill, CreditRecord
from operator_sdk.contract.pricing import PricingError

MAY_BE_CREDITED = frozenset({RecordState.ACCEPTED.value, RecordState.SETTLED.value})
OF_THIS_AGE = range(2000, 2200)
"""Years in which arithmetic on instants stays within the calendar."""


def periods(record: AnyRecord, _: Facts) -> Answer:
    """10: the lines are the session, one after the other, with all of its energy; a gap may be explained."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    if sum(line.energy_wh for line in record.lines) != record.energy_wh:
        return Verdict.REJECT, "the energy is not the sum of its lines"
    gap, expected = False, record.started_at
    for line in record.lines:
        if line.start < expected or line.end < line.start:
            return Verdict.REJECT, "lines overlap, go back or begin before the charge"
        gap = gap or line.start > expected
        expected = line.end
    if expected > record.ended_at:
        return Verdict.REJECT, "lines go beyond the end of the charge"
    return (Verdict.SUSPEND, "lines leave a gap") if gap or expected < record.ended_at else PASS


def can_be_priced(record: Bill, facts: Facts) -> bool:
    """Whether pricing a record means anything, and ends: stepping through a span of years costs time."""
    if not (OF_THIS_AGE.start <= record.started_at.year and record.ended_at.year < OF_THIS_AGE.stop):
        return False
    span = record.ended_at - record.started_at
    forward = all(record.started_at <= line.start <= line.end <= record.ended_at for line in record.lines)
    left = record.left_at is None or record.left_at >= record.ended_at
    return whole_s(span) >= 0 and span <= facts.limits.span_most and forward and left


def price(record: AnyRecord, facts: Facts) -> Answer:
    """11: every amount is what the tariff version at the start makes of the energy and the time.

    Where the tariff is an estimate, it is what each line's own prices make of its energy; a bill that has none
    is taken as it came, with a warning.
    """
    if not isinstance(record, Bill) or facts.tariff is None or not can_be_priced(record, facts):
        return NOT_APPLICABLE
    if tariff(record, facts) != PASS:
        return NOT_APPLICABLE
    if not facts.tariff.binding:
        return _by_own_prices(record, facts)
    try:
        parts = reprice(record, facts.tariff)
    except PricingError as trouble:
        return Verdict.SUSPEND, str(trouble)
    if record.energy_wh == 0:
        # What is billed for no energy is for rule 16 to say.
        parts = [part for part in parts if part.priced.kind in FOR_TIME]
    problem = price_problem(parts, most_fen=facts.terms.tolerance_fen)
    return (Verdict.SUSPEND, problem) if problem else PASS


def _by_own_prices(record: Bill, facts: Facts) -> Answer:
    # What is billed for no energy is for rule 16 to say.
    parts = own_prices(record) if record.energy_wh else []
    problem = price_problem(parts, most_fen=facts.terms.tolerance_fen)
    if problem:
        return Verdict.SUSPEND, problem
    bare = record.fees or any(is_bare(line) for line in record.lines)
    return (Verdict.WARN, "trusted: nothing to price it by") if bare else PASS


def tariff(record: AnyRecord, facts: Facts) -> Answer:
    """12: the tariff is the version that was in force at the start, and public by then.

    An estimate binds nobody: when it was written down says nothing.
    """
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    right = facts.tariff
    if right is None:
        return Verdict.SUSPEND, "the tariff version is not known"
    if (record.tariff_id, record.tariff_version) != (right.tariff_id, right.version):
        return Verdict.SUSPEND, "not the tariff version in force at the start"
    if not right.binding:
        return PASS
    began = max(record.started_at, facts.opened_at or record.started_at)
    if facts.published_at is not None and facts.published_at > began + facts.limits.clock_slack:
        return Verdict.SUSPEND, "the tariff version was published after the start"
    return PASS


def sums(record: AnyRecord, _: Facts) -> Answer:
    """13: every total is the sum of its lines, and the amount the sum of the totals."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    said = {
        "electricity": (record.electricity_fen, sum(line.electricity_fen for line in record.lines)),
        "service": (record.service_fen, sum(line.service_fen for line in record.lines)),
        "parking": (record.parking_fen, _for_time(record, "parking")),
        "idle": (record.idle_fen, _for_time(record, "idle")),
    }
    for kind, (total, lines) in said.items():
        if total != lines:
            return Verdict.REJECT, f"{kind} is not the sum of its lines"
    if record.amount_fen != sum(total for total, _ in said.values()):
        return Verdict.REJECT, "the amount is not electricity + service + parking + idle"
    return PASS


def _for_time(record: Bill, kind: str) -> int:
    return sum(fee.amount_fen for fee in record.fees if fee.kind == kind)


def no_energy(record: AnyRecord, _: Facts) -> Answer:
    """16: nobody pays for energy that did not flow; parking and idle are owed all the same."""
    if not isinstance(record, Bill) or record.energy_wh:
        return NOT_APPLICABLE
    if record.electricity_fen or record.service_fen:
        return Verdict.WARN, "money for no energy: not owed"
    return PASS


def late(record: AnyRecord, facts: Facts) -> Answer:
    """20: a bill comes within a day; after a week a person looks; after the agreed time it is refused."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    # Nobody can bill parking and idle before the vehicle has left.
    age = facts.now - (record.left_at or record.ended_at)
    if age > facts.terms.late_most:
        return Verdict.REJECT, f"later than the {facts.terms.late_most.days} days agreed"
    if age > facts.limits.late_suspend:
        return Verdict.SUSPEND, f"{age.days} days late"
    if age > facts.limits.late_warn:
        return Verdict.WARN, f"{whole_s(age) // HOUR_S} hours late"
    return PASS


def credit(record: AnyRecord, facts: Facts) -> Answer:
    """21: a credit undoes one known charge, once, whole."""
    if not isinstance(record, CreditRecord):
        return NOT_APPLICABLE
    original = facts.original
    if original is None or original.kind != RecordKind.CHARGE:
        return Verdict.REJECT, "there is no such charge record"
    if original.state == RecordState.CREDITED:
        return Verdict.REJECT, "the record was credited before"
    if original.state not in MAY_BE_CREDITED:
        return Verdict.REJECT, f"the record is {original.state}: nobody owes it"
    if record.amount_fen != original.amount_fen:
        return Verdict.REJECT, "the amount is not the record's"
    return PASS


def credit_settled(record: AnyRecord, facts: Facts) -> Answer:
    """22: what is settled is never touched: the credit is an obligation of its own in the open cycle."""
    if not isinstance(record, CreditRecord) or facts.original is None:
        return NOT_APPLICABLE
    if facts.original.state == RecordState.SETTLED:
        return Verdict.WARN, "the record is settled: a new obligation in the open cycle"
    return PASS


def currency(record: AnyRecord, facts: Facts) -> Answer:
    """23: the agreement's currency, and energy into the vehicle."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    if record.currency != facts.terms.currency:
        return Verdict.SUSPEND, f"{record.currency}, not {facts.terms.currency}"
    if record.meter_end_wh < record.meter_start_wh:
        return Verdict.SUSPEND, "the meter went down: energy from a vehicle is not agreed"
    return PASS
