"""What was listed and found by daily checks only grows; held by the database itself, on either engine."""

from hub.parties.triggers import only_grows

_PARTS = only_grows("record_check_part", "check_id,part")
_DIFFERENCES = only_grows("record_check_difference", "check_id,number")

TRIGGERS: dict[str, list[str]] = {engine: _PARTS[engine] + _DIFFERENCES[engine] for engine in _PARTS}
