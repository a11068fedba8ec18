"""Both gateways keep the same contract: who gets in, what is acknowledged, what comes back after a cut."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from operator_sdk.contract.edge_link import (
    BATCH_ITEMS_MOST,
    FRAME_BYTES_MOST,
    IN_FLIGHT_MOST,
    proof,
)
from operator_sdk.contract.edge_link.frames import (
    BadItem,
    Batch,
    Challenge,
    FaultItem,
    HealthItem,
    LinkCode,
    Prove,
    Stream,
    Welcome,
    decode_from_gateway,
    encode,
)
from tests.edge_client import Site, connected, dialled, raw
from tests.edge_gateways import OPENERS, EdgeGateway

pytestmark = pytest.mark.contract

AT = datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)
LIVE, BILLS = Stream.LIVE, Stream.BILLS


def health(number: int) -> HealthItem:
    """An item that can be told from every other."""
    return HealthItem(at=AT, can_frames=number, meter_frames=0, spool_waiting=0)


def fault(number: int) -> FaultItem:
    """Another kind of item."""
    return FaultItem(code="door_open", at=AT, text=f"{number}")


@pytest.fixture(params=sorted(OPENERS))
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return partial(OPENERS[request.param], tmp_path)


@pytest.fixture
async def gateway(opener: Any) -> AsyncIterator[EdgeGateway]:
    async with opener() as opened:
        yield opened


@pytest.fixture
async def site(gateway: EdgeGateway) -> Site:
    return await known(gateway, Site())


async def known(gateway: EdgeGateway, site: Site) -> Site:
    await gateway.add_site(site.site_id, site.key.public_key(), site.connectors)
    return site


# Who gets in.


async def test_a_site_that_proves_itself_is_welcome(gateway: EdgeGateway, site: Site) -> None:
    async with dialled(gateway, site) as line:
        assert await line.opened() == {LIVE: 0, BILLS: 0}


async def test_a_wrong_key_is_turned_away_and_alarms_while_the_true_site_stays(
    gateway: EdgeGateway, site: Site
) -> None:
    impostor = Site(site_id=site.site_id)
    async with connected(gateway, site) as true_line:
        async with dialled(gateway, impostor) as line:
            assert await line.closed() == LinkCode.PROOF_WRONG
        await true_line.offer(LIVE, [health(1)])
        await true_line.acknowledged(LIVE, 1)
    assert (site.site_id, LinkCode.PROOF_WRONG) in await gateway.alarms()


async def test_an_unknown_site_is_turned_away(gateway: EdgeGateway) -> None:
    async with dialled(gateway, Site(site_id="nobody")) as line:
        assert await line.closed() == LinkCode.PROOF_WRONG


async def test_a_key_that_was_replaced_opens_no_more(gateway: EdgeGateway, site: Site) -> None:
    await gateway.add_site(site.site_id, Ed25519PrivateKey.generate().public_key(), site.connectors)
    async with dialled(gateway, site) as line:
        assert await line.closed() == LinkCode.PROOF_WRONG


async def test_a_proof_heard_once_does_not_open_a_second_connection(gateway: EdgeGateway, site: Site) -> None:
    identity = site.identity(gateway)
    async with raw(gateway) as first, raw(gateway) as second:
        challenge = decode_from_gateway(await first.recv(decode=False))
        assert isinstance(challenge, Challenge)
        nonce = secrets.token_bytes(32)
        signature = proof.sign(
            site.key, proof.AGENT, challenge, site_id=site.site_id, spool_id="spool-1", nonce=nonce
        )
        prove = encode(
            Prove(
                site_id=site.site_id,
                spool_id="spool-1",
                nonce=nonce,
                signature=signature,
                connectors=list(identity.connectors),
            )
        )
        await first.send(prove)
        assert isinstance(decode_from_gateway(await first.recv(decode=False)), Welcome)
        assert isinstance(decode_from_gateway(await second.recv(decode=False)), Challenge)
        await second.send(prove)
        assert b"proof_wrong" in await second.recv(decode=False)


async def test_the_gateway_proves_itself_to_an_agent_that_trusts_nobody_else(
    gateway: EdgeGateway, site: Site
) -> None:
    class Trusting:
        """An agent that was given another gateway's key."""

        url, gateway_id = gateway.url, gateway.gateway_id
        gateway_key = Ed25519PrivateKey.generate().public_key()

    async with dialled(Trusting(), site) as line:
        await line.closed()
    assert line.problem is not None
    assert line.problem.code == LinkCode.GATEWAY_FORGED


async def test_a_gateway_of_another_name_is_not_proved_to(gateway: EdgeGateway, site: Site) -> None:
    class Other:
        """The right key under another name."""

        url, gateway_key, gateway_id = gateway.url, gateway.gateway_key, "MA5OTHER9"

    async with dialled(Other(), site) as line:
        await line.closed()
    assert line.problem is not None
    assert line.problem.code == LinkCode.GATEWAY_FORGED


