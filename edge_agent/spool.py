"""The spool: two streams of items that wait for the gateway, numbered from 1 under one spool id.

An item is written with the step that made it (`Store.write`), numbered when it is first offered, and forgotten
when the gateway says that it is durable there. Bills are never dropped. When the live stream outgrows its
quota, what was never offered is thinned (`edge_agent.thinning`): never the first update of a session, nor those
with which something changed.
"""

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.store import Store
from edge_agent.thinning import ROWS_MOST, sweeps
from operator_sdk.contract.edge_link import BATCH_ITEMS_MOST, FRAME_BYTES_MOST, IN_FLIGHT_MOST
from operator_sdk.contract.edge_link.frames import Stream

BATCH_BYTES_MOST = FRAME_BYTES_MOST // 2
THIN_TO_PERCENT = 90


class Mismatch(StrEnum):
    """How a gateway's word can differ from ours; the codes of the faults reported for it."""

    GATEWAY_BEHIND = "gateway_behind"
    """It has less than it once acknowledged: it lost data."""

    SPOOL_BEHIND = "spool_behind"
    """It has more than we ever offered: our file is an old copy, or another agent uses our name."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many items of each stream are not yet acknowledged."""

    live: int
    bills: int


class Spool:
    """The streams of a store. Whatever reads it may raise StoreFull."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sweeps = sweeps()

    @property
    def spool_id(self) -> str:
        """The name of the numbering."""
        return self._store.meta("spool_id") or ""

    def waiting(self) -> Waiting:
        """What is still to be delivered."""
        counts = dict(self._store.rows("select stream, items from waiting"))
        return Waiting(counts[Stream.LIVE], counts[Stream.BILLS])

    def batch(self, stream: Stream, first: int) -> list[bytes]:
        """Items `first`, `first` + 1, ... as many as a batch may carry; they keep these numbers from now on.

        Raises:
            StoreFull: it cannot be read, or items that had no number yet could not be given one.
        """
        found = self._numbered(stream, first)
        if not found and self._number_more(stream):
            found = self._numbered(stream, first)
        batch: list[bytes] = []
        size = 0
        for at, (number, body) in enumerate(found):
            assert number == first + at, f"{stream} has no item {first + at}"
            size += len(body)
            if batch and size > BATCH_BYTES_MOST:
                break
            batch.append(body)
        return batch

    def _numbered(self, stream: Stream, first: int) -> list[tuple[int, bytes]]:
        return self._store.rows(
            "select number, body from spool where stream = ? and number >= ? order by number limit ?",
            *(stream, first, BATCH_ITEMS_MOST),
        )

    def _number_more(self, stream: Stream) -> bool:
        """Number as many as may be under way at once."""
        rows = self._store.rows(
            "select seq from spool where stream = ? and number is null and is_delivered = 0"
            " order by seq limit ?",
            *(stream, BATCH_ITEMS_MOST * IN_FLIGHT_MOST),
        )
        if not rows:
            return False
        with self._store.transaction() as db:
            ((numbered,),) = db.execute("select numbered from streams where stream = ?", (stream,))
            db.executemany(
                "update spool set number = ? where seq = ?",
                [(numbered + at, seq) for at, (seq,) in enumerate(rows, 1)],
            )
            db.execute("update streams set numbered = ? where stream = ?", (numbered + len(rows), stream))
        return True

    def acknowledged(self, stream: Stream, number: int) -> None:
        """Everything up to `number` is durable at the gateway.

        Raises:
            StoreFull: it could not be noted; it will be said again.
        """
        with self._store.transaction() as db:
            if stream is Stream.BILLS:
                db.execute(
                    "update spool set is_delivered = 1 where stream = ? and number <= ?"
                    " and number > (select acknowledged from streams where stream = 'bills')",
                    (stream, number),
                )
            else:
                db.execute("delete from spool where stream = ? and number <= ?", (stream, number))
            db.execute(
                "update streams set acknowledged = max(acknowledged, ?) where stream = ?", (number, stream)
            )

    def mismatch(self, acknowledged: dict[Stream, int]) -> Mismatch | None:
        """Whether what the gateway says it has can be true of this spool."""
        for stream, numbered, known in self._store.rows("select * from streams"):
            said = acknowledged[Stream(stream)]
            if said > numbered:
                return Mismatch.SPOOL_BEHIND
            if said < known:
                return Mismatch.GATEWAY_BEHIND
        return None

    def begin_again(self, spool_id: str, acknowledged: dict[Stream, int]) -> None:
        """Number everything that waits anew, under a new name. Bills that the gateway lost wait again.

        Updates and bills carry numbers and names of their own, so that what arrives twice is known as such.
        """
        with self._store.transaction() as db:
            db.execute(
                "update spool set is_delivered = 0 where stream = ? and number > ?",
                (Stream.BILLS, acknowledged[Stream.BILLS]),
            )
            db.execute("update spool set number = null where number is not null")
            db.execute("update streams set numbered = 0, acknowledged = 0")
            db.execute("insert or replace into meta values ('spool_id', ?)", (spool_id,))

    def thin(self, items_most: int) -> int:
        """Drop what matters least while the live stream is over its quota; how many items went.

        One call looks at no more than `ROWS_MOST` items: call it again and again.

        Raises:
            StoreFull: nothing was dropped.
        """
        excess = self.waiting().live - items_most
        if excess <= 0:
            return 0
        goal = excess + items_most * (100 - THIN_TO_PERCENT) // 100
        dropped, rows_left = 0, ROWS_MOST
        with self._store.transaction() as db:
            for sweep in self._sweeps:
                is_spent = False
                while not is_spent and dropped < goal and rows_left > 0:
                    looked, gone, is_spent = sweep.step(db, rows_left, goal - dropped)
                    dropped += gone
                    rows_left -= max(looked, 1)
        return dropped
