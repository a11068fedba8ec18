"""The ids under which T/CEC 102 homes know what hosts call by ids of their own.

The standard makes ids unique within an operator only, and gives a station 20 characters, a pile 23 and a
connector 26 (T/CEC 102.2). Homes look a connector up by its id alone, so through the hub an id must be unique
among all hosts. Whoever comes first keeps its own id where it fits; the others get one that is made of the
host's party id and a digest. What was given once stays.
"""

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum

from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.memory import Memory
from hub.protocols.tcec102.tables_aliases import Key, add_aliases, aliases_of, key_of_alias, named

REMEMBERED = timedelta(hours=1)
"""An alias never changes; this only bounds what a process keeps of things nobody asks for."""

_FITS = re.compile(r"[A-Za-z0-9]+")


class Kind(StrEnum):
    """What has an alias."""

    STATION = "station"
    PILE = "pile"
    CONNECTOR = "connector"


LENGTH = {Kind.STATION: 20, Kind.PILE: 23, Kind.CONNECTOR: 26}
"""Characters that the standard gives an id."""


def pile_key(party_id: str, station_id: str, pile_id: str) -> Key:
    """The key of a pile, whose id is unique within its station only."""
    return party_id, f"{station_id}/{pile_id}"


def candidate(kind: Kind, key: Key, attempt: int) -> str:
    """The alias to try for a thing: its own id first, where that fits, then made ones."""
    party_id, own_id = key
    name = own_id.rpartition("/")[2]
    if attempt == 0 and len(name) <= LENGTH[kind] and _FITS.fullmatch(name):
        return name
    digest = hashlib.sha256("\x1f".join((kind, party_id, own_id, str(attempt))).encode()).digest()
    return (party_id + base64.b32encode(digest).decode())[: LENGTH[kind]]


class Aliases:
    """Gives aliases and finds what they name."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._aliases: Memory[tuple[Kind, Key], str] = Memory(REMEMBERED)
        self._keys: Memory[tuple[Kind, str], Key] = Memory(REMEMBERED)

    async def of(self, kind: Kind, keys: Collection[Key]) -> dict[Key, str]:
        """The aliases of all these things; those that have none get one, durably."""
        found = await self.known(kind, keys)
        missing = set(keys) - found.keys()
        return found | await self._give(kind, missing) if missing else found

    async def known(self, kind: Kind, keys: Collection[Key]) -> dict[Key, str]:
        """The aliases of those of these things that have one: the others were never told to anybody."""
        now, found, missing = self._clock.wall(), {}, []
        for key in keys:
            alias = self._aliases.get((kind, key), now)
            if alias is None:
                missing.append(key)
            else:
                found[key] = alias
        if missing:
            async with self._database.reading() as unit:
                stored = await aliases_of(unit, kind, missing)
            self._remember(kind, stored)
            found |= stored
        return found

    async def _give(self, kind: Kind, keys: Iterable[Key]) -> dict[Key, str]:
        found: dict[Key, str] = {}
        missing, attempt = set(keys), 0
        while missing:
            wanted = [(key, candidate(kind, key, attempt)) for key in missing]
            # A unit for each attempt: what is held of one must not wait for the next.
            async with self._database.unit() as unit:
                await add_aliases(unit, kind, wanted)
                found |= await aliases_of(unit, kind, missing)
            missing -= found.keys()  # what is left wanted an alias that another thing has
            attempt += 1
        self._remember(kind, found)
        return found

    async def alias(self, kind: Kind, key: Key) -> str:
        """The alias of one thing."""
        return (await self.of(kind, [key]))[key]

    async def find(self, kind: Kind, alias: str) -> Key | None:
        """What an alias names; None where nothing has it."""
        key = self._keys.get((kind, alias), self._clock.wall())
        if key is None:
            async with self._database.reading() as unit:
                key = await key_of_alias(unit, kind, alias)
            if key is not None:
                self._remember(kind, {key: alias})
        return key

    async def named(self, name: str) -> list[tuple[str, str, str, str]]:
        """(kind, alias, party, own id) of everything that homes or its owner call so: for people."""
        async with self._database.reading() as unit:
            return await named(unit, name)

    def _remember(self, kind: Kind, found: Mapping[Key, str]) -> None:
        now = self._clock.wall()
        for key, alias in found.items():
            self._aliases.put((kind, key), alias, now)
            self._keys.put((kind, alias), key, now)
