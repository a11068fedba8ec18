"""The example home against FakeHub over real sockets: holds, captures, and starts of its own."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from operator_sdk import NotFound, new_key
from operator_sdk.contract.codes import TokenKind
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.records import HomeRecord
from operator_sdk.contract.messages.roaming import (
    DriverAccountRequest,
    HomeAuthorizeRequest,
    ReleaseRequest,
    Session,
    SessionProgress,
)
from operator_sdk.contract.public_codes import Code
from operator_sdk.examples.home.app import create_app
from operator_sdk.examples.host.site import small_site, tariff_of
from operator_sdk.keys import verify_token
from operator_sdk.testing import FakeHub, Received, served
from operator_sdk.testing.answers import usual
from tests.unit.operators import HOME, HOST, fast_clock, get, operator, post, until

KEY = new_key("b-1")
AT = datetime(2026, 3, 1, tzinfo=UTC)
COUNT = itertools.count(1)
CHEN = Token(kind=TokenKind.CARD, ref="B2000001")


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    hub = FakeHub(clock=fast_clock())
    with served(hub.at):
        yield hub


@pytest.fixture
def home(hub: FakeHub, tmp_path: Path) -> Iterator[httpx.Client]:
    with operator(create_app, HOME, KEY, hub, tmp_path / "home.db") as client:
        yield client


def ids(prefix: str) -> str:
    return f"{prefix}_01980000-0000-7000-8000-{next(COUNT):012d}"


def ask(token: Token = CHEN, hold_fen: int = 5_000) -> HomeAuthorizeRequest:
    return HomeAuthorizeRequest(
        authorization_id=ids("aut"),
        session_id=ids("ses"),
        token=token,
        host_party_id=HOST,
        connector=f"C1.{HOST}",
        tariff=tariff_of(HOST, small_site().tariffs[0]),
        target=Target(),
        hold_fen=hold_fen,
    )


def record(authorization_id: str, owed_fen: int, home_ref: str | None = None) -> HomeRecord:
    return HomeRecord(
        record_id=ids("rec"),
        session_id=ids("ses"),
        authorization_id=authorization_id,
        home_ref=home_ref,
        host_party_id=HOST,
        connector=f"C1.{HOST}",
        started_at=AT,
        ended_at=AT + timedelta(hours=1),
        meter_start_wh=0,
        meter_end_wh=10_000,
        energy_wh=10_000,
        lines=[],
        electricity_fen=owed_fen,
        service_fen=0,
        amount_fen=owed_fen,
        owed_fen=owed_fen,
        tariff_id="default",
        tariff_version=1,
        stop_reason="card",
    )


def money(home: httpx.Client, driver: str = "B-0001") -> tuple[int, int, int]:
    shown = get(home, f"/app/drivers/{driver}")
    return shown["balance_fen"], shown["held_fen"], shown["debt_fen"]


async def test_a_hold_is_made_once_captured_once_and_the_rest_released(
    hub: FakeHub, home: httpx.Client
) -> None:
    asked = ask()
    first = await hub.call(HOME, "authorize", asked)
    assert (first.state, first.limit_fen) == ("granted", 5_000)
    assert await hub.call(HOME, "authorize", asked) == first
    assert money(home) == (20_000, 5_000, 0)

    bill = record(asked.authorization_id, 1_234)
    answer = await hub.call(HOME, "push_record", bill)
    assert answer.state == "settled"
    assert (answer.settlement.captured_fen, answer.settlement.released_fen) == (1_234, 3_766)
    assert await hub.call(HOME, "push_record", bill) == answer
    assert money(home) == (18_766, 0, 0)

    again = await hub.call(HOME, "push_record", record(asked.authorization_id, 1_234))
    assert again.state == "refused"
    assert money(home) == (18_766, 0, 0)


async def test_what_is_owed_beyond_the_hold_is_balance_first_then_debt(
    hub: FakeHub, home: httpx.Client
) -> None:
    asked = ask(Token(kind=TokenKind.CARD, ref="B2000002"))
    await hub.call(HOME, "authorize", asked)
    answer = await hub.call(HOME, "push_record", record(asked.authorization_id, 6_500))
    assert (answer.settlement.captured_fen, answer.settlement.released_fen) == (5_000, 0)
    assert answer.settlement.driver_amount_fen == 6_500
    assert money(home, "B-0002") == (0, 0, 500)


@pytest.mark.parametrize(
    ("card", "refusal"),
    [
        ("B2000003", Code.INSUFFICIENT_FUNDS),
        ("B2000004", Code.TOKEN_BLOCKED),
        ("B2999999", Code.TOKEN_UNKNOWN),
    ],
)
async def test_who_may_not_charge_is_refused_with_the_reason(
    hub: FakeHub, home: httpx.Client, card: str, refusal: Code
) -> None:
    answer = await hub.call(HOME, "authorize", ask(Token(kind=TokenKind.CARD, ref=card)))
    assert (answer.state, answer.refusal) == ("refused", refusal)


async def test_open_holds_count_against_the_next(hub: FakeHub, home: httpx.Client) -> None:
    states = [(await hub.call(HOME, "authorize", ask())).state for _ in range(5)]
    assert states == ["granted"] * 4 + ["refused"]


async def test_a_release_gives_back_and_an_unknown_one_is_burnt(hub: FakeHub, home: httpx.Client) -> None:
    asked, never = ask(), ask()
    await hub.call(HOME, "authorize", asked)
    for one in (asked, asked, never):
        reply = await hub.call(
            HOME,
            "release_authorization",
            ReleaseRequest(authorization_id=one.authorization_id, reason="start_failed"),
            path={"authorization_id": one.authorization_id},
        )
        assert reply.state == "released"
    assert money(home) == (20_000, 0, 0)
    for one in (asked, never):
        assert (await hub.call(HOME, "authorize", one)).refusal == Code.RELEASED
    late = await hub.call(HOME, "push_record", record(asked.authorization_id, 100))
    assert (late.settlement.captured_fen, late.settlement.released_fen) == (0, 5_000)
    assert money(home) == (19_900, 0, 0)


async def test_a_record_for_nobody_is_refused(hub: FakeHub, home: httpx.Client) -> None:
    answer = await hub.call(HOME, "push_record", record(ids("aut"), 100))
    assert answer.state == "refused"


async def test_the_hub_can_ask_for_a_drivers_account(hub: FakeHub, home: httpx.Client) -> None:
    account = await hub.call(HOME, "driver_account", DriverAccountRequest(token=CHEN))
    assert (account.balance_fen, account.held_fen, account.debt_fen) == (20_000, 0, 0)
    unknown = Token(kind=TokenKind.VIN, ref="x")
    with pytest.raises(NotFound):
        await hub.call(HOME, "driver_account", DriverAccountRequest(token=unknown))


def begin(home: httpx.Client, **changed: Any) -> dict[str, Any]:
    wanted = {"driver": "B-0001", "connector": f"C1.{HOST}", "limit_fen": 3_000, **changed}
    return post(home, "/app/charges", wanted)


async def test_a_start_in_the_app_holds_first_and_is_settled_by_its_record(
    hub: FakeHub, home: httpx.Client
) -> None:
    session = begin(home)
    sent = hub.received("start_session")[0]
    assert (sent.limit_fen, sent.token.ref) == (3_000, "B-0001")
    assert money(home) == (20_000, 3_000, 0)
    session_id = session["session_id"]
    for number in (2, 1):
        await hub.call(HOME, "push_session", progress(session_id, number), path={"session_id": session_id})
    shown = get(home, f"/app/charges/{session_id}")
    assert (shown["state"], shown["progress"]["number"]) == ("charging", 2)
    assert post(home, f"/app/charges/{session_id}/stop", {})["state"] == "stopping"
    bill = record(session["authorization_id"], 2_000, home_ref=sent.start_ref)
    answer = await hub.call(HOME, "push_record", bill)
    assert (answer.settlement.captured_fen, answer.settlement.released_fen) == (2_000, 1_000)
    assert money(home) == (18_000, 0, 0)
    assert get(home, f"/app/charges/{session_id}")["settlement"]["captured_fen"] == 2_000


def progress(session_id: str, number: int) -> SessionProgress:
    return SessionProgress(
        session_id=session_id,
        number=number,
        at=AT,
        state="charging",
        energy_wh=number,
        amount_fen=number,
        power_w=7_000,
        percent=number,
        seconds_left=None,
    )


async def test_the_record_finds_its_hold_by_the_homes_own_number(hub: FakeHub, home: httpx.Client) -> None:
    begin(home)
    start_ref = hub.received("start_session")[0].start_ref
    answer = await hub.call(HOME, "push_record", record(ids("aut"), 100, home_ref=start_ref))
    assert answer.settlement.captured_fen == 100


def test_a_refused_and_an_impossible_start_hold_nothing(hub: FakeHub, home: httpx.Client) -> None:
    def refuse(given: Received) -> Any:
        session = usual(given, hub.log, hub.clock)
        assert isinstance(session, Session)
        return msgspec.structs.replace(session, state="refused", refusal=Code.CONNECTOR_BUSY)

    hub.answers["start_session"] = refuse
    assert begin(home)["refusal"] == Code.CONNECTOR_BUSY
    hub.fail("start_session", code=Code.RULE_VIOLATED)
    assert begin(home)["code"] == Code.RULE_VIOLATED
    assert begin(home, limit_fen=20_001)["code"] == Code.INSUFFICIENT_FUNDS
    assert begin(home, driver="B-0004")["code"] == Code.TOKEN_BLOCKED
    assert begin(home, driver="nobody")["code"] == Code.NOT_FOUND
    assert money(home) == (20_000, 0, 0)


def test_while_the_hub_does_not_answer_the_hold_stays_and_it_is_asked_again(
    hub: FakeHub, home: httpx.Client
) -> None:
    hub.fail("start_session", times=4, after=True)
    assert begin(home) == {"state": "requested", "session_id": None}
    assert money(home) == (20_000, 3_000, 0)
    charge = until(lambda: [c for c in charges(home) if c["session_id"]])[0]
    assert charge["state"] == "starting"
    assert len(hub.received("start_session")) == 1
    assert money(home) == (20_000, 3_000, 0)


def charges(home: httpx.Client) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = get(home, "/app/drivers/B-0001")["charges"]
    return listed


def test_an_assertion_names_the_driver_to_the_hub_for_five_minutes_at_most(
    hub: FakeHub, home: httpx.Client
) -> None:
    given = post(home, "/app/assertions", {"driver": "B-0001"})
    claims = verify_token(given["assertion"], KEY.private.public_key())
    assert (claims["iss"], claims["sub"], claims["aud"]) == (HOME, "B-0001", hub.url)
    assert 0 < claims["exp"] - claims["iat"] <= 300
    other = verify_token(
        post(home, "/app/assertions", {"driver": "B-0001"})["assertion"], KEY.private.public_key()
    )
    assert other["jti"] != claims["jti"]
    assert post(home, "/app/assertions", {"driver": "B-0004"})["code"] == Code.TOKEN_BLOCKED


def test_the_page_and_the_list_of_drivers(home: httpx.Client) -> None:
    assert "开始充电" in home.get("/").text
    assert [one["driver_id"] for one in get(home, "/app/drivers")["drivers"]][:2] == [
        "B-0001",
        "B-0002",
    ]
    assert home.get("/app/charges/none").status_code == 404
    assert home.get("/app/connectors").status_code == 404  # this hub lists no stations


def test_money_survives_a_restart(hub: FakeHub, tmp_path: Path) -> None:
    for held in (3_000, 6_000):
        with operator(create_app, HOME, KEY, hub, tmp_path / "home.db") as home:
            begin(home)
            assert money(home) == (20_000, held, 0)
