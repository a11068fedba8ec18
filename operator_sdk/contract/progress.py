"""Progress and time left of a charge, in integers.

Definitions (symbols of the source in brackets): M_p is the money the charge is heading for, fixed for the
session; M_c the money so far; T the seconds elapsed; P_c the power the pair could do, P(t) the power it did.
The correction factor b is left open by the source; here b = b0 x (1 - M_c / M_p), so that the time left goes
to 0 with the money left (docs/adr/0006).
"""

from dataclasses import dataclass

MIN_ELAPSED_S = 60
"""Before this much of the charge the estimate says nothing."""

B0_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Progress:
    """percent: 0..100 or None; seconds_left: >= 0 or None."""

    percent: int | None
    seconds_left: int | None


def goal_fen(*, held_fen: int | None, target_estimate_fen: int | None) -> int | None:
    """M_p = min(amount held, price of the target estimated at the start); None when neither is known."""
    known = [amount for amount in (held_fen, target_estimate_fen) if amount is not None and amount > 0]
    return min(known) if known else None


def percent_done(
    *, goal: int | None, amount_fen: int, sent: int | None, ended: bool, at_target: bool
) -> int | None:
    """N = floor(100 M_c / M_p): never below the N sent before, at most 99 until ended, 100 at a target stop."""
    if goal is None:
        return None
    if ended and at_target:
        return 100
    reached = 100 * amount_fen // goal
    bounded = min(reached, 100 if ended else 99)
    return max(bounded, sent or 0)


def shortfall_s_step(*, able_w: int, power_w: int, step_s: int) -> int:
    """One addend of t_f in watt-seconds: max(0, P_c - P_i) x dt_i. Divide the sum by P_c for seconds."""
    return max(0, able_w - power_w) * max(0, step_s)


def seconds_left(
    *,
    goal: int | None,
    amount_fen: int,
    elapsed_s: int,
    shortfall_ws: int,
    able_w: int,
    finishing: bool,
    b0_ppm: int = B0_PPM,
) -> int | None:
    """t_s = (M_p - M_c) / M_c x T + b x t_f; None before there is money and a minute; 0 from stopping on."""
    if goal is None:
        return None
    if finishing:
        return 0
    if amount_fen <= 0 or elapsed_s < MIN_ELAPSED_S:
        return None
    left = max(0, goal - amount_fen)
    by_money = left * elapsed_s // amount_fen
    if able_w <= 0:
        return by_money
    return by_money + b0_ppm * left * shortfall_ws // (1_000_000 * goal * able_w)
