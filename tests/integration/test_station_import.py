"""Station files on both engines: good rows load, bad rows are named, the same again changes nothing."""

import os
import time
from pathlib import Path
from random import Random

import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import SeededIds
from hub.directory.importer import StationImporter
from hub.directory.service import DirectoryService
from hub.parties.audit import AuditLog
from hub.parties.tables import PartyRow
from operator_sdk.contract.messages.admin import ImportReport, StationImport
from operator_sdk.contract.public_codes import Code

HOST = "MA5AAAAA1"
HEADER = "station_id,name,address,latitude,longitude,tariff_id,pile_id,kind,power_kw,connector_ids"
SHENZHEN = Path(
    os.environ.get("INTERPILE_STATIONS_FILE")
    or Path(__file__).resolve().parents[3] / "shared" / "data" / "shenzhen_stations.csv"
)


@pytest.fixture
async def importer(database: Database, clock: ManualClock, ids: SeededIds) -> StationImporter:
    async with database.unit() as unit:
        for party_id, roles in ((HOST, "host"), ("MA5BBBBB2", "home")):
            unit.session.add(
                PartyRow(party_id=party_id, name="A", roles=roles, protocol="native", created_at=clock.wall())
            )
    return StationImporter(database, clock, AuditLog(clock, ids))


@pytest.fixture
def directory(database: Database, clock: ManualClock) -> DirectoryService:
    return DirectoryService(database, clock)


async def load(
    importer: StationImporter,
    data: bytes | str,
    *,
    profile: str = "interpile",
    datum: str = "gcj-02",
    party_id: str = HOST,
) -> ImportReport:
    raw = data if isinstance(data, bytes) else data.encode()
    return await importer.run_bytes(
        raw, party_id=party_id, profile=profile, datum=datum, tariff_id="default", actor="ann"
    )


def rows(*lines: str) -> str:
    return "\n".join((HEADER, *lines))


GOOD = rows(
    'N1,"Library, south",2093 Nanhai,22.5402,113.9301,day,N1P1,dc,120,N1P1A;N1P1B',
    'N1,"Library, south",2093 Nanhai,22.5402,113.9301,day,N1P2,AC,7.04,N1P2A',
    "N2,,,22.54,113.93,,N2P1,dc,60,N2P1A",
)


async def test_a_good_file_becomes_stations(importer: StationImporter, directory: DirectoryService) -> None:
    report = await load(importer, GOOD)
    assert (report.stations, report.piles, report.connectors) == (2, 3, 4)
    assert (report.created, report.changed, report.unchanged, report.problems) == (2, 0, 0, [])
    library = await directory.get_station(HOST, "N1")
    assert (library.name, library.address, library.tariff_id) == ("Library, south", "2093 Nanhai", "day")
    assert (library.latitude_e6, library.longitude_e6) == (22_540_200, 113_930_100)
    assert [(one.pile_id, one.kind, one.rated_power_w, one.power_assumed) for one in library.piles] == [
        ("N1P1", "dc", 120_000, False),
        ("N1P2", "ac", 7_040, False),
    ]
    plain = await directory.get_station(HOST, "N2")
    assert (plain.name, plain.tariff_id) == ("N2", "default")


async def test_the_same_file_again_changes_nothing(
    importer: StationImporter, directory: DirectoryService, clock: ManualClock
) -> None:
    await load(importer, GOOD)
    before = await directory.list_stations()
    clock.advance(hours=1)
    report = await load(importer, "\ufeff" + GOOD.replace("\n", "\r\n") + "\r\n\r\n")
    assert (report.created, report.changed, report.unchanged) == (0, 0, 2)
    assert await directory.list_stations() == before


