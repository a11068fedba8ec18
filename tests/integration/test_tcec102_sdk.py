"""The SDK's T/CEC 102 client and server, against each other over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.golden import GOLDEN
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.messages import QueryStopCharge, QueryToken
from operator_sdk.contract.tcec102.profile import Profile, Secrets, read_profile
from operator_sdk.errors import ConnectionFailed, MalformedAnswer, SignatureError, TimedOut
from operator_sdk.tcec102 import Tcec102Client, Tcec102Refused, Tcec102Server, TokenRefused
from operator_sdk.tcec102.calling import SeqCounter, held_token
from operator_sdk.tcec102.issued import IssuedTokens
from tests.rig_partners import listen, serving
from tests.tcec_partner import Pair, keys_of, secrets_toml

CALLER, CALLED = "MA5CALLER", "MA5CALLED"
PAIR = Pair(sim_id=CALLED, hub_id=CALLER)
STOP = QueryStopCharge(start_charge_seq="MA5CALLER000000000000000001", connector_id="C1")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


class Golden:
    """Both sides: answers every interface with its published example, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def handle(message: Any, caller: Any) -> Any:
            self.asked.append((name, message))
            await asyncio.sleep(0)
            return GOLDEN[name][1]

        if name not in GOLDEN:
            raise AttributeError(name)
        return handle


def server_of(golden: Any, *, text: str | None = None, clock: Clock | None = None) -> Tcec102Server:
    """What is called: CALLED, whose partner is CALLER."""
    partner = read_profile(text or PAIR.sim_profile("http://127.0.0.1:9"))
    return Tcec102Server(
        [partner], operator_id=CALLED, clock=clock or Clock(), infrastructure=golden, customer=golden
    )


@asynccontextmanager
async def calling(app: ASGIApp, *, more: str = "", **options: Any) -> AsyncIterator[Tcec102Client]:
    """CALLER's client, and the app served on a real port."""
    at = listen()
    profile, secrets = read_profile(PAIR.hub_profile(at.url, more=more))
    async with serving((app, at)), client_of(profile, secrets, **options) as client:
        yield client


def client_of(profile: Profile, secrets: Secrets, **options: Any) -> Tcec102Client:
    return Tcec102Client(profile, secrets, operator_id=CALLER, clock=options.pop("clock", Clock()), **options)


def answering(body: bytes, status: int = 200) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(body, status)(scope, receive, send)

    return without_lifespan(app)


def without_lifespan(app: ASGIApp) -> ASGIApp:
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await app(scope, receive, send)

    return guarded


async def test_all_fifteen_interfaces_go_both_ways_over_a_real_socket() -> None:
    golden = Golden()
    async with calling(server_of(golden)) as client:
        for name, (request, reply) in GOLDEN.items():
            if name == "query_token":
                assert (await client.query_token()).succ_stat == 0
            else:
                assert await getattr(client, name)(request) == reply, name
    assert golden.asked == [(name, GOLDEN[name][0]) for name in GOLDEN if name != "query_token"]
    assert len(INTERFACES) == len(GOLDEN) == 15


async def test_odd_paths_of_a_profile_are_called_and_served() -> None:
    golden = Golden()
    text = PAIR.sim_profile("http://127.0.0.1:9", head='serve_prefix = "/shevcs/v1.0"')
    at = listen()
    profile, secrets = read_profile(
        PAIR.hub_profile(
            at.url,
            head='prefix = "/shevcs/v1.0"',
            more='[paths]\nquery_stop_charge = "/query_stop_charge"',
        )
    )
    async with serving((server_of(golden, text=text), at)), client_of(profile, secrets) as client:
        assert (await client.query_equip_auth(GOLDEN["query_equip_auth"][0])).succ_stat == 0  # type: ignore[arg-type]
        with pytest.raises(Tcec102Refused, match=r"/shevcs/v1\.0/query_stop_charge") as refused:
            await client.query_stop_charge(STOP)
    assert refused.value.ret == 4003


