"""When the hub stops a charge whose host cannot be told limit and target: before the limit, at the target.

The host reports every so often, and stops within that time of being told. So one such stretch may pass before
the hub hears that the mark was passed, and another before energy stops: what both can cost is kept back.
"""

from dataclasses import dataclass
from typing import Protocol

from operator_sdk.contract.codes import SessionState, StopReason, TargetKind
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.money import WH_MICRO_PER_FEN
from operator_sdk.contract.pricing import highest_price_micro

MAY_BE_STOPPED = frozenset({SessionState.CHARGING, SessionState.PAUSED})
"""Once it is asked to stop, or over, it is not asked again."""

STRETCHES = 2
HOUR_S, MINUTE_S = 3600, 60


@dataclass(frozen=True, slots=True)
class Marks:
    """Where the hub stops a charge: at an amount, at an energy; None: it has no such mark."""

    stop_at_fen: int | None
    stop_at_wh: int | None


class Running(Protocol):
    """What a mark is compared with."""

    stop_at_fen: int | None
    stop_at_wh: int | None
    target_kind: str
    target_value: int
    amount_fen: int
    energy_wh: int


def margin_fen(tariff: Tariff, *, able_w: int, every_s: int) -> int:
    """What two stretches of `every_s` seconds at full power can cost at the day's highest price, rounded up.

    Each line is rounded by itself, two fee kinds by half a fen at most: the line under way once when it is
    seen and once when it is billed, and each that a tariff edge begins meanwhile.
    """
    span_s = STRETCHES * every_s
    energy_fen = -(-able_w * span_s * highest_price_micro(tariff) // (HOUR_S * WH_MICRO_PER_FEN))
    edges = min(span_s // MINUTE_S + 1, len(tariff.periods))
    return energy_fen + 2 + edges


def marks_of(*, limit_fen: int | None, target: Target, margin_fen: int) -> Marks | None:
    """The marks of a charge; None: the limit does not reach beyond the margin, so nothing can be charged.

    A target of money or energy is where the driver wants to end, not what he can pay: it has no margin.
    """
    if limit_fen is not None and limit_fen <= margin_fen:
        return None
    at_fen = None if limit_fen is None else limit_fen - margin_fen
    if target.kind is TargetKind.AMOUNT:
        at_fen = target.value if at_fen is None else min(at_fen, target.value)
    return Marks(at_fen, target.value if target.kind is TargetKind.ENERGY else None)


def marks_for(
    tariff: Tariff, *, limit_fen: int | None, target: Target, able_w: int, every_s: int
) -> Marks | None:
    """The marks of a charge that is about to start, whose host reports every `every_s` seconds."""
    margin = margin_fen(tariff, able_w=able_w, every_s=every_s)
    return marks_of(limit_fen=limit_fen, target=target, margin_fen=margin)


def mark_reached(charge: Running) -> StopReason | None:
    """Why the hub stops a charge now, or None."""
    if charge.stop_at_wh is not None and charge.energy_wh >= charge.stop_at_wh:
        return StopReason.TARGET_ENERGY
    if charge.stop_at_fen is not None and charge.amount_fen >= charge.stop_at_fen:
        wanted = charge.target_kind == TargetKind.AMOUNT and charge.target_value <= charge.stop_at_fen
        return StopReason.TARGET_AMOUNT if wanted else StopReason.LIMIT_REACHED
    return None
