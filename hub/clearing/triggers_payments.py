"""Movements of money only grow; held by the database itself, on either engine."""

from hub.parties.triggers import only_grows

_MOVEMENTS = only_grows("payment_movement", "movement_ref")
_DEPOSITS = only_grows("deposit_movement", "movement_ref")

TRIGGERS: dict[str, list[str]] = {engine: _MOVEMENTS[engine] + _DEPOSITS[engine] for engine in _MOVEMENTS}
