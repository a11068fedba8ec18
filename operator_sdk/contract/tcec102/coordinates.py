"""Between the three map systems of China: WGS-84, GCJ-02 (GB maps) and BD-09 (Baidu).

The conversions are the published approximations. They compute in floating point between integers of 10^-6
degree: a coordinate is neither money nor energy. GCJ-02 and WGS-84 differ only within China's bounding box.
"""

from math import atan2, cos, hypot, pi, sin, sqrt

E6 = 1_000_000
RADIUS_M = 6_378_245
ECCENTRICITY_SQUARED = 0.00669342162296594323  # not exact: Krasovsky's ellipsoid, between rounded coordinates
_BAIDU_TURN = pi * 3000 / 180  # not exact: an angle
_BAIDU_EAST, _BAIDU_NORTH = 0.0065, 0.006  # not exact: degrees, between rounded coordinates

Place = tuple[int, int]
"""(latitude, longitude) in 10^-6 degree."""


def wgs84_to_gcj02(latitude_e6: int, longitude_e6: int) -> Place:
    """A place of WGS-84 in GCJ-02; outside China's box it stays."""
    if not in_china(latitude_e6, longitude_e6):
        return latitude_e6, longitude_e6
    north, east = _moved(latitude_e6, longitude_e6)
    return latitude_e6 + north, longitude_e6 + east


def gcj02_to_wgs84(latitude_e6: int, longitude_e6: int) -> Place:
    """A place of GCJ-02 in WGS-84, found by repeated approach, to 2 x 10^-6 degree (0.2 m)."""
    if not in_china(latitude_e6, longitude_e6):
        return latitude_e6, longitude_e6
    latitude, longitude = latitude_e6, longitude_e6
    for _ in range(6):
        north, east = _moved(latitude, longitude)
        latitude, longitude = latitude_e6 - north, longitude_e6 - east
    return latitude, longitude


def gcj02_to_bd09(latitude_e6: int, longitude_e6: int) -> Place:
    """A place of GCJ-02 in BD-09."""
    y, x = latitude_e6 / E6, longitude_e6 / E6  # not exact: degrees
    far = hypot(x, y) + 0.00002 * sin(y * _BAIDU_TURN)  # not exact: degrees
    turn = atan2(y, x) + 0.000003 * cos(x * _BAIDU_TURN)  # not exact: an angle
    return round((far * sin(turn) + _BAIDU_NORTH) * E6), round((far * cos(turn) + _BAIDU_EAST) * E6)


def bd09_to_gcj02(latitude_e6: int, longitude_e6: int) -> Place:
    """A place of BD-09 in GCJ-02, to 2 x 10^-6 degree (0.2 m)."""
    latitude, longitude = latitude_e6 - 6000, longitude_e6 - 6500
    for _ in range(4):
        north, east = gcj02_to_bd09(latitude, longitude)
        latitude, longitude = latitude + latitude_e6 - north, longitude + longitude_e6 - east
    return latitude, longitude


def in_china(latitude_e6: int, longitude_e6: int) -> bool:
    """Within the box in which GCJ-02 is displaced."""
    return 829_300 <= latitude_e6 <= 55_827_100 and 72_004_000 <= longitude_e6 <= 137_834_700


def _moved(latitude_e6: int, longitude_e6: int) -> Place:
    """How far GCJ-02 lies to the north and east of a place of WGS-84, in 10^-6 degree."""
    latitude, longitude = latitude_e6 / E6, longitude_e6 / E6  # not exact: degrees
    east, north = longitude - 105, latitude - 35
    angle = latitude / 180 * pi  # not exact: an angle
    flattening = 1 - ECCENTRICITY_SQUARED * sin(angle) ** 2
    meridian_m = RADIUS_M * (1 - ECCENTRICITY_SQUARED) / (flattening * sqrt(flattening))  # not exact: metres
    parallel_m = RADIUS_M / sqrt(flattening) * cos(angle)  # not exact: metres
    moved_north = _north_m(east, north) * 180 / (meridian_m * pi)  # not exact: degrees
    moved_east = _east_m(east, north) * 180 / (parallel_m * pi)  # not exact: degrees
    return round(moved_north * E6), round(moved_east * E6)


def _north_m(x: float, y: float) -> float:  # not exact: metres of a map projection
    metres = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))  # not exact: metres
    metres += (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3  # not exact: metres
    metres += (20 * sin(y * pi) + 40 * sin(y / 3 * pi)) * 2 / 3  # not exact: metres
    return metres + (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3  # not exact: metres


def _east_m(x: float, y: float) -> float:  # not exact: metres of a map projection
    metres = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))  # not exact: metres
    metres += (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3  # not exact: metres
    metres += (20 * sin(x * pi) + 40 * sin(x / 3 * pi)) * 2 / 3  # not exact: metres
    return metres + (150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3  # not exact: metres