async def test_the_token_is_kept_and_renewed_once_where_it_is_refused() -> None:
    golden = Golden()
    server = server_of(golden)
    issued: list[Any] = []
    give = server.give_token

    def counted(*args: Any) -> Any:
        issued.append(args)
        return give(*args)

    server.give_token = counted  # type: ignore[method-assign, assignment]
    async with calling(server) as client:
        await client.query_stop_charge(STOP)
        await client.query_stop_charge(replace(STOP, connector_id="C2"))
        assert len(issued) == 1
        server.tokens.forget(CALLER)
        await asyncio.gather(*(client.query_stop_charge(replace(STOP, connector_id=f"D{n}")) for n in range(5)))
        assert len(issued) == 2
    assert len(golden.asked) == 7


async def test_a_platform_that_always_says_4002_is_asked_twice_and_not_for_ever() -> None:
    class Doubting(Tcec102Server):
        checks = 0

        def check_token(self, partner: Any, turn: Any) -> None:
            self.checks += turn.interface.name != "query_token"
            super().check_token(partner, replace_bearer(turn))

    partner = read_profile(PAIR.sim_profile("http://127.0.0.1:9"))
    server = Doubting([partner], operator_id=CALLED, clock=Clock(), infrastructure=Golden())
    async with calling(server) as client:
        with pytest.raises(Tcec102Refused) as refused:
            await client.query_stop_charge(STOP)
    assert (refused.value.ret, server.checks) == (4002, 2)


def replace_bearer(turn: Any) -> Any:
    return type(turn)(turn.interface, turn.path, turn.address, "Bearer no", turn.body)


async def test_what_goes_wrong_has_a_type_of_its_own() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    closed = listen()
    closed.socket.close()
    profile, secrets = read_profile(PAIR.hub_profile(closed.url))
    async with client_of(profile, secrets) as client:
        with pytest.raises(ConnectionFailed):
            await client.query_stop_charge(STOP)
    for app, wanted in (
        (without_lifespan(slow), TimedOut),
        (answering(b"<html>", 502), MalformedAnswer),
        (answering(b"{}"), MalformedAnswer),
        (answering(b'{"Ret":0,"Msg":"","Data":"","Sig":"00000000000000000000000000000000"}'), SignatureError),
    ):
        async with calling(app, timeout_s=1) as client:
            with pytest.raises(wanted):
                await client.query_stop_charge(STOP)


async def test_a_wrong_secret_gets_no_token() -> None:
    at = listen()
    profile, _ = read_profile(PAIR.hub_profile(at.url))
    wrong = {**PAIR.sim_keys, "operator_secret": "another"}
    _, secrets = read_profile(Pair(CALLED, CALLER, wrong, PAIR.hub_keys).hub_profile(at.url))
    async with serving((server_of(Golden()), at)), client_of(profile, secrets) as client:
        with pytest.raises(TokenRefused) as refused:
            await client.query_stop_charge(STOP)
        assert refused.value.fail_reason == 2
        assert (await client.query_token()).access_token == ""


async def test_keys_are_rotated_without_a_lost_call() -> None:
    """The server takes both for a day; the client changes when its own file says so."""
    fresh = keys_of("fresh")
    head = PAIR.sim_profile("http://127.0.0.1:9").split("[[secrets")[0]
    text = head + secrets_toml("theirs", PAIR.hub_keys)
    text += secrets_toml("ours", PAIR.sim_keys, more="until = 2026-03-03T00:00:00+08:00")
    text += secrets_toml("ours", fresh, name="k2", more="since = 2026-03-01T00:00:00+08:00")
    now = [NOON]
    golden, clock = Golden(), Clock(now=lambda: now[0])
    at = listen()
    old = read_profile(PAIR.hub_profile(at.url))
    new = read_profile(Pair(CALLED, CALLER, fresh, PAIR.hub_keys).hub_profile(at.url))
    async with (
        serving((server_of(golden, text=text, clock=clock), at)),
        client_of(*old, clock=clock) as before,
        client_of(*new, clock=clock) as after,
    ):
        await before.query_stop_charge(STOP)
        await after.query_stop_charge(replace(STOP, connector_id="C2"))
        now[0] += timedelta(days=1)
        await after.query_stop_charge(replace(STOP, connector_id="C3"))
        with pytest.raises(SignatureError):  # a 4001 signed with keys that it does not know
            await before.query_token()
    assert len(golden.asked) == 3


