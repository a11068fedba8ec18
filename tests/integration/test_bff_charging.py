"""A driver's phone from sign-in to bill, every operation by the `gql` package, over HTTP and over WebSocket."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from gql import Client, gql

from operator_sdk.clock import unix_s
from operator_sdk.contract.codes import ConnectorState
from operator_sdk.keys import sign_token
from tests.bff_rig import Bff, Phone, open_bff
from tests.rig import PHONE, A, B, C, Rig, open_rig
from tests.rig_charges import CONNECTOR, begin_by_home, begin_by_host, charge_of

ERROR = "... on UserError { code message }"
SCAN = (
    f"query($code: String!) {{ scan: resolveScan(code: $code) {{ __typename {ERROR} ... on ScannedConnector {{"
)
SCAN += (
    " scanId connector stationName hold state tariff { version periods { electricityMicro } } expiresAt } } }"
)
START = "mutation($input: StartChargingInput!) { start: startCharging(input: $input) { __typename " + ERROR
START += (
    " ... on ChargingSession { id state target { kind energy amount seconds } limit place { stationName } } } }"
)
STOP = "mutation($input: StopChargingInput!) { stop: stopCharging(input: $input) { __typename " + ERROR
STOP += " ... on ChargingStop { sessionId state stateText } } }"
PROGRESS = "subscription($id: ID!, $after: Int! = 0) { chargingProgress(sessionId: $id, after: $after) {"
PROGRESS += " number state stateText energy amount powerW percent secondsLeft socPercent stopReason at } }"
SIGN_IN = "__typename ... on SignedIn { accessToken expiresInS refreshToken } " + ERROR


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
    """The phone of C's customer, signed in."""
    return bff.phone(rig.token(C, rig.customer.customer_id))


async def started(rig: Rig, phone: Phone, **target: int) -> str:
    scan = (await phone.data(SCAN, code=CONNECTOR))["scan"]
    given = {"scanId": scan["scanId"], "idempotencyKey": rig.ref("key"), "target": target or None}
    return str((await phone.data(START, input=given))["start"]["id"])


Ask = Callable[..., Awaitable[dict[str, Any]]]


def asking(session: Any) -> Ask:
    """Operations by a `gql` session, with their variables."""

    async def ask(document: str, **variables: Any) -> dict[str, Any]:
        request = gql(document)
        request.variable_values = variables
        return dict(await session.execute(request))

    return ask


async def look_around(ask: Ask) -> None:
    """Find the station, and look at it."""
    near = {"latitudeE6": 22_541_100, "longitudeE6": 114_050_100}
    found = await ask(
        'query($near: PointInput) { stations(near: $near, search: "一", first: 5) { pageInfo { hasNextPage'
        " endCursor } edges { cursor node { id name partyId partyName distanceM connectorsTotal"
        " connectorsAvailable connectorsAc connectorsDc maxPowerW priceNowMicro } } } }",
        near=near,
    )
    (edge,) = found["stations"]["edges"]
    assert edge["node"]["name"] == "一站"
    assert 80 < edge["node"]["distanceM"] < 160
    assert (edge["node"]["connectorsDc"], edge["node"]["priceNowMicro"]) == (2, 1_500_000)
    station = (
        await ask(
            "query($id: ID!) { station(id: $id) { name connectorsTotal updatedAt connectors { id state kind"
            " ratedPowerW } tariff { version currency periods { startMinute endMinute serviceMicro } } } }",
            id=edge["node"]["id"],
        )
    )["station"]
    assert [one["id"] for one in station["connectors"]] == [CONNECTOR, f"A2.{A}"]
    assert {one["state"] for one in station["connectors"]} == {"AVAILABLE"}


