"""The rules that judge a charge record. Here the ones every record must pass; the money core adds the rest.

A rule answers pass, warn, suspend or reject; the worst answer decides the record's state.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from operator_sdk.contract.codes import RecordState, Verdict
from operator_sdk.contract.messages.common import BillLine
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import ChargeRecord, Finding
from operator_sdk.contract.money import amount_fen, owed_at_most_fen
from operator_sdk.contract.pricing import PricingError, line_tolerance_fen, period_at

CLOCK_SLACK = timedelta(minutes=5)
METER_SLACK_WH = 10
SPAN_MOST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Against:
    """What a record is held against. `tariff` is the version the session began with, if it is known."""

    connector_id: str
    tariff: Tariff | None
    limit_fen: int | None
    tolerance_fen: int
    now: datetime
    second: bool
    authorized: bool


def judge(record: ChargeRecord, against: Against) -> list[Finding]:
    """Everything the rules object to; empty when all is well.

    Prices are looked at only in a record that could be right: stepping through a span of years costs time.
    """
    findings = [*_identity(record, against), *_time(record, against), *_sums(record), *_meter(record)]
    if state_of(findings) is not RecordState.REJECTED:
        findings += _prices(record, against)
    return findings


def _identity(record: ChargeRecord, against: Against) -> Iterator[Finding]:
    if record.connector_id != against.connector_id:
        yield _finding("connector", Verdict.REJECT, "another connector than the session's")
    if record.currency != "CNY":
        yield _finding("currency", Verdict.SUSPEND, "not CNY")
    if against.second:
        yield _finding("second_record", Verdict.SUSPEND, "the session has a record already")
    if not against.authorized:
        yield _finding("authorization", Verdict.SUSPEND, "no authorization was granted")


def _time(record: ChargeRecord, against: Against) -> Iterator[Finding]:
    if record.ended_at <= record.started_at:
        yield _finding("time_order", Verdict.REJECT, "the end is not after the start")
    if record.ended_at - record.started_at > SPAN_MOST:
        yield _finding("time_span", Verdict.REJECT, "longer than seven days")
    if record.ended_at > against.now + CLOCK_SLACK:
        yield _finding("time_future", Verdict.REJECT, "the end is in the future")


def _sums(record: ChargeRecord) -> Iterator[Finding]:
    lines = record.lines
    if sum(line.electricity_fen for line in lines) != record.electricity_fen:
        yield _finding("sum_electricity", Verdict.REJECT, "electricity is not the sum of its lines")
    if sum(line.service_fen for line in lines) != record.service_fen:
        yield _finding("sum_service", Verdict.REJECT, "service is not the sum of its lines")
    if record.electricity_fen + record.service_fen != record.amount_fen:
        yield _finding("sum_amount", Verdict.REJECT, "the total is not electricity + service")
    if sum(line.energy_wh for line in lines) != record.energy_wh:
        yield _finding("sum_energy", Verdict.REJECT, "the energy is not the sum of its lines")
    if not _contiguous(record):
        yield _finding("line_order", Verdict.REJECT, "lines overlap, leave gaps or leave the session")


def _contiguous(record: ChargeRecord) -> bool:
    expected = record.started_at
    for line in record.lines:
        if line.start != expected or line.end < line.start:
            return False
        expected = line.end
    return expected == record.ended_at


def _meter(record: ChargeRecord) -> Iterator[Finding]:
    by_meter = record.meter_end_wh - record.meter_start_wh
    slack = max(METER_SLACK_WH, record.energy_resolution_wh)
    if abs(by_meter - record.energy_wh) > slack:
        yield _finding("meter", Verdict.SUSPEND, "the meter's difference is not the energy")


def _prices(record: ChargeRecord, against: Against) -> Iterator[Finding]:
    tariff = against.tariff
    if tariff is None:
        yield _finding("tariff_unknown", Verdict.SUSPEND, "the tariff version is not known")
        return
    if (record.tariff_id, record.tariff_version) != (tariff.tariff_id, tariff.version):
        yield _finding("tariff_version", Verdict.SUSPEND, "not the tariff in force at the start")
        return
    budget = against.tolerance_fen
    for line in record.lines:
        problem, spent = _line_problem(record, line, tariff)
        budget -= spent
        if problem or budget < 0:
            yield _finding("price", Verdict.SUSPEND, problem or "differences add up beyond the tolerance")
            return


def _line_problem(record: ChargeRecord, line: BillLine, tariff: Tariff) -> tuple[str | None, int]:
    try:
        period, edge = period_at(tariff, line.start)
    except PricingError as problem:
        return str(problem), 0
    if (line.electricity_micro, line.service_micro) != (period.electricity_micro, period.service_micro):
        return "a line's price is not the tariff's", 0
    if line.end > edge and not _same_price_until(tariff, line):
        return "a line crosses a tariff edge", 0
    spent = 0
    for price, amount in (
        (period.electricity_micro, line.electricity_fen),
        (period.service_micro, line.service_fen),
    ):
        difference = abs(amount - amount_fen(line.energy_wh, price))
        if difference > line_tolerance_fen(record.energy_resolution_wh, price, record.amount_resolution_fen):
            return "a line's amount is not energy x price", difference
        spent += difference
    return None, spent


def _same_price_until(tariff: Tariff, line: BillLine) -> bool:
    at = line.start
    while at < line.end:
        period, edge = period_at(tariff, at)
        if (period.electricity_micro, period.service_micro) != (
            line.electricity_micro,
            line.service_micro,
        ):
            return False
        at = edge
    return True


def _finding(rule: str, verdict: Verdict, detail: str) -> Finding:
    return Finding(rule=rule, verdict=verdict, detail=detail)


def state_of(findings: list[Finding]) -> RecordState:
    """The record's state that the worst finding makes."""
    verdicts = {finding.verdict for finding in findings}
    if Verdict.REJECT in verdicts:
        return RecordState.REJECTED
    if Verdict.SUSPEND in verdicts:
        return RecordState.SUSPENDED
    return RecordState.ACCEPTED


def owed_fen(amount: int, limit_fen: int | None) -> int:
    """What the home owes: the host bears what lies beyond limit + max(1 %, 300 fen)."""
    return amount if limit_fen is None else min(amount, owed_at_most_fen(limit_fen))
