"""A published tariff version never changes; held by the database itself, on either engine."""

from hub.parties.triggers import only_grows

TRIGGERS: dict[str, list[str]] = only_grows("tariff_version", "host_party_id,tariff_id,version")