@pytest.mark.parametrize("offered", [None, ["graphql-transport-ws"]])
async def test_without_the_subprotocol_there_is_no_connection(
    gateway: EdgeGateway, offered: list[Any] | None
) -> None:
    with pytest.raises(InvalidStatus):
        async with connect(gateway.url, subprotocols=offered, proxy=None):
            pass


async def test_who_does_not_prove_himself_in_time_is_closed(opener: Any) -> None:
    async with opener(limits={"prove_s": 0.3}) as gateway, raw(gateway) as socket:
        await socket.recv()
        assert b"silent" in await socket.recv(decode=False)
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_connections_without_a_proof_are_few(opener: Any) -> None:
    async with opener(limits={"unproved_most": 2}) as gateway:
        site = await known(gateway, Site())
        async with raw(gateway) as first, raw(gateway) as second:
            await first.recv()
            await second.recv()
            with pytest.raises(InvalidStatus):
                async with raw(gateway):
                    pass
        # Their places are free again, and who is proved takes up none.
        async with connected(gateway, site), raw(gateway) as third, raw(gateway) as fourth:
            await third.recv()
            await fourth.recv()


# What is stored and acknowledged.


async def test_streams_are_numbered_and_stored_apart_in_order(gateway: EdgeGateway, site: Site) -> None:
    live, bills = [health(n) for n in range(1, 8)], [fault(n) for n in range(1, 4)]
    async with connected(gateway, site) as line:
        await line.offer(LIVE, live[:3])
        await line.offer(BILLS, bills)
        await line.offer(LIVE, live[3:])
        await line.acknowledged(LIVE, 7)
        await line.acknowledged(BILLS, 3)
        assert await gateway.stored(site.site_id) == [*bills, *live]


async def test_an_acknowledgement_says_that_it_is_durable(gateway: EdgeGateway, site: Site) -> None:
    async with connected(gateway, site) as line:
        for number in range(1, 6):
            await line.offer(LIVE, [health(number)])
            await line.acknowledged(LIVE, number)
            assert (await gateway.stored(site.site_id))[-1] == health(number)


async def test_what_could_not_be_stored_is_not_acknowledged_and_comes_again(
    gateway: EdgeGateway, site: Site
) -> None:
    async with connected(gateway, site) as line:
        await line.offer(LIVE, [health(1)])
        await line.acknowledged(LIVE, 1)
        await gateway.fail_to_store(1)
        await line.offer(LIVE, [health(2)])
        assert await line.closed() == LinkCode.NOT_STORED
    async with dialled(gateway, site) as line:
        assert (await line.opened())[LIVE] == 1
        await line.offer(LIVE, [health(2), health(3)])
        await line.acknowledged(LIVE, 3)
    assert await gateway.stored(site.site_id) == [health(1), health(2), health(3)]


async def test_after_a_cut_the_streams_go_on_where_they_were_durable(gateway: EdgeGateway, site: Site) -> None:
    sent = 0
    for _ in range(4):
        async with dialled(gateway, site) as line:
            sent = (await line.opened())[LIVE]
            for _ in range(IN_FLIGHT_MOST):
                await line.offer(LIVE, [health(sent + 1), health(sent + 2)])
                sent += 2
            await line.acknowledged(LIVE, sent - 6)
    async with dialled(gateway, site) as line:
        durable = (await line.opened())[LIVE]
        assert durable >= sent - 6
        await line.offer(LIVE, [health(number) for number in range(durable + 1, sent + 10)])
        await line.acknowledged(LIVE, sent + 9)
    assert await gateway.stored(site.site_id) == [health(number) for number in range(1, sent + 10)]


async def test_a_batch_that_comes_twice_is_stored_once_and_acknowledged_twice(
    gateway: EdgeGateway, site: Site
) -> None:
    again = encode(Batch(stream=LIVE, first=1, items=[msgspec.Raw(encode(health(n))) for n in (1, 2)]))
    more = encode(Batch(stream=LIVE, first=2, items=[msgspec.Raw(encode(health(n))) for n in (2, 3)]))
    async with connected(gateway, site) as line:
        await line.offer(LIVE, [health(1), health(2), health(3)])
        await line.acknowledged(LIVE, 3)
        await line.socket.send(again)
        await line.socket.send(more)
        await line.offer(LIVE, [health(4)])
        await line.acknowledged(LIVE, 4)
    assert await gateway.stored(site.site_id) == [health(n) for n in (1, 2, 3, 4)]


