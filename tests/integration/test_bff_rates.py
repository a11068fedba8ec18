"""Who asks too often waits; nobody else does, and the hub hears little of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from mobile_bff.hub_backend import Caller
from mobile_bff.limiter import BURST_S
from tests.bff_rig import Bff, Phone, open_bff
from tests.rig import PHONE, B, C, Rig, open_rig

pytestmark = pytest.mark.asyncio(loop_scope="module")
CODE = (
    "mutation($home: ID!, $phone: String!) { done: requestSignInCode(homePartyId: $home, phone: $phone) {"
    " __typename ... on UserError { code } ... on TooManyRequests { retryAfterS } } }"
)
REFRESH = "{ __typename ... on UserError { code message } ... on TooManyRequests { retryAfterS } }"
REFRESH = (
    "mutation { " + " ".join(f'{name}: refreshSignIn(refreshToken: "{name}") {REFRESH}' for name in "ab") + " }"
)
ATTACKS = 40


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[Rig]:
    async with open_rig("sqlite") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def bff(rig: Rig) -> AsyncIterator[Bff]:
    async with open_bff(rig.url, rate_per_s=2, sign_ins_per_s=1) as opened:
        yield opened


def from_address(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def attack(phone: Phone, address: str) -> list[dict[str, Any]]:
    """The answers to many sign-ins that cannot succeed, from one address behind the proxy."""
    answers = await asyncio.gather(
        *(phone.post({"query": REFRESH}, **{"x-forwarded-for": address}) for _ in range(ATTACKS))
    )
    return [one for answer in answers for one in from_address(answer)["data"].values()]


async def test_one_address_that_guesses_does_not_keep_others_from_signing_in(bff: Bff) -> None:
    calls: list[object] = []
    plain = bff.services.backend.sign_in

    async def counted(request: Any, caller: Caller) -> Any:
        calls.append(request)
        return await plain(request, caller)

    bff.services.backend.sign_in = counted  # type: ignore[method-assign]
    seconds = asyncio.get_running_loop().time()
    answers = await attack(bff.phone(), "203.0.113.7")
    seconds = asyncio.get_running_loop().time() - seconds
    told = [one for one in answers if one["__typename"] == "TooManyRequests"]
    assert len(told) + len(calls) == len(answers) == 2 * ATTACKS
    assert len(calls) <= BURST_S + seconds + 1
    assert {one["code"] for one in told} == {"too_many_requests"}
    assert all(1 <= one["retryAfterS"] <= 2 for one in told)
    given = {"query": CODE, "variables": {"home": C, "phone": PHONE}}
    other = from_address(await bff.phone().post(given, **{"x-forwarded-for": "203.0.113.8"}))
    assert other["data"]["done"]["__typename"] == "SignInCodeSent"
    late = from_address(await bff.phone().post(given, **{"x-forwarded-for": "203.0.113.7"}))
    assert late["data"]["done"]["__typename"] == "TooManyRequests"


async def test_a_driver_who_asks_too_often_waits_and_another_at_the_same_address_does_not(
    rig: Rig, bff: Bff
) -> None:
    busy, other = bff.phone(rig.token(C, rig.customer.customer_id)), bff.phone(rig.token(B, "u-1"))
    many = "{" + " ".join(f"a{n}: faults {{ pageInfo {{ hasNextPage }} }}" for n in range(20)) + "}"
    errors = (await busy.ask(many))["errors"]
    assert len(errors) >= 20 - 2 * BURST_S - 2
    assert {one["extensions"]["code"] for one in errors} == {"too_many_requests"}
    assert all(one["extensions"]["retryAfterS"] >= 1 for one in errors)
    again = bff.phone(rig.token(C, rig.customer.customer_id))
    assert (await again.ask(many))["errors"], "another token of the same driver"
    async with busy.socket() as socket:
        await socket.subscribe("1", 'subscription { chargingProgress(sessionId: "x") { number } }')
        heard = (await socket.hear())["payload"]["errors"][0]["extensions"]
        assert heard["code"] == "too_many_requests"
    assert await other.data("{ faults { pageInfo { hasNextPage } } }")


async def test_tokens_that_nobody_signed_never_reach_the_hub(rig: Rig, bff: Bff) -> None:
    """The hub counts every guess against the address that it comes from: the service's own."""
    calls: list[object] = []
    plain = bff.services.backend.as_driver

    def counted(caller: Caller) -> Any:
        calls.append(caller)
        return plain(caller)

    bff.services.backend.as_driver = counted  # type: ignore[method-assign]
    forged = bff.phone(rig.token(B, "u-1")[:-9] + "AAAAAAAAA")
    many = "{" + " ".join(f"a{n}: me {{ name }}" for n in range(20)) + "}"
    errors = (await forged.ask(many))["errors"]
    assert {one["extensions"]["code"] for one in errors} == {"token_invalid"}
    assert calls == []


async def test_what_is_remembered_costs_nothing_and_what_is_not_is_counted(rig: Rig, bff: Bff) -> None:
    phone = bff.phone(rig.token(B, "u-1"))
    same = "{" + " ".join(f"a{n}: stations {{ edges {{ cursor }} }}" for n in range(3)) + "}"
    for _ in range(3):
        await phone.data(same)
    search = "{" + " ".join(f'a{n}: stations(search: "{n}") {{ edges {{ cursor }} }}' for n in range(20)) + "}"
    errors = (await phone.ask(search))["errors"]
    assert {one["extensions"]["code"] for one in errors} == {"too_many_requests"}
