"""The daily check over one database: records that are written as rows, and lists with planted differences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hub.clearing.checking import RecordChecks
from hub.clearing.suspense import Suspense
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.parties.audit import AuditLog
from hub.parties.scope import HUB
from hub.parties.service import PartiesService
from hub.roaming.model_records import BEGINS
from hub.roaming.tables_records import RecordRow
from operator_sdk.contract.messages.checks import ListedRecord, RecordCheck, RecordListPart
from operator_sdk.contract.messages.suspense import SuspenseItem
from tests.clearing_world import A, B, Market
from tests.integration.test_record_states import row

DAY = "2026-03-02"
"""The day of `row`; the checks' clock stands on the next."""


@dataclass
class Desk:
    """Checks, with the suspense that they open."""

    market: Market
    checks: RecordChecks
    suspense: Suspense
    sent: int = 0

    async def add(self, *rows: RecordRow) -> None:
        """Records that the hub keeps."""
        async with self.market.database.unit() as unit:
            states = [one.state for one in rows]
            for one in rows:
                one.state = one.state if one.state in BEGINS else "accepted"
            unit.session.add_all(rows)
            await unit.session.flush()
            for one, state in zip(rows, states, strict=True):
                one.state = state

    async def send(
        self, lines: Sequence[ListedRecord], *, ref: str = "", role: str = "host", parts: int = 1, **more: Any
    ) -> RecordCheck:
        """A's (or, as home, B's) list in so many parts, the last one first; the last answer."""
        self.sent += 1
        party = A if role == "host" else B
        size = -(-len(lines) // parts) if lines else 1
        answer = None
        for number in range(parts, 0, -1):
            part = RecordListPart(
                check_ref=ref or f"check-{self.sent}",
                role=role,
                day=more.get("day", DAY),
                part=number,
                parts=parts,
                lines=list(lines[(number - 1) * size : number * size]),
            )
            answer = await self.checks.take(party, part)
        assert answer is not None
        return answer

    async def items(self, *, closed: bool = False) -> dict[str, SuspenseItem]:
        """Items of checks that are open, or closed, by record."""
        found = await self.suspense.items(HUB, closed=closed, limit=1_000)
        return {str(one.evidence["record"]): one for one in found}

    async def balanced(self) -> None:
        """What suspense comes to in the books is the sum of what is open."""
        ages = await self.suspense.ages(HUB)
        assert ages.amount_fen == ages.balance_fen


async def desk_on(database: Database, clock: ManualClock) -> Desk:
    """A desk on the day after DAY."""
    clock.now += timedelta(days=1)
    market = await Market(database, clock).open()
    audit = AuditLog(clock, market.ids)
    suspense = Suspense(database, clock, market.ids, ledger=market.ledger, audit=audit)
    parties = PartiesService(database, clock, market.ids, audit=audit, env="test")
    checks = RecordChecks(database, clock, market.ids, parties=parties, money_waits=suspense, audit=audit)
    return Desk(market, checks, suspense)


def kept(number: int, state: str = "accepted", **changes: Any) -> RecordRow:
    """A's record r-{number} of a session of its own, for B."""
    usual = {"record_ref": f"r-{number}", "session_id": f"ses-{number}"}
    return row(f"rec_0198c0de-0000-7000-8000-{number:012d}", state, **(usual | changes))


def listed(rows: Iterable[RecordRow], role: str = "host") -> list[ListedRecord]:
    """The operator's lines for these records, when it has what the hub has."""
    return [
        ListedRecord(
            record=one.record_ref if role == "host" else one.record_id,
            amount_fen=one.amount_fen if role == "host" else one.owed_fen,
            energy_wh=one.energy_wh,
            credit=one.kind == "credit",
        )
        for one in rows
    ]
