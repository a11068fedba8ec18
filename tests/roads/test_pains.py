"""Each of the twenty pains of the field, switched on at a partner in a process of its own, and survived.

`NUMBERED` in the table says which of the twenty it is. A partner's engineer chooses the profile that a row names.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.directory.keeping import Kept
from hub.protocols.tcec102 import link_host
from hub.protocols.tcec102.link_host import HostPart
from hub.protocols.tcec102.profiles import Partner
from hub.roaming.tables import AuthorizationRow, SessionRow
from hub.roaming.tables_records import RecordRow
from operator_sdk.clock import Clock
from operator_sdk.contract.codes import AuthorizationState, RecordState, SessionState
from operator_sdk.contract.messages.admin import AgreementAdd
from operator_sdk.contract.tcec102.profile import read_profile
from operator_sdk.contract.tcec102.values import format_day
from operator_sdk.tcec102 import Tcec102Client
from operator_sdk.tcec102.sim.pains import PAINS
from tests.rig import EXPOSURE_FEN, HOLD_FEN, HUB, A, B, open_rig
from tests.roads_world import (
    HOST,
    NOON,
    SPEED,
    NativeHome,
    NativeHost,
    Tcec102Home,
    Tcec102Host,
    Town,
    clock_of,
)
from tests.tcec_home_world import described
from tests.tcec_partner import Pair, free_port, simulator

pytestmark = [
    pytest.mark.integration,
    pytest.mark.faults,
    pytest.mark.asyncio(loop_scope="module"),
]

PAIR, ROLES = Pair(sim_id=HOST, hub_id=HUB), ("host", "home")
BASE = "[push]\nstatus_s = 30\n"
"""Ten pushes a second are two a minute at this speed."""

STATIONS, DAY_S = 51, 86_400
"""More than the fifty that may be asked for at once; what is told of a connector holds as long as the tests."""

ASKED_ALWAYS = "[pricing]\npolicy_life_s = 0\n"
"""Every start asks for the price."""

IF_PRESENT = '[signature]\nanswers = "if_present"\n'
UNCHECKED = '[signature]\nanswers = "none"\n'
WGS84 = '[stations]\ncoordinates = "wgs84"\n'
LOWER_CASE = "[signature]\nlower_case_sig = true\n"
FOUR_DECIMALS = "[numbers]\nmoney_decimals = 4\n"

WITH_ANOTHER_TOKEN = ("token_4002_once",)
"""Has the partner answer with an error in the middle of a charge."""


@dataclass(frozen=True)
class Case:
    """A pain (with others that it needs to show) and the profile of a partner that has it."""

    pain: str
    profile: str = ""
    needs: tuple[str, ...] = ()

    def __str__(self) -> str:
        policy = self.profile.partition("\n")[2].strip() or "standard profile"
        return f"{self.pain}, {policy}"


PASSES = [
    *map(
        Case,
        (
            "service_spelling lower_camel spelling_drift numbers_as_strings details_as_text status_shapes"
            " ret_as_string soc_0_1 dc_in_phase_a seq_prefix_checked cross_midnight order_before_stop order_twice"
            " order_twice_new_envelope start_never_reports flapping policy_hhmm slow replayed dirty_json"
            " mime_base64 epoch_ms constant_seq token_4002_once"
        ).split(),
    ),
    Case("odd_money", FOUR_DECIMALS),
    Case("unsigned_errors", IF_PRESENT, WITH_ANOTHER_TOKEN),
    Case("unsigned_answers", IF_PRESENT),
    Case("foreign_answer_sig", UNCHECKED),
    Case("wrong_answer_sig", UNCHECKED),
    Case("lower_case_sig", LOWER_CASE),
    Case("data_null", "", WITH_ANOTHER_TOKEN),
    Case("data_absent", "", WITH_ANOTHER_TOKEN),
    Case("token_absolute_ms", "", WITH_ANOTHER_TOKEN),
    Case("token_kills_old"),
]
"""A charge ends as if there were nothing: accepted, confirmed with 0, owed once."""

REFUSED = [
    *map(Case, "unsigned_answers foreign_answer_sig wrong_answer_sig lower_case_sig refusing_busy silent".split()),
    Case("unsigned_errors", "", WITH_ANOTHER_TOKEN),
]
"""No charge begins, the home is told why, and nothing is held afterwards."""

FAILS = [*map(Case, "start_fails_4 start_fails_5 start_hangs".split())]
"""The host took up the start, and it came to nothing: given back."""

LIES = [Case("lying_order")]
"""The charge took place; its order is confirmed with 1 and nobody owes anything for it."""

OF_STATIONS = "foreign_operator_ids wgs84 area_name fifty_ids incremental_unreliable stations_removed".split()
"""Tests of their own, below."""

OF_HOMES = [
    *map(
        Case,
        (
            "token_kills_old token_4002_once ret_as_string dirty_json numbers_as_strings lower_camel"
            " service_spelling spelling_drift mime_base64 epoch_ms constant_seq slow replayed"
        ).split(),
    ),
    Case("unsigned_errors", IF_PRESENT, WITH_ANOTHER_TOKEN),
    Case("data_absent", "", WITH_ANOTHER_TOKEN),
    Case("lower_case_sig", LOWER_CASE),
]
"""The same platform as a home: its driver charges at A, and it confirms the order."""


@dataclass
class Pained(Town):
    """The hub, and one platform that is host and home."""

    url: str
    other: Tcec102Client
    """The hub's other process, as the platform sees it: asks for a token of its own."""
    partner: Partner
    profile: str = ""
    home_side: NativeHome = field(init=False)
    host_side: Tcec102Host = field(init=False)

    def __post_init__(self) -> None:
        self.home_side, self.host_side = NativeHome(self), Tcec102Host(self)

    async def suffer(self, case: Case) -> None:
        """Switch the profile and these pains on, all others off; the platform's token is one that is new to it."""
        await self.host.post("pains", off=["*"], on=["token_kills_old"])
        await self.agree_on(ASKED_ALWAYS + case.profile)
        if case.needs or "token" in case.pain:
            await self.other.query_token()
            await self.link.query_tariff((await self.host_side.code()).partition(".")[0])
        await self.host.post("pains", off=["*"], on=[case.pain, *case.needs])

    async def agree_on(self, profile: str) -> None:
        """The platform's profile is this from now on."""
        if profile == self.profile:
            return
        text = PAIR.hub_profile(self.url, roles=ROLES, more=BASE + profile)
        profiles = self.rig.hub.tcec102.profiles
        await profiles.replace(HOST, text, "test")
        self.partner, self.profile = await profiles.of(HOST), profile

    async def pulled(self, *, complete: bool = True) -> Kept:
        """What came of asking for stations."""
        report = await self.rig.hub.station_pulls.pull(HOST, complete=complete)
        assert report.problem is None
        assert report.kept is not None
        return report.kept

    @property
    def link(self) -> HostPart:
        """As the hub speaks to the platform."""
        return HostPart(self.partner, self.rig.hub.tcec102)

    async def start(self) -> SessionRow:
        """B's driver starts there."""
        return await self.rig.session(await self.home_side.start(await self.host_side.code()))

    async def has_given_energy(self, session: SessionRow) -> SessionRow:
        """The session, once a status with energy has come and the home knows that it charges."""

        async def holds() -> SessionRow | None:
            row = await self.rig.session(session.session_id)
            seen = row.energy_wh > 0 and await self.home_side.sees_charging(row)
            return row if seen else None

        row = await self.until(holds, "energy")
        assert isinstance(row, SessionRow)
        return row

    async def confirmed(self, session: SessionRow) -> dict[str, Any]:
        """The platform's charge, once its order was answered."""

        async def holds() -> Any:
            charge = await self.host.charge(session.host_ref or "")
            return charge if charge["confirm_result"] is not None else None

        return dict(await self.until(holds, "order"))

    async def holds_nothing(self, session: SessionRow, owed_fen: int) -> None:
        """The home owes what it did before, and nothing is reserved for it any more."""
        assert await self.rig.exposure(B) == (owed_fen, 0)
        authorization = await self.rig.authorization(session.session_id)
        assert authorization.reserved_fen == 0
        assert authorization.state in {AuthorizationState.REFUSED, AuthorizationState.RELEASED}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pained]:
    async with open_pained(tmp_path_factory.mktemp("pains")) as opened:
        yield opened


