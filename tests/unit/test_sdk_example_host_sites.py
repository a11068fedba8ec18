"""The example host and its site: cards, faults, prices, what staff see; killed, it loses nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from operator_sdk.client.trust import authorities
from operator_sdk.contract.edge_link.frames import Done, Refused
from operator_sdk.contract.edge_link.proof import token_digest
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.roaming import (
    Authorization,
)
from operator_sdk.contract.public_codes import Code
from operator_sdk.examples.host.app import create_app
from operator_sdk.testing import FakeHub
from tests.edge_client import Site
from tests.site_agent import Remote, running
from tests.unit.host_rig import (
    KEY,
    agent_of,
    fake_hub,
    host_of,
    record_of,
    site_of,
    sites_file,
    states,
    updates_of,
    with_record,
)
from tests.unit.operators import HOST, free_port, get, operator, post, spawn, until

AUTHORIZATION = "aut_01980000-0000-7000-8000-000000000001"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as hub:
        yield hub


@pytest.fixture
def site() -> Site:
    return Site(connectors=("C1", "C2"))


@pytest.fixture
def host(hub: FakeHub, site: Site, tmp_path: Path) -> Iterator[httpx.Client]:
    with host_of(hub, site, tmp_path) as client:
        yield client


@pytest.fixture
def at_site(hub: FakeHub, host: httpx.Client, site: Site) -> Iterator[Remote]:
    with site_of(host, site, hub) as remote:
        yield remote


def test_a_card_begins_a_charge_and_ends_it(hub: FakeHub, host: httpx.Client, at_site: Remote) -> None:
    tapped = at_site.tap("C1", "B2000001")
    session_id = tapped["session_id"]
    assert session_id is not None
    until(lambda: hub.updates[session_id])
    assert hub.received("authorize")[0].token.ref == "B2000001"
    assert get(host, f"/local/sessions/{session_id}")["connector_id"] == "C1"
    assert at_site.tap("C1", "B2000002")["refusal"] == Code.CONNECTOR_BUSY
    assert at_site.tap("C1", "B2000001")["outcome"] == "stopped"
    assert record_of(hub, session_id).stop_reason == "card"


def test_a_refused_card_starts_nothing(hub: FakeHub, host: httpx.Client, at_site: Remote) -> None:
    hub.answers["authorize"] = lambda given: Authorization(
        authorization_id=AUTHORIZATION,
        authorization_ref=given.message.authorization_ref,
        state="refused",
        refusal=Code.INSUFFICIENT_FUNDS,
    )
    tapped = at_site.tap("C1", "B2000001")
    assert tapped == {
        "outcome": "refused",
        "session_id": None,
        "refusal": "insufficient_funds",
    }
    assert hub.updates == {}


def test_a_card_at_a_connector_of_another_site_is_refused(
    hub: FakeHub, host: httpx.Client, at_site: Remote
) -> None:
    assert at_site.tap("C9", "B2000001")["refusal"] == Code.CONNECTOR_UNKNOWN
    assert hub.received("authorize") == []


def test_a_release_is_passed_on_and_what_the_hub_refuses_is_answered(
    hub: FakeHub, host: httpx.Client, at_site: Remote
) -> None:
    assert at_site.release("r-1", AUTHORIZATION) == Done()
    assert hub.received("release_authorization")[0].reason == "start_failed"
    hub.fail("release_authorization", code=Code.NOT_FOUND)
    assert isinstance(at_site.release("r-2", AUTHORIZATION), Refused)


def test_a_fault_ends_the_charge_and_is_published_and_shown(
    hub: FakeHub, host: httpx.Client, at_site: Remote
) -> None:
    session_id = at_site.tap("C1", "B2000001")["session_id"]
    assert session_id is not None
    until(lambda: hub.updates[session_id])
    at_site.fault("C1", faulted=True)
    assert record_of(hub, session_id).stop_reason == "fault"
    until(lambda: hub.received("push_status")[-1].statuses[0].state == "faulted")
    (fault,) = get(host, "/local/faults")["faults"]
    assert (fault["connector_id"], fault["code"], fault["cleared"]) == (
        "C1",
        "contactor",
        False,
    )
    at_site.fault("C1", faulted=False)
    until(lambda: get(host, "/local/faults")["faults"][0]["cleared"])


def test_the_site_is_published_once_the_hub_answers(hub: FakeHub, tmp_path: Path) -> None:
    hub.fail("put_tariff", times=5)
    with operator(create_app, HOST, KEY, hub, tmp_path / "host.db") as client:
        until(lambda: get(client, "/local/connectors").get("published"))
    assert len(hub.received("put_tariff")) == 1
    assert hub.received("put_station")[0].name == "示例充电站"


def test_new_prices_and_blocked_cards_reach_the_site_now_and_at_every_connection(
    hub: FakeHub, host: httpx.Client, at_site: Remote
) -> None:
    agent, card = at_site.agent, {"kind": "card", "ref": "B2000004"}
    assert set(agent.tariffs) == {("default", 1)}
    period = {
        "start_minute": 0,
        "end_minute": 1440,
        "electricity_micro": 500_000,
        "service_micro": 100_000,
    }
    tariff = {
        "tariff_id": "night",
        "version": 1,
        "valid_from": "2026-01-01T00:00:00Z",
        "periods": [period],
    }
    assert post(host, "/local/tariffs", tariff) == {"tariff_id": "night", "version": 1}
    assert set(agent.tariffs) == {("default", 1), ("night", 1)}
    until(lambda: 500_000 in [one.periods[0].electricity_micro for one in hub.received("put_tariff")])
    other = {**tariff, "periods": [{**period, "service_micro": 1}]}
    assert post(host, "/local/tariffs", other)["code"] == Code.ID_REUSED

    assert host.put("/local/blacklist", json={"tokens": [card]}).json()["version"] == 1
    digest = token_digest(msgspec.convert(card, Token))
    assert agent.blacklist is not None
    assert (agent.blacklist.version, agent.blacklist.digests) == (1, [digest])
    agent.tariffs, agent.blacklist = {}, None
    at_site.cut(is_cut=True)
    until(lambda: "available" not in states(host))
    at_site.cut(is_cut=False)
    until(lambda: states(host) == ["available", "available"])
    assert set(agent.tariffs) == {("default", 1), ("night", 1)}
    assert agent.blacklist is not None


def test_sites_tell_how_they_fare(host: httpx.Client, at_site: Remote) -> None:
    shown = until(lambda: _fares(host))
    assert shown["connected"]
    assert (shown["site_id"], shown["agent_version"], shown["connectors"]) == (
        "site-1",
        "test",
        ["C1", "C2"],
    )
    assert (shown["can_frames"], shown["meter_frames"], shown["spool_waiting"]) == (
        1_000,
        200,
        2,
    )


def _fares(host: httpx.Client) -> dict[str, Any] | None:
    (shown,) = get(host, "/local/sites")["sites"]
    return shown if shown["health_at"] else None


def test_a_second_agent_with_the_same_key_alarms(hub: FakeHub, host: httpx.Client, at_site: Remote) -> None:
    at_site.cut(is_cut=True)
    with running(agent_of(str(host.base_url), at_site.agent.site, hub)):
        until(lambda: "available" in states(host))
        at_site.cut(is_cut=False)
        alarms = until(lambda: get(host, "/local/faults")["alarms"])
    assert alarms[0]["code"] == "superseded"


def test_the_page_and_errors_of_the_control_api(host: httpx.Client) -> None:
    page = host.get("/").text
    assert "充电枪" in page
    assert "Connectors" in page
    assert host.get("/healthz").json()["status"] == "ok"
    assert host.post("/local/sessions/none/stop", json={}).status_code == 404
    assert host.post("/local/sessions/none/stop", json={"reason": "boredom"}).status_code == 400
    assert host.put("/local/blacklist", json={}).status_code == 400
    assert host.get("/local/sessions/none").status_code == 404
    assert host.get("/local/sessions").json() == {"sessions": []}


@pytest.mark.faults
def test_killed_in_the_middle_it_goes_on_and_every_number_arrives_once(
    hub: FakeHub, site: Site, tmp_path: Path
) -> None:
    port, epoch = free_port(), datetime.now(UTC).isoformat()
    url = f"http://127.0.0.1:{port}"
    hub.add_party(HOST, KEY, base_url=url)
    sites = ("--sites", str(sites_file(tmp_path, site)))
    module = "operator_sdk.examples.host"
    first = spawn(module, HOST, KEY, hub, tmp_path, port, epoch, *sites)
    agent = agent_of(url, site, hub)
    agent.power_w = 150_000
    with (
        httpx.Client(base_url=url, trust_env=False, verify=authorities()) as client,
        running(agent) as at_site,
    ):
        try:
            until(lambda: states(client) == ["available", "available"])
            session_id = at_site.tap("C1", "B2000001")["session_id"]
            assert session_id is not None
            until(lambda: len(hub.updates[session_id]) >= 3)
            hub.fail("push_session", times=1_000, after=True)
            until(lambda: len(get(client, f"/local/sessions/{session_id}")["numbers"]["made"]) > 9)
        finally:
            first.kill()
            first.wait()
        hub.fail("push_session", times=0)
        second = spawn(module, HOST, KEY, hub, tmp_path, port, epoch, *sites)
        try:
            record = record_of(hub, session_id)
            until(lambda: with_record(client, session_id))
        finally:
            second.terminate()
            second.wait()
    updates = updates_of(hub, session_id)
    assert [update.number for update in updates] == list(range(1, len(updates) + 1))
    assert len(updates) == agent.charges[session_id].number
    for name in ("at", "meter_wh", "energy_wh", "amount_fen"):
        values = [getattr(update, name) for update in updates]
        assert values == sorted(values)
    assert record.meter_end_wh == updates[-1].meter_wh
    assert record.amount_fen == updates[-1].amount_fen
    assert len(hub.received("push_record")) == 1
