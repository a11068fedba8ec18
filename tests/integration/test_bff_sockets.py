"""Following a charge by WebSocket: nothing missed, nothing shared with others, nothing left behind."""

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from mobile_bff.feeds import FEEDS_MOST_DRIVER
from mobile_bff.graph import view
from mobile_bff.hub_backend import Caller
from operator_sdk.contract.codes import ConnectorState, SessionState
from tests.bff_rig import Bff, Phone, Socket, open_bff
from tests.rig import B, C, Rig, open_rig
from tests.rig_charges import Charge, begin_by_home, charge_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
FOLLOW = "subscription($id: ID!, $after: Int! = 0) { chargingProgress(sessionId: $id, after: $after) {"
FOLLOW += " number state stateText energy } }"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[Rig]:
    async with open_rig("sqlite") as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bff(rig: Rig) -> AsyncIterator[Bff]:
    async with open_bff(rig.url) as opened:
        yield opened


@pytest.fixture
def phone(rig: Rig, bff: Bff) -> Phone:
    """The phone of B's driver."""
    return bff.phone(rig.token(B, "u-1"))


@pytest_asyncio.fixture(loop_scope="module")
async def charge(rig: Rig) -> AsyncIterator[Charge]:
    """A charge of B's driver that runs; it ends with the test."""
    await rig.report(ConnectorState.AVAILABLE)
    begun = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await begun.runs(0)
    yield begun
    if begun.sent[-1].state is not SessionState.ENDED:
        await begun.ends(begun.minutes + 1)
    await begun.bill()
    await rig.work()


async def numbers(socket: Socket, count: int) -> list[int]:
    """The numbers of the next updates."""
    heard = [await socket.hear() for _ in range(count)]
    assert all(one["type"] == "next" for one in heard), heard
    return [one["payload"]["data"]["chargingProgress"]["number"] for one in heard]


def _open(bff: Bff) -> int:
    return bff.services.feeds.open_feeds + bff.services.sockets.open_sockets


async def until_quiet(bff: Bff) -> None:
    """Nobody follows anything any more."""
    async with asyncio.timeout(20):
        while _open(bff):  # noqa: ASYNC110 (the other side tells nobody that it has hung up)
            await asyncio.sleep(0.01)


async def test_a_phone_that_comes_back_misses_nothing(phone: Phone, charge: Charge, bff: Bff) -> None:
    async with phone.socket() as socket:
        await socket.subscribe("1", FOLLOW, id=charge.session_id)
        assert await numbers(socket, 1) == [1]
        await charge.runs(2, 4)
        assert await numbers(socket, 2) == [2, 3]
    await charge.runs(6, 8)
    async with phone.socket() as socket:
        await socket.subscribe("1", FOLLOW, id=charge.session_id, after=3)
        assert await numbers(socket, 2) == [4, 5]
        await charge.ends(10)
        heard = await socket.hear()
        assert heard["payload"]["data"]["chargingProgress"]["state"] == "ENDED"
        assert (await socket.hear())["type"] == "complete"
        await socket.subscribe("2", FOLLOW, id=charge.session_id, after=6)
        assert (await socket.hear())["type"] == "complete", "nothing is left to tell"
    await until_quiet(bff)


async def test_one_stream_serves_all_who_follow_the_same_charge(
    rig: Rig, phone: Phone, charge: Charge, bff: Bff
) -> None:
    second = bff.phone(phone.token)
    async with phone.socket() as one, second.socket() as two:
        await one.subscribe("1", FOLLOW, id=charge.session_id)
        assert await numbers(one, 1) == [1]
        await two.subscribe("1", FOLLOW, id=charge.session_id)
        await one.subscribe("2", FOLLOW, id=charge.session_id)
        assert await numbers(two, 1) == [1], "what came before is told to who comes later"
        assert await numbers(one, 1) == [1]
        assert bff.services.feeds.open_feeds == 1
        await charge.runs(3)
        assert await numbers(one, 2) == [2, 2]
        assert await numbers(two, 1) == [2]
        await one.say(type="complete", id="1")
        await charge.runs(5)
        assert await numbers(two, 1) == [3]
        assert await numbers(one, 1) == [3]
        assert bff.services.feeds.open_feeds == 1
    await until_quiet(bff)


async def test_who_wants_more_than_a_stream_has_kept_gets_one_of_his_own(
    phone: Phone, charge: Charge, bff: Bff
) -> None:
    await charge.runs(1, 2, 3)
    async with phone.socket() as socket:
        await socket.subscribe("late", FOLLOW, id=charge.session_id, after=3)
        assert await numbers(socket, 1) == [4]
        await socket.subscribe("all", FOLLOW, id=charge.session_id)
        assert await numbers(socket, 4) == [1, 2, 3, 4]
        await charge.runs(4)
        assert await numbers(socket, 2) == [5, 5]
    await until_quiet(bff)


