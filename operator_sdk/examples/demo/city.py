"""What A and C have: a tariff whose edge lies just ahead, a site with three piles, another with one."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from operator_sdk.contract.messages.directory import Station, TariffPeriod
from operator_sdk.examples.demo.administrator import A, C
from operator_sdk.examples.demo.sites import PilePlan, SitePlan
from operator_sdk.examples.demo.trouble import Trouble
from operator_sdk.examples.host.described import described_pile, public_station
from operator_sdk.examples.host.site import Site, SiteStation, SiteTariff

ZONE = timezone(timedelta(hours=8))
TARIFF = "default"
LEAD_WALL_S = 40
"""The business clock starts this long before the edge: what it takes to set the network up."""
NEAREST_WALL_S = 30
"""What is still to be set up once prices are known, and the first minutes of the charge across it."""
EDGE_MINUTE = 600
LATEST_EDGE_MINUTE = 700

DC_W, AC_W, AC_CARD_W = 60_000, 21_000, 7_000
C_PLUG = "CQ1F001"
C_SITE = SitePlan("cq1", C, (PilePlan(C_PLUG, "dc", DC_W),))

_VALLEY, _FLAT, _PEAK, _SERVICE = 250_000, 650_000, 1_050_000, 400_000


def business_epoch(wall: datetime, speed: int) -> datetime:
    """The business instant with which to begin: shortly before the morning peak of that day."""
    midnight = wall.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(minutes=EDGE_MINUTE) - timedelta(seconds=LEAD_WALL_S * speed)


def next_edge(now: datetime, speed: int) -> datetime:
    """Where the morning peak begins: at its usual hour, or later where setting up took its time.

    Raises:
        Trouble: it would run into noon.
    """
    local = now.astimezone(ZONE)
    earliest = local + timedelta(seconds=NEAREST_WALL_S * speed)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    minute = max(EDGE_MINUTE, -(-int((earliest - midnight).total_seconds()) // 300) * 5)
    if minute > LATEST_EDGE_MINUTE:
        raise Trouble("setting up took so long that the tariff edge has passed; try a lower SPEED")
    return midnight + timedelta(minutes=minute)


def tariff(edge: datetime) -> SiteTariff:
    """Time of use: valley, flat, morning peak from `edge` on, flat, afternoon peak, flat."""
    local = edge.astimezone(ZONE)
    peak = local.hour * 60 + local.minute
    stretches = (
        (0, 480, _VALLEY), (480, peak, _FLAT), (peak, 720, _PEAK),
        (720, 840, _FLAT), (840, 1140, _PEAK), (1140, 1440, _FLAT),
    )  # fmt: skip
    return SiteTariff(
        tariff_id=TARIFF,
        valid_from=local - timedelta(days=30),
        periods=[
            TariffPeriod(start_minute=start, end_minute=end, electricity_micro=price, service_micro=_SERVICE)
            for start, end, price in stretches
        ],
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A's site, what A publishes of it, when its prices rise, and its plugs: a fast one and two slow ones."""

    edge: datetime
    plan: SitePlan
    site: Site
    dc: str
    ac: str
    ac_card: str


def own_place(edge: datetime) -> Place:
    """A station with three piles."""
    plugs = ("NS1F001", "dc", DC_W), ("NS1S001", "ac", AC_W), ("NS1S002", "ac", AC_CARD_W)
    station = SiteStation(
        station_id="NS1",
        name="南山科技园站 Nanshan Tech Park",
        address="深圳市南山区科苑路",
        latitude_e6=22_540_500,
        longitude_e6=113_951_200,
        tariff_id=TARIFF,
        piles=[described_pile(*plug) for plug in plugs],
        details=public_station(park_spaces=len(plugs)),
    )
    return _place(edge, station, *(name for name, _, _ in plugs))


def imported_place(edge: datetime, stations: list[Station]) -> Place:
    """A station that staff have imported, taken over as it is; three of its plugs have piles behind them.

    Raises:
        Trouble: none of them has a fast pile and two slow ones.
    """
    for one in sorted(stations, key=lambda station: (len(station.piles), station.station_id)):
        fast, slow = (_connectors(one, kind) for kind in ("dc", "ac"))
        if fast and len(slow) >= 2 and not one.removed:
            station = SiteStation(
                station_id=one.station_id,
                name=one.name,
                address=one.address,
                latitude_e6=one.latitude_e6,
                longitude_e6=one.longitude_e6,
                tariff_id=one.tariff_id,
                piles=one.piles,
                details=one.details,
            )
            return _place(edge, station, fast[0], slow[0], slow[1])
    raise Trouble("STATIONS names a file in which no station has a fast pile and two slow ones")


def _place(edge: datetime, station: SiteStation, dc: str, ac: str, ac_card: str) -> Place:
    piles = PilePlan(dc, "dc", DC_W), PilePlan(ac, "ac", AC_W), PilePlan(ac_card, "ac", AC_CARD_W)
    site = Site(tariffs=[tariff(edge)], stations=[station])
    return Place(edge, SitePlan("ns1", A, piles), site, dc, ac, ac_card)


def _connectors(station: Station, kind: str) -> list[str]:
    return [one.connector_id for pile in station.piles if pile.kind == kind for one in pile.connectors]


def station_of_c() -> SiteStation:
    """C's station with its one fast pile."""
    return SiteStation(
        station_id="CQ1",
        name="城配充前海站 Qianhai Depot",
        address="深圳市前海深港合作区",
        latitude_e6=22_526_300,
        longitude_e6=113_902_700,
        tariff_id=TARIFF,
        piles=[described_pile(C_PLUG, "dc", DC_W)],
        details=public_station(park_spaces=1),
    )