BAD = {
    "ZZ,,,x,113.9,,P1,dc,60,Z1": "latitude: not a decimal number of degrees",
    "ZZ,,,22.5,1e2,,P1,dc,60,Z1": "longitude: not a decimal number of degrees",
    "ZZ,,,92.5,113.9,,P1,dc,60,Z1": "latitude: out of range",
    "ZZ,,,22.5,,,P1,dc,60,Z1": "longitude is missing",
    ",,,22.5,113.9,,P1,dc,60,Z1": "station_id is missing",
    "Z Z,,,22.5,113.9,,P1,dc,60,Z1": "station_id: ",
    "ZZ,,,22.5,113.9,a b,P1,dc,60,Z1": "tariff_id: ",
    "ZZ,,,22.5,113.9,,P-1,dc,60,Z1": "pile: ",
    "ZZ,,,22.5,113.9,,P1,xc,60,Z1": "pile: ",
    "ZZ,,,22.5,113.9,,P1,dc,NaN,Z1": "power_kw is not a decimal number",
    "ZZ,,,22.5,113.9,,P1,dc,٦٠,Z1": "power_kw is not a decimal number",
    "ZZ,,,22.5,113.9,,P1,dc,0,Z1": "power_kw is not a positive number of whole watts",
    "ZZ,,,22.5,113.9,,P1,dc,7.0005,Z1": "power_kw is not a positive number of whole watts",
    "ZZ,,,22.5,113.9,,P1,dc,60,": "connector_ids is missing",
    "ZZ,,,22.5,113.9,,P1,dc,60,Z1;;Z2": "pile: ",
    "ZZ,,,22.5,113.9,,P1,dc,60,Z1;Z1": "the pile names a connector twice",
    "ZZ,,,22.5,113.9,,P1,dc,60,N2P1A": "duplicate connector N2P1A: also on line 4",
    "N2,,,22.54,113.93,,N2P1,dc,60,Z1": "duplicate pile N2P1: also on line 4",
    "N2,,,22.54,113.94,,N2P2,dc,60,Z1": "station N2 is described otherwise on line 4",
    "ZZ,,,22.5,113.9,,P1,dc,60": "9 fields instead of 10",
    "ZZ,,,22.5,113.9,,P1,dc,60,Z1,Z2": "11 fields instead of 10",
    'ZZ,"open,,22.5,113.9,,P1,dc,60,Z1': "not CSV: ",
    "ZZ,a\x00b,,22.5,113.9,,P1,dc,60,Z1": "text has control characters",
    f"ZZ,{'n' * 201},,22.5,113.9,,P1,dc,60,Z1": "station: ",
}


async def test_bad_rows_are_named_by_line_and_reason_and_good_ones_load(
    importer: StationImporter, directory: DirectoryService
) -> None:
    report = await load(importer, "\n".join((GOOD, *BAD, "N3,,,22.5,113.9,,N3P1,dc,60,Z1")))
    assert (report.stations, report.created) == (3, 3)
    assert [problem.line for problem in report.problems] == list(range(5, 5 + len(BAD)))
    for problem, reason in zip(report.problems, BAD.values(), strict=True):
        assert problem.reason.startswith(reason), problem
    assert {one.station_id for one in (await directory.list_stations()).items} == {"N1", "N2", "N3"}


async def test_a_row_that_is_not_utf8_is_one_bad_row(importer: StationImporter) -> None:
    broken = "N3,南山,,22.5,113.9,,N3P1,dc,60,Z1".encode("gb18030")
    report = await load(importer, GOOD.encode() + b"\n" + broken)
    assert [(one.line, one.reason) for one in report.problems] == [(5, "not UTF-8")]
    assert report.stations == 2


@pytest.mark.parametrize("data", ["", "a,b,c\n", HEADER.upper(), HEADER[:-1], "\xff", '"'])
async def test_a_file_of_another_kind_is_refused_whole(importer: StationImporter, data: str) -> None:
    with pytest.raises(HubError) as refusal:
        await load(importer, data.encode("latin-1"))
    assert refusal.value.code is Code.MALFORMED


async def test_only_a_host_gets_stations(importer: StationImporter) -> None:
    for party_id in ("MA5BBBBB2", "MA5ZZZZZ9"):
        with pytest.raises(NotFoundError):
            await load(importer, GOOD, party_id=party_id)


async def test_an_import_adds_and_changes_but_removes_nothing(
    importer: StationImporter, directory: DirectoryService, clock: ManualClock
) -> None:
    await load(importer, GOOD)
    clock.advance(hours=1)
    changed = GOOD.splitlines()
    report = await load(importer, "\n".join((changed[0], changed[2].replace("7.04", "11"))))
    assert (report.created, report.changed, report.unchanged) == (0, 1, 0)
    library = await directory.get_station(HOST, "N1")
    assert [(one.pile_id, one.rated_power_w) for one in library.piles] == [("N1P1", 120_000), ("N1P2", 11_000)]
    assert library.updated_at == clock.business()
    assert (await directory.get_station(HOST, "N2")).piles


