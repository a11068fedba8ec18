"""Where the hub stops a charge for a host that cannot: no bill ever exceeds the limit, by a slow oracle."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.roaming.model_stops import margin_fen, mark_reached, marks_of
from operator_sdk.contract.codes import StopReason, TargetKind
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod
from tests.record_cases import HOST, MIDNIGHT
from tests.record_oracle import EPOCH, MINUTE, SHANGHAI, nearest

pytestmark = pytest.mark.property

PRICES = st.sampled_from([0, 1, 333_333, 400_000, 1_500_000, 4_999_999])
FULL = Target()


@dataclass
class Seen:
    """A session as the hub has it."""

    stop_at_fen: int | None
    stop_at_wh: int | None
    target_kind: str = "full"
    target_value: int = 0
    amount_fen: int = 0
    energy_wh: int = 0


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Up to eight prices a day; edges may lie a minute apart."""
    middle = draw(st.integers(400, 500))
    inner = draw(st.lists(st.integers(middle - 4, middle + 4), max_size=7, unique=True))
    edges = [0, *sorted(inner), 1440]
    periods = [
        TariffPeriod(
            start_minute=begin, end_minute=end, electricity_micro=draw(PRICES), service_micro=draw(PRICES)
        )
        for begin, end in pairwise(edges)
    ]
    return Tariff(party_id=HOST, tariff_id="t", version=1, valid_from=MIDNIGHT, periods=periods)


class Pile:
    """Second by second: energy as a fraction, and a bill of it, each line and fee rounded by itself."""

    def __init__(self, tariff: Tariff, start: datetime) -> None:
        self.now, self._tariff = start, tariff
        self._flowed = Fraction(0)
        self._lines: list[tuple[tuple[int, int], int]] = []
        """(prices, reading at its end)."""

    def second(self, power_w: int) -> None:
        """Let it flow."""
        minute = ((self.now - EPOCH + SHANGHAI) // MINUTE) % 1440
        period = next(one for one in self._tariff.periods if one.start_minute <= minute < one.end_minute)
        prices = (period.electricity_micro, period.service_micro)
        self._flowed += Fraction(power_w, 3600)
        line = (prices, nearest(self._flowed))
        if self._lines and self._lines[-1][0] == prices:
            self._lines[-1] = line
        else:
            self._lines.append(line)
        self.now += timedelta(seconds=1)

    @property
    def energy_wh(self) -> int:
        return nearest(self._flowed)

    @property
    def amount_fen(self) -> int:
        total = before = 0
        for prices, read in self._lines:
            total += sum(nearest(Fraction((read - before) * micro, 10**7)) for micro in prices)
            before = read
        return total


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_host_that_stops_within_a_stretch_never_bills_more_than_the_limit(data: st.DataObject) -> None:
    tariff, able_w = data.draw(tariffs()), data.draw(st.sampled_from([7_000, 60_000, 480_000]))
    every_s = data.draw(st.sampled_from([10, 50, 60]))
    margin = margin_fen(tariff, able_w=able_w, every_s=every_s)
    limit = margin + data.draw(st.integers(1, 200) | st.integers(1, 5_000))
    marks = marks_of(limit_fen=limit, target=FULL, margin_fen=margin)
    assert marks is not None
    pile = Pile(tariff, MIDNIGHT + timedelta(minutes=data.draw(st.integers(380, 500))))
    share = data.draw(st.lists(st.integers(0, 100), min_size=1, max_size=4))
    for turn in range(40):
        for _ in range(every_s):
            pile.second(able_w * share[turn % len(share)] // 100)
        seen = Seen(marks.stop_at_fen, None, amount_fen=pile.amount_fen, energy_wh=pile.energy_wh)
        if mark_reached(seen):
            for _ in range(data.draw(st.integers(0, every_s))):
                pile.second(able_w)
            break
        assert pile.amount_fen < limit
    assert pile.amount_fen <= limit


def test_a_limit_within_the_margin_lets_nothing_begin() -> None:
    assert marks_of(limit_fen=300, target=FULL, margin_fen=300) is None
    assert marks_of(limit_fen=None, target=FULL, margin_fen=300) is not None


@pytest.mark.parametrize(
    ("limit", "target", "amount", "energy", "why"),
    [
        (1_000, FULL, 699, 9_999, None),
        (1_000, FULL, 700, 0, StopReason.LIMIT_REACHED),
        (1_000, Target(kind=TargetKind.AMOUNT, value=500), 500, 0, StopReason.TARGET_AMOUNT),
        (1_000, Target(kind=TargetKind.AMOUNT, value=700), 700, 0, StopReason.TARGET_AMOUNT),
        (1_000, Target(kind=TargetKind.AMOUNT, value=900), 700, 0, StopReason.LIMIT_REACHED),
        (None, Target(kind=TargetKind.AMOUNT, value=900), 899, 0, None),
        (None, Target(kind=TargetKind.AMOUNT, value=900), 900, 0, StopReason.TARGET_AMOUNT),
        (1_000, Target(kind=TargetKind.ENERGY, value=4_000), 600, 4_000, StopReason.TARGET_ENERGY),
        (1_000, Target(kind=TargetKind.ENERGY, value=4_000), 700, 3_999, StopReason.LIMIT_REACHED),
        (None, FULL, 10**9, 10**9, None),
    ],
)
def test_the_first_mark_that_is_reached_says_why(
    limit: int | None, target: Target, amount: int, energy: int, why: StopReason | None
) -> None:
    marks = marks_of(limit_fen=limit, target=target, margin_fen=300)
    assert marks is not None
    seen = Seen(marks.stop_at_fen, marks.stop_at_wh, target.kind, target.value, amount, energy)
    assert mark_reached(seen) is why
