"""What hosts say of stations beyond the needful: kept as it came, compared, imported, listed for homes."""

from datetime import timedelta

import msgspec
import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError
from hub.core.ids import SeededIds
from hub.directory.importer import StationImporter
from hub.directory.service import DirectoryService
from hub.parties.agreements import Agreements
from hub.parties.audit import AuditLog
from hub.parties.tables import AgreementRow, PartyRow
from operator_sdk.contract.codes import ConnectorState
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorDetails,
    ConnectorStatus,
    Pile,
    PileDetails,
    StationDetails,
    StationPut,
    StatusPush,
    TariffPeriod,
    TariffPut,
)
from operator_sdk.contract.public_codes import Code

HOST, OTHER, HOME = "MA5AAAAA1", "MA5CCCCC3", "MA5BBBBB2"
DAY = [TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=800_000, service_micro=200_000)]
PLUG = ConnectorDetails(connector_type="dc_gun", voltage_upper_v=750, national_standard="gb_2015", park_no="A1")
PILE = PileDetails(manufacturer_name="厂", production_date="2024-05-01", equipment_type="ac_dc")
STATION = StationDetails(
    country_code="CN",
    area_code="440305",
    station_type="public",
    park_spaces=12,
    pictures=["https://a.example/1.jpg"],
    support_order=False,
    owner_party_id="999999999",
)
HEADER = "station_id,name,address,latitude,longitude,tariff_id,pile_id,kind,power_kw,connector_ids"


def put(*names: str, plug: ConnectorDetails | None = PLUG, **more: object) -> StationPut:
    piles = [
        Pile(
            pile_id=f"P{name}",
            kind="dc",
            rated_power_w=60_000,
            connectors=[Connector(connector_id=name, details=plug)],
            details=PILE,
        )
        for name in names
    ]
    whole = StationPut(
        name="南山",
        latitude_e6=22_540_000,
        longitude_e6=114_050_000,
        tariff_id="t",
        piles=piles,
        details=STATION,
    )
    return msgspec.structs.replace(whole, **more)


@pytest.fixture
async def directory(database: Database, clock: ManualClock) -> DirectoryService:
    async with database.unit() as unit:
        for party_id, roles in ((HOST, "home,host"), (OTHER, "host"), (HOME, "home")):
            row = PartyRow(
                party_id=party_id, name=party_id, roles=roles, protocol="native", created_at=clock.wall()
            )
            unit.session.add(row)
    service = DirectoryService(database, clock)
    for party_id in (HOST, OTHER):
        await service.put_tariff(party_id, "t", 1, TariffPut(valid_from=clock.business(), periods=DAY))
    return service


async def test_details_are_given_back_as_they_were_told_wherever_a_station_is_read(
    directory: DirectoryService,
) -> None:
    told = put("C1", "C2")
    station = await directory.put_station(HOST, "S1", told)
    assert (station.details, station.piles) == (STATION, told.piles)
    assert await directory.get_station(HOST, "S1") == station
    assert (await directory.list_stations()).items == [station]
    assert await directory.stations_of([HOST]) == [station]


async def test_a_changed_detail_is_a_change_of_the_station_and_the_same_again_is_none(
    directory: DirectoryService, clock: ManualClock
) -> None:
    first = await directory.put_station(HOST, "S1", put("C1"))
    clock.advance(minutes=1)
    assert await directory.put_station(HOST, "S1", put("C1")) == first
    for change in (
        put("C1", plug=msgspec.structs.replace(PLUG, park_no="A2")),
        put("C1", details=msgspec.structs.replace(STATION, park_spaces=11)),
        put("C1", plug=None, details=None),
    ):
        clock.advance(minutes=1)
        station = await directory.put_station(HOST, "S1", change)
        assert station.updated_at == clock.business()
        assert (station.details, station.piles) == (change.details, change.piles)


@pytest.mark.parametrize(
    "wrong",
    [
        put("C1", details=StationDetails(station_type="palace")),
        put("C1", details=StationDetails(remark="a\x00b")),
        put("C1", plug=ConnectorDetails(connector_type="schuko")),
    ],
)
async def test_details_with_a_word_that_no_list_has_are_refused(
    directory: DirectoryService, wrong: StationPut
) -> None:
    with pytest.raises(HubError) as refusal:
        await directory.put_station(HOST, "S1", wrong)
    assert refusal.value.code is Code.RULE_VIOLATED
    assert (await directory.list_stations()).items == []


