"""A bill over a span of years is rejected for that, without its prices being stepped through."""

from datetime import timedelta

import msgspec

from hub.roaming.model_records import Against, judge, state_of
from operator_sdk.contract.codes import RecordState
from operator_sdk.contract.golden import END, GOLDEN, START, TARIFF
from operator_sdk.contract.messages.records import ChargeRecord


def test_a_record_over_centuries_is_rejected_and_not_priced() -> None:
    (record,) = (message for message in GOLDEN if isinstance(message, ChargeRecord))
    began = START - timedelta(days=200 * 365)
    line = msgspec.structs.replace(record.lines[0], start=began, end=END, energy_wh=record.energy_wh)
    endless = msgspec.structs.replace(record, started_at=began, lines=[line])
    against = Against(
        connector_id=record.connector_id,
        tariff=TARIFF,
        limit_fen=None,
        tolerance_fen=100,
        now=END,
        second=False,
        authorized=True,
    )
    rules = {finding.rule for finding in judge(endless, against)}
    assert "time_span" in rules
    assert "price" not in rules
    assert state_of(judge(endless, against)) is RecordState.REJECTED
    assert judge(record, against) == []
