"""What A has: a tariff whose edge lies just ahead, and a small generated city, or stations from the hub."""

from datetime import datetime, timedelta, timezone

from operator_sdk.contract.messages.directory import Connector, Pile, Station, TariffPeriod
from operator_sdk.examples.demo.trouble import Trouble
from operator_sdk.examples.host.pile import Vehicle
from operator_sdk.examples.host.site import Site, SiteStation, SiteTariff

ZONE = timezone(timedelta(hours=8))
TARIFF = "default"
LEAD_WALL_S = 30
"""The business clock starts this long before the edge: what it takes to set the network up."""
NEAREST_WALL_S = 10
EDGE_MINUTE = 600
LATEST_EDGE_MINUTE = 710
VEHICLE = Vehicle(capacity_wh=60_000, dc_power_w=60_000, soc_start_percent=35)

_VALLEY, _FLAT, _PEAK, _SERVICE = 250_000, 650_000, 1_050_000, 400_000
_STATIONS = (
    ("NS1", "南山科技园站 Nanshan Tech Park", "深圳市南山区科苑路", 22_540_500, 113_951_200, 6, 2),
    ("FT1", "福田中心站 Futian Centre", "深圳市福田区福华路", 22_536_800, 114_060_300, 4, 4),
    ("LH1", "罗湖口岸站 Luohu Port", "深圳市罗湖区人民南路", 22_532_900, 114_119_700, 2, 2),
    ("BA1", "宝安机场站 Bao'an Airport", "深圳市宝安区领航路", 22_632_400, 113_814_600, 4, 0),
    ("LG1", "龙岗大运站 Longgang Universiade", "深圳市龙岗区龙翔大道", 22_689_100, 114_221_500, 2, 4),
)


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


def generated(edge: datetime) -> Site:
    """A few stations around Shenzhen."""
    stations = [
        SiteStation(
            station_id=station_id,
            name=name,
            address=address,
            latitude_e6=latitude,
            longitude_e6=longitude,
            tariff_id=TARIFF,
            piles=[
                *(_pile(f"{station_id}F{n:03d}", "dc", 60_000) for n in range(1, fast + 1)),
                *(_pile(f"{station_id}S{n:03d}", "ac", 7_000) for n in range(1, slow + 1)),
            ],
        )
        for station_id, name, address, latitude, longitude, fast, slow in _STATIONS
    ]
    return Site(tariffs=[tariff(edge)], stations=stations, vehicle=VEHICLE)


def imported(edge: datetime, stations: list[Station]) -> Site:
    """Stations that the hub's staff have imported, taken over as they are."""
    taken = [
        SiteStation(
            station_id=one.station_id,
            name=one.name,
            address=one.address,
            latitude_e6=one.latitude_e6,
            longitude_e6=one.longitude_e6,
            tariff_id=one.tariff_id,
            piles=one.piles,
        )
        for one in stations
    ]
    return Site(tariffs=[tariff(edge)], stations=taken, vehicle=VEHICLE)


def fast_connectors(site: Site) -> list[str]:
    """The connectors of the site's fast piles."""
    return [
        connector.connector_id
        for station in site.stations
        for pile in station.piles
        if pile.kind == "dc"
        for connector in pile.connectors
    ]


def _pile(name: str, kind: str, power_w: int) -> Pile:
    return Pile(pile_id=name, kind=kind, rated_power_w=power_w, connectors=[Connector(connector_id=name)])