async def test_an_import_tells_details_in_further_columns_and_takes_none_away(
    directory: DirectoryService, database: Database, clock: ManualClock, ids: SeededIds
) -> None:
    importer = StationImporter(database, clock, AuditLog(clock, ids))

    async def load(*lines: str) -> list[str]:
        report = await importer.run_bytes(
            "\n".join(lines).encode(),
            party_id=HOST,
            profile="interpile",
            datum="gcj-02",
            tariff_id="t",
            actor="ann",
        )
        return [problem.reason for problem in report.problems]

    more = (
        "station.area_code,station.support_order,station.pictures,pile.model,connector.current_a,connector.name"
    )
    row = "N1,N,,22.5,113.9,t,N1P1,dc,60,N1A;N1B"
    problems = await load(
        f"{HEADER},{more}",
        f"{row},440305,true,https://a.example/1 https://a.example/2,M-60,250,枪",
        "N2,N,,22.5,113.9,t,N2P1,dc,60,N2A,Nanshan,,,,,",
        "N3,N,,22.5,113.9,t,N3P1,dc,60,N3A,,,,,,",
    )
    assert len(problems) == 1
    assert "area_code" in problems[0]
    station = await directory.get_station(HOST, "N1")
    pictures = ["https://a.example/1", "https://a.example/2"]
    assert station.details == StationDetails(area_code="440305", support_order=True, pictures=pictures)
    assert station.piles[0].details == PileDetails(model="M-60")
    assert [plug.details for plug in station.piles[0].connectors] == [
        ConnectorDetails(current_a=250, name="枪")
    ] * 2
    assert (await directory.get_station(HOST, "N3")).details is None
    assert await load(HEADER, row) == []
    assert await directory.get_station(HOST, "N1") == station
    with pytest.raises(HubError):
        await load(f"{HEADER},station.colour", f"{row},blue")


async def test_homes_read_stations_in_order_with_tombstones_only_among_changes(
    directory: DirectoryService, clock: ManualClock
) -> None:
    for host, station_id in ((OTHER, "A"), (HOST, "B"), (HOST, "A"), (HOST, "C")):
        await directory.put_station(host, station_id, put(f"{station_id}1", f"{station_id}0"))
    clock.advance(minutes=1)
    since = clock.business()
    await directory.put_station(HOST, "C", put("C0"))
    await directory.remove_station(HOST, "B")

    async def page(**asked: object) -> list[tuple[str, str, bool, list[str]]]:
        stations = await directory.stations_of([HOST, OTHER], **asked)  # type: ignore[arg-type]
        return [
            (one.party_id, one.station_id, one.removed, [pile.connectors[0].connector_id for pile in one.piles])
            for one in stations
        ]

    assert await page(limit=2) == [(HOST, "A", False, ["A0", "A1"]), (HOST, "C", False, ["C0"])]
    assert await page(after=(HOST, "C"), limit=2) == [(OTHER, "A", False, ["A0", "A1"])]
    assert await page(after=(OTHER, "A")) == []
    assert await page(updated_since=since) == [(HOST, "B", True, []), (HOST, "C", False, ["C0"])]
    assert await directory.stations_of([]) == []
    (whole, *_) = await directory.stations_of([HOST])
    assert whole == await directory.get_station(HOST, "A")


async def test_present_states_come_by_station_and_silence_is_offline(
    directory: DirectoryService, clock: ManualClock
) -> None:
    for station_id, names in (("A", ("A0", "A1")), ("B", ("B0",))):
        await directory.put_station(HOST, station_id, put(*names))
    begun = clock.business()
    for name in ("A1", "B0"):
        status = ConnectorStatus(connector_id=name, state=ConnectorState.CHARGING, at=clock.business())
        await directory.push_status(HOST, StatusPush(statuses=[status]))
        clock.advance(seconds=100)
    now = clock.business()
    assert await directory.connector_states(HOST, station_ids=["A", "B", "none"]) == {
        "A": [
            ConnectorStatus(connector_id="A0", state=ConnectorState.OFFLINE, at=now),
            ConnectorStatus(connector_id="A1", state=ConnectorState.OFFLINE, at=begun),
        ],
        "B": [
            ConnectorStatus(connector_id="B0", state=ConnectorState.CHARGING, at=begun + timedelta(seconds=100))
        ],
    }
    assert list(await directory.connector_states(HOST, connector_ids=["B0"])) == ["B"]
    assert await directory.connector_states(OTHER, station_ids=["A"]) == {}


async def test_the_hosts_of_a_home_are_those_it_has_agreed_with(
    directory: DirectoryService, database: Database, clock: ManualClock
) -> None:
    agreements = Agreements(database, clock, telling=["native"])
    assert await agreements.hosts_of_home(HOME) == frozenset()
    async with database.unit() as unit:
        for number, (home, host) in enumerate(((HOME, HOST), (HOME, OTHER), (HOST, OTHER), (HOST, HOST))):
            unit.session.add(
                AgreementRow(
                    agreement_id=f"agr_{number}", home_party_id=home, host_party_id=host, hold_fen=1,
                    amount_tolerance_fen=0, created_at=clock.wall(),
                )
            )  # fmt: skip
    clock.advance(seconds=6)
    assert await agreements.hosts_of_home(HOME) == {HOST, OTHER}
    assert await agreements.homes_told(OTHER) == (HOST, HOME)
    assert await agreements.homes_told(HOST) == (HOME,)
