"""All fifteen interfaces at the hub's door and at partners', under whatever prefix and path a profile names."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from hub.core.outbound import OutboundAnswer
from hub.protocols.tcec102.caller import PartnerCaller
from hub.protocols.tcec102.tokens import HeldTokens
from operator_sdk.contract.tcec102.golden import GOLDEN
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.wire import Ret
from operator_sdk.contract.tcec102.writing import write
from tests.integration.test_tcec102_gate_calls import Platform
from tests.tcec102_gate import HOST, World, keys_named, open_world, profile_text

pytestmark = pytest.mark.integration

BOTH = '["host", "home"]'


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world() as opened:
        yield opened


class Addressed(Platform):
    """A platform that remembers at which addresses it was called."""

    urls: list[str]

    async def call(self, method: str, url: str, **how: Any) -> OutboundAnswer:
        self.urls.append(url)
        return await super().call(method, url, **how)


@pytest.mark.parametrize("prefix", ["/evcs/v1", "/shevcs/v1.0", "/evcs/v20161110", ""])
async def test_all_fifteen_are_served_under_the_prefix_that_a_profile_names(world: World, prefix: str) -> None:
    text = profile_text(roles=BOTH, rest=f'serve_prefix = "{prefix}"')
    partner = await world.partner(text, signed_in=False)
    asked = {"OperatorID": HOST, "OperatorSecret": partner.keys.operator_secret}
    partner.token = (await partner.say("query_token", asked, prefix=prefix))[1]["AccessToken"]
    for name, (request, _) in GOLDEN.items():
        plain = write(request, partner.profile)
        answered = partner.opened(await partner.post(name, partner.sealed(plain), prefix=prefix))
        # What is asked for is nobody's, and so refused by name; but it is this interface that refuses it.
        assert answered.ret in {Ret.OK, Ret.BUSINESS}, (name, answered.msg)
        assert "interface" not in answered.msg, (name, answered.msg)
    assert len(GOLDEN) == len(INTERFACES) == 15


async def test_all_fifteen_are_called_where_the_profile_says(world: World) -> None:
    rest = 'prefix = "/omind/evcs/v1"\n[paths]\nnotification_stationStatus = "/notification_stationStatus"'
    text = profile_text(roles=BOTH, rest=rest)
    await world.hub.tcec102.profiles.add(text, "test")
    platform, tools = Addressed(keys_named("theirs", "t1"), text), world.hub.tcec102
    platform.urls = []
    held = HeldTokens(world.hub.database, world.hub.clock, tools.held._seal)
    caller = PartnerCaller(
        platform, world.hub.clock, profiles=tools.profiles, held=held, tolerance=tools.tolerance
    )
    profile = (await tools.profiles.of(HOST)).profile
    for name, (request, reply) in GOLDEN.items():
        if name != "query_token":
            platform.good = msgspec.json.decode(write(reply, profile))
            assert await caller.call(HOST, name, request) == reply
    base = f"http://{HOST.lower()}.example"
    expected = {f"{base}/omind/evcs/v1/{name}" for name in INTERFACES if name != "notification_stationStatus"}
    assert set(platform.urls) == expected | {f"{base}/notification_stationStatus"}
    assert len(platform.urls) == 15