async def test_only_the_pinned_certificate_is_spoken_to(tmp_path: Any) -> None:
    from tests.tcec_tls import certificate, served_with_tls

    pin = certificate(tmp_path)
    async with served_with_tls(server_of(Golden()), tmp_path) as url:
        for shown, good in ((pin, True), ("00" * 32, False)):
            more = f'[network]\nserver_certificate_sha256 = ["{shown}"]'
            async with client_of(*read_profile(PAIR.hub_profile(url, more=more))) as client:
                if good:
                    await client.query_stop_charge(STOP)
                else:
                    with pytest.raises(ConnectionFailed, match="certificate"):
                        await client.query_stop_charge(STOP)
        async with client_of(*read_profile(PAIR.hub_profile(url))) as client:
            with pytest.raises(ConnectionFailed):
                await client.query_stop_charge(STOP)


def test_seq_counts_from_0001_in_each_second() -> None:
    seq = SeqCounter()
    assert [seq.next("20260302120000") for _ in range(3)] == ["0001", "0002", "0003"]
    assert seq.next("20260302120001") == "0001"
    assert [seq.next("20260302120001") for _ in range(9_999)][-2:] == ["9999", "0001"]


@pytest.mark.parametrize(
    ("available", "renewed_after_s"),
    [(7200, 7140), (100, 90), (0, 0), (-5, 0), (1_772_431_200_000, 7140), (10**30, None)],
)
def test_a_token_is_renewed_shortly_before_its_end(available: int, renewed_after_s: int | None) -> None:
    """1,772,431,200,000 ms is 2026-03-02 06:00 UTC, two hours on."""
    renew = held_token("t", available, NOON).renew_at
    assert renewed_after_s is None or renew == NOON + timedelta(seconds=renewed_after_s)


def test_issued_tokens_overlap_and_one_is_given_again_for_half_its_life() -> None:
    tokens = IssuedTokens()
    first = tokens.issue("A", NOON, life_s=100, reuse=True)
    assert tokens.issue("A", NOON + timedelta(seconds=40), life_s=100, reuse=True) == first
    later = NOON + timedelta(seconds=60)
    second = tokens.issue("A", later, life_s=100, reuse=True)
    assert second != first
    assert all(tokens.is_good("A", one.token, later) for one in (first, second))
    assert not tokens.is_good("B", first.token, later)
    assert not tokens.is_good("A", first.token, NOON + timedelta(seconds=100))
    for _ in range(200):
        tokens.issue("A", later, life_s=100, reuse=False)
    assert not tokens.is_good("A", second.token, later), "what is kept for a caller is bounded"


def test_query_token_is_no_secret_in_a_log() -> None:
    _, secrets = read_profile(PAIR.hub_profile("http://127.0.0.1:9"))
    assert PAIR.sim_keys["operator_secret"] not in repr(secrets)
    assert QueryToken(operator_id=CALLER, operator_secret="x").operator_id == CALLER


async def test_a_client_that_was_given_connections_leaves_them_open() -> None:
    async with httpx.AsyncClient() as http:
        profile, secrets = read_profile(PAIR.hub_profile("http://127.0.0.1:9"))
        await client_of(profile, secrets, http=http).aclose()
        assert not http.is_closed
