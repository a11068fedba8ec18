"""How often one caller may ask: a burst, then a rate; nobody else's share is touched, and memory is bounded."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobile_bff.limiter import BURST_S, Limiter, plain_address
from mobile_bff.refused import Refused
from operator_sdk.clock import Clock

EPOCH = datetime(2026, 3, 2, tzinfo=UTC)


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = 0
        self.clock = Clock(now=lambda: EPOCH + timedelta(milliseconds=self.ms))


def takes(limiter: Limiter, caller: str) -> bool:
    try:
        limiter.take(caller)
    except Refused:
        return False
    return True


@given(rate=st.integers(1, 9), waits=st.lists(st.integers(-500, 3_000), max_size=60))
def test_nobody_gets_more_than_a_burst_and_a_rate(rate: int, waits: list[int]) -> None:
    watch = Watch()
    limiter, taken, most_ms = Limiter(watch.clock, rate_per_s=rate), 0, 0
    for wait_ms in waits:
        watch.ms += wait_ms
        most_ms += max(0, wait_ms)
        taken += sum(takes(limiter, "a") for _ in range(20))
        assert taken * 1000 <= rate * (BURST_S * 1000 + most_ms)


@given(rate=st.integers(1, 9), others=st.integers(0, 50))
def test_who_waits_as_long_as_told_is_let_in_whatever_others_do(rate: int, others: int) -> None:
    watch = Watch()
    limiter = Limiter(watch.clock, rate_per_s=rate)
    while takes(limiter, "a"):
        pass
    with pytest.raises(Refused) as refused:
        limiter.take("a")
    assert all(takes(limiter, f"other-{number}") for number in range(others))
    assert refused.value.code == "too_many_requests"
    assert refused.value.retry_after_s is not None
    assert 1 <= refused.value.retry_after_s <= 2
    watch.ms += 1000 * refused.value.retry_after_s
    assert takes(limiter, "a")


def test_the_callers_heard_of_longest_ago_are_forgotten_first() -> None:
    limiter = Limiter(Watch().clock, rate_per_s=1, most=3)
    for _ in range(BURST_S):
        limiter.take("busy")
    for number in range(100):
        limiter.take(f"once-{number}")
        assert not takes(limiter, "busy"), "who keeps asking is not forgotten"
        assert len(limiter) <= 3


@pytest.mark.parametrize(
    ("given_as", "known_as"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
        ("not an address", "not an address"),
    ],
)
def test_an_address_is_what_one_subscriber_has(given_as: str, known_as: str) -> None:
    """A subscriber of IPv6 has 2^64 addresses."""
    assert plain_address(given_as) == known_as
