"""When a host's silence in the middle of a charge counts, and what the hub takes the charge to have come to.

Nothing is heard of it, but it goes on: at the power it last had, at the dearest price of the day.
"""

from dataclasses import dataclass
from typing import Protocol

from hub.roaming.model_stops import HOUR_S, Running, mark_reached
from operator_sdk.contract.codes import StopReason
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.money import WH_MICRO_PER_FEN
from operator_sdk.contract.pricing import highest_price_micro

SILENT_CADENCES = 3
"""One update may be lost and the next one late: who misses three is silent."""

SILENT_LEAST_S = 60
"""Of hosts with a very quick cadence: so long a restart or a resend may take without being silence."""

PAUSE_MOST_S = 3_600


class Charge(Running, Protocol):
    """A charge under way, as it was last heard of."""

    power_w: int
    able_w: int


@dataclass(slots=True)
class _Assumed:
    stop_at_fen: int | None
    stop_at_wh: int | None
    target_kind: str
    target_value: int
    amount_fen: int
    energy_wh: int


def silent_after_s(every_s: int) -> int:
    """After how many seconds without a word a host that reports every so many is silent."""
    return max(SILENT_CADENCES * every_s, SILENT_LEAST_S)


def assumed_power_w(charge: Charge) -> int:
    """What it last drew; all that its connector can give where that was nothing, or more than all."""
    if charge.able_w and not 0 < charge.power_w <= charge.able_w:
        return charge.able_w
    return charge.power_w


def why_stop(charge: Charge, tariff: Tariff, silent_s: int) -> StopReason | None:
    """Why the hub stops a charge that it has heard nothing of for so many seconds, or None."""
    watt_s = assumed_power_w(charge) * max(0, silent_s)
    return mark_reached(
        _Assumed(
            charge.stop_at_fen,
            charge.stop_at_wh,
            charge.target_kind,
            charge.target_value,
            charge.amount_fen + watt_s * highest_price_micro(tariff) // (HOUR_S * WH_MICRO_PER_FEN),
            charge.energy_wh + watt_s // HOUR_S,
        )
    )


def seconds_to_mark(charge: Charge, tariff: Tariff) -> int | None:
    """The first second of silence at which `why_stop` has a reason; None: it never has."""
    power_w, price_micro = assumed_power_w(charge), highest_price_micro(tariff)
    waits = []
    if charge.stop_at_wh is not None:
        waits.append(_seconds(charge.stop_at_wh - charge.energy_wh, HOUR_S, power_w))
    if charge.stop_at_fen is not None:
        left_fen = charge.stop_at_fen - charge.amount_fen
        waits.append(_seconds(left_fen, HOUR_S * WH_MICRO_PER_FEN, power_w * price_micro))
    return min((wait for wait in waits if wait is not None), default=None)


def _seconds(left: int, unit: int, per_s: int) -> int | None:
    if left <= 0:
        return 0
    return -(-left * unit // per_s) if per_s else None


def next_question_s(*, silent_s: int, every_s: int, to_mark_s: int | None) -> int:
    """Seconds until a host is asked again: as long as it has been silent already, so less and less often.

    Sooner where the charge is taken to reach its mark by then (`to_mark_s` counts from its last word).
    """
    pause_s = max(silent_after_s(every_s), min(silent_s, PAUSE_MOST_S))
    if to_mark_s is None or to_mark_s <= silent_s:
        return pause_s
    return min(pause_s, to_mark_s - silent_s)
