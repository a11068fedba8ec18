"""Whose eyes a query has. Every query on party-visible rows takes a scope first (held by an AST test)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, false, or_, true


@dataclass(frozen=True, slots=True)
class PartyScope:
    """A viewer: one party in its roles, one driver (a home and a subject), or the hub itself.

    `party_id` None with `everything` False sees nothing.
    """

    party_id: str | None = None
    driver_ref: str | None = None
    everything: bool = False

    def sees(self, home: Any, host: Any, driver: Any = None) -> ColumnElement[bool]:
        """The condition that keeps a query within this scope, given the row's party columns.

        A driver sees rows of the own home that carry the own driver reference; other rows do not exist.
        """
        if self.everything:
            return true()
        if self.party_id is None:
            return false()
        if self.driver_ref is not None:
            return false() if driver is None else (home == self.party_id) & (driver == self.driver_ref)
        return or_(home == self.party_id, host == self.party_id)


HUB = PartyScope(everything=True)
"""The hub's own jobs. Never built from a request."""


def of_party(party_id: str) -> PartyScope:
    """What one operator sees."""
    return PartyScope(party_id=party_id)


def of_driver(home_party_id: str, driver_ref: str) -> PartyScope:
    """What one driver sees; `driver_ref` is the hub's keyed digest of (home, subject)."""
    return PartyScope(party_id=home_party_id, driver_ref=driver_ref)
