"""A small market for the tests of clearing: three operators, one hub, and records that are accepted."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hub.auditor.verify import audit
from hub.clearing.rates import Rates
from hub.clearing.service import ClearingService
from hub.clearing.tables import CycleRow, ObligationRow
from hub.core.clock import ManualClock, local_day
from hub.core.database import Database, Unit
from hub.core.ids import Ids, SystemIds
from hub.ledger.model import CLEARING
from hub.ledger.service import Ledger
from hub.parties.audit import AuditLog
from hub.parties.tables import PartyRow
from hub.roaming.ports import AcceptedRecord, Fees
from operator_sdk.contract.codes import Frequency
from operator_sdk.contract.messages.clearing import CycleResult

HUB_PARTY, A, B, C = "MA5HUB000", "MA5AAAAA1", "MA5BBBBB2", "MA5CCCCC3"
NAMES = {HUB_PARTY: "互桩清分中心", A: "甲充电", B: "乙出行", C: "丙能源"}
MIDNIGHT = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
"""The first midnight in Shanghai after the clock of the tests."""


class Killed(Exception):
    """The process died here."""


class MortalDatabase(Database):
    """Dies at its n-th unit from now: before the commit, or after it and before anybody hears of it."""

    units_left = -1
    after_commit = False
    pause_s = 0.0
    """How long each unit dawdles before it commits, so that units of a race do overlap."""

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        """A unit that may be the last."""
        self.units_left -= 1
        dies = self.units_left == 0
        async with super().unit() as unit:
            yield unit
            await asyncio.sleep(self.pause_s)
            if dies and not self.after_commit:
                raise Killed
        if dies:
            raise Killed


@dataclass
class Market:
    """Clearing over one database."""

    database: Database
    clock: ManualClock
    env: str = "test"
    ids: Ids = field(init=False)

    def __post_init__(self) -> None:
        self.ids = SystemIds(self.clock)
        self.ledger = Ledger(self.clock, self.ids)
        self.clearing = ClearingService(
            self.database,
            clock=self.clock,
            ids=self.ids,
            ledger=self.ledger,
            hub_party_id=HUB_PARTY,
            env=self.env,
        )
        self.rates = Rates(self.database, self.clock, audit=AuditLog(self.clock, self.ids))
        self.records = 0

    async def open(self, names: Mapping[str, str] = NAMES) -> "Market":
        """Let the operators in."""
        async with self.database.unit() as unit:
            for party_id, name in names.items():
                unit.session.add(
                    PartyRow(
                        party_id=party_id,
                        name=name,
                        roles="home,host",
                        protocol="native",
                        created_at=self.clock.wall(),
                    )
                )
        return self

    async def accept(self, home: str, host: str, fen: int, *, ppm: int = 0, **more: Any) -> str:
        """A record is accepted; `more` are fields of it that are not the usual ones."""
        self.records += 1
        at = more.get("at") or self.clock.business()
        usual: dict[str, Any] = {
            "record_id": self.ids.new("rec"),
            "session_id": self.ids.new("ses"),
            "home_party_id": home,
            "host_party_id": host,
            "amount_fen": fen,
            "owed_fen": fen,
            "currency": "CNY",
            "booked_day": local_day(at),
            "at": at,
            "commission_ppm": ppm,
            "energy_wh": fen * 7,
            "station_id": None,
            "fees": Fees(electricity_fen=fen),
            "frequency": Frequency.DAILY,
        }
        record = AcceptedRecord(**(usual | more))
        async with self.database.unit() as unit:
            await self.clearing.record_accepted(unit, record)
        return record.record_id

    async def credit(self, record_id: str, home: str, host: str, fen: int, **more: Any) -> str:
        """An accepted record is reversed by another."""
        return await self.accept(home, host, fen, credit_of=record_id, **more)

    async def dispute(self, record_id: str) -> None:
        """The home refuses a record."""
        async with self.database.unit() as unit:
            await self.clearing.record_disputed(unit, record_id)

    async def reinstate(self, record_id: str) -> None:
        """The dispute is settled for the host."""
        async with self.database.unit() as unit:
            await self.clearing.record_reinstated(unit, record_id)

    async def withdraw(self, record_id: str) -> None:
        """A disputed record was credited."""
        async with self.database.unit() as unit:
            await self.clearing.record_withdrawn(unit, record_id)

    async def trade(self) -> list[str]:
        """A day's records: A and B charge at each other's piles, C's drivers at A's."""
        return [
            await self.accept(B, A, 10_000, ppm=20_000),
            await self.accept(A, B, 3_000, ppm=10_000),
            await self.accept(C, A, 555, ppm=20_000),
        ]

    async def posted(self, kind: str, subject: str) -> int:
        """An account of the clearing book, on its natural side."""
        async with self.database.reading() as unit:
            return (await self.ledger.balances(unit, CLEARING, kind, subject)).balance_fen

    async def audit(self) -> None:
        """The books are whole, recomputed from raw entries."""
        report = await audit(self.database.url)
        assert report.verified, report.problems

    async def cycle(self, cycle_id: str) -> CycleRow:
        """A cycle's row."""
        async with self.database.reading() as unit:
            row = await unit.session.get(CycleRow, cycle_id)
        assert row is not None
        return row

    async def obligation(self, obligation_id: str) -> ObligationRow:
        """An obligation's row."""
        async with self.database.reading() as unit:
            row = await unit.session.get(ObligationRow, obligation_id)
        assert row is not None
        return row


def net(result: CycleResult) -> dict[str, int]:
    """Positions by party."""
    return {position.party_id: position.amount_fen for position in result.positions}


def records(result: CycleResult) -> set[str | None]:
    """The records a cycle nets."""
    return {one.record_id for one in result.obligations if one.kind == "charge"}
