"""What is dropped of a live stream that outgrew its quota, and in which order; a slice at a time.

Only what was never offered to the gateway is looked at. Items of one weight are gone through connector by
connector or session by session, so that the whole stream is thinned once before any part of it is thinned
again: health, then old states, then every other update of a charge that goes on, then faults that are over.
What is true at the end stays: the newest of each connector, and of each of its faults.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from operator_sdk.contract.edge_link.frames import FaultItem, decode_item

ROWS_MOST = 2_000
"""How many items are looked at in one go: tens of milliseconds, while nothing else is done."""


@dataclass(frozen=True, slots=True)
class Row:
    """An item that may be dropped; `subject` is its connector or session."""

    seq: int
    subject: str
    body: bytes


Groups = list[tuple[Row, ...]]
"""Rows that go together or not at all."""


class Sweep:
    """The items of one weight, gone through from the first to the last and again."""

    def __init__(self, weight: int, choose: Callable[[Sequence[Row]], Groups]) -> None:
        self._weight, self._choose = weight, choose
        self._place = ("", 0)
        self._gave = False

    def step(self, db: sqlite3.Connection, rows_most: int, goal: int) -> tuple[int, int, bool]:
        """Look at the next rows and drop of them what may go, until `goal` is reached.

        Returns how many were looked at, how many were dropped, and whether there is nothing left to drop:
        all were looked at and none could go.
        """
        rows = [
            Row(*found)
            for found in db.execute(
                "select seq, subject, body from spool where stream = 'live' and number is null"
                " and weight = ? and (subject, seq) >= (?, ?) order by subject, seq limit ?",
                (self._weight, *self._place, rows_most),
            )
        ]
        gone: list[Row] = []
        for group in self._choose(rows):
            if len(gone) >= goal:
                break
            gone += group
        db.executemany("delete from spool where seq = ?", [(row.seq,) for row in gone])
        return (
            len(rows),
            len(gone),
            self._moved(rows, gone, is_end=len(rows) < rows_most, is_cut=len(gone) >= goal),
        )

    def _moved(self, rows: Sequence[Row], gone: Sequence[Row], *, is_end: bool, is_cut: bool) -> bool:
        self._gave = self._gave or bool(gone)
        if is_cut or not is_end:
            # From the last one on, itself included: what follows may belong to it.
            last = gone[-1] if is_cut else rows[-1]
            self._place = last.subject, last.seq
            return False
        is_spent = not self._gave
        self._place, self._gave = ("", 0), False
        return is_spent


def all_but_the_newest(rows: Sequence[Row]) -> Groups:
    """Of each connector."""
    return [(row,) for row, following in pairwise(rows) if row.subject == following.subject]


def every_other(rows: Sequence[Row]) -> Groups:
    """Of each session: the second, the fourth, ..."""
    return [(row,) for _, each in groupby(rows, lambda row: row.subject) for row in list(each)[1::2]]


def faults_that_are_over(rows: Sequence[Row]) -> Groups:
    """A fault and its end, where something newer says how that fault stands."""
    said: dict[tuple[str, str], list[tuple[Row, bool]]] = {}
    for row in rows:
        item = decode_item(row.body)
        if isinstance(item, FaultItem):
            said.setdefault((row.subject, item.code), []).append((row, item.cleared))
    return [
        (raised, cleared)
        for each in said.values()
        for (raised, is_end), (cleared, is_cleared) in pairwise(each[:-1])
        if is_cleared and not is_end
    ]


def sweeps() -> tuple[Sweep, ...]:
    """In the order in which they are gone through; the weights are those of `store.described`."""
    return (
        Sweep(0, all_but_the_newest),
        Sweep(1, all_but_the_newest),
        Sweep(2, every_other),
        Sweep(3, faults_that_are_over),
    )
