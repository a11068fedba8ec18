"""The nine roads: every kind of home with every kind of host, end to end, around one hub."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hub.auditor.verify import audit
from operator_sdk.contract.codes import RecordState, SessionState
from tests.roads_world import HOMES, HOSTS, Roads, open_roads

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

ROADS = [(home, host) for home in HOMES for host in HOSTS]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def roads(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Roads]:
    async with open_roads(tmp_path_factory.mktemp("roads")) as opened:
        yield opened


@pytest.mark.parametrize(("home_kind", "host_kind"), ROADS, ids=[f"{home}-{host}" for home, host in ROADS])
async def test_a_driver_of_any_home_charges_at_any_host(roads: Roads, home_kind: str, host_kind: str) -> None:
    home, host, rig = HOMES[home_kind](roads), HOSTS[host_kind](roads), roads.rig
    owed_before = len(await rig.obligations())
    session_id = await home.start(await host.code())
    session = await rig.session(session_id)
    assert (session.home_party_id, session.host_party_id) == (home.party_id, host.party_id)

    await host.charges(session)
    await roads.until(lambda: home.sees_charging(session), "the home has seen it charging")
    await home.stop(await rig.session(session_id))
    await rig.work()
    billed_fen = await host.ends(await rig.session(session_id))
    await roads.row_in(session_id, SessionState.SETTLED)

    record = await rig.record(session_id)
    assert record.state == RecordState.ACCEPTED, record.findings
    assert billed_fen > 0
    assert billed_fen == record.amount_fen == record.owed_fen == await home.paid_fen(session)
    obligations = await rig.obligations()
    assert len(obligations) == owed_before + 1
    assert (home.party_id, host.party_id, billed_fen, "open") in obligations
    assert (await rig.exposure(home.party_id))[1] == 0


async def test_after_all_of_them_a_cycle_nets_to_zero_and_the_books_verify(roads: Roads) -> None:
    hub = roads.rig.hub
    owed = await roads.rig.obligations()
    result = await hub.clearing.close_cycle(hub.clock.business())
    netted = [(one.debtor, one.creditor, one.amount_fen) for one in result.obligations]
    assert set(netted) >= {one[:3] for one in owed}
    assert sum(one.amount_fen for one in result.positions) == 0
    report = await audit(hub.database.url)
    assert report.problems == []
    assert report.verified
    assert report.postings > 0
