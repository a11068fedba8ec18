"""The rules of paying: bank working days, when a cycle is paid, and who bears what a default leaves unpaid."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
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
        ValueError: more is missing than was to be paid out, or that is not what the claims come to.
    """
    if sum(missing.values()) > sum(payouts.values()):
        raise ValueError("more is missing than was to be paid out")
    spread = _Spread(gross, dict(payouts))
    carried = {party: fen for party, fen in missing.items() if fen}
    for _ in range(len(gross) + 1):
        if not carried:
            return spread.result
        carried = spread.pass_on(carried)
    # A ring of parties with nothing to get passes fen around for ever; they take the shortest way out of it.
    for debtor, fen in sorted(carried.items()):
        spread.lead_out(debtor, fen)
    return spread.result


@dataclass(slots=True)
class _Spread:
    """Claims are only ever made up to what stood between two parties. So whatever a party carries finds a way:
    what it owes and what is left of its payout are together never less than that.
    """

    gross: Mapping[str, Mapping[str, int]]
    left: dict[str, int]
    result: Shortfall = field(default_factory=Shortfall)

    def pass_on(self, carried: Mapping[str, int]) -> dict[str, int]:
        passed: dict[str, int] = {}
        for debtor, fen in sorted(carried.items()):
            # By what is left of each claim: rounded anew each time, a creditor could come to bear more than all
            # of its claim, and hand on what it owes to nobody.
            claims = self._claims(debtor)
            parts = largest_remainder(fen, [claim for _, claim in claims])
            for (creditor, _), part in zip(claims, parts, strict=True):
                rest = part - self._bear(debtor, creditor, part)
                if rest:
                    passed[creditor] = passed.get(creditor, 0) + rest
        return passed

    def lead_out(self, debtor: str, fen: int) -> None:
        while fen:
            way = self._way_out(debtor)
            steps = list(pairwise(way))
            most = min(dict(self._claims(one))[other] for one, other in steps)
            fen_now = min(fen, most, self.left[way[-1]])
            for one, other in steps[:-1]:
                self._claim(one, other, fen_now)
            self._bear(*steps[-1], fen_now)
            fen -= fen_now

    def _way_out(self, debtor: str) -> list[str]:
        """The fewest parties from one to another that still has something to get; ties go to smaller ids."""
        ways, seen = [[debtor]], {debtor}
        for way in ways:
            for creditor, claim in self._claims(way[-1]):
                if claim and creditor not in seen:
                    if self.left.get(creditor):
                        return [*way, creditor]
                    seen.add(creditor)
                    ways.append([*way, creditor])
        raise ValueError("what is to be paid out is not what the claims come to")

    def _claims(self, debtor: str) -> list[tuple[str, int]]:
        """What is left of the claims on a party."""
        made = self.result.claims
        return [
            (creditor, claim - made.get((debtor, creditor), 0))
            for creditor, claim in sorted(self.gross.get(debtor, {}).items())
        ]

    def _bear(self, debtor: str, creditor: str, part: int) -> int:
        """A creditor's part of a loss; how much of it is withheld from the creditor."""
        taken = min(part, self.left.get(creditor, 0))
        if taken:
            self.left[creditor] -= taken
            self.result.withheld[creditor] = self.result.withheld.get(creditor, 0) + taken
        self._claim(debtor, creditor, part)
        return taken

    def _claim(self, debtor: str, creditor: str, fen: int) -> None:
        if fen:
            key = (debtor, creditor)
            self.result.claims[key] = self.result.claims.get(key, 0) + fen
