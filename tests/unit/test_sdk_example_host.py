"""The example host against FakeHub over real sockets; killed, it loses nothing."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from operator_sdk import NotFound, new_key
from operator_sdk.contract.messages.records import SettlementRecord
from operator_sdk.contract.messages.roaming import (
    Authorization,
    CheckConnectorRequest,
    HostStartRequest,
    StopRequest,
)
from operator_sdk.contract.public_codes import Code
from operator_sdk.examples.host.app import create_app
from operator_sdk.testing import FakeHub, served
from tests.unit.operators import HOME, HOST, fast_clock, free_port, get, operator, post, spawn, until

KEY = new_key("a-1")
COUNT = itertools.count(1)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    hub = FakeHub(clock=fast_clock())
    with served(hub.at):
        yield hub


@pytest.fixture
def host(hub: FakeHub, tmp_path: Path) -> Iterator[httpx.Client]:
    with operator(create_app, HOST, KEY, hub, tmp_path / "host.db") as client:
        until(lambda: hub.received("push_status"))
        yield client


def start(limit: int | None = 2_000, **changed: Any) -> HostStartRequest:
    number = f"{next(COUNT):012d}"
    given: dict[str, Any] = {
        "session_id": f"ses_01980000-0000-7000-8000-{number}",
        "authorization_id": f"aut_01980000-0000-7000-8000-{number}",
        "connector_id": "C1",
        "home_party_id": HOME,
        "token_ref": "driver",
        "start_mode": "hub",
        "tariff_id": "default",
        "tariff_version": 1,
        "limit_fen": limit,
        "target": {},
        **changed,
    }
    import msgspec

    return msgspec.convert(given, HostStartRequest)


def record_of(hub: FakeHub, session_id: str) -> Any:
    return until(lambda: [one for one in hub.received("push_record") if one.session_id == session_id])[0]


def updates_of(hub: FakeHub, session_id: str) -> list[Any]:
    return [hub.updates[session_id][number] for number in sorted(hub.updates[session_id])]


async def test_a_start_from_the_hub_runs_to_its_limit_and_is_billed(hub: FakeHub, host: httpx.Client) -> None:
    asked = start()
    reply = await hub.call(HOST, "start", asked)
    assert reply.accepted
    assert await hub.call(HOST, "start", asked) == reply
    record = record_of(hub, asked.session_id)
    updates = updates_of(hub, asked.session_id)
    assert [update.number for update in updates] == list(range(1, len(updates) + 1))
    assert updates[-1].state == "ended"
    assert record.stop_reason == updates[-1].stop_reason == "limit_reached"
    assert 1_995 <= record.amount_fen == updates[-1].amount_fen <= 2_000
    assert record.meter_start_wh > 0
    shown = until(lambda: get(host, f"/local/sessions/{asked.session_id}"))
    assert shown["numbers"]["acknowledged"] == shown["numbers"]["made"]

    settlement = SettlementRecord(
        settlement_ref="s1",
        record_id="rec_01980000-0000-7000-8000-000000000001",
        session_id=asked.session_id,
        driver_amount_fen=record.amount_fen,
        captured_fen=record.amount_fen,
        released_fen=0,
        settled_at=record.ended_at,
    )
    assert (await hub.call(HOST, "push_settlement", settlement)).state == "settled"
    seen = get(host, f"/local/sessions/{asked.session_id}")["settlement"]
    assert seen["captured_fen"] == record.amount_fen


async def test_the_hub_can_stop_and_ask(hub: FakeHub, host: httpx.Client) -> None:
    asked = start(limit=None)
    path = {"session_id": asked.session_id}
    await hub.call(HOST, "start", asked)
    until(lambda: hub.updates[asked.session_id])
    assert (await hub.call(HOST, "query_session", path=path)).state == "charging"
    check = CheckConnectorRequest(connector_id="C1")
    assert (await hub.call(HOST, "check_connector", check)).state == "charging"
    for _ in range(2):
        stopped = await hub.call(HOST, "stop", StopRequest(stop_ref="s1"), path=path)
        assert stopped.state == "ended"
    assert record_of(hub, asked.session_id).stop_reason == "driver_remote"
    assert (await hub.call(HOST, "check_connector", check)).state == "available"


async def test_what_cannot_start_is_refused_and_stays_refused(hub: FakeHub, host: httpx.Client) -> None:
    unknown, priceless, faulted = (
        start(connector_id="C9"),
        start(tariff_version=9),
        start(connector_id="C2"),
    )
    post(host, "/local/connectors/C2/fault", {"faulted": True})
    for asked, refusal in (
        (unknown, Code.CONNECTOR_UNKNOWN),
        (priceless, Code.TARIFF_UNKNOWN),
        (faulted, Code.CONNECTOR_FAULTED),
    ):
        assert (await hub.call(HOST, "start", asked)).refusal == refusal
    post(host, "/local/connectors/C2/fault", {"faulted": False})
    assert (await hub.call(HOST, "start", faulted)).refusal == Code.CONNECTOR_FAULTED


async def test_a_stop_for_a_session_never_started_keeps_it_from_starting(
    hub: FakeHub, host: httpx.Client
) -> None:
    asked = start()
    path = {"session_id": asked.session_id}
    assert not (await hub.call(HOST, "query_session", path=path)).known
    with pytest.raises(NotFound):
        await hub.call(HOST, "stop", StopRequest(stop_ref="s1"), path=path)
    assert not (await hub.call(HOST, "start", asked)).accepted


async def test_without_a_plug_the_accepted_start_fails(hub: FakeHub, host: httpx.Client) -> None:
    post(host, "/local/connectors/C1/plug", {"plugged": False})
    asked = start()
    assert (await hub.call(HOST, "start", asked)).accepted
    updates = until(lambda: updates_of(hub, asked.session_id))
    assert [update.state for update in updates] == ["start_failed"]
    assert hub.received("push_record") == []


def test_a_card_begins_a_charge_and_ends_it(hub: FakeHub, host: httpx.Client) -> None:
    tapped = post(host, "/local/connectors/C1/tap", {"card": "B2000001"})
    assert tapped["outcome"] == "started"
    until(lambda: hub.updates[tapped["session_id"]])
    assert hub.received("authorize")[0].token.ref == "B2000001"
    other = post(host, "/local/connectors/C1/tap", {"card": "B2000002"})
    assert other["refusal"] == Code.CONNECTOR_BUSY
    again = post(host, "/local/connectors/C1/tap", {"card": "B2000001"})
    assert again["outcome"] == "stopped"
    assert record_of(hub, tapped["session_id"]).stop_reason == "card"


def test_a_refused_card_starts_nothing(hub: FakeHub, host: httpx.Client) -> None:
    hub.answers["authorize"] = lambda given: Authorization(
        authorization_id="aut_01980000-0000-7000-8000-000000000001",
        authorization_ref=given.message.authorization_ref,
        state="refused",
        refusal=Code.INSUFFICIENT_FUNDS,
    )
    tapped = post(host, "/local/connectors/C1/tap", {"card": "B2000001"})
    assert tapped == {"outcome": "refused", "session_id": None, "refusal": "insufficient_funds"}
    assert hub.updates == {}


def test_a_fault_ends_the_charge_and_is_published(hub: FakeHub, host: httpx.Client) -> None:
    tapped = post(host, "/local/connectors/C1/tap", {"card": "B2000001"})
    until(lambda: hub.updates[tapped["session_id"]])
    assert post(host, "/local/connectors/C1/fault", {"faulted": True}) == {"state": "faulted"}
    assert record_of(hub, tapped["session_id"]).stop_reason == "fault"
    until(lambda: hub.received("push_status")[-1].statuses[0].state == "faulted")


def test_the_site_is_published_once_the_hub_answers(hub: FakeHub, tmp_path: Path) -> None:
    hub.fail("put_tariff", times=5)
    with operator(create_app, HOST, KEY, hub, tmp_path / "host.db") as client:
        until(lambda: get(client, "/local/connectors").get("published"))
    assert len(hub.received("put_tariff")) == 1
    assert hub.received("put_station")[0].name == "示例充电站"


def test_the_page_and_errors_of_the_control_api(host: httpx.Client) -> None:
    assert "充电桩" in host.get("/").text
    assert host.get("/healthz").json()["status"] == "ok"
    assert host.post("/local/connectors/C9/tap", json={"card": "x"}).status_code == 404
    assert host.post("/local/connectors/C1/tap", json={}).status_code == 400
    assert host.get("/local/sessions/none").status_code == 404
    assert host.get("/local/sessions").json() == {"sessions": []}


@pytest.mark.faults
def test_killed_in_the_middle_it_goes_on_and_every_number_arrives_once(hub: FakeHub, tmp_path: Path) -> None:
    port, epoch = free_port(), datetime.now(UTC).isoformat()
    hub.add_party(HOST, KEY, base_url=f"http://127.0.0.1:{port}")
    module = "operator_sdk.examples.host"
    first = spawn(module, HOST, KEY, hub, tmp_path, port, epoch)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        try:
            until(lambda: get(client, "/local/connectors").get("published"))
            tapped = post(client, "/local/connectors/C1/tap", {"card": "B2000001"})
            session_id = tapped["session_id"]
            until(lambda: len(hub.updates[session_id]) >= 3)
            hub.fail("push_session", times=1_000, after=True)
            until(lambda: len(get(client, f"/local/sessions/{session_id}")["numbers"]["made"]) > 9)
        finally:
            first.kill()
            first.wait()
        hub.fail("push_session", times=0)
        second = spawn(module, HOST, KEY, hub, tmp_path, port, epoch)
        try:
            record = record_of(hub, session_id)
            until(lambda: get(client, f"/local/sessions/{session_id}").get("record"))
        finally:
            second.terminate()
            second.wait()
    updates = updates_of(hub, session_id)
    assert [update.number for update in updates] == list(range(1, len(updates) + 1))
    for name in ("at", "meter_wh", "energy_wh", "amount_fen"):
        values = [getattr(update, name) for update in updates]
        assert values == sorted(values)
    assert record.meter_end_wh == updates[-1].meter_wh
    assert record.amount_fen == updates[-1].amount_fen
    assert len(hub.received("push_record")) == 1
