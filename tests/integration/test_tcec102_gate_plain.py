"""Partners that are reached at http://PUBLIC-IP:port: in production only where their profile says so."""

from typing import Any

import aiohappyeyeballs
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.core.errors import HubError
from hub.core.outbound import Outbound, OutboundError
from hub.parties.link import LinkError
from hub.protocols.tcec102.caller import PartnerCaller
from hub.protocols.tcec102.tables import ProfileRow
from hub.protocols.tcec102.tokens import HeldTokens
from tests.integration.test_tcec102_gate_calls import AUTH, Platform
from tests.rig_partners import listen, serving
from tests.tcec102_gate import HOST, World, keys_named, open_world, profile_text

pytestmark = pytest.mark.integration

PLAIN = "[network]\nplain = true"
PUBLIC = "http://8.8.8.8:8080"


def text_at(base_url: str, rest: str = "") -> str:
    """A profile of a partner that is called there."""
    return profile_text(rest=rest).replace(f"http://{HOST.lower()}.example", base_url)


def in_production(world: World) -> None:
    """Its addresses are judged as a production hub's."""
    world.hub.parties._relaxed = world.hub.tcec102.profiles._relaxed = False


def caller_over(world: World, outbound: Outbound) -> PartnerCaller:
    """Calls of a hub with this way out."""
    tools, clock = world.hub.tcec102, world.hub.clock
    held = HeldTokens(world.hub.database, clock, tools.held._seal)
    return PartnerCaller(outbound, clock, profiles=tools.profiles, held=held, tolerance=tools.tolerance)


async def test_a_production_hub_adds_a_partner_at_a_public_address_only_where_its_profile_says_so() -> None:
    async with open_world() as world:
        in_production(world)
        profiles = world.hub.tcec102.profiles
        with pytest.raises(HubError, match="rule_violated"):
            await profiles.add(text_at(PUBLIC), "test")
        for private in ("http://10.0.0.1", "http://169.254.169.254", "http://[::1]:80", "http://localhost"):
            with pytest.raises(HubError, match="rule_violated"):
                await profiles.add(text_at(private, PLAIN), "test")
        assert (await profiles.add(text_at(PUBLIC, PLAIN), "test")).base_url == PUBLIC
        moved = PUBLIC.replace("8080", "9090")
        for refused in (text_at(moved), text_at("http://127.0.0.1", PLAIN)):
            with pytest.raises(HubError, match="rule_violated"):
                await profiles.replace(HOST, refused, "test")
        assert await profiles.replace(HOST, text_at(moved, PLAIN), "test") == 2


async def test_a_production_hub_calls_http_at_a_public_address_only_where_the_profile_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = text_at(PUBLIC, PLAIN)
    platform = Platform(keys_named("theirs", "t1"), text)

    async def answer(request: Request) -> Response:
        body = await request.body()
        said = await platform.call("POST", str(request.url), headers=request.headers, body=body, timeout_s=3)
        return Response(said.body)

    at, dialled = listen(), []
    connect = aiohappyeyeballs.start_connection

    async def route(addr_infos: Any, **how: Any) -> Any:
        dialled.append(addr_infos[0][4])
        return await connect([(*addr_infos[0][:4], at.socket.getsockname())], **how)

    # The last step only: what goes out to the public address arrives at this machine.
    monkeypatch.setattr(aiohappyeyeballs, "start_connection", route)
    app = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
    async with open_world() as world, serving((app, at)), Outbound(private=False) as outbound:
        caller = caller_over(world, outbound)
        await world.hub.tcec102.profiles.add(text, "test")
        assert (await caller.call(HOST, "query_equip_auth", AUTH)).succ_stat == 0
        assert platform.arrived == ["query_token", "query_equip_auth"]
        assert set(dialled) == {("8.8.8.8", 8080)}
        await world.hub.tcec102.profiles.replace(HOST, text_at(PUBLIC), "test")
        with pytest.raises(LinkError, match="scheme not allowed") as refused:
            await caller.call(HOST, "query_equip_auth", AUTH)
        assert not refused.value.sent
        assert len(platform.arrived) == 2


async def test_a_plain_call_reaches_no_address_that_is_not_public() -> None:
    heard = []

    async def hear(request: Request) -> Response:
        heard.append(request.url)
        return Response(b"{}")

    at = listen()
    app, port = Starlette(routes=[Route("/x", hear, methods=["POST"])]), at.socket.getsockname()[1]
    async with serving((app, at)), Outbound(private=False) as outbound:
        # A name is looked up, and what it stands for is checked; 0x7f.1 is one way to write this machine.
        for host in ("127.0.0.1", "localhost", "0x7f.1", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"):
            with pytest.raises(OutboundError) as refused:
                await outbound.call_plain(f"http://{host}:{port}/x", headers={}, body=b"{}", timeout_s=3)
            assert not refused.value.sent, host
        with pytest.raises(OutboundError, match="scheme not allowed"):
            await outbound.call_plain("ftp://8.8.8.8/x", headers={}, body=b"{}", timeout_s=3)
    assert heard == []


async def test_a_profile_that_was_stored_before_it_knew_a_key_is_still_the_same_one() -> None:
    async with open_world() as world:
        await world.hub.tcec102.profiles.add(profile_text(), "test")
        async with world.hub.database.unit() as unit:
            row = await unit.session.get(ProfileRow, HOST)
            assert row is not None
            assert ',"plain":false' in row.profile
            row.profile = row.profile.replace(',"plain":false', "")
        assert (await world.hub.tcec102.profiles.add(profile_text(), "test")).party_id == HOST
        with pytest.raises(HubError, match="id_reused"):
            await world.hub.tcec102.profiles.add(profile_text(rest=PLAIN), "test")
