"""The statements of the sealer: one lock, the postings that wait, the end of the chain."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy import text as sql_text

from hub.core.database import Unit
from hub.core.tables import Counter, insert_new, table_of
from hub.ledger.model import FIRST_LINK, chain_digest
from hub.ledger.tables import POSTING, SEAL, UNSEALED
from hub.ledger.triggers import PROTECTED

_COUNTER = table_of(Counter)
_NAME = "ledger_seal"


class Head(NamedTuple):
    """The last link of the chain."""

    number: int
    chain_digest: str


async def lock_head(unit: Unit) -> Head:
    """Wait for every other sealer, then say where the chain ends."""
    connection = await unit.session.connection()
    await insert_new(unit, Counter, name=_NAME, value=0)
    locked = select(_COUNTER.c.value).where(_COUNTER.c.name == _NAME).with_for_update()
    number = (await connection.execute(locked)).scalar_one()
    last = select(SEAL.c.chain_digest).where(SEAL.c.number == number)
    return Head(number, (await connection.execute(last)).scalar() or FIRST_LINK)


async def seal_waiting(unit: Unit, head: Head, limit: int) -> Head:
    """Chain postings that wait, and move the lock's number on.

    They wait in a table of their own, so one that commits late is sealed late but never passed over.
    """
    connection = await unit.session.connection()
    waiting = (
        select(UNSEALED.c.posting_id, POSTING.c.digest)
        .join_from(UNSEALED, POSTING, UNSEALED.c.posting_id == POSTING.c.posting_id)
        .order_by(UNSEALED.c.posting_id)
        .limit(limit)
    )
    seals = []
    for posting_id, digest in await connection.execute(waiting):
        number = head.number + 1
        head = Head(number, chain_digest(head.chain_digest, number, posting_id, digest))
        seals.append({**head._asdict(), "posting_id": posting_id})
    if seals:
        await connection.execute(SEAL.insert(), seals)
        sealed = UNSEALED.c.posting_id.in_([seal["posting_id"] for seal in seals])
        await connection.execute(UNSEALED.delete().where(sealed))
        moved = _COUNTER.update().where(_COUNTER.c.name == _NAME).values(value=head.number)
        await connection.execute(moved)
    return head


async def serving_role_may_change_entries(unit: Unit) -> bool:
    """Whether the role that serves could rewrite what is booked: production does not start then.

    SQLite has no roles; there the triggers stand alone.
    """
    if unit.dialect != "postgresql":
        return False
    connection = await unit.session.connection()
    return bool((await connection.execute(sql_text(_MAY_CHANGE), {"tables": list(PROTECTED)})).scalar_one())


# Whoever owns a table can give itself every right on it, so owning counts as being allowed.
_MAY_CHANGE = """
SELECT bool_or(
    has_table_privilege(oid, 'UPDATE, DELETE, TRUNCATE') OR pg_has_role(relowner, 'MEMBER')
) FROM pg_class WHERE oid IN (SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS name)
"""
