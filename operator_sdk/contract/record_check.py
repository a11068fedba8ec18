"""Comparing two lists of a day's charge records: the one function for hub, operators and tests.

    result = compare(ours, part_1 + part_2)
    reply = reply_of(result)

Ours is `here`, the list of the side that asks is `there`.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from operator_sdk.contract.codes import DifferenceKind
from operator_sdk.contract.messages.checks import (
    CheckTotals,
    ListedRecord,
    RecordDifference,
    RecordListReply,
)

REPLY_MOST = 2_000
"""Differences in an operator's answer."""

_SHANGHAI = timedelta(hours=8)


class Compared(NamedTuple):
    """What came out: the totals of both lists, and every difference in order of record."""

    here: CheckTotals
    there: CheckTotals
    differences: list[RecordDifference]


class _Sum(NamedTuple):
    """All lines of one name: fen and Wh, what the lines beyond the first add in fen, and how many there are."""

    fen: int
    wh: int
    beyond_fen: int
    times: int


class Comparing:
    """Takes both lists bit by bit, in any order, so that neither has to be in memory line by line."""

    def __init__(self) -> None:
        self._here: dict[str, _Sum] = {}
        self._there: dict[str, _Sum] = {}

    def here(self, lines: Iterable[ListedRecord]) -> None:
        """Lines of our list."""
        _add(self._here, lines)

    def there(self, lines: Iterable[ListedRecord]) -> None:
        """Lines of their list."""
        _add(self._there, lines)

    def result(self, doubled: Collection[str] = ()) -> Compared:
        """The outcome. `doubled` names records of ours that are the second of one session."""
        differences = []
        for record in sorted(self._here.keys() | self._there.keys()):
            found = _difference(
                record, self._here.get(record), self._there.get(record), doubled=record in doubled
            )
            if found is not None:
                differences.append(found)
        return Compared(_totals(self._here), _totals(self._there), differences)


def compare(
    here: Iterable[ListedRecord], there: Iterable[ListedRecord], doubled: Collection[str] = ()
) -> Compared:
    """Compare our list with theirs. `doubled` names records of ours that are the second of one session."""
    comparing = Comparing()
    comparing.here(here)
    comparing.there(there)
    return comparing.result(doubled)


def reply_of(result: Compared) -> RecordListReply:
    """What an operator answers once it has compared."""
    return RecordListReply(
        state="compared",
        here=result.here,
        there=result.there,
        differences=result.differences[:REPLY_MOST],
        differences_count=len(result.differences),
    )


def day_of(ended_at: datetime) -> str:
    """The day under which a record is listed, YYYY-MM-DD: the local day (Asia/Shanghai) of its end."""
    return (ended_at.astimezone(UTC) + _SHANGHAI).date().isoformat()


def signed(line: ListedRecord) -> tuple[int, int]:
    """Fen and Wh of a line; a credit's are below zero."""
    return (-line.amount_fen, -line.energy_wh) if line.credit else (line.amount_fen, line.energy_wh)


def _add(sums: dict[str, _Sum], lines: Iterable[ListedRecord]) -> None:
    for line in lines:
        fen, wh = signed(line)
        known = sums.get(line.record)
        if known is None:
            sums[line.record] = _Sum(fen, wh, 0, 1)
        else:
            sums[line.record] = _Sum(
                known.fen + fen, known.wh + wh, known.beyond_fen + abs(fen), known.times + 1
            )


def _totals(sums: dict[str, _Sum]) -> CheckTotals:
    return CheckTotals(
        records=sum(one.times for one in sums.values()),
        amount_fen=sum(one.fen for one in sums.values()),
        energy_wh=sum(one.wh for one in sums.values()),
    )


def _difference(
    record: str, here: _Sum | None, there: _Sum | None, *, doubled: bool
) -> RecordDifference | None:
    here_fen, there_fen = here.fen if here else 0, there.fen if there else 0
    at_risk_fen = abs(here_fen - there_fen)
    if doubled or (here and here.times > 1) or (there and there.times > 1):
        kind = DifferenceKind.DOUBLE
        beyond = [one.beyond_fen for one in (here, there) if one]
        at_risk_fen = max(at_risk_fen, *beyond, abs(here_fen) if doubled else 0)
    elif here is None:
        kind = DifferenceKind.MISSING_HERE
    elif there is None:
        kind = DifferenceKind.MISSING_THERE
    elif at_risk_fen:
        kind = DifferenceKind.AMOUNT
    elif here.wh != there.wh:
        kind = DifferenceKind.ENERGY
    else:
        return None
    return RecordDifference(
        record=record,
        kind=kind.value,
        here_fen=here.fen if here else None,
        there_fen=there.fen if there else None,
        here_wh=here.wh if here else None,
        there_wh=there.wh if there else None,
        at_risk_fen=at_risk_fen,
    )