@asynccontextmanager
async def open_pained(folder: Path) -> AsyncIterator[Pained]:
    """Hub and platform up; it has more stations than may be asked for at once, and asks back on that."""
    epoch, port = datetime.now(UTC), free_port()
    async with open_rig("sqlite", speed=SPEED, epoch=epoch, business_epoch=NOON, status_life_s=DAY_S) as rig:
        url, partners = f"http://127.0.0.1:{port}", rig.hub.tcec102
        text = PAIR.hub_profile(url, roles=ROLES, more=BASE)
        await partners.profiles.add(text, "test", deposit_fen=EXPOSURE_FEN, limit_fen=EXPOSURE_FEN)
        for home, host in ((B, HOST), (HOST, A)):
            terms = AgreementAdd(home_party_id=home, host_party_id=host, hold_fen=HOLD_FEN)
            await rig.hub.parties.add_agreement(terms, actor="test")
        await rig.hub.directory.put_station(A, "S1", described())
        many = ("--stations", str(STATIONS), "--connectors", str(STATIONS))
        options = (*many, "--push-s", "0.1", "--slow-s", "0.1")
        profile, secrets = read_profile(text)
        up = simulator(
            folder, PAIR, rig.url, port=port, pains=["fifty_ids"], options=options, environment=clock_of(epoch)
        )
        async with up as both, Tcec102Client(profile, secrets, operator_id=HUB, clock=Clock()) as other:
            yield Pained(rig, both, both, url, other, await partners.profiles.of(HOST))


async def test_every_pain_of_the_simulator_is_in_a_table() -> None:
    tables = (PASSES, REFUSED, FAILS, LIES)
    tried = {case.pain for table in tables for case in table} | set(OF_STATIONS)
    assert tried == {pain.name for pain in PAINS}
    assert {case.pain for case in OF_HOMES} <= tried


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


# Charges.


@pytest.mark.parametrize("case", PASSES, ids=str)
async def test_a_charge_ends_as_if_there_were_nothing(town: Pained, case: Case) -> None:
    await town.suffer(case)
    owed_fen, owed = (await town.rig.exposure(B))[0], len(await town.rig.obligations())
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
            # The sixty seconds are over at once: the hub asks, asks again, and stops what never began.
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


@pytest.mark.parametrize("case", OF_HOMES, ids=str)
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
