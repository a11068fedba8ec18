"""What T/CEC 102 hosts say of charges under way, as updates of sessions."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hub.protocols.tcec102.translate_status import (
    Followed,
    Seen,
    connector_state,
    host_session,
    number_of,
    start_reply,
    start_update,
    stop_update,
    update_of,
)
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.messages.roaming import SessionUpdate
from operator_sdk.contract.tcec102.messages import (
    NotificationEquipChargeStatus,
    NotificationStartChargeResult,
    NotificationStopChargeResult,
    QueryStartChargeReply,
)
from tests.tcec_host_world import BEGUN, SESSION_ID, charging, profile, seq, tariff

NOW = BEGUN + timedelta(minutes=11)
DC = Followed(SESSION_ID, BEGUN, "dc", tariff())
AC = Followed(SESSION_ID, BEGUN, "ac", tariff())


def updated(status: NotificationEquipChargeStatus, followed: Followed = DC) -> SessionUpdate | None:
    """The update, of a status that nothing had to be tolerated in."""
    update, tolerated = update_of(status, profile(), followed, NOW)
    assert not tolerated
    return update


def test_a_status_is_an_update_numbered_by_its_sample() -> None:
    update = updated(charging())
    assert update is not None
    assert (update.number, update.at) == (2 + 8 * (600 + 86_400), BEGUN + timedelta(minutes=10))
    assert (update.energy_wh, update.meter_wh, update.amount_fen) == (6_670, 6_670, 1_000)
    assert (update.power_w, update.soc_percent, update.state) == (40_000, 55, SessionState.CHARGING)


def test_samples_before_the_session_count_up_all_the_same() -> None:
    samples = [BEGUN + timedelta(seconds=seconds) for seconds in (-90_000, -30, -29, 0)]
    numbers = [number_of(at, BEGUN, SessionState.CHARGING) for at in samples]
    assert numbers == [2, 690_962, 690_970, 691_202]


def test_what_a_charge_comes_to_within_one_second_is_newer_and_comes_again_as_the_same() -> None:
    """With room between the states for a stop's result, which takes the next number."""
    of_second = [updated(charging(start_charge_seq_stat=stat)) for stat in (2, 3, 4, 4)]
    later = updated(charging(end_time="2026-03-02 12:10:01"))
    begun, stopping, ended, again = (one.number for one in of_second if one)
    assert begun + 2 < stopping < stopping + 2 < ended == again
    assert later is not None
    assert ended + 1 < later.number


def test_phases_of_ac_add_up_and_those_of_dc_do_not() -> None:
    three = charging(
        current_b=Decimal(10), voltage_b=Decimal(220), current_c=Decimal(10), voltage_c=Decimal(220)
    )
    updates = [updated(three, one) for one in (DC, AC)]
    assert [one.power_w for one in updates if one] == [40_000, 44_400]


@pytest.mark.parametrize(
    ("soc", "kind", "percent"),
    [("55", "ac", None), ("1", "dc", None), ("0", "dc", None), ("101", "dc", None), ("100", "dc", 100)],
)
def test_a_soc_that_cannot_be_one_is_none(soc: str, kind: str, percent: int | None) -> None:
    update = updated(charging(soc=Decimal(soc)), Followed(SESSION_ID, BEGUN, kind))
    assert update is not None
    assert update.soc_percent == percent


def test_money_that_is_not_told_is_made_of_what_is() -> None:
    parts = charging(total_money=None, elec_money=Decimal("4.00"), service_money=Decimal("2.00"))
    nothing = charging(total_money=None, total_power=Decimal("10.00"))
    years = charging(total_money=None, start_time="2001-01-01 00:00:00", total_power=Decimal("10.00"))
    zero = charging(total_money=Decimal(0), total_power=Decimal("10.00"))
    half = charging(total_money=None, elec_money=Decimal("4.00"), total_power=Decimal("10.00"))
    amounts = [updated(one) for one in (parts, nothing, years, zero, half)]
    assert [one.amount_fen for one in amounts if one] == [600, 1_500, 1_500, 1_500, 1_500]


