"""Commission: the rate that names most holds, from its day on; parts are rounded per fee and lose no fen."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clearing.model_rates import ANY, Rate, Terms, choose, terms
from operator_sdk.contract.codes import FeeKind
from operator_sdk.contract.money import PPM

pytestmark = pytest.mark.property

OWNER, SELLER, GROUP = "MA5AAAAA1", "MA5BBBBB2", "centre"
DAYS = ["2026-02-28", "2026-03-01", "2026-03-02", "2027-01-01"]
FEES = st.integers(0, 10**9)
RATES = st.lists(
    st.builds(
        Rate,
        owner=st.sampled_from([ANY, OWNER]),
        seller=st.sampled_from([ANY, SELLER]),
        station_group=st.sampled_from([ANY, GROUP]),
        fee_kind=st.sampled_from([ANY, *FeeKind]),
        ppm=st.integers(0, PPM),
        valid_from=st.sampled_from(DAYS),
        tax_code=st.sampled_from([None, "304", "109"]),
    ),
    max_size=12,
    unique_by=lambda rate: (rate.owner, rate.seller, rate.station_group, rate.fee_kind, rate.valid_from),
)


def obvious(rates: list[Rate], kind: str, day: str) -> Rate | None:
    """The same choice, made by knocking out whoever is beaten by somebody, one respect after another."""
    left = [rate for rate in rates if rate.fee_kind in {"", kind} and rate.valid_from <= day]
    if not left:
        return None
    most = max(_names(rate) for rate in left)
    left = [rate for rate in left if _names(rate) == most]
    for named in ("station_group", "seller", "owner"):
        left = [rate for rate in left if getattr(rate, named)] or left
    newest = max(rate.valid_from for rate in left)
    (only,) = [rate for rate in left if rate.valid_from == newest]
    return only


def _names(rate: Rate) -> int:
    return sum(1 for name in (rate.owner, rate.seller, rate.station_group, rate.fee_kind) if name)


@given(RATES, st.sampled_from(list(FeeKind)), st.sampled_from(DAYS), st.randoms(use_true_random=False))
def test_the_rate_that_names_most_holds_whatever_the_order(
    rates: list[Rate], kind: FeeKind, day: str, chance
) -> None:
    expected = obvious(rates, kind, day)
    assert choose(rates, kind, day) == expected
    chance.shuffle(rates)
    assert choose(rates, kind, day) == expected


@given(RATES, st.sampled_from(DAYS), st.integers(0, PPM))
def test_a_record_has_a_rate_for_every_kind_of_fee_and_one_tax_code(
    rates: list[Rate], day: str, otherwise_ppm: int
) -> None:
    chosen = terms(rates, day, otherwise_ppm=otherwise_ppm)
    for kind in FeeKind:
        rate = obvious(rates, kind, day)
        assert getattr(chosen, f"{kind}_ppm") == (otherwise_ppm if rate is None else rate.ppm)
    codes = {rate.tax_code for kind in FeeKind if (rate := obvious(rates, kind, day)) is not None}
    assert chosen.tax_code in codes | {None}
    assert (chosen.tax_code is None) == (codes <= {None})


def test_the_tax_code_is_that_of_the_rate_that_names_most() -> None:
    broad = Rate(ppm=1, valid_from=DAYS[0], tax_code="109")
    narrow = Rate(owner=OWNER, fee_kind=FeeKind.SERVICE, ppm=2, valid_from=DAYS[0], tax_code="304")
    silent = Rate(owner=OWNER, seller=SELLER, fee_kind=FeeKind.IDLE, ppm=3, valid_from=DAYS[0])
    assert terms([broad, silent, narrow], DAYS[0], otherwise_ppm=0).tax_code == "304"


def test_a_rate_holds_from_its_day_on_and_not_the_day_before() -> None:
    rate = Rate(ppm=7, valid_from="2026-03-01")
    assert choose([rate], FeeKind.SERVICE, "2026-02-28") is None
    assert choose([rate], FeeKind.SERVICE, "2026-03-01") is rate


PPMS = st.integers(0, PPM)


@given(st.lists(FEES, min_size=4, max_size=4), st.lists(PPMS, min_size=4, max_size=4))
def test_commission_is_rounded_half_up_per_fee_and_then_summed(fees: list[int], rates: list[int]) -> None:
    chosen = Terms(electricity_ppm=rates[0], service_ppm=rates[1], parking_ppm=rates[2], idle_ppm=rates[3])
    taken = chosen.commission_fen(
        electricity_fen=fees[0], service_fen=fees[1], parking_fen=fees[2], idle_fen=fees[3]
    )
    exact = [Fraction(fee * ppm, PPM) for fee, ppm in zip(fees, rates, strict=True)]
    assert taken == sum(_half_up(part) for part in exact)
    assert abs(taken - sum(exact, Fraction())) <= 2, "four halves at most"


def _half_up(part: Fraction) -> int:
    quotient = Decimal(part.numerator) / Decimal(part.denominator)
    return int(quotient.quantize(Decimal(1), ROUND_HALF_UP))
