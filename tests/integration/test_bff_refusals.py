"""What a phone is told when something is wrong: a type of error, its code, words to show. Nothing starts."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from operator_sdk.contract.codes import ConnectorState
from tests.bff_rig import Bff, Phone, open_bff
from tests.integration.test_bff_charging import ERROR, SCAN, START, STOP
from tests.rig import A, B, C, Rig, open_rig
from tests.rig_charges import CONNECTOR
from tests.rig_partners import listen


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with open_rig("sqlite") as opened:
        yield opened


@pytest.fixture
async def bff(rig: Rig) -> AsyncIterator[Bff]:
    async with open_bff(rig.url) as opened:
        yield opened


@pytest.fixture
def phone(rig: Rig, bff: Bff) -> Phone:
    return bff.phone(rig.token(C, rig.customer.customer_id))


async def scanned(phone: Phone) -> str:
    return str((await phone.data(SCAN, code=CONNECTOR))["scan"]["scanId"])


async def start(phone: Phone, scan_id: str, key: str) -> tuple[str, str | None]:
    """(type, code) of a start."""
    done = (await phone.data(START, input={"scanId": scan_id, "idempotencyKey": key}))["start"]
    return done["__typename"], done.get("code")


async def test_a_scan_starts_once_for_its_own_driver_at_its_own_price(rig: Rig, bff: Bff, phone: Phone) -> None:
    before = await rig.fingerprint()
    mine = await scanned(phone)
    other = bff.phone(rig.token(B, "u-1"))
    assert await start(other, mine, "k1") == ("ScanNotUsable", "scan_unknown")
    assert await start(phone, "sca_01900000-0000-7000-8000-000000000000", "k2") == (
        "ScanNotUsable",
        "scan_unknown",
    )
    assert await start(phone, "nonsense", "k3") == ("InvalidInput", "malformed")
    assert await start(phone, mine, "not a key") == ("InvalidInput", "malformed")
    stale = await scanned(phone)
    await rig.reprice(2)
    assert await start(phone, stale, "k4") == ("PriceChanged", "price_changed")
    assert await rig.fingerprint() == before
    assert (await rig.wallet())[1] == 0
    fresh = await scanned(phone)
    assert (await start(phone, fresh, "k5"))[0] == "ChargingSession"
    assert await start(phone, fresh, "k6") == ("ScanNotUsable", "scan_used")
    assert await start(phone, await scanned(phone), "k5") == ("Conflict", "id_reused")


async def test_a_refused_start_says_why_in_the_drivers_language(rig: Rig, bff: Bff, phone: Phone) -> None:
    rig.b.blocked.add("u-1")
    chinese = bff.phone(rig.token(B, "u-1"), language="zh-CN,zh;q=0.9")
    scan = (await chinese.data(SCAN, code=CONNECTOR))["scan"]
    done = await chinese.data(START, input={"scanId": scan["scanId"], "idempotencyKey": "k"})
    assert done["start"] == {"__typename": "NotAllowed", "code": "token_blocked", "message": "身份凭证已被冻结"}
    await rig.report(ConnectorState.FAULTED)
    scan_id = await scanned(phone)
    done = await phone.data(START, input={"scanId": scan_id, "idempotencyKey": "k"})
    assert done["start"]["code"] == "connector_faulted"
    assert done["start"]["message"] == "This connector reports a fault."


async def test_codes_that_are_not_ours_and_too_many_of_them(rig: Rig, phone: Phone) -> None:
    forged = f"{rig.url}/c/{CONNECTOR}?k=1&m=AAAAAAAAAAAA"
    answers = [(await phone.data(SCAN, code=code))["scan"] for code in (forged, "weixin://pay", f"A9.{A}")]
    assert [answer["code"] for answer in answers] == ["code_forged", "code_unknown", "code_unknown"]
    assert {answer["__typename"] for answer in answers} == {"CodeNotAccepted"}
    document = SCAN.replace(ERROR, ERROR + " ... on TooManyRequests { retryAfterS } ")
    for _ in range(7):
        await phone.data(SCAN, code="weixin://pay")
    often = (await phone.data(document, code=CONNECTOR))["scan"]
    assert often["__typename"] == "TooManyRequests"
    assert 0 < often["retryAfterS"] <= 60
    empty = (await phone.data(SCAN, code=""))["scan"]
    assert (empty["__typename"], empty["code"]) == ("InvalidInput", "malformed")


async def test_what_is_not_the_drivers_own_is_not_there(rig: Rig, bff: Bff, phone: Phone) -> None:
    scan_id = await scanned(phone)
    done = await phone.data(START, input={"scanId": scan_id, "idempotencyKey": "k"})
    session_id = done["start"]["id"]
    other = bff.phone(rig.token(B, "u-1"))
    document = "query($id: ID!) { chargingSession(id: $id) { id } chargeRecord(id: $id) { id } }"
    for wrong in (session_id, "ses_x", "", "a/b", "../jwks", "\u2028", "x" * 500):
        answer = await other.data(document, id=wrong)
        assert answer == {"chargingSession": None, "chargeRecord": None}
        assert (await other.data("query($id: ID!) { station(id: $id) { id } }", id=wrong)) == {"station": None}
        stop = await other.data(STOP, input={"sessionId": wrong, "idempotencyKey": "k"})
        assert (stop["stop"]["__typename"], stop["stop"]["code"]) == ("NotFound", "not_found")


async def test_bad_input_names_its_field(phone: Phone) -> None:
    document = 'mutation($phone: String!) { done: requestSignInCode(homePartyId: "' + C + '", phone: $phone) {'
    document += " __typename " + ERROR + " ... on InvalidInput { field } } }"
    done = (await phone.data(document, phone="not a number"))["done"]
    assert (done["__typename"], done["field"]) == ("InvalidInput", "phone")
    for arguments, field in (("first: 0", "first"), ("first: 51", "first"), ('after: "?"', "after")):
        answer = await phone.ask(f"{{ stations({arguments}) {{ edges {{ cursor }} }} }}")
        assert answer["errors"][0]["extensions"]["field"] == field
        assert answer["errors"][0]["extensions"]["code"] == "malformed"
        assert answer["data"] == {"stations": None}
    far = "{ stations(near: { latitudeE6: 90000001, longitudeE6: 0 }) { edges { cursor } } }"
    assert await phone.code(far) == "malformed"
    assert await phone.code('{ stations(search: "' + "长" * 41 + '") { edges { cursor } } }') == "malformed"


async def test_a_hub_out_of_reach_is_said_and_never_a_5xx(rig: Rig) -> None:
    gone = listen()
    gone.socket.close()
    async with open_bff(gone.url) as bff:
        phone = bff.phone(rig.token(C, rig.customer.customer_id))
        done = (await phone.data(SCAN.replace(ERROR, ERROR + " ... on Unavailable { retryAfterS }"), code="x"))[
            "scan"
        ]
        assert (done["__typename"], done["code"]) == ("Unavailable", "unavailable")
        assert done["retryAfterS"] > 0
        answer = await phone.ask("{ me { name } stations { edges { cursor } } }")
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"unavailable"}
        assert answer["data"] == {"me": None, "stations": None}
        async with phone.bare_socket() as socket:
            await socket.say(type="connection_init", payload=phone.headers)
            assert await socket.closed() == (4403, "unavailable")
        health, ready = [
            (await phone._http.get(f"{bff.url}/{name}")).status_code for name in ("healthz", "readyz")
        ]
        assert (health, ready) == (200, 503)


async def test_production_does_not_describe_itself_and_hides_what_went_wrong(rig: Rig, caplog: Any) -> None:
    async with open_bff(rig.url, env="production") as bff:
        phone = bff.phone(rig.token(C, rig.customer.customer_id))
        answer = await phone.ask("{ __schema { types { name } } }")
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"no_introspection"}
        assert answer["data"] is None
        answer = await phone.ask("{ chargingSesion(id: 1) { id } }")
        assert "Did you mean" not in answer["errors"][0]["message"]

        async def bug(*_: object) -> None:
            raise KeyError("secret of the house")

        bff.services.directory.search = bug  # type: ignore[assignment, method-assign]
        answer = await phone.ask("{ stations { edges { cursor } } }")
        (error,) = answer["errors"]
        assert (error["message"], error["extensions"]["code"]) == ("Something went wrong here.", "internal")
        assert "secret" not in json.dumps(answer) + caplog.text
        assert error["extensions"]["requestId"] in caplog.text


async def test_answers_for_everybody_are_shared_and_soon_forgotten(rig: Rig, phone: Phone, bff: Bff) -> None:
    """The same place asked for at once by many is one question to the hub."""
    asked: list[object] = []
    plain = bff.services.backend.search

    async def counted(*given: Any) -> Any:
        asked.append(given)
        return await plain(*given)

    bff.services.backend.search = counted  # type: ignore[assignment, method-assign]
    document = "query($n: PointInput) { stations(near: $n) { edges { node { name connectorsAvailable } } } }"
    places = [{"latitudeE6": 22_540_000 + n, "longitudeE6": 114_050_000 - n} for n in range(20)]
    answers = await asyncio.gather(*(phone.data(document, n=place) for place in places))
    assert len(asked) == 1
    assert all(answer == answers[0] for answer in answers)
    await rig.report(ConnectorState.CHARGING)

    async def available() -> int:
        (edge,) = (await phone.data(document, n=places[0]))["stations"]["edges"]
        return int(edge["node"]["connectorsAvailable"])

    async with asyncio.timeout(20):
        while await available() == 2:  # noqa: ASYNC110 (an answer grows old by the clock alone)
            await asyncio.sleep(0.1)
    assert len(asked) <= 20
