"""Rules of the charge itself: its times, its connector, its meter, its power, and what else happened then."""

from datetime import datetime, timedelta

from hub.roaming.model_facts import AnyRecord, Elsewhere, Facts
from hub.roaming.model_rules_who import NOT_APPLICABLE, PASS, Answer
from operator_sdk.contract.codes import Verdict
from operator_sdk.contract.messages.records import Bill
from operator_sdk.contract.money import PPM

SECOND = timedelta(seconds=1)
HOUR_S = 3600


def whole_s(span: timedelta) -> int:
    """Whole seconds, rounded down."""
    return span // SECOND


def time_order(record: AnyRecord, facts: Facts) -> Answer:
    """6: it began, it ended, the vehicle left, and all of that before now."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    if record.ended_at <= record.started_at:
        return Verdict.REJECT, "the end is not after the start"
    left_at = record.left_at or record.ended_at
    if left_at < record.ended_at:
        return Verdict.REJECT, "the vehicle left before the end"
    if left_at > facts.now + facts.limits.clock_slack:
        return Verdict.REJECT, "the end is in the future"
    return PASS


def connector(record: AnyRecord, facts: Facts) -> Answer:
    """7: the connector is the session's, and was there when the charge began."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    if facts.session is not None and facts.session.connector_id != record.connector_id:
        return Verdict.REJECT, "another connector than the session's"
    plug, began = facts.connector, record.started_at
    if plug is None:
        return Verdict.SUSPEND, "the connector is not known"
    if plug.created_at is not None and began < plug.created_at:
        return Verdict.SUSPEND, "the charge began before the connector was there"
    if plug.removed_at is not None and began >= plug.removed_at:
        return Verdict.SUSPEND, "the charge began after the connector was removed"
    return PASS


def meter(record: AnyRecord, facts: Facts) -> Answer:
    """8: the energy is what the meter went up by. Some protocols tell no readings: then nobody can say."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    if not record.metered:
        return (Verdict.SUSPEND, "no meter readings") if facts.readings_due else NOT_APPLICABLE
    by_meter = record.meter_end_wh - record.meter_start_wh
    if by_meter < 0:
        return NOT_APPLICABLE
    slack = max(
        facts.limits.meter_slack_wh,
        record.energy_resolution_wh,
        record.energy_wh * facts.limits.meter_slack_ppm // PPM,
    )
    if abs(by_meter - record.energy_wh) > slack:
        return Verdict.SUSPEND, f"the meter went up by {by_meter} Wh, {record.energy_wh} Wh were billed"
    return PASS


def meter_back(record: AnyRecord, facts: Facts) -> Answer:
    """9: a meter never goes back from one charge to the next."""
    if facts.meter_end_wh is None or not isinstance(record, Bill) or not record.metered:
        return NOT_APPLICABLE
    if record.meter_start_wh < facts.meter_end_wh - record.energy_resolution_wh:
        return Verdict.SUSPEND, f"the meter stood at {facts.meter_end_wh} Wh before this charge"
    return PASS


def power(record: AnyRecord, facts: Facts) -> Answer:
    """14: no connector gives more than it is rated for."""
    if not isinstance(record, Bill) or facts.connector is None or not facts.connector.rated_power_w:
        return NOT_APPLICABLE
    span_s = whole_s(record.ended_at - record.started_at)
    if span_s <= 0:
        return NOT_APPLICABLE
    limits = facts.limits
    most = facts.connector.rated_power_w * span_s * limits.power_most_ppm
    flowed_wh = record.energy_wh - max(limits.meter_slack_wh, record.energy_resolution_wh)
    if flowed_wh * HOUR_S * PPM > most:
        return Verdict.SUSPEND, f"on average {record.energy_wh * HOUR_S // span_s} W, more than its rating"
    return PASS


def size(record: AnyRecord, facts: Facts) -> Answer:
    """15: no vehicle charges so long, or takes so much. Beyond any span it is not a bill at all."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    limits, span = facts.limits, record.ended_at - record.started_at
    if span > limits.span_most:
        return Verdict.REJECT, f"longer than {limits.span_most.days} days"
    kind = facts.connector.kind if facts.connector else "ac"
    if span > (limits.span_dc if kind == "dc" else limits.span_ac):
        return Verdict.SUSPEND, f"{whole_s(span) // HOUR_S} hours at a connector of kind {kind}"
    rated_w = facts.connector.rated_power_w if facts.connector else 0
    most_wh = limits.truck_wh if rated_w >= limits.truck_from_w else limits.car_wh
    if record.energy_wh > most_wh:
        return Verdict.SUSPEND, f"{record.energy_wh} Wh, more than a vehicle takes there"
    return PASS


def blink(record: AnyRecord, facts: Facts) -> Answer:
    """17: so much does not flow in less than a minute."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    span = record.ended_at - record.started_at
    if span < facts.limits.blink and record.energy_wh > facts.limits.blink_wh:
        return Verdict.SUSPEND, f"{record.energy_wh} Wh in {whole_s(span)} s"
    return PASS


def connector_overlap(record: AnyRecord, facts: Facts) -> Answer:
    """18: a connector charges one vehicle at a time."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    if facts.overlapping is not None:
        return Verdict.SUSPEND, f"the connector charged for {facts.overlapping} at the same time"
    return PASS


def driver_twice(record: AnyRecord, facts: Facts) -> Answer:
    """19: a driver is in one place at a time, and travels no faster than a car. A card may be lent."""
    if not isinstance(record, Bill):
        return NOT_APPLICABLE
    for other in facts.elsewhere:
        where = f"at {other.connector}" if other.connector else "at another operator's"
        if other.started_at < record.ended_at and record.started_at < other.ended_at:
            return Verdict.WARN, f"the same driver charged {where} at the same time"
        if _too_far(other, record, facts):
            return Verdict.WARN, f"the same driver charged {where}, too far for the time between"
    return PASS


def _too_far(other: Elsewhere, record: Bill, facts: Facts) -> bool:
    if other.distance_m is None or other.distance_m < facts.limits.travel_from_m:
        return False
    gap = _gap(other.started_at, other.ended_at, record)
    return other.distance_m * HOUR_S > facts.limits.travel_m_per_h * whole_s(gap)


def _gap(started_at: datetime, ended_at: datetime, record: Bill) -> timedelta:
    return max(record.started_at - ended_at, started_at - record.ended_at)


def live_energy(record: AnyRecord, facts: Facts) -> Answer:
    """24: the bill is what was seen while it charged.

    Never less than the last live update. Where that was the end of the charge, at most 2 % more; where it was
    not, also what the connector can have given since.
    """
    live = facts.live
    if live is None or not isinstance(record, Bill):
        return NOT_APPLICABLE
    slack = max(facts.limits.meter_slack_wh, record.energy_resolution_wh)
    if live.energy_wh > record.energy_wh + slack:
        return (
            Verdict.SUSPEND,
            f"the last live update said {live.energy_wh} Wh, {record.energy_wh} Wh were billed",
        )
    more = max(slack, record.energy_wh * facts.limits.live_ppm // PPM)
    if not live.ended:
        if facts.connector is None or not facts.connector.rated_power_w:
            return PASS
        unseen_s = max(0, whole_s(record.ended_at - live.at))
        more += facts.connector.rated_power_w * unseen_s // HOUR_S
    if record.energy_wh > live.energy_wh + more:
        return (
            Verdict.SUSPEND,
            f"the last live update said {live.energy_wh} Wh, {record.energy_wh} Wh were billed",
        )
    return PASS
