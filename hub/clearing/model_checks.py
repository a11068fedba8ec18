"""The rules of the daily check: what an operator's answer makes of its list, and what waits in suspense."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from operator_sdk.contract.codes import DifferenceKind, RecordState, Role
from operator_sdk.contract.messages.checks import CheckTotals, ListedRecord, RecordDifference

ITEMS_MOST = 500
"""Above so many differences about money a list is not this day's: one item in suspense stands for all."""

WHOLE_DAY = "*"
"""What such an item calls its record; no record is called so."""

KEPT_OF_HOST = frozenset(RecordState) - {RecordState.REJECTED}
KEPT_OF_HOME = frozenset(
    {RecordState.ACCEPTED, RecordState.DISPUTED, RecordState.SETTLED, RecordState.CREDITED}
)
"""Which records a check is about. A home has never heard of those that are suspended."""

CHARGED = frozenset({RecordState.ACCEPTED, RecordState.DISPUTED, RecordState.SETTLED})
"""The states of a charge that somebody pays. One session has one of those."""


def kept_states(role: str) -> frozenset[RecordState]:
    """The states of the records that a check in this role is about."""
    return KEPT_OF_HOST if role == Role.HOST else KEPT_OF_HOME


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the hub knows of a record that the lists differ about."""

    record: str
    record_id: str
    state: str
    service_day: str
    home_party_id: str | None
    host_party_id: str
    currency: str


def explained(difference: RecordDifference, known: Known | None, *, role: str, day: str) -> RecordDifference:
    """A difference with what the hub knows of its record."""
    if known is None:
        return difference
    kind, at_risk_fen, reason = difference.kind, difference.at_risk_fen, None
    if difference.here_fen is None:
        if known.state not in kept_states(role):
            rejected = known.state == RecordState.REJECTED
            kind = DifferenceKind.REJECTED_HERE if rejected else DifferenceKind.SUSPENDED_HERE
            at_risk_fen = 0
        elif known.service_day != day:
            reason = f"kept here for {known.service_day}"
    return RecordDifference(
        record=difference.record,
        kind=str(kind),
        here_fen=difference.here_fen,
        there_fen=difference.there_fen,
        here_wh=difference.here_wh,
        there_wh=difference.there_wh,
        at_risk_fen=at_risk_fen,
        record_id=known.record_id,
        reason=reason,
    )


# What an operator answers about the hub's list.


def implied(ours: Iterable[ListedRecord], said: Sequence[RecordDifference]) -> Iterator[ListedRecord]:
    """The operator's own list, as its answer to ours gives it away; in the answer `here` is the operator.

    Compared with ours, which names no record twice, it says what the operator said.
    """
    about = {one.record: one for one in said}
    for line in ours:
        one = about.pop(line.record, None)
        yield from [line] if one is None else _instead([line], one)
    for one in about.values():
        yield from _instead([], one)


def _instead(listed: list[ListedRecord], said: RecordDifference) -> Iterator[ListedRecord]:
    fen, wh = said.here_fen, said.here_wh or 0
    match said.kind:
        case DifferenceKind.MISSING_HERE | DifferenceKind.REJECTED_HERE | DifferenceKind.SUSPENDED_HERE:
            return
        case DifferenceKind.DOUBLE if fen is not None:
            # Of the lines of one name their sum is told, and what is at risk: two lines say as much.
            second_fen = -said.at_risk_fen if wh < 0 else said.at_risk_fen
            yield _line(said.record, fen - second_fen, 0)
            yield _line(said.record, second_fen, wh)
        case DifferenceKind.AMOUNT | DifferenceKind.ENERGY | DifferenceKind.MISSING_THERE if fen is not None:
            yield _line(said.record, fen, wh)
        case _:
            yield from listed


def _line(record: str, fen: int, wh: int) -> ListedRecord:
    credit = fen < 0 or (fen == 0 and wh < 0)
    return ListedRecord(record=record, amount_fen=abs(fen), energy_wh=abs(wh), credit=credit)


def heard_whole(ours: CheckTotals, said: CheckTotals | None) -> bool:
    """Whether the operator compared the very list that it was sent."""
    return said is not None and said == ours


# What waits in suspense.


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A record (or a whole day) that was put into suspense, the `turn`-th time, when the lists `said` so."""

    record: str
    turn: int
    said: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What a check does about one record: close the item of `closes`, open one for `opens`."""

    record: str
    closes: Wait | None
    opens: RecordDifference | None

    @property
    def turn(self) -> int:
        """The number of the item that is opened."""
        return 1 if self.closes is None else self.closes.turn + 1


def about_money(differences: Sequence[RecordDifference]) -> list[RecordDifference]:
    """The differences that go into suspense, each by itself, or all as one where they are too many."""
    found = [one for one in differences if one.at_risk_fen]
    if len(found) <= ITEMS_MOST:
        return found
    at_risk_fen = sum(one.at_risk_fen for one in found)
    whole = RecordDifference(
        record=WHOLE_DAY,
        kind="whole_day",
        here_fen=sum(one.here_fen or 0 for one in found),
        there_fen=sum(one.there_fen or 0 for one in found),
        here_wh=sum(one.here_wh or 0 for one in found),
        there_wh=sum(one.there_wh or 0 for one in found),
        at_risk_fen=at_risk_fen,
        reason=f"{len(found)} differences",
    )
    return [whole]


def said_of(difference: RecordDifference) -> str:
    """What a difference says, to tell the same one from another about the same record."""
    said = (
        difference.kind,
        difference.here_fen,
        difference.there_fen,
        difference.here_wh,
        difference.there_wh,
        difference.at_risk_fen,
    )
    return "|".join("" if one is None else str(one) for one in said)


def changes(waits: Mapping[str, Wait], differences: Sequence[RecordDifference]) -> Iterator[Change]:
    """What becomes of suspense. The same difference changes nothing, even where a person closed its item."""
    found = {one.record: one for one in differences}
    for record in sorted(waits.keys() | found.keys()):
        wait, one = waits.get(record), found.get(record)
        if one is None:
            if wait is not None and wait.is_open:
                yield Change(record, wait, None)
        elif wait is None or not wait.is_open or wait.said != said_of(one):
            yield Change(record, wait, one)


def subject_of(party_id: str, role: str, day: str, record: str) -> str:
    """The stable name of a record in a day's check, short enough to be a key."""
    return hashlib.sha256("|".join((party_id, role, day, record)).encode()).hexdigest()[:40]


def item_subject(subject: str, turn: int) -> str:
    """What suspense knows the `turn`-th item of a subject by."""
    return f"{subject}:{turn}"