async def charge_once(ask: Ask, rig: Rig) -> str:
    """Scan, start and stop; the charge is driven by its pile in between."""
    scan = (await ask(SCAN, code=CONNECTOR))["scan"]
    assert (scan["__typename"], scan["hold"], scan["stationName"]) == ("ScannedConnector", 5_000, "一站")
    given = {"scanId": scan["scanId"], "idempotencyKey": rig.ref("key"), "target": {"energy": 20_000}}
    first = (await ask(START, input=given))["start"]
    assert first["target"] == {"kind": "ENERGY", "energy": 20_000, "amount": None, "seconds": None}
    assert first["place"] == {"stationName": "一站"}
    again = (await ask(START, input=given))["start"]
    assert again["id"] == first["id"], "the same key is the same start"
    me = (await ask("{ me { homePartyId subject name wallet { balance held debt } } }"))["me"]
    assert me["wallet"] == {"balance": 20_000, "held": 5_000, "debt": 0}
    assert (me["homePartyId"], me["subject"], me["name"]) == (C, rig.customer.customer_id, "张三")

    charge = await charge_of(rig, first["id"])
    await charge.runs(0, 20)
    live = await ask(
        "query($id: ID!) { chargingSession(id: $id) { state energy amount powerW percent startMode connector"
        " lastNumber startedAt stopReason refusal refusalMessage } }",
        id=first["id"],
    )
    assert live["chargingSession"]["state"] == "CHARGING"
    assert live["chargingSession"]["energy"] == 3_333
    given = {"sessionId": first["id"], "idempotencyKey": rig.ref("stop")}
    stop = (await ask(STOP, input=given))["stop"]
    assert (stop["__typename"], stop["state"]) == ("ChargingStop", "STOPPING")
    await charge.ends(40)
    await charge.bill()
    await rig.work()
    return str(first["id"])


@pytest.mark.parametrize("by", ["http", "socket"])
async def test_every_operation_from_scan_to_bill(rig: Rig, phone: Phone, by: str) -> None:
    client: Client = phone.over_http() if by == "http" else phone.over_socket()
    async with client as session:
        ask = asking(session)
        await look_around(ask)
        session_id = await charge_once(ask, rig)
        bills = await ask(
            "{ chargeRecords(first: 5) { edges { cursor node { id sessionId state energy amount electricity"
            " service meterStart meterEnd currency stopReason lines { start end energy electricity service"
            " electricityMicro } settlement { driverAmount captured released } place { address } } } } }"
        )
        (edge,) = bills["chargeRecords"]["edges"]
        bill = edge["node"]
        assert (bill["sessionId"], bill["energy"], bill["amount"]) == (session_id, 6_666, 1_000)
        assert sum(line["electricity"] + line["service"] for line in bill["lines"]) == bill["amount"]
        assert bill["settlement"] == {"driverAmount": 1_000, "captured": 1_000, "released": 4_000}
        one = await ask("query($id: ID!) { chargeRecord(id: $id) { id amount } }", id=bill["id"])
        assert one["chargeRecord"] == {"id": bill["id"], "amount": 1_000}
        fault = await ask(
            "mutation($input: ReportFaultInput!) { reportFault(input: $input) { __typename ... on Fault { id"
            " state kind stationName orderState outcome sessionId photos } " + ERROR + " } }",
            input={
                "connector": CONNECTOR,
                "kind": "CABLE_STUCK",
                "text": "拔不下来",
                "photos": ["https://photos.example/1.jpg"],
                "sessionId": session_id,
                "idempotencyKey": rig.ref("fault"),
            },
        )
        made = fault["reportFault"]
        assert (made["__typename"], made["state"], made["kind"]) == ("Fault", "OPEN", "CABLE_STUCK")
        mine = await ask("{ faults(first: 3) { edges { node { id stateText reportedAt } } } }")
        assert [edge["node"]["id"] for edge in mine["faults"]["edges"]] == [made["id"]]
    assert (await rig.wallet())[:2] == (19_000, 0)


