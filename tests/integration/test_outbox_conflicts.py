"""Turns that are refused for another unit's sake: what was delivered is noted all the same, and lanes go on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.ids import SeededIds
from tests.integration.test_outbox import ON_POSTGRESQL, Post

CROSS = """
DO $$ BEGIN
    WHILE NOT EXISTS (
        SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
    ) LOOP
        PERFORM pg_sleep(0.005);
    END LOOP;
    PERFORM FROM outbox_letter WHERE kind = 'passing' FOR UPDATE;
END $$
"""
"""Ask for the other letters as soon as somebody waits for ours. Who waited first looks first whether that is a
circle, a second after it began to wait, and is refused."""


@asynccontextmanager
async def rival(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Another's transaction, which has locked the letters that are kept."""
    connection = await asyncpg.connect(database.driver_url, timeout=5)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM outbox_letter WHERE kind = 'note' FOR UPDATE")
            yield connection
    finally:
        await connection.close()


@contextmanager
def refusals(database: Database) -> Iterator[list[str | None]]:
    """The SQLSTATEs of what the database refuses until the block ends."""
    seen: list[str | None] = []

    def note(context: ExceptionContext) -> None:
        seen.append(getattr(context.original_exception, "sqlstate", None))

    event.listen(database.engine.sync_engine, "handle_error", note)
    try:
        yield seen
    finally:
        event.remove(database.engine.sync_engine, "handle_error", note)


@ON_POSTGRESQL
async def test_turns_in_a_deadlock_are_tried_again_at_once_and_each_letter_is_delivered_once(
    database: Database, clock: ManualClock, ids: SeededIds
) -> None:
    post = Post(database, clock, ids)
    post.outbox.handle("passing", post._deliver, passing=True)
    for kind in ("note", "passing"):
        await post.write(f"1 {kind}", f"2 {kind}", lane=f"lane:{kind}", kind=kind)
    workers = await post.begin(*await post.outbox.due_lanes(2))
    with refusals(database) as refused:
        # Both turns are in one unit: it forgets what passes, then waits for what is kept.
        async with asyncio.timeout(20), rival(database) as other:
            post.go_on.set()
            await other.execute(CROSS)
        async with asyncio.timeout(20):
            assert await asyncio.gather(*workers) == [2, 2]
    assert refused == ["40P01"]
    assert sorted(post.delivered) == ["1 note", "1 passing", "2 note", "2 passing"]
    assert await post.outbox.due_lanes(2) == []
    assert [(one.attempts, one.done_at is not None) for one in await post.letters()] == [(1, True)] * 2
    for lane in ("lane:note", "lane:passing"):
        await post.write("3", lane=lane)
    assert await post.work() == 2, "no lease is left, and the clock stood"