async def test_a_new_spool_begins_anew_beside_the_old_one(gateway: EdgeGateway, site: Site) -> None:
    async with connected(gateway, site) as line:
        await line.offer(LIVE, [health(1)])
        await line.acknowledged(LIVE, 1)
    site.spool_id = "spool-2"
    async with dialled(gateway, site) as line:
        assert (await line.opened())[LIVE] == 0
        await line.offer(LIVE, [health(2)])
        await line.acknowledged(LIVE, 1)
    assert sorted(one.can_frames for one in await gateway.stored(site.site_id)) == [1, 2]  # type: ignore[union-attr]


async def test_sites_are_kept_apart(gateway: EdgeGateway, site: Site) -> None:
    other = await known(gateway, Site(site_id="site-2", connectors=("C8",)))
    async with connected(gateway, site) as one, connected(gateway, other) as two:
        await one.offer(LIVE, [health(1)])
        await two.offer(LIVE, [health(8), health(9)])
        await one.acknowledged(LIVE, 1)
        await two.acknowledged(LIVE, 2)
    assert await gateway.stored("site-1") == [health(1)]
    assert await gateway.stored("site-2") == [health(8), health(9)]


async def test_an_item_of_a_kind_unknown_here_is_kept_and_holds_nothing_up(
    gateway: EdgeGateway, site: Site
) -> None:
    newer = msgspec.msgpack.encode({"t": "weather", "degrees": 21})
    wrong = msgspec.msgpack.encode({"t": "health", "can_frames": -1})
    async with connected(gateway, site) as line:
        await line.offer(LIVE, [health(1), newer, wrong, health(2)])
        await line.acknowledged(LIVE, 4)
    first, second, third, fourth = await gateway.stored(site.site_id)
    assert (first, fourth) == (health(1), health(2))
    assert isinstance(second, BadItem)
    assert isinstance(third, BadItem)
    assert (second.raw, third.raw) == (newer, wrong)
    assert [one for one in await gateway.alarms() if one == (site.site_id, "bad_item")] != []


# Rules of the line.


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (encode(Batch(stream=LIVE, first=3, items=[msgspec.Raw(encode(health(3)))])), LinkCode.NUMBER_GAP),
        (b"\xc1", LinkCode.MALFORMED),
        (b"", LinkCode.MALFORMED),
        (msgspec.msgpack.encode({"t": "nonsense"}), LinkCode.MALFORMED),
        (msgspec.msgpack.encode({"t": "batch", "stream": "live", "first": 1, "items": []}), LinkCode.MALFORMED),
        (
            msgspec.msgpack.encode(
                {"t": "batch", "stream": "live", "first": 1, "items": [0] * (BATCH_ITEMS_MOST + 1)}
            ),
            LinkCode.MALFORMED,
        ),
        ("text", LinkCode.MALFORMED),
        (b"\x00" * (FRAME_BYTES_MOST + 1), LinkCode.TOO_LARGE),
    ],
    ids=["gap", "not_msgpack", "empty", "unknown_frame", "no_items", "too_many_items", "text", "oversized"],
)
async def test_who_breaks_a_rule_is_closed_with_its_name_and_may_come_back(
    gateway: EdgeGateway, site: Site, frame: bytes | str, code: str
) -> None:
    async with connected(gateway, site) as line:
        await line.offer(LIVE, [health(1)])
        await line.acknowledged(LIVE, 1)
        await line.socket.send(frame)
        assert await line.closed() == code
    async with dialled(gateway, site) as line:
        assert (await line.opened())[LIVE] == 1
    assert await gateway.stored(site.site_id) == [health(1)]


@pytest.mark.parametrize(
    "frame", [encode(Batch(stream=LIVE, first=1, items=[msgspec.Raw(encode(health(1)))])), b"\xc1"]
)
async def test_nothing_is_taken_before_the_proof(gateway: EdgeGateway, site: Site, frame: bytes) -> None:
    async with raw(gateway) as socket:
        await socket.recv()
        await socket.send(frame)
        assert b"bye" in await socket.recv(decode=False)
    assert await gateway.stored(site.site_id) == []


async def test_a_site_that_says_nothing_any_more_is_closed(opener: Any) -> None:
    async with opener(limits={"idle_s": 0.4}) as gateway:
        site = await known(gateway, Site())
        async with connected(gateway, site) as line:
            assert await line.closed() == LinkCode.SILENT


async def test_a_second_connection_of_a_site_closes_the_first_and_alarms(
    gateway: EdgeGateway, site: Site
) -> None:
    async with connected(gateway, site) as first:
        await first.offer(LIVE, [health(1)])
        await first.acknowledged(LIVE, 1)
        async with dialled(gateway, site) as second:
            assert (await second.opened())[LIVE] == 1
            assert await first.closed() == LinkCode.SUPERSEDED
            await second.offer(LIVE, [health(2)])
            await second.acknowledged(LIVE, 2)
    assert await gateway.stored(site.site_id) == [health(1), health(2)]
    assert await gateway.alarms() == [(site.site_id, LinkCode.SUPERSEDED)]
