"""The rules of paying: bank working days, when a cycle is paid, and who bears what a default leaves unpaid."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from operator_sdk.contract.money import largest_remainder

PAY_IN_UNTIL = timedelta(hours=16)
PAY_OUT_AT = timedelta(hours=16, minutes=30)
PAY_IN_LEAST = timedelta(minutes=90)
"""Who is told to pay has at least this long; a cycle fixed later is paid on the next bank working day."""

ZONE = timedelta(hours=8)
"""Asia/Shanghai, which keeps no summer time."""

_SATURDAY = 5
_SEARCHED_DAYS = 60


class PayWindow(NamedTuple):
    """Until when pay-ins are waited for, and from when on is paid out. Business time."""

    pay_in_until: datetime
    pay_out_at: datetime


class CalendarError(ValueError):
    """No bank working day for two months: a calendar that cannot be meant."""


def is_bank_day(day: date, exceptions: Mapping[str, bool]) -> bool:
    """Monday to Friday, but for what the calendar says of a day (YYYY-MM-DD)."""
    return exceptions.get(day.isoformat(), day.weekday() < _SATURDAY)


def pay_window(fixed_at: datetime, exceptions: Mapping[str, bool]) -> PayWindow:
    """The first bank working day on which whoever is told at `fixed_at` still has time to pay.

    Raises:
        CalendarError: there is none within two months.
    """
    midnight = (fixed_at + ZONE).replace(hour=0, minute=0, second=0, microsecond=0) - ZONE
    for _ in range(_SEARCHED_DAYS):
        in_time = midnight + PAY_IN_UNTIL - fixed_at >= PAY_IN_LEAST
        if in_time and is_bank_day((midnight + ZONE).date(), exceptions):
            return PayWindow(midnight + PAY_IN_UNTIL, midnight + PAY_OUT_AT)
        midnight += timedelta(days=1)
    raise CalendarError("no bank working day within two months")


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What a default leaves.

    `withheld`: by how much less each creditor is paid out. `claims`: what each debtor still owes each creditor,
    by (debtor, creditor); it goes to the next cycle.
    """

    withheld: dict[str, int] = field(default_factory=dict)
    claims: dict[tuple[str, str], int] = field(default_factory=dict)


def share_shortfall(
    missing: Mapping[str, int],
    gross: Mapping[str, Mapping[str, int]],
    payouts: Mapping[str, int],
) -> Shortfall:
    """Who bears what is missing.

    `missing` is what each debtor left unpaid, `gross[debtor][creditor]` what stood between them before netting,
    `payouts` what each net creditor was to get. Each creditor bears in proportion to its gross claims on that
    debtor. One that was to get less than it bears would have paid its own creditors with that money: it passes
    the rest on to them in the same way. So what is withheld is what is missing, nobody is paid less than
    nothing, and every claim stands between two parties that had dealings with each other.

    Raises:
        ValueError: more is missing than was to be paid out.
    """
    if sum(missing.values()) > sum(payouts.values()):
        raise ValueError("more is missing than was to be paid out")
    spread = _Spread(gross, dict(payouts))
    carried = {party: fen for party, fen in missing.items() if fen}
    for _ in range(len(gross) + 1):
        if not carried:
            return spread.result
        carried = spread.pass_on(carried)
    # A ring of parties with nothing to get passes fen around for ever; the rest is borne by who gets something.
    for debtor, fen in sorted(carried.items()):
        spread.take_from_payouts(debtor, fen)
    return spread.result


@dataclass(slots=True)
class _Spread:
    gross: Mapping[str, Mapping[str, int]]
    left: dict[str, int]
    result: Shortfall = field(default_factory=Shortfall)

    def pass_on(self, carried: Mapping[str, int]) -> dict[str, int]:
        passed: dict[str, int] = {}
        for debtor, fen in sorted(carried.items()):
            claims = sorted(self.gross[debtor].items())
            parts = largest_remainder(fen, [claim for _, claim in claims])
            for (creditor, _), part in zip(claims, parts, strict=True):
                rest = self._bear(debtor, creditor, part)
                if rest:
                    passed[creditor] = passed.get(creditor, 0) + rest
        return passed

    def take_from_payouts(self, debtor: str, fen: int) -> None:
        paid = sorted((party, payout) for party, payout in self.left.items() if payout)
        for (creditor, _), part in zip(paid, largest_remainder(fen, [p for _, p in paid]), strict=True):
            self._bear(debtor, creditor, part)

    def _bear(self, debtor: str, creditor: str, part: int) -> int:
        if not part:
            return 0
        taken = min(part, self.left.get(creditor, 0))
        if taken:
            self.left[creditor] -= taken
            self.result.withheld[creditor] = self.result.withheld.get(creditor, 0) + taken
        key = (debtor, creditor)
        self.result.claims[key] = self.result.claims.get(key, 0) + part
        return part - taken