async def test_a_hosted_driver_signs_in_with_phone_and_code_and_refreshes(rig: Rig, bff: Bff) -> None:
    nobody = bff.phone()
    asked = await nobody.data(
        "mutation($home: ID!, $phone: String!) { requestSignInCode(homePartyId: $home, phone: $phone) {"
        " ... on SignInCodeSent { expiresInS } " + ERROR + " } }",
        home=C,
        phone=PHONE,
    )
    assert asked["requestSignInCode"]["expiresInS"] > 0
    await rig.work()
    code = json.loads(rig.codes.read_text().splitlines()[-1])["code"]
    sign_in = (
        'mutation($code: String!) { done: signInWithCode(homePartyId: "' + C + '", phone: "' + PHONE + '",'
        " code: $code) { " + SIGN_IN + " } }"
    )
    wrong = await nobody.data(sign_in, code="000000" if code != "000000" else "111111")
    assert (wrong["done"]["__typename"], wrong["done"]["code"]) == ("SignInFailed", "sign_in_failed")
    tokens = (await nobody.data(sign_in, code=code))["done"]
    assert tokens["expiresInS"] == 900
    me = await bff.phone(tokens["accessToken"]).data("{ me { name } }")
    assert me["me"]["name"] == "张三"
    refresh = "mutation($token: String!) { done: refreshSignIn(refreshToken: $token) { " + SIGN_IN + " } }"
    renewed = (await nobody.data(refresh, token=tokens["refreshToken"]))["done"]
    assert renewed["__typename"] == "SignedIn"
    assert renewed["refreshToken"] != tokens["refreshToken"]
    spent = (await nobody.data(refresh, token=tokens["refreshToken"]))["done"]
    assert spent["__typename"] == "SignInFailed"


async def test_a_driver_of_another_home_signs_in_with_its_assertion_once(rig: Rig, bff: Bff) -> None:
    now = unix_s(rig.hub.clock.wall())
    claims = {"iss": B, "sub": "u-1", "aud": rig.hub.issuer, "jti": "j-1", "iat": now, "exp": now + 120}
    document = "mutation($given: String!) { done: signInWithAssertion(assertion: $given) { " + SIGN_IN + " } }"
    assertion = sign_token(rig.b.key, claims)
    tokens = (await bff.phone().data(document, given=assertion))["done"]
    me = await bff.phone(tokens["accessToken"]).data("{ me { homePartyId subject wallet { balance } } }")
    assert (me["me"]["homePartyId"], me["me"]["subject"]) == (B, "u-1")
    again = (await bff.phone().data(document, given=assertion))["done"]
    assert (again["__typename"], again["code"]) == ("SignInFailed", "replayed")


async def test_the_phone_follows_a_charge_however_it_began(rig: Rig, bff: Bff) -> None:
    """Begun in the home's app and by card, and still the driver's own phone sees it."""
    phone = bff.phone(rig.token(B, "u-1"))
    by_app = (await begin_by_home(rig)).session_id
    by_card = (await begin_by_host(rig, connector_id="A2")).session_id
    listed = await phone.data("{ chargingSessions { edges { node { id startMode } } } }")
    seen = {edge["node"]["id"]: edge["node"]["startMode"] for edge in listed["chargingSessions"]["edges"]}
    assert seen == {by_app: "HOME", by_card: "HOST"}
    for session_id in (by_app, by_card):
        charge = await charge_of(rig, session_id)
        await charge.runs(0, 10)
        await charge.ends(20)
        async with phone.over_socket() as client:
            request = gql(PROGRESS)
            request.variable_values = {"id": session_id}
            heard = [one["chargingProgress"] async for one in client.subscribe(request)]
        assert [one["number"] for one in heard] == [1, 2, 3]
        assert [one["state"] for one in heard] == ["CHARGING", "CHARGING", "ENDED"]
        assert heard[-1]["stopReason"] == "DRIVER_LOCAL"
        assert heard[-1]["energy"] == charge.sent[-1].energy_wh
        assert heard[-1]["amount"] == charge.sent[-1].amount_fen


TARGETS: tuple[tuple[str, dict[str, int]], ...] = (
    ("FULL", {}),
    ("AMOUNT", {"amount": 900}),
    ("TIME", {"seconds": 1_800}),
    ("ENERGY", {"energy": 5_000}),
    ("FULL", {}),
)


