"""The example host beside a site that is wrong, full or mischievous, and a hub that refuses a price."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from operator_sdk import ServerFailed
from operator_sdk.contract.codes import AuthorizationState, ConnectorState, SessionState
from operator_sdk.contract.edge_link.frames import (
    BadItem,
    BillItem,
    BlacklistCommand,
    Command,
    Done,
    FaultItem,
    HealthItem,
    Item,
    Refused,
    Result,
    StatusItem,
    StopCommand,
    Stream,
    TariffsCommand,
    UpdateItem,
)
from operator_sdk.contract.golden import GOLDEN
from operator_sdk.contract.messages.directory import ConnectorStatus
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import Authorization, SessionUpdate, StopRequest
from operator_sdk.contract.public_codes import Code
from operator_sdk.examples.host.app import EDGE_PATH, create_app
from operator_sdk.examples.host.inbox import HostInbox
from operator_sdk.examples.host.store import Alarm, Session, Store
from operator_sdk.site_gateway import SqliteInbox
from operator_sdk.testing import FakeHub
from tests.edge_client import Site
from tests.site_agent import SiteAgent, running
from tests.unit.host_rig import KEY, Gateway, agent_of, fake_hub, host_of, sites_file, start, states
from tests.unit.operators import HOST, fast_clock, get, operator, until

AT = datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)
SESSION = "ses_01980000-0000-7000-8000-000000000001"
FULL = Refused(code=Code.UNAVAILABLE, detail="nothing can be kept just now")


class FullSite(SiteAgent):
    """A site that can keep nothing while its disk is full."""

    is_full = True

    def _obey(self, command: Command) -> Result:
        if self.is_full and isinstance(command, TariffsCommand | BlacklistCommand | StopCommand):
            return FULL
        return super()._obey(command)


@contextmanager
def full_site(hub: FakeHub, site: Site, folder: Path) -> Iterator[tuple[httpx.Client, FullSite]]:
    """A host and a connected site that cannot keep what it was told."""
    with host_of(hub, site, folder) as host:
        url = f"ws{str(host.base_url).removeprefix('http').rstrip('/')}{EDGE_PATH}"
        agent = FullSite(Gateway(url), site, hub.clock)
        with running(agent):
            until(lambda: states(host) == ["available", "available"])
            yield host, agent


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as hub:
        yield hub


@pytest.fixture
def site() -> Site:
    return Site(connectors=("C1", "C2"))


# Sites are kept apart.


class Kept:
    """A host's inbox with two sites: site-x drives X1, site-y drives Y1."""

    def __init__(self, folder: Path) -> None:
        self.store, self.inbox = Store(folder / "host.db"), SqliteInbox(folder / "host.db")
        self.woken: list[str] = []
        sites = {"X1": "site-x", "Y1": "site-y"}
        self.host = HostInbox(self.inbox, self.store, self.woken.extend, sites=sites, clock=fast_clock())
        session = Session(session_id=SESSION, site_id="site-x", connector_id="X1", may_be_sent=True)
        self.store.save_sessions(session)

    async def arrives(self, site_id: str, *items: Item | BadItem) -> None:
        await self.host.store(site_id, "spool", Stream.LIVE, 1, items)

    async def kinds(self) -> list[str]:
        """What waits, by kind."""
        kinds = ("update", "status", "fault", "health", "bill", "bad")
        return [type(one.item).__name__ for one in await self.inbox.waiting(*kinds)]

    async def aclose(self) -> None:
        await self.inbox.aclose()
        self.store.close()


def ended() -> UpdateItem:
    said = SessionUpdate(
        number=999, at=AT, state=SessionState.ENDED, meter_wh=0, energy_wh=0, amount_fen=0, power_w=0
    )
    return UpdateItem(session_id=SESSION, update=said)


def bill(connector_id: str, session_id: str) -> BillItem:
    (example,) = (one for one in GOLDEN if isinstance(one, ChargeRecord))
    return BillItem(record=replace(example, connector_id=connector_id, session_id=session_id))


def status(connector_id: str) -> StatusItem:
    said = ConnectorStatus(connector_id=connector_id, state=ConnectorState.FAULTED, at=AT)
    return StatusItem(status=said)


