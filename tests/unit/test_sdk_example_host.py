"""The example host answers the hub through its site: started, stopped, away, silent."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from operator_sdk import NotFound, ServerFailed
from operator_sdk.contract.edge_link.frames import StartCommand, StopCommand
from operator_sdk.contract.messages.records import SettlementRecord
from operator_sdk.contract.messages.roaming import (
    CheckConnectorRequest,
    StopRequest,
)
from operator_sdk.contract.public_codes import Code
from operator_sdk.testing import FakeHub
from tests.edge_client import Site
from tests.site_agent import Remote
from tests.unit.host_rig import (
    fake_hub,
    host_of,
    record_of,
    site_of,
    start,
    states,
    updates_of,
    with_record,
)
from tests.unit.operators import HOST, get, until


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


async def test_a_start_from_the_hub_runs_to_its_limit_and_all_of_it_arrives_unchanged(
    hub: FakeHub, host: httpx.Client, at_site: Remote
) -> None:
    asked = start()
    reply = await hub.call(HOST, "start", asked)
    assert reply.accepted
    assert await hub.call(HOST, "start", asked) == reply
    record = record_of(hub, asked.session_id)
    updates = updates_of(hub, asked.session_id)
    assert [update.number for update in updates] == list(range(1, len(updates) + 1))
    assert updates[-1].state == "ended"
    assert record.stop_reason == updates[-1].stop_reason == "limit_reached"
    assert 500 <= record.amount_fen == updates[-1].amount_fen <= 600
    assert record == at_site.agent.charges[asked.session_id].bill()
    shown = until(lambda: with_record(host, asked.session_id))
    assert shown["numbers"]["acknowledged"] == shown["numbers"]["made"] == [one.number for one in updates]
    assert shown["bill"]["amount_fen"] == record.amount_fen

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


async def test_the_hub_can_stop_and_ask(hub: FakeHub, host: httpx.Client, at_site: Remote) -> None:
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


async def test_what_cannot_start_is_refused_and_stays_refused(
    hub: FakeHub, host: httpx.Client, at_site: Remote
) -> None:
    unknown, priceless = start(connector_id="C9"), start(tariff_version=9)
    faulted = start(connector_id="C2")
    at_site.fault("C2", faulted=True)
    for asked, refusal in (
        (unknown, Code.CONNECTOR_UNKNOWN),
        (priceless, Code.TARIFF_UNKNOWN),
        (faulted, Code.CONNECTOR_FAULTED),
    ):
        assert (await hub.call(HOST, "start", asked)).refusal == refusal
    at_site.fault("C2", faulted=False)
    assert (await hub.call(HOST, "start", faulted)).refusal == Code.CONNECTOR_FAULTED


async def test_a_stop_for_a_session_never_started_keeps_it_from_starting(
    hub: FakeHub, host: httpx.Client, at_site: Remote
) -> None:
    asked = start()
    path = {"session_id": asked.session_id}
    assert not (await hub.call(HOST, "query_session", path=path)).known
    with pytest.raises(NotFound):
        await hub.call(HOST, "stop", StopRequest(stop_ref="s1"), path=path)
    assert not (await hub.call(HOST, "start", asked)).accepted
    assert not [one for one in at_site.agent.heard if isinstance(one, StartCommand)]


async def test_an_accepted_start_may_still_fail_at_the_pile(
    hub: FakeHub, host: httpx.Client, at_site: Remote
) -> None:
    at_site.agent.unplugged.add("C1")
    asked = start()
    assert (await hub.call(HOST, "start", asked)).accepted
    updates = until(lambda: updates_of(hub, asked.session_id))
    assert [update.state for update in updates] == ["start_failed"]
    assert hub.received("push_record") == []


async def test_an_offline_site_refuses_starts_and_its_connectors_are_offline(
    hub: FakeHub, host: httpx.Client
) -> None:
    asked = start()
    assert (await hub.call(HOST, "start", asked)).refusal == Code.CONNECTOR_OFFLINE
    check = CheckConnectorRequest(connector_id="C1")
    assert (await hub.call(HOST, "check_connector", check)).state == "offline"
    assert {one.state for one in hub.received("push_status")[-1].statuses} == {"offline"}


async def test_a_stop_for_an_offline_site_reaches_it_when_it_is_back(
    hub: FakeHub, host: httpx.Client, at_site: Remote
) -> None:
    asked = start(limit=None)
    path = {"session_id": asked.session_id}
    await hub.call(HOST, "start", asked)
    until(lambda: hub.updates[asked.session_id])
    at_site.cut(is_cut=True)
    until(lambda: states(host) == ["offline", "offline"])
    known = await hub.call(HOST, "query_session", path=path)
    assert (known.known, known.state, known.last_number) == (True, "charging", known.update.number)
    stopped = await hub.call(HOST, "stop", StopRequest(stop_ref="s1"), path=path)
    assert stopped.state == "stopping"
    assert hub.received("push_record") == []
    at_site.cut(is_cut=False)
    assert record_of(hub, asked.session_id).stop_reason == "driver_remote"
    assert len([one for one in at_site.agent.heard if isinstance(one, StopCommand)]) == 1
    made = at_site.agent.charges[asked.session_id].number
    until(lambda: len(hub.updates[asked.session_id]) == made)
    at_site.cut(is_cut=True)
    at_site.cut(is_cut=False)
    until(lambda: states(host) == ["available", "available"])
    assert len([one for one in at_site.agent.heard if isinstance(one, StopCommand)]) == 1


async def test_a_silent_site_leaves_the_hub_without_an_answer_until_it_speaks(
    hub: FakeHub, host: httpx.Client, at_site: Remote
) -> None:
    asked = start(limit=None)
    at_site.agent.silent_to = {StartCommand}
    with pytest.raises(ServerFailed):
        await hub.call(HOST, "start", asked)
    # It may have started: now that the site is away, nobody may say that it has not.
    at_site.cut(is_cut=True)
    until(lambda: states(host) == ["offline", "offline"])
    with pytest.raises(ServerFailed):
        await hub.call(HOST, "start", asked)
    at_site.agent.silent_to = set()
    at_site.cut(is_cut=False)
    until(lambda: "offline" not in states(host))
    assert (await hub.call(HOST, "start", asked)).accepted
    assert len(at_site.agent.charges) == 1