async def test_a_connector_of_another_station_is_a_bad_row(
    importer: StationImporter, directory: DirectoryService
) -> None:
    await load(importer, GOOD)
    thief = rows("N3,,,22.5,113.9,,P1,dc,60,N1P1A", "N3,,,22.5,113.9,,P2,dc,60,N3P2A")
    # The owner is in the same file and chunk: that does not make its connectors anybody's.
    for data in (thief, "\n".join((GOOD.replace("N1P1A;", ""), *thief.splitlines()[1:]))):
        report = await load(importer, data)
        assert [one.reason for one in report.problems] == ["connector N1P1A belongs to station N1"]
        await load(importer, GOOD)
    assert [one.pile_id for one in (await directory.get_station(HOST, "N3")).piles] == ["P2"]


async def test_st_evcdp_rows_are_counted_out_into_piles(
    importer: StationImporter, directory: DirectoryService
) -> None:
    bad = [
        "7,22.5,114.0,2,1,4",
        "7,22.5,114.0,-1,1,0",
        "7,22.5,114.0,1.5,0,1",
        "7,22.5,114.0,1,1",
        "5,22.5,114,1,0,1",
        "7,22.5,214.0,1,1,2",
        "a-b,22.5,114.0,1,1,2",
        "7,22.5,114.0,2001,0,2001",
    ]
    good = ["station_id,latitude,longitude,fast,slow,count", "5,22.5,114.05,2,1,3", "6,22.6,114.1,0,0,0"]
    data = "\n".join(good + bad)
    report = await load(importer, data, profile="st-evcdp")
    assert (report.stations, report.piles, report.connectors) == (2, 3, 3)
    assert [one.line for one in report.problems] == list(range(4, 12))
    assert report.problems[0].reason == "count mismatch: 2 fast and 1 slow are not 4"
    assert report.problems[4].reason == "duplicate station ST5: also on line 2"
    station = await directory.get_station(HOST, "ST5")
    piles = [(one.pile_id, one.kind, one.rated_power_w, one.power_assumed) for one in station.piles]
    assert piles == [
        ("ST5F001", "dc", 60_000, True),
        ("ST5F002", "dc", 60_000, True),
        ("ST5S001", "ac", 7_000, True),
    ]
    assert all(one.connectors[0].connector_id == one.pile_id for one in station.piles)


async def test_wgs84_is_converted_and_unknown_is_kept(
    importer: StationImporter, directory: DirectoryService
) -> None:
    data = "station_id,latitude,longitude,fast,slow,count\n1,39.915,116.404,1,0,1"
    for datum, place in (("wgs-84", (39_916_404, 116_410_244)), ("unknown", (39_915_000, 116_404_000))):
        await load(importer, data, profile="st-evcdp", datum=datum)
        station = await directory.get_station(HOST, "ST1")
        assert (station.latitude_e6, station.longitude_e6) == place


async def test_the_message_form_imports_the_same_and_is_audited(
    importer: StationImporter, database: Database
) -> None:
    report = await importer.run(StationImport(party_id=HOST, csv=GOOD), actor="ann")
    assert report.created == 2
    from sqlmodel import select

    from hub.parties.tables import AuditRow

    async with database.reading() as unit:
        noted = (await unit.session.exec(select(AuditRow))).one()
    assert (noted.actor, noted.action, noted.subject) == ("ann", "import_stations", HOST)


def shenzhen() -> bytes:
    if SHENZHEN.is_file():
        return SHENZHEN.read_bytes()
    chance = Random(1706)
    lines = ["station_id,latitude,longitude,fast,slow,count"]
    for number in range(1, 1707):
        fast, slow = chance.randrange(6), chance.randrange(22)
        place = f"22.{chance.randrange(450000, 820000)},114.{chance.randrange(100000, 519000)}"
        lines.append(f"{number},{place},{fast},{slow},{fast + slow}")
    return "\n".join(lines).encode()


async def test_a_city_loads_within_seconds(
    importer: StationImporter, directory: DirectoryService, kind: str
) -> None:
    data = shenzhen()
    seen: list[tuple[int, int]] = []
    began = time.monotonic()
    report = await importer.run_bytes(
        data,
        party_id=HOST,
        profile="st-evcdp",
        datum="wgs-84",
        tariff_id="default",
        actor="ann",
        progress=lambda done, total: seen.append((done, total)),
    )
    took = time.monotonic() - began
    assert (report.stations, report.problems) == (1706, [])
    if b"\r\n" in data:  # the published file, not one made here
        assert (report.piles, report.connectors) == (22_872, 22_872)
    assert seen[-1] == (1706, 1706)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert took < (10 if kind == "sqlite" else 30)
    again = await load(importer, data, profile="st-evcdp", datum="wgs-84")
    assert (again.created, again.changed, again.unchanged) == (0, 0, 1706)
