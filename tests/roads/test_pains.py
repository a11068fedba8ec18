"""Each of the twenty pains of the field, switched on at a partner in a process of its own, and survived.

Their numbers are in the simulator's own list. A row names the profile that such a partner is given.
The bytes of each pain are looked at in tests/integration/test_tcec102_sim_pains.py.
"""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
import pytest_asyncio

from hub.protocols.tcec102 import link_host
from hub.roaming.tables_records import RecordRow
from operator_sdk.contract.codes import RecordState, SessionState
from operator_sdk.tcec102.sim.pains import PAINS
from tests.rig import HOLD_FEN, A, B
from tests.rig_charges import begin_by_home
from tests.roads.pained import FIRST_DAY, MIDNIGHT, STATIONS, Case, Pained, open_pained
from tests.roads_world import HOST, NativeHost, Tcec102Home

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

IF_PRESENT = '[signature]\nanswers = "if_present"\n'
UNCHECKED = '[signature]\nanswers = "none"\n'
WGS84 = '[stations]\ncoordinates = "wgs84"\n'
LOWER_CASE = "[signature]\nlower_case_sig = true\n"
FOUR_DECIMALS = "[numbers]\nmoney_decimals = 4\n"

WITH_ANOTHER_TOKEN = ("token_4002_once",)
"""Has the partner answer with an error in the middle of a charge."""


PLAIN = """
service_spelling lower_camel spelling_drift numbers_as_strings details_as_text status_shapes ret_as_string
soc_0_1 dc_in_phase_a seq_prefix_checked order_before_stop order_twice order_twice_new_envelope
start_never_reports flapping policy_hhmm slow replayed dirty_json mime_base64 epoch_ms constant_seq
token_4002_once token_kills_old
"""
PASSES = [
    *map(Case, PLAIN.split()),
    Case("odd_money", FOUR_DECIMALS),
    Case("unsigned_errors", "", WITH_ANOTHER_TOKEN),
    Case("unsigned_answers", IF_PRESENT),
    Case("foreign_answer_sig", UNCHECKED),
    Case("wrong_answer_sig", UNCHECKED),
    Case("lower_case_sig", LOWER_CASE),
    Case("data_null", "", WITH_ANOTHER_TOKEN),
    Case("data_absent", "", WITH_ANOTHER_TOKEN),
    Case("token_absolute_ms", "", WITH_ANOTHER_TOKEN),
]
"""A charge ends as if there were nothing: accepted, confirmed with 0, owed once."""

BAD = "unsigned_answers foreign_answer_sig wrong_answer_sig lower_case_sig refusing_busy silent"
REFUSED = [*map(Case, BAD.split())]
"""No charge begins, the home is told why, and nothing is held afterwards."""

FAILS = [Case("start_fails_4"), Case("start_fails_5"), Case("start_hangs")]
"""The host took up the start, and it came to nothing: given back."""

LIES = [Case("lying_order")]
"""The charge took place; its order is confirmed with 1 and nobody owes anything for it."""

OWN_TESTS = {
    *("foreign_operator_ids", "wgs84", "area_name", "fifty_ids", "incremental_unreliable", "stations_removed"),
    "cross_midnight",
}
"""Tests of their own, below."""

