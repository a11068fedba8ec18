"""Which hosts a home may charge at, and which homes are told about a host; remembered for a few seconds."""

from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.memory import Memory
from hub.parties.tables_agreements import all_pairs, parties_speaking
from operator_sdk.contract.codes import Role


class _Agreed(NamedTuple):
    hosts: dict[str, frozenset[str]]
    """By home."""
    told: dict[str, tuple[str, ...]]
    """By host: its homes that are told of every change, in order of id."""


class Agreements:
    """Reads agreements as sets. `telling` are the protocols whose homes are told what connectors do."""

    def __init__(self, database: Database, clock: Clock, *, telling: Collection[str] = ()) -> None:
        self._database, self._clock, self._telling = database, clock, frozenset(telling)
        self._agreed: Memory[str, _Agreed] = Memory()

    async def hosts_of_home(self, home_party_id: str) -> frozenset[str]:
        """The hosts that a home has an agreement with."""
        return (await self._all()).hosts.get(home_party_id, frozenset())

    async def homes_told(self, host_party_id: str) -> tuple[str, ...]:
        """The homes with an agreement with a host that are told what its connectors do; a host never itself."""
        if not self._telling:
            return ()
        return (await self._all()).told.get(host_party_id, ())

    async def _all(self) -> _Agreed:
        now = self._clock.wall()
        known = self._agreed.get("all", now)
        if known is None:
            async with self._database.reading() as unit:
                pairs = await all_pairs(unit)
                speaking = await parties_speaking(unit, self._telling) if self._telling else []
            known = _agreed(pairs, {party for party, roles in speaking if Role.HOME in roles.split(",")})
            self._agreed.put("all", known, now)
        return known


def _agreed(pairs: list[tuple[str, str]], told: set[str]) -> _Agreed:
    hosts, homes = defaultdict(set), defaultdict(set)
    for home, host in pairs:
        hosts[home].add(host)
        if home in told and home != host:
            homes[host].add(home)
    return _Agreed(
        {home: frozenset(of_home) for home, of_home in hosts.items()},
        {host: tuple(sorted(of_host)) for host, of_host in homes.items()},
    )