ANOTHER = SESSION[:-1] + "2"
WRONG: dict[str, Item] = {
    "an_update": ended(),
    "a_bill": bill("Y1", SESSION),
    "a_bill_of_a_session_nobody_knows_at_a_pile_of_the_others": bill("X1", ANOTHER),
    "a_state": status("X1"),
    "a_fault": FaultItem(code="door_open", at=AT, connector_id="X1"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_a_site_says_of_anothers_charges_and_piles_is_kept_apart_and_alarms(
    name: str, tmp_path: Path
) -> None:
    kept = Kept(tmp_path)
    health = HealthItem(at=AT, can_frames=1, meter_frames=0, spool_waiting=0)
    await kept.arrives("site-y", WRONG[name], health)
    session = kept.store.session(SESSION)
    assert session is not None
    assert session.over is None
    assert kept.woken == []
    assert await kept.inbox.waiting_sessions() == []
    assert sorted(await kept.kinds()) == ["BadItem", "HealthItem"]
    assert [(one.site_id, one.code) for one in kept.store.alarms()] == [("site-y", "bad_item")]
    assert kept.store.session(ANOTHER) is None
    await kept.aclose()


async def test_what_a_site_says_of_its_own_is_taken(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    await kept.arrives("site-x", ended(), bill("X1", SESSION), status("X1"), FaultItem(code="door_open", at=AT))
    assert await kept.kinds() == ["UpdateItem", "BillItem", "StatusItem", "FaultItem"]
    assert kept.woken == [SESSION]
    assert kept.store.alarms() == []
    await kept.aclose()


def test_a_site_cannot_give_back_what_another_was_granted(hub: FakeHub, tmp_path: Path) -> None:
    granted = "aut_01980000-0000-7000-8000-000000000001"
    hub.answers["authorize"] = lambda given: Authorization(
        authorization_id=granted,
        authorization_ref=given.message.authorization_ref,
        state=AuthorizationState.REFUSED,
        refusal=Code.INSUFFICIENT_FUNDS,
    )
    first, second = Site(connectors=("C1",)), Site(site_id="site-2", connectors=("C2",))
    file = sites_file(tmp_path, first, second)
    with (
        operator(create_app, HOST, KEY, hub, tmp_path / "host.db", sites=file) as host,
        running(agent_of(str(host.base_url), first, hub)) as one,
        running(agent_of(str(host.base_url), second, hub)) as other,
    ):
        until(lambda: states(host) == ["available", "available"])
        one.tap("C1", "B2000001")
        assert other.release("r-1", granted) == Refused(code=Code.NOT_FOUND)
        assert hub.received("release_authorization") == []
        assert one.release("r-1", granted) == Done()


# Alarms.


def test_an_alarm_that_comes_again_is_counted_and_does_not_fill_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "host.db")
    store.add_alarm(Alarm(site_id="site-1", code="superseded", detail="first", at=AT))
    for number in range(300):
        detail = f"{number}"
        store.add_alarm(Alarm(site_id="site-1", code="proof_wrong", detail=detail, at=AT))
    shown = [(one.code, one.detail, one.times) for one in store.alarms()]
    assert sorted(shown) == [("proof_wrong", "299", 300), ("superseded", "first", 1)]
    store.close()


# Prices.


def test_a_price_that_the_hub_refuses_is_marked_and_everything_else_goes_on(
    hub: FakeHub, site: Site, tmp_path: Path
) -> None:
    hub.fail("put_tariff", times=1_000, code=Code.RULE_VIOLATED)
    with host_of(hub, site, tmp_path) as host:
        (shown,) = get(host, "/local/tariffs")["refused"]
        assert (shown["tariff_id"], shown["version"]) == ("default", 1)
        assert Code.RULE_VIOLATED in shown["reason"]
        assert hub.received("put_station")
        told = len(hub.received("push_status"))
        with running(agent_of(str(host.base_url), site, hub)):
            until(lambda: len(hub.received("push_status")) > told)
            until(lambda: states(host) == ["available", "available"])


# A site whose disk is full.


async def test_what_a_full_site_could_not_note_is_told_again_while_it_stays_connected(
    hub: FakeHub, site: Site, tmp_path: Path
) -> None:
    with full_site(hub, site, tmp_path) as (host, agent):
        assert agent.tariffs == {}
        agent.is_full = False
        until(lambda: agent.tariffs and agent.blacklist)
        asked = start(limit=None)
        assert (await hub.call(HOST, "start", asked)).accepted
        agent.is_full = True
        path = {"session_id": asked.session_id}
        with pytest.raises(ServerFailed):
            await hub.call(HOST, "stop", StopRequest(stop_ref="s1"), path=path)
        card: dict[str, Any] = {"tokens": [{"kind": "card", "ref": "B2000004"}]}
        assert host.put("/local/blacklist", json=card).json()["version"] == 1
        agent.is_full = False
        until(lambda: agent.charges[asked.session_id].stop_reason)
        until(lambda: agent.blacklist and agent.blacklist.version == 1)
        assert len([one for one in agent.heard if isinstance(one, BlacklistCommand)]) <= 40


def test_what_a_site_was_silent_to_while_it_was_told_again_is_told_once_more(
    hub: FakeHub, site: Site, tmp_path: Path
) -> None:
    def told() -> int:
        return sum(isinstance(one, TariffsCommand) for one in agent.heard)

    with full_site(hub, site, tmp_path) as (_, agent):
        agent.silent_to.add(TariffsCommand)
        before = told()
        until(lambda: told() > before)
        agent.silent_to.clear()
        agent.is_full = False
        until(lambda: agent.tariffs and agent.blacklist)
