"""Bugs in the books: postings, holds, locks, seals, and the units they are written in.

A bug gets the right function first, and then its arguments.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import select

from hub.core.errors import HubError
from operator_sdk.contract.public_codes import Code

_again = itertools.count(1)


# Promise 1: every posting sums to zero.


def sums_are_not_checked(right: Any, entries: Any) -> None:
    """Whatever a caller calls a posting is one."""


def the_database_does_not_weigh_postings(right: Any, dialect: str) -> list[str]:
    """The trigger that adds a posting's entries up was forgotten in a migration."""
    return [one for one in right(dialect) if "TRIGGER ledger_posting_insert " not in one]


# Promise 2: no acknowledged posting is lost.


def commits_wait_for_nothing(right: Any, self: Any, url: str, **named: Any) -> None:
    """PostgreSQL answers a commit before it has written it down."""
    if url.startswith("postgres"):
        named["connect_args"] = {"server_settings": {"synchronous_commit": "off"}}
    right(self, url, **named)


# Promise 3: no request has two effects.


async def a_posting_said_again_is_booked_again(right: Any, self: Any, unit: Any, **posting: Any) -> Any:
    """The reference is a remark, not a key."""
    posting["reference"] = f"{posting['reference']}#{next(_again)}"
    return await right(self, unit, **posting)


async def messages_are_forgotten(right: Any, unit: Any, **message: Any) -> Any:
    """A partner's message that comes again is taken for a new one."""
    await right(unit, **message)
    return True, message["subject_id"]


# Promise 4: the same id with other content is refused.


def any_content_is_the_same(right: Any, one: Any, other: Any) -> bool:
    """A known reference is answered as known, whatever it says this time."""
    return True


async def other_words_under_a_known_id_pass(right: Any, unit: Any, **message: Any) -> Any:
    """Only the id of a message is compared, and not what it says."""
    from hub.core.tables import BusinessMessage

    try:
        return await right(unit, **message)
    except HubError as problem:
        if problem.code is not Code.ID_REUSED:
            raise
    key = tuple(message[name] for name in ("party_id", "kind", "external_id"))
    return False, (await unit.session.get(BusinessMessage, key)).subject_id


# Promise 5: an answer that refuses leaves the books as they were.


@asynccontextmanager
async def a_refusal_commits(right: Any, self: Any, engine: Any) -> AsyncIterator[Any]:
    """What a unit had written before it refused stays written (Blnk 374: a 409 that moved the money)."""
    refused = None
    async with right(self, engine) as unit:
        try:
            yield unit
        except HubError as problem:
            refused = problem
    if refused is not None:
        raise refused


# Promise 6: a hold ends once, at most as large as it was, and a refused one never revives.


def more_than_the_hold_is_captured(right: Any, hold: Any, account: Any, amount_fen: int, entries: Any) -> None:
    """Nobody compares what is captured with what was held."""


async def a_refused_hold_revives(
    right: Any, self: Any, unit: Any, account: Any, reference: str, *rest: Any
) -> Any:
    """Asked again when there is money, a refused hold is made after all (Blnk 182)."""
    hold = await right(self, unit, account, reference, *rest)
    if hold.state == "refused":
        hold = await right(self, unit, account, f"{reference}#{next(_again)}", *rest)
    return hold


async def an_end_does_not_ask_whether_it_is_the_first(right: Any, self: Any, end: Any, on: Any) -> bool:
    """The end of a hold is written without looking at its state: only what was read before counts."""
    fetch = self._fetch
    self._fetch = lambda statement, *values: fetch(statement.replace(" AND state = 'open'", ""), *values)
    try:
        return bool(await right(self, end, on))
    finally:
        self._fetch = fetch


async def holds_expire_a_minute_early(right: Any, unit: Any, now: Any, limit: int) -> Any:
    """A hold whose time comes soon is let go now."""
    from datetime import timedelta

    return await right(unit, now + timedelta(minutes=1), limit)


# Promise 7: holds and debits never exceed what is there.


def holds_are_not_counted(right: Any, self: Any) -> int:
    """What is held counts as available (Blnk 181)."""
    return int(self.balance_fen)


async def accounts_are_read_and_not_locked(right: Any, self: Any, wanted: Any) -> Any:
    """Two units see the same balance, and both spend it."""
    fetch = self._fetch
    self._fetch = lambda statement, *values: fetch(statement.replace("FOR NO KEY UPDATE OF a", ""), *values)
    try:
        return await right(self, wanted)
    finally:
        self._fetch = fetch


async def accounts_are_locked_as_they_come(right: Any, unit: Any, accounts: Any) -> Any:
    """Each account is locked by itself, in the caller's order: two that cross wait for each other."""
    locked: dict[Any, Any] = {}
    for account in dict.fromkeys(accounts):
        locked |= await right(unit, [account])
    return locked


# Promise 20: clocks that are stepped, disks that are full.


async def a_cursor_passes_over_what_is_older(right: Any, unit: Any, head: Any, limit: int) -> Any:
    """The sealer goes on behind the id that it sealed last; ids begin with the time of a clock."""
    from hub.ledger.tables import SEAL, UNSEALED

    last = select(SEAL.c.posting_id).where(SEAL.c.number == head.number)
    connection = await unit.session.connection()
    sealed = (await connection.execute(last)).scalar()
    if sealed is not None:
        await connection.execute(UNSEALED.delete().where(UNSEALED.c.posting_id < sealed))
    return await right(unit, head, limit)


def a_full_disk_is_nobody_s_fault(right: Any, problem: Exception) -> bool:
    """A database without room looks like a bug of ours, and is answered like one."""
    return bool(right(problem)) and "full" not in str(problem)


async def a_clock_set_back_ends_holds(right: Any, unit: Any, now: Any, limit: int) -> Any:
    """A hold made later than now must be very old: let it go."""
    from hub.ledger.tables import HOLD

    strange = select(HOLD.c.reference).where(HOLD.c.state == "open", HOLD.c.made_at > now).limit(limit)
    return [*await right(unit, now, limit), *(await unit.execute(strange)).scalars()]
