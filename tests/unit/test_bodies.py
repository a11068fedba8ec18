"""Bodies of calls: whole, in time and of bounded size, or refused."""

import asyncio
from typing import Any

import pytest

from hub.core.bodies import Bodies
from hub.core.errors import HubError
from operator_sdk.contract.public_codes import Code

Part = dict[str, Any]


def part(body: bytes, *, goes_on: bool = False) -> Part:
    return {"type": "http.request", "body": body, "more_body": goes_on}


class Sender:
    """Parts of a body, and then silence."""

    def __init__(self, *parts: Part) -> None:
        self._parts = iter(parts)

    async def receive(self) -> Part:
        for one in self._parts:
            await asyncio.sleep(0)
            return one
        await asyncio.Event().wait()
        raise AssertionError


async def read(*parts: Part, length: str | None = None, most: int = 10) -> bytes:
    return await Bodies(patience_s=0).read(Sender(*parts).receive, length=length, most=most)


async def test_the_parts_of_a_body_are_put_together() -> None:
    assert (
        await read(part(b"abc", goes_on=True), part(b"", goes_on=True), part(b"defghij"), length="10")
        == b"abcdefghij"
    )
    assert await read(part(b"")) == b""


@pytest.mark.parametrize("length", ["11", "9" * 5000, None])
async def test_a_body_that_is_too_large_is_refused_as_soon_as_it_is_known(length: str | None) -> None:
    with pytest.raises(HubError) as refused:
        await read(part(b"x" * 11, goes_on=True), length=length)
    assert refused.value.code is Code.TOO_LARGE


@pytest.mark.parametrize("length", ["", "-1", "1e3", "²", "٣"])
async def test_a_length_that_is_no_number_is_malformed(length: str) -> None:
    with pytest.raises(HubError) as refused:
        await read(part(b""), length=length)
    assert refused.value.code is Code.MALFORMED


async def test_who_goes_away_before_the_end_is_malformed() -> None:
    with pytest.raises(HubError) as refused:
        await read(part(b"abc", goes_on=True), {"type": "http.disconnect"})
    assert refused.value.details == {"problem": "the body did not arrive"}


async def test_a_body_that_does_not_arrive_is_given_up_and_another_is_not() -> None:
    bodies, slow = Bodies(patience_s=1), asyncio.Event()

    async def late() -> Part:
        await slow.wait()
        return part(b"late")

    async with asyncio.timeout(10):
        silent = asyncio.create_task(
            bodies.read(Sender(part(b"a", goes_on=True)).receive, length=None, most=10)
        )
        await asyncio.sleep(1)
        waited_for = asyncio.create_task(bodies.read(late, length=None, most=10))
        with pytest.raises(HubError) as refused:
            await silent
        assert refused.value.code is Code.MALFORMED
        slow.set()
        assert await waited_for == b"late"


async def test_a_large_body_may_take_as_long_as_a_poor_line_needs() -> None:
    arrived = asyncio.Event()

    async def slowly() -> Part:
        await arrived.wait()
        return part(b"x")

    async with asyncio.timeout(10):
        bodies = Bodies(patience_s=0)
        large = asyncio.create_task(bodies.read(slowly, length=str(10**6), most=10**6))
        small = asyncio.create_task(bodies.read(slowly, length="1", most=10**6))
        with pytest.raises(HubError):
            await small
        arrived.set()
        assert await large == b"x"


async def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    waiting = asyncio.create_task(Bodies().read(Sender().receive, length=None, most=10))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