async def test_history_comes_newest_first_and_pages_without_gaps(rig: Rig, phone: Phone) -> None:
    made = []
    for kind, given in TARGETS:
        await rig.report(ConnectorState.AVAILABLE)
        made.append(await started(rig, phone, **given))
        document = "query($id: ID!) { chargingSession(id: $id) { target { kind energy amount seconds } } }"
        target = (await phone.data(document, id=made[-1]))["chargingSession"]["target"]
        assert target == {"kind": kind, "energy": None, "amount": None, "seconds": None} | given
        charge = await charge_of(rig, made[-1])
        await charge.whole(4)
    for field, key in (("chargingSessions", "id"), ("chargeRecords", "sessionId")):
        asked = f"page: {field}(first: $first, after: $after)"
        shown = f"pageInfo {{ hasNextPage endCursor }} edges {{ cursor node {{ {key} }} }}"
        document = f"query($first: Int!, $after: String) {{ {asked} {{ {shown} }} }}"
        seen: list[str] = []
        after, more = None, True
        while more:
            page = (await phone.data(document, first=2, after=after))["page"]
            seen += [edge["node"][key] for edge in page["edges"]]
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert seen == made[::-1]
        whole = (await phone.data(document, first=5, after=None))["page"]["edges"]
        behind = (await phone.data(document, first=5, after=whole[1]["cursor"]))["page"]["edges"]
        assert [edge["node"][key] for edge in behind] == made[::-1][2:], "from an edge in the middle"


async def test_money_beyond_32_bits_arrives_whole(rig: Rig, phone: Phone) -> None:
    scan = (await phone.data(SCAN, code=CONNECTOR))["scan"]
    given = {"scanId": scan["scanId"], "idempotencyKey": "big", "target": {"energy": 999_999_999}}
    session = (await phone.data(START, input=given))["start"]
    assert session["target"]["energy"] == 999_999_999
    for wrong in (1.5, "5000", True, -1, 10**15):
        bad = {"input": {**given, "target": {"energy": wrong}}}
        assert await phone.code(START, **bad) == "malformed"


async def test_who_has_a_name_of_its_own_shows_the_directory_to_everybody(
    rig: Rig, bff: Bff, tmp_path: Any
) -> None:
    from operator_sdk.contract.codes import Role
    from operator_sdk.contract.messages.access import KeyAdd
    from operator_sdk.contract.messages.admin import PartyAdd
    from operator_sdk.keys import new_key, save_key

    app, key = "MA5APPAP1", new_key("app-1")
    save_key(key, tmp_path / "app.json")
    add = PartyAdd(party_id=app, name="App", roles=[Role.APP], protocol="app")
    await rig.hub.parties.add_party(add, actor="test")
    proposed = KeyAdd(key_id=key.key_id, public_key=key.public_b64url())
    await rig.hub.parties.add_key(app, proposed, actor="test", alone=True)
    document = "{ stations { edges { node { name } } } }"
    assert await bff.phone().code(document) == "unauthenticated"
    async with open_bff(rig.url, party_id=app, key_file=tmp_path / "app.json") as named:
        nobody = named.phone()
        assert (await nobody.data(document))["stations"]["edges"] == [{"node": {"name": "一站"}}]
        station = f'{{ station(id: "S1.{A}") {{ name }} }}'
        assert (await nobody.data(station))["station"] == {"name": "一站"}
        assert await nobody.code("{ me { name } }") == "unauthenticated"
        assert await nobody.code("{ chargingSessions { edges { cursor } } }") == "unauthenticated"


async def test_an_old_token_opens_nothing_not_even_what_is_remembered(rig: Rig, bff: Bff, phone: Phone) -> None:
    document = "{ stations { edges { node { name } } } }"
    await phone.data(document)
    token = rig.hub.tokens.issue(_driver(rig), timedelta(seconds=-1))
    assert await bff.phone(token).code(document) == "token_invalid"
    assert await bff.phone(rig.token(B)).code(document) == "token_invalid", "an operator is no driver"
    for broken in (token[:-9] + "AAAAAAAAA", "x", "x" * 5_000, "a.b.c", "a b"):
        assert await bff.phone(broken).code(document) == "token_invalid"
        assert await bff.phone(broken).code("{ me { name } }") == "token_invalid"


def _driver(rig: Rig) -> Any:
    from hub.core.tokens import Principal

    return Principal("driver", C, rig.customer.customer_id)
