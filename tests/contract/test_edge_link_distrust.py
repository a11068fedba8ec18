"""Neither gateway is harmed by what a site or a stranger sends, nor says more to a stranger than it must."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from operator_sdk.contract.edge_link.frames import (
    BadItem,
    Batch,
    HealthItem,
    LinkCode,
    LinkProblem,
    Stream,
    decode_from_agent,
    decode_from_gateway,
    decode_item,
    encode,
)
from tests.edge_client import Site, connected, dialled, raw
from tests.edge_gateways import OPENERS, EdgeGateway

pytestmark = pytest.mark.contract

DEEP = b"\x91" * 5_000 + b"\xc0"
"""An array in an array in an array..."""

DEEP_ITEM = b"\x82\xa1t\xa6health\xa1z" + DEEP
HEALTH = HealthItem(at=datetime(2026, 3, 2, tzinfo=UTC), can_frames=1, meter_frames=0, spool_waiting=0)
DEEP_BATCH = encode(Batch(stream=Stream.LIVE, first=1, items=[msgspec.Raw(DEEP_ITEM)]))
DEEP_FRAMES = {
    "prove": b"\x82\xa1t\xa5prove\xa1z" + DEEP,
    "batch": b"\x84\xa1t\xa5batch\xa6stream\xa4live\xa5first\x01\xa1z" + DEEP,
}


@pytest.fixture(params=sorted(OPENERS))
async def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EdgeGateway]:
    opener: Any = partial(OPENERS[request.param], tmp_path)
    async with opener() as opened:
        yield opened


@pytest.fixture
async def site(gateway: EdgeGateway) -> Site:
    site = Site()
    await gateway.add_site(site.site_id, site.key.public_key(), site.connectors)
    return site


def test_what_is_nested_too_deep_is_a_bad_item_or_a_malformed_frame() -> None:
    item = decode_item(DEEP_ITEM)
    assert isinstance(item, BadItem)
    assert item.raw == DEEP_ITEM
    for decode in (decode_from_agent, decode_from_gateway):
        with pytest.raises(LinkProblem) as refused:
            decode(b"\x82\xa1t\xa3bye\xa1z" + DEEP)
        assert refused.value.code == LinkCode.MALFORMED


@pytest.mark.parametrize("frame", DEEP_FRAMES.values(), ids=DEEP_FRAMES)
async def test_a_frame_nested_too_deep_is_malformed_before_the_proof_and_after(
    gateway: EdgeGateway, site: Site, frame: bytes
) -> None:
    async with raw(gateway) as socket:
        await socket.recv()
        await socket.send(frame)
        assert b"malformed" in await socket.recv(decode=False)
    async with connected(gateway, site) as line:
        await line.socket.send(frame)
        assert await line.closed() == LinkCode.MALFORMED
    async with connected(gateway, site) as line:
        await line.offer(Stream.LIVE, [HEALTH])
        await line.acknowledged(Stream.LIVE, 1)


async def test_a_stranger_gets_no_batch_taken_apart(gateway: EdgeGateway) -> None:
    async with raw(gateway) as socket:
        await socket.recv()
        await socket.send(DEEP_BATCH)
        assert b"malformed" in await socket.recv(decode=False)


async def test_an_item_nested_too_deep_is_kept_as_it_came_and_holds_nothing_up(
    gateway: EdgeGateway, site: Site
) -> None:
    async with connected(gateway, site) as line:
        await line.offer(Stream.LIVE, [HEALTH, DEEP_ITEM, DEEP, HEALTH])
        await line.acknowledged(Stream.LIVE, 4)
        await line.offer(Stream.BILLS, [DEEP_ITEM])
        await line.acknowledged(Stream.BILLS, 1)
        bill, *live = await gateway.stored(site.site_id)
    assert bill == BadItem(raw=DEEP_ITEM, problem="nested too deep")
    assert live == [HEALTH, bill, BadItem(raw=DEEP, problem="Expected `object`, got `array`"), HEALTH]
    assert (site.site_id, "bad_item") in await gateway.alarms()
    async with dialled(gateway, site) as line:
        assert await line.opened() == {Stream.LIVE: 4, Stream.BILLS: 1}


async def test_a_stranger_does_not_learn_which_sites_there_are(gateway: EdgeGateway, site: Site) -> None:
    """A wrong key and an unknown name get the same word; staff are told of the one that means a site."""
    heard = []
    for name in (site.site_id, "nobody"):
        async with dialled(gateway, Site(site_id=name)) as line:
            heard.append(await line.closed())
    assert heard == [LinkCode.PROOF_WRONG] * 2
    assert await gateway.alarms() == [(site.site_id, LinkCode.PROOF_WRONG)]
