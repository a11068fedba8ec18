"""Closed days: what was sealed since the day before, written once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select

from hub.core.database import Unit
from hub.core.tables import insert_new
from hub.ledger.model import FIRST_LINK, DayFacts, day_digest, debits_text
from hub.ledger.tables import ACCOUNT, DAY, ENTRY, POSTING, SEAL, LedgerDay


@dataclass(frozen=True, slots=True)
class Ending:
    """What a day would be closed with, and after which day; read without a lock, for seals only grow."""

    after: str | None
    digest_before: str
    facts: DayFacts


async def read_ending(unit: Unit, before: str, now: datetime) -> Ending | None:
    """The next day to be closed, which ends before the day `before`. None: there is none yet.

    Days without postings are passed over. What is sealed after its own day was closed belongs to the next.
    """
    columns = (DAY.c.day, DAY.c.seal_number, DAY.c.digest)
    last = (await unit.execute(select(*columns).order_by(DAY.c.day.desc()).limit(1))).first()
    begin = 0 if last is None else last.seal_number
    sealed = select(SEAL.c.number, SEAL.c.chain_digest, POSTING.c.business_day).join_from(
        SEAL, POSTING, POSTING.c.posting_id == SEAL.c.posting_id
    )
    first = (await unit.execute(sealed.where(SEAL.c.number == begin + 1))).first()
    if first is None:
        return None
    day = first.business_day if last is None else max(first.business_day, _day_after(last.day))
    if day >= before:
        return None
    in_it = sealed.where(SEAL.c.number > begin, POSTING.c.business_day <= day)
    end = (await unit.execute(in_it.order_by(SEAL.c.number.desc()).limit(1))).one()
    sums = await _sealed_between(unit, begin, end.number)
    facts = DayFacts(
        day=day,
        closed_at=now,
        seal_number=end.number,
        chain_digest=end.chain_digest,
        postings=end.number - begin,
        entries=sum(entries for entries, _ in sums.values()),
        debits=debits_text({currency: debit_fen for currency, (_, debit_fen) in sums.items()}),
    )
    return Ending(last and last.day, FIRST_LINK if last is None else last.digest, facts)


def _day_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


async def _sealed_between(unit: Unit, begin: int, end: int) -> dict[str, tuple[int, int]]:
    """(entries, debits in fen) by currency of the postings sealed after one number and up to another."""
    debit = func.sum(case((ENTRY.c.amount_fen > 0, ENTRY.c.amount_fen), else_=0))
    statement = (
        select(ACCOUNT.c.currency, func.count(), debit)
        .join_from(SEAL, ENTRY, ENTRY.c.posting_id == SEAL.c.posting_id)
        .join(ACCOUNT, ACCOUNT.c.account_id == ENTRY.c.account_id)
        .where(SEAL.c.number > begin, SEAL.c.number <= end)
        .group_by(ACCOUNT.c.currency)
    )
    rows: Sequence[Any] = (await unit.execute(statement)).all()
    return {currency: (entries, int(debit_fen)) for currency, entries, debit_fen in rows}


async def write_day(unit: Unit, ending: Ending) -> bool:
    """Close the day, unless somebody has closed one since; the sealer's lock is held."""
    last = (await unit.execute(select(func.max(DAY.c.day)))).scalar_one()
    if last != ending.after:
        return False
    digest = day_digest(ending.facts, ending.digest_before)
    return await insert_new(unit, LedgerDay, **ending.facts._asdict(), digest=digest)


async def closed_days(unit: Unit, limit: int) -> list[LedgerDay]:
    """Closed days, the newest first."""
    rows = await unit.execute(select(DAY).order_by(DAY.c.day.desc()).limit(limit))
    return [LedgerDay(**row._asdict()) for row in rows]