async def test_every_update_sees_the_charge_as_it_is_then(phone: Phone, charge: Charge) -> None:
    """What one update has loaded is not shown with the next."""
    document = "subscription($id: ID!) { chargingProgress(sessionId: $id) { energy session { energy state } } }"
    async with phone.socket() as socket:
        await socket.subscribe("1", document, id=charge.session_id)
        for minutes in (0, 6, 12):
            if minutes:
                await charge.runs(minutes)
            told = (await socket.hear())["payload"]["data"]["chargingProgress"]
            assert told["energy"] == told["session"]["energy"] == charge.wh(minutes)


async def test_somebody_elses_charge_is_not_there(rig: Rig, charge: Charge, bff: Bff) -> None:
    for token in (rig.token(C, rig.customer.customer_id), rig.token(B, "u-2")):
        async with bff.phone(token, language="zh").socket() as socket:
            for wrong in (charge.session_id, "ses_x", "", "/"):
                await socket.subscribe("1", FOLLOW, id=wrong)
                heard = (await socket.hear())["payload"]["errors"][0]
                assert (heard["extensions"]["code"], heard["message"]) == ("not_found", "不存在")
                assert (await socket.hear())["type"] == "complete"
            await socket.subscribe("2", FOLLOW, id=charge.session_id, after=-1)
            assert (await socket.hear())["payload"]["errors"][0]["extensions"]["code"] == "malformed"


async def test_a_subscription_ends_with_its_token_and_goes_on_with_the_next(
    rig: Rig, charge: Charge, bff: Bff
) -> None:
    short, long = bff.phone(rig.token(B, "u-1", life_s=2)), bff.phone(rig.token(B, "u-1"))
    async with short.socket() as ending, long.socket() as lasting:
        await ending.subscribe("1", FOLLOW, id=charge.session_id)
        assert await numbers(ending, 1) == [1]
        await lasting.subscribe("1", FOLLOW, id=charge.session_id)
        assert await numbers(lasting, 1) == [1]
        async with asyncio.timeout(10):  # the hub itself would look only with its next sign of life
            heard = await ending.hear()
        assert heard["payload"]["errors"][0]["extensions"]["code"] == "token_invalid"
        assert (await ending.hear())["type"] == "complete"
        await ending.subscribe("2", FOLLOW, id=charge.session_id)
        assert (await ending.hear())["payload"]["errors"][0]["extensions"]["code"] == "token_invalid"
        for number, minutes in ((2, 5), (3, 7), (4, 9)):
            await charge.runs(minutes)
            assert await numbers(lasting, 1) == [number], "another's token is not touched by it"
    short.token = long.token
    async with short.socket() as again:
        await again.subscribe("1", FOLLOW, id=charge.session_id, after=1)
        assert await numbers(again, 3) == [2, 3, 4]


# The protocol.


@pytest.mark.parametrize("protocols", [("graphql-ws",), ("soap",)])
async def test_the_legacy_protocol_is_refused(phone: Phone, protocols: tuple[str, ...]) -> None:
    async with phone.bare_socket(*protocols) as socket:
        assert await socket.closed() == (4406, "Subprotocol not acceptable")


async def test_a_page_of_another_origin_is_refused_at_the_door(phone: Phone, bff: Bff) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with phone.bare_socket(origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403
    async with phone.bare_socket(origin=bff.url) as socket:
        await socket.say(type="connection_init", payload=phone.headers)
        assert (await socket.hear())["type"] == "connection_ack"


async def test_nobody_gets_in_without_a_drivers_token(rig: Rig, phone: Phone) -> None:
    for given, code in (
        (None, "unauthenticated"),
        ({}, "unauthenticated"),
        ({"authorization": 5}, "unauthenticated"),
        ({"authorization": "Bearer nonsense"}, "token_invalid"),
        ({"authorization": f"Bearer {rig.token(B)}"}, "token_invalid"),
        ({"authorization": f"Bearer {rig.token(B, 'u-1', life_s=0)}"}, "token_invalid"),
    ):
        async with phone.bare_socket() as socket:
            await socket.say(type="connection_init", **({} if given is None else {"payload": given}))
            assert await socket.closed() == (4403, code)


async def test_asking_before_saying_who_one_is(phone: Phone) -> None:
    async with phone.bare_socket() as socket:
        await socket.subscribe("1", "{ __typename }")
        assert await socket.closed() == (4401, "Unauthorized")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "5",
        "null",
        "{}",
        '{"type": 5}',
        '{"type": "complete"}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{__typename}"}}',
        '{"type": "subscribe", "id": "1", "payload": []}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{__typename}", "variables": 5}}',
        '{"type": "nonsense"}',
        '{"type": "ping", "payload": "' + "x" * 70_000 + '"}',
        b"\x00\x01",
    ],
)
async def test_a_message_of_another_form_ends_the_socket(phone: Phone, text: str | bytes) -> None:
    async with phone.socket() as socket:
        await socket.connection.send(text)
        assert (await socket.closed())[0] == 4400


