"""Published tariff versions and assignments never change; held by the database itself, on either engine."""

from hub.parties.triggers import only_grows

_VERSION = only_grows("tariff_version", "host_party_id,tariff_id,version")
_ASSIGNMENT = only_grows("tariff_assignment", "host_party_id,home_party_id,station_id,kind,valid_from")

TRIGGERS: dict[str, list[str]] = {dialect: lines + _ASSIGNMENT[dialect] for dialect, lines in _VERSION.items()}