@pytest.mark.parametrize("stat", [1, 5, 77])
def test_starting_and_unknown_are_no_news(stat: int) -> None:
    assert updated(charging(start_charge_seq_stat=stat)) is None


@pytest.mark.parametrize("text", ["2026-03-02 12:16:01", "2026-03-02 23:00:00", "2027-03-02 12:00:00"])
def test_a_sample_from_the_future_is_of_when_it_came_and_does_not_silence_those_behind_it(text: str) -> None:
    update, tolerated = update_of(charging(end_time=text), profile(), DC, NOW)
    assert update is not None
    assert (update.at, tolerated) == (NOW, frozenset({"sample_ahead"}))
    later, _ = update_of(charging(end_time="2026-03-02 12:11:01"), profile(), DC, NOW)
    assert later is not None
    assert later.number > update.number


def test_a_clock_that_is_minutes_ahead_is_left_alone() -> None:
    update = updated(charging(end_time="2026-03-02 12:16:00"))
    assert update is not None
    assert update.at == NOW + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("stat", "state"),
    [(2, "charging"), (4, "start_failed"), (5, "start_failed"), (1, None), (3, None), (9, None)],
)
def test_a_starts_result_is_the_first_update(stat: int, state: str | None) -> None:
    result = NotificationStartChargeResult(
        start_charge_seq=seq(1), start_charge_seq_stat=stat, connector_id="CONN1", start_time="?"
    )
    update = start_update(result, profile(), NOW)
    assert (None if update is None else update.state.value) == state
    assert update is None or (update.number, update.at) == (1, NOW)


def test_a_start_that_is_told_from_the_future_began_now() -> None:
    result = NotificationStartChargeResult(
        start_charge_seq=seq(1), start_charge_seq_stat=2, connector_id="CONN1", start_time="2026-03-02 23:00:00"
    )
    update = start_update(result, profile(), NOW)
    assert update is not None
    assert update.at == NOW


@pytest.mark.parametrize(
    ("stat", "succ", "reason", "state"),
    [(4, 0, 0, "ended"), (3, 0, 0, "stopping"), (5, 0, 0, "stopping"), (2, 1, 3, "ended"), (2, 1, 2, None)],
)
def test_a_stops_result_keeps_what_was_heard_before(
    stat: int, succ: int, reason: int, state: str | None
) -> None:
    result = NotificationStopChargeResult(
        start_charge_seq=seq(1),
        start_charge_seq_stat=stat,
        connector_id="CONN1",
        succ_stat=succ,
        fail_reason=reason,
    )
    update = stop_update(result, Seen(BEGUN, 6_670, 1_000))
    assert (None if update is None else update.state.value) == state
    assert update is None or (update.at, update.energy_wh, update.amount_fen) == (BEGUN, 6_670, 1_000)


@pytest.mark.parametrize(
    ("succ", "reason", "refusal"),
    [(0, 0, None), (1, 1, "connector_unknown"), (1, 2, "connector_offline"), (1, 30, "host_refused")],
)
def test_a_start_is_taken_up_or_refused_with_a_reason(succ: int, reason: int, refusal: str | None) -> None:
    reply = QueryStartChargeReply(
        start_charge_seq=seq(1),
        start_charge_seq_stat=1,
        connector_id="CONN1",
        succ_stat=succ,
        fail_reason=reason,
    )
    assert (start_reply(reply).accepted, start_reply(reply).refusal) == (refusal is None, refusal)


def test_a_charge_that_ended_without_energy_never_began() -> None:
    said = [
        host_session(charging(start_charge_seq_stat=stat, total_power=Decimal(power))).state
        for stat, power in ((1, "0"), (2, "0"), (4, "0"), (4, "0.01"), (5, "0"))
    ]
    assert said == ["starting", "charging", "start_failed", "ended", "unknown"]


def test_connector_states_are_the_standards_six() -> None:
    said = [connector_state(status) for status in (0, 1, 2, 3, 4, 255, 5)]
    assert said == ["offline", "available", "occupied", "charging", "reserved", "faulted", None]