async def test_a_query_that_is_no_graphql_does_not_end_the_socket(phone: Phone) -> None:
    async with phone.socket() as socket:
        for text in (
            "{",
            "{ nothing }",
            "{" + "a" * 3_000,
            "",
            "query a { __typename } garbage",
            "{ me { name } } }",
        ):
            await socket.subscribe("1", text)
            heard = await socket.hear()
            assert heard["type"] == "error", heard
            assert heard["payload"][0]["extensions"]["code"] == "malformed"
        await socket.subscribe("1", "{ __typename }")
        assert (await socket.hear())["payload"]["data"] == {"__typename": "Query"}


async def test_five_subscriptions_a_socket_and_four_sockets_a_driver(
    phone: Phone, charge: Charge, bff: Bff
) -> None:
    async with phone.socket() as one, phone.socket() as two, phone.socket(), phone.socket():
        for number in range(5):
            await one.subscribe(str(number), FOLLOW, id=charge.session_id)
            assert await numbers(one, 1) == [1]
        await one.subscribe("6", FOLLOW, id=charge.session_id)
        heard = await one.hear()
        assert (heard["type"], heard["id"]) == ("error", "6")
        assert heard["payload"][0]["extensions"]["code"] == "too_many_requests"
        await two.subscribe("1", FOLLOW, id=charge.session_id)
        assert await numbers(two, 1) == [1]
        async with phone.bare_socket() as fifth:
            await fifth.say(type="connection_init", payload=phone.headers)
            assert await fifth.closed() == (4403, "too_many_requests")
    await until_quiet(bff)
    async with phone.socket() as free:
        await free.subscribe("1", FOLLOW, id=charge.session_id)
        assert await numbers(free, 1) == [1], "who leaves makes room"


async def test_a_driver_has_few_streams_to_the_hub(rig: Rig, phone: Phone, charge: Charge, bff: Bff) -> None:
    driver = await bff.services.drivers.of(phone.token)
    feeds = bff.services.feeds
    caller = Caller(phone.token, "req-1")
    followed = [feeds.follow(driver, caller, charge.session_id, after) for after in range(9, 0, -1)]
    waiting = [asyncio.create_task(anext(one)) for one in followed]
    _, pending = await asyncio.wait(waiting, timeout=1, return_when=asyncio.FIRST_COMPLETED)
    refused = [task.exception() for task in waiting if task.done()]
    assert len(pending) == FEEDS_MOST_DRIVER == feeds.open_feeds
    assert {str(problem) for problem in refused} == {"too_many_requests"}
    for task in pending:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await until_quiet(bff)


async def test_who_says_nothing_is_hung_up_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    monkeypatch.setattr(view, "INIT_WAIT", timedelta(milliseconds=100))
    async with open_bff(rig.url) as hasty, hasty.phone().bare_socket() as socket:
        assert await socket.closed() == (4408, "Connection initialisation timeout")


# Endurance.

WARM, CYCLES, AT_ONCE = 200, 2_000, 50
GROWTH_MB_MOST, OBJECTS_MOST = 30, 1_200
"""What the allocator keeps varies with what ran before; 2,000 sockets that stayed would be 60 MB and more."""


@pytest.fixture
def quiet() -> Iterator[None]:
    """The rig and pytest remember every line of every log: here none is written."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1_000_000


def text_frame(message: Any) -> bytes:
    """A client's frame (RFC 6455 section 5.2), masked with zeros."""
    data = json.dumps(message).encode()
    assert 126 <= len(data) < 65_536
    return b"\x81\xfe" + len(data).to_bytes(2, "big") + b"\0\0\0\0" + data


async def test_two_thousand_phones_that_drop_leave_nothing_behind(
    rig: Rig, charge: Charge, quiet: None
) -> None:
    async with open_bff(rig.url, sockets_per_driver=AT_ONCE * 2, rate_per_s=10_000) as bff:
        at = urlsplit(bff.url)
        hello = (
            f"GET /graphql HTTP/1.1\r\nHost: {at.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        ).encode()
        asked = {"query": FOLLOW, "variables": {"id": charge.session_id}}
        words = text_frame({"type": "connection_init", "payload": bff.phone(rig.token(B, "u-1")).headers})
        words += text_frame({"type": "subscribe", "id": "1", "payload": asked})

        async def come_and_go(count: int) -> None:
            for _ in range(count):
                reader, writer = await asyncio.open_connection(at.hostname, at.port)
                writer.write(hello)
                assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
                writer.write(words)
                await reader.readuntil(b'"type":"next"')
                writer.transport.abort()

        async def crowd(count: int) -> tuple[float, int, int]:
            await asyncio.gather(*(come_and_go(count // AT_ONCE) for _ in range(AT_ONCE)))
            await until_quiet(bff)
            await asyncio.sleep(0.1)
            gc.collect()
            return resident_mb(), len(gc.get_objects()), len(asyncio.all_tasks())

        before = await crowd(WARM)
        after = await crowd(CYCLES)
        assert abs(after[2] - before[2]) <= 2
        assert after[1] - before[1] < OBJECTS_MOST
        assert after[0] - before[0] < GROWTH_MB_MOST
