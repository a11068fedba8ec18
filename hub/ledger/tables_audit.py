"""Everything recomputed from raw entries, streaming, so that the size of the books does not matter."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select
from sqlalchemy import text as sql_text

from hub.core.clock import local_day
from hub.core.database import Unit
from hub.ledger.model import (
    FIRST_LINK,
    Account,
    EntryFacts,
    HoldState,
    PostingFacts,
    chain_digest,
    posting_digest,
)
from hub.ledger.tables import ACCOUNT, ENTRY, HOLD, HOLD_EVENT, POSTING, SEAL, UNSEALED

PROBLEMS_MOST = 100


class Audit:
    """One reading of the books. Finds what is wrong and counts what is there."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self.postings = self.entries = self.accounts = self.sealed = 0
        self.problems: list[str] = []
        self._unnamed = 0

    async def run(self) -> None:
        """Check everything, in one snapshot; the unit must be new."""
        if self._unit.dialect == "postgresql":
            connection = await self._unit.session.connection()
            await connection.execute(sql_text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await self._check_postings()
        await self._check_strays()
        await self._check_accounts()
        await self._check_holds()
        await self._check_seals()
        await self._check_waiting()
        if self._unnamed:
            self.problems.append(f"and {self._unnamed} more")

    def _found(self, problem: str) -> None:
        if len(self.problems) < PROBLEMS_MOST:
            self.problems.append(problem)
        else:
            self._unnamed += 1

    async def _rows(self, statement: Select[Any]) -> AsyncIterator[Row[Any]]:
        connection = await self._unit.session.connection()
        async with connection.stream(statement) as rows:
            async for row in rows:
                yield row

    async def _groups(self, statement: Select[Any], key: str) -> AsyncIterator[list[Row[Any]]]:
        group: list[Row[Any]] = []
        async for row in self._rows(statement):
            if group and getattr(group[0], key) != getattr(row, key):
                yield group
                group = []
            group.append(row)
        if group:
            yield group

    async def _check_postings(self) -> None:
        entries = POSTING.outerjoin(ENTRY, ENTRY.c.posting_id == POSTING.c.posting_id)
        whole = entries.outerjoin(ACCOUNT, ACCOUNT.c.account_id == ENTRY.c.account_id)
        statement = (
            select(
                POSTING,
                ACCOUNT.c.book,
                ACCOUNT.c.kind.label("account_kind"),
                ACCOUNT.c.subject,
                ACCOUNT.c.currency,
                ENTRY.c.account_version,
                ENTRY.c.amount_fen,
                ENTRY.c.balance_after_fen,
            )
            .select_from(whole)
            .order_by(POSTING.c.posting_id)
        )
        async for group in self._groups(statement, "posting_id"):
            self.postings += 1
            self._check_posting(group)

    def _check_posting(self, group: list[Row[Any]]) -> None:
        head = group[0]
        lines = [_entry(row) for row in group if row.account_version is not None]
        sums: dict[tuple[str, str], int] = {}
        for line in lines:
            where = (line.account.book, line.account.currency)
            sums[where] = sums.get(where, 0) + line.amount_fen
        if len(lines) < 2 or any(sums.values()):
            self._found(f"posting {head.posting_id}: its entries do not balance")
        facts = PostingFacts(*(getattr(head, name) for name in PostingFacts._fields))
        if posting_digest(facts, lines) != head.digest:
            self._found(f"posting {head.posting_id}: changed since it was booked")
        if local_day(head.booked_at) != head.business_day:
            self._found(f"posting {head.posting_id}: booked on another day than it says")

    async def _check_strays(self) -> None:
        strays = (
            select(ENTRY.c.posting_id, ENTRY.c.account_id, ENTRY.c.account_version)
            .join_from(ENTRY, POSTING, POSTING.c.posting_id == ENTRY.c.posting_id, isouter=True)
            .where(POSTING.c.posting_id.is_(None))
        )
        async for row in self._rows(strays):
            name = f"{row.account_id}/{row.account_version}"
            self._found(f"entry {name}: its posting {row.posting_id} does not exist")

    async def _check_accounts(self) -> None:
        statement = (
            select(
                ACCOUNT,
                ENTRY.c.account_version,
                ENTRY.c.amount_fen,
                ENTRY.c.balance_after_fen,
            )
            .join_from(ACCOUNT, ENTRY, ENTRY.c.account_id == ACCOUNT.c.account_id, isouter=True)
            .order_by(ACCOUNT.c.account_id, ENTRY.c.account_version)
        )
        current: Row[Any] | None = None
        count = total = 0
        async for row in self._rows(statement):
            if current is None or row.account_id != current.account_id:
                self._check_total(current, count, total)
                current, count, total = row, 0, 0
                self.accounts += 1
            if row.account_version is None:
                continue
            count, total = count + 1, total + row.amount_fen
            self.entries += 1
            if row.account_version != count:
                self._found(f"account {_name(row)}: entry {count} is missing")
                count = row.account_version
            if row.balance_after_fen != total:
                self._found(f"account {_name(row)}: wrong balance after entry {count}")
        self._check_total(current, count, total)

    def _check_total(self, account: Row[Any] | None, count: int, total: int) -> None:
        if account is None:
            return
        if account.posted_fen != total:
            self._found(f"account {_name(account)}: its balance is not the sum of its entries")
        if account.version != count:
            self._found(f"account {_name(account)}: its version is not the number of its entries")

    async def _check_holds(self) -> None:
        held = func.coalesce(func.sum(HOLD.c.amount_fen), 0)
        still_open = and_(HOLD.c.account_id == ACCOUNT.c.account_id, HOLD.c.state == HoldState.OPEN.value)
        statement = (
            select(ACCOUNT)
            .join_from(ACCOUNT, HOLD, still_open, isouter=True)
            .group_by(*ACCOUNT.c)
            .having(ACCOUNT.c.held_fen != held)
        )
        async for row in self._rows(statement):
            self._found(f"account {_name(row)}: what it holds is not the sum of its open holds")
        await self._check_hold_events()

    async def _check_hold_events(self) -> None:
        newest = HOLD_EVENT.alias()
        last = (
            select(newest.c.event)
            .where(newest.c.hold_id == HOLD.c.hold_id)
            .order_by(newest.c.number.desc())
            .limit(1)
            .scalar_subquery()
        )
        told = func.coalesce(last, "")
        open_but = and_(HOLD.c.state == HoldState.OPEN.value, told != "made")
        ended_but = and_(HOLD.c.state != HoldState.OPEN.value, told != HOLD.c.state)
        async for row in self._rows(select(HOLD.c.hold_id).where(or_(open_but, ended_but))):
            self._found(f"hold {row.hold_id}: its events tell another story")

    async def _check_seals(self) -> None:
        statement = (
            select(SEAL, POSTING.c.digest)
            .join_from(SEAL, POSTING, POSTING.c.posting_id == SEAL.c.posting_id, isouter=True)
            .order_by(SEAL.c.number)
        )
        before = FIRST_LINK
        async for row in self._rows(statement):
            self.sealed += 1
            link = chain_digest(before, self.sealed, row.posting_id, row.digest or "")
            if row.number != self.sealed or row.chain_digest != link:
                self._found(f"seal {row.number}: the chain is broken")
                # From here on every link differs; one finding says it.
                count = select(func.count()).select_from(SEAL)
                connection = await self._unit.session.connection()
                self.sealed = int((await connection.execute(count)).scalar_one())
                return
            before = row.chain_digest

    async def _check_waiting(self) -> None:
        forgotten = (
            select(POSTING.c.posting_id)
            .join_from(POSTING, SEAL, SEAL.c.posting_id == POSTING.c.posting_id, isouter=True)
            .outerjoin(UNSEALED, UNSEALED.c.posting_id == POSTING.c.posting_id)
            .where(SEAL.c.number.is_(None), UNSEALED.c.posting_id.is_(None))
        )
        async for row in self._rows(forgotten):
            self._found(f"posting {row.posting_id}: neither sealed nor waiting for its seal")


def _entry(row: Row[Any]) -> EntryFacts:
    account = Account(row.book, row.account_kind, row.subject, row.currency)
    return EntryFacts(account, row.account_version, row.amount_fen, row.balance_after_fen)


def _name(row: Row[Any]) -> str:
    return "/".join((row.book, row.kind, row.subject, row.currency))