OF_HOMES = """
token_kills_old token_4002_once ret_as_string dirty_json numbers_as_strings lower_camel service_spelling
spelling_drift mime_base64 epoch_ms constant_seq slow replayed
"""
HOMES = [
    *map(Case, OF_HOMES.split()),
    Case("unsigned_errors", IF_PRESENT, WITH_ANOTHER_TOKEN),
    Case("data_absent", "", WITH_ANOTHER_TOKEN),
    Case("lower_case_sig", LOWER_CASE),
]
"""The same platform as a home: its driver charges at A, and it confirms the order."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pained]:
    async with open_pained(tmp_path_factory.mktemp("pains")) as opened:
        yield opened


async def test_every_pain_of_the_simulator_is_in_a_table() -> None:
    tables = (PASSES, REFUSED, FAILS, LIES)
    tried = {case.pain for table in tables for case in table} | OWN_TESTS
    assert tried == {pain.name for pain in PAINS}
    assert {case.pain for case in HOMES} <= tried


# Stations.


async def test_more_than_fifty_stations_are_asked_for_in_turns(town: Pained) -> None:
    (report,) = await town.rig.hub.station_pulls.advance()
    assert report is not None
    assert report.kept is not None
    assert (report.problem, report.kept.gaps) == (None, 0)
    assert (report.kept.stations, report.states) == (STATIONS, STATIONS)


async def test_stations_are_the_hosts_own_whoever_they_name_and_lie_where_they_lie(town: Pained) -> None:
    station_id = (await town.host.get("connectors"))[0]["station_id"]
    before = await town.rig.hub.directory.get_station(HOST, station_id)
    await town.host.post("pains", off=["*"], on=["foreign_operator_ids", "wgs84"])
    await town.agree_on(WGS84)
    kept = await town.pulled()
    assert (kept.stations, kept.gaps) == (STATIONS, 0)
    after = await town.rig.hub.directory.get_station(HOST, station_id)
    assert abs(after.latitude_e6 - before.latitude_e6) <= 5
    assert abs(after.longitude_e6 - before.longitude_e6) <= 5
    await town.agree_on("")


async def test_an_area_that_is_no_code_is_left_out_and_the_station_kept(town: Pained) -> None:
    await town.host.post("pains", off=["*"], on=["area_name"])
    kept = await town.pulled()
    assert (kept.stations, kept.gaps) == (STATIONS, 0)
    station_id = (await town.host.get("connectors"))[0]["station_id"]
    station = await town.rig.hub.directory.get_station(HOST, station_id)
    assert station.details is not None
    assert station.details.area_code is None
    assert (station.latitude_e6, station.longitude_e6) == (31_200_000, 121_500_000)


async def test_what_the_increments_hide_the_nightly_list_shows(town: Pained) -> None:
    directory, names = town.rig.hub.directory, [one["station_id"] for one in await town.host.get("connectors")]
    await town.host.post("pains", off=["*"], on=["incremental_unreliable"])
    await town.host.post("rename-station", station_id=names[-1], name="新站名")
    assert (await town.pulled(complete=False)).changed == 0
    await town.host.post("pains", on=["stations_removed"])
    kept = await town.pulled()
    assert (kept.stations, kept.removed) == (STATIONS - 1, 1)
    assert (await directory.get_station(HOST, names[-1])).name == "新站名"
    assert (await directory.get_station(HOST, names[0])).removed
    await town.host.post("pains", off=["*"])
    kept = await town.pulled()
    assert (kept.stations, kept.removed) == (STATIONS, 0)
    assert not (await directory.get_station(HOST, names[0])).removed


async def test_a_check_that_lists_a_charge_over_midnight_by_its_start_is_agreed_to(town: Pained) -> None:
    await town.suffer(Case("cross_midnight"))
    begun = await begin_by_home(town.rig, limit_fen=20 * HOLD_FEN, connector=await town.host_side.code())
    session = await town.has_given_energy(await town.rig.session(begun.session_id or ""))
    await town.until(town.is_past_midnight, "midnight")
    await town.home_side.stop(session)
    charge = await town.confirmed(session)
    said = await town.host.post("check", day=FIRST_DAY)
    # On a machine so slow that it began after midnight, it is not on the list.
    assert said["sent"]["OrderCount"] == (datetime.fromisoformat(charge["started_at"]) < MIDNIGHT)
    assert (charge["confirm_result"], said["answer"]["TotalDisputeOrder"]) == (0, 0)


# Charges.


@pytest.mark.parametrize("case", PASSES, ids=str)
async def test_a_charge_ends_as_if_there_were_nothing(town: Pained, case: Case) -> None:
    await town.suffer(case)
    owed_fen, owed = (await town.rig.exposure(B))[0], len(await town.rig.obligations())
    tokens = await town.host.count("in:query_token")
    session = await town.has_given_energy(await town.start())
    if case.pain == "token_kills_old":
        await town.other.query_token()
    await town.home_side.stop(session)
    charge = await town.confirmed(session)
    session = await town.row_in(session.session_id, SessionState.SETTLED)

    record = await town.rig.record(session.session_id)
    assert (charge["confirm_result"], record.state) == (0, RecordState.ACCEPTED), record.findings
    assert record.amount_fen == round(100 * charge["order"]["TotalMoney"])
    assert record.owed_fen == await town.home_side.paid_fen(session) == record.amount_fen > 0
    assert await town.rig.exposure(B) == (owed_fen + record.owed_fen, 0)
    obligations = await town.rig.obligations()
    assert len(obligations) == owed + 1
    assert (B, HOST, record.owed_fen, "open") in obligations
    await it_hurt(town, case, tokens)


async def it_hurt(town: Pained, case: Case, tokens: int) -> None:
    """What such a pain leaves behind at the partner, where that is more than bytes."""
    count = town.host.count
    match case.pain:
        case "order_twice":
            assert (await count("twice:same"), await count("twice:other")) == (1, 0)
        case "replayed":
            assert (await count("replayed:0"), await count("replayed:4004") > 0) == (0, True)
        case "token_kills_old" | "token_absolute_ms" | "token_4002_once" | "data_null" | "data_absent":
            assert await count("in:query_token") > tokens


@pytest.mark.parametrize("case", REFUSED, ids=str)
async def test_a_start_is_refused_clearly_and_holds_nothing(
    town: Pained, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case.pain == "silent":
        monkeypatch.setattr(link_host, "START_S", 1)
    await town.suffer(case)
    owed_fen, begun = (await town.rig.exposure(B))[0], len(await town.host.get("charges"))
    session = await town.start()
    await town.rig.work()
    assert (session.state, session.refusal) == (SessionState.REFUSED, "host_unavailable")
    await town.holds_nothing(session, owed_fen)
    assert len(await town.host.get("charges")) == begun


@pytest.mark.parametrize("case", FAILS, ids=str)
async def test_a_start_that_comes_to_nothing_gives_everything_back(town: Pained, case: Case) -> None:
    await town.suffer(case)
    owed_fen = (await town.rig.exposure(B))[0]
    session = await town.start()

    async def failed() -> bool:
        if case.pain == "start_hangs":
            # Its time for a result is over at once: the hub asks, asks again, and stops what never began.
            await town.rig.make_due("start_check", "explain_unknown")
        return (await town.rig.session(session.session_id)).state == SessionState.START_FAILED

    await town.until(failed, "start_failed")
    await town.rig.work()
    await town.holds_nothing(session, owed_fen)
    assert session.session_id not in {one.session_id for one in await town.rig.rows(RecordRow)}


@pytest.mark.parametrize("case", LIES, ids=str)
async def test_an_order_that_lies_is_not_confirmed_and_nobody_owes_for_it(town: Pained, case: Case) -> None:
    await town.suffer(case)
    owed_fen, owed = (await town.rig.exposure(B))[0], len(await town.rig.obligations())
    session = await town.has_given_energy(await town.start())
    await town.home_side.stop(session)
    charge = await town.confirmed(session)
    record = await town.rig.record(session.session_id)
    assert charge["confirm_result"] == 1
    assert record.state in {RecordState.SUSPENDED, RecordState.REJECTED}
    assert len(await town.rig.obligations()) == owed
    assert (await town.rig.exposure(B))[0] == owed_fen
    assert session.session_id not in [one.session_id for one in town.rig.b.records]


@pytest.mark.parametrize("case", HOMES, ids=str)
async def test_a_driver_of_such_a_home_charges_all_the_same(town: Pained, case: Case) -> None:
    await town.suffer(case)
    home, host = Tcec102Home(town, HOST), NativeHost(town)
    session = await town.rig.session(await home.start(await host.code()))
    await host.charges(session)
    await town.until(lambda: home.sees_charging(session), "the home has seen it charging")
    if case.pain == "token_kills_old":
        await town.other.query_token()
    await home.stop(session)
    await town.rig.work()
    billed_fen = await host.ends(session)
    await town.row_in(session.session_id, SessionState.SETTLED)
    assert billed_fen == await home.paid_fen(session)
    assert (HOST, A, billed_fen, "open") in await town.rig.obligations()
    assert (await town.rig.exposure(HOST))[1] == 0
