"""The one rounding function, and shares that lose no fen. Integers only.

Amounts are integer fen, prices integer micro-yuan per kWh (`price_micro`), energy integer Wh,
rates integer parts per million (`ppm`).
"""

from collections.abc import Sequence

WH_MICRO_PER_FEN = 10_000_000
"""energy_wh x price_micro is 10^-9 yuan (1/1000 kWh x 10^-6 yuan); a fen is 10^7 of those."""

PPM = 1_000_000


def round_half_up(numerator: int, denominator: int) -> int:
    """numerator / denominator to the nearest integer, halves away from zero.

    Raises:
        ValueError: the denominator is not positive.
    """
    if denominator <= 0:
        raise ValueError("denominator must be positive")
    whole, rest = divmod(abs(numerator), denominator)
    rounded = whole + (1 if 2 * rest >= denominator else 0)
    return rounded if numerator >= 0 else -rounded


def amount_fen(energy_wh: int, price_micro: int) -> int:
    """Money for one tariff period and one fee kind."""
    return round_half_up(energy_wh * price_micro, WH_MICRO_PER_FEN)


def part_ppm(amount: int, rate_ppm: int) -> int:
    """The part of an amount that a rate in parts per million takes."""
    return round_half_up(amount * rate_ppm, PPM)


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Divide a non-negative total in proportion to weights; the parts sum to the total exactly.

    Ties go to the earlier weight, so the result depends on nothing but the arguments.

    Raises:
        ValueError: a negative total or weight, or no positive weight to carry a positive total.
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError("total and weights must not be negative")
    whole = sum(weights)
    if whole == 0:
        if total:
            raise ValueError("no weight to carry the total")
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    missing = total - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[:missing]:
        parts[i] += 1
    return parts


OVER_LIMIT_FLOOR_FEN = 300


def owed_at_most_fen(limit_fen: int) -> int:
    """What a home owes at most on a record above its limit: limit + max(1 %, 300 fen)."""
    return limit_fen + max(limit_fen // 100, OVER_LIMIT_FLOOR_FEN)
