"""A host's daily list as the hub's daily check takes it, and the outcome as the answer (102.3-2016, 6.11).

The standard names orders by StartChargeSeq, and says neither whether the day is that of a charge's start or end
nor how a bill is credited or billed anew. So what the list cannot name counts as agreed: credits, earlier and
later bills of an order that it names, and charges across midnight that it counts to the other day. A host of
another zone lists the day of that zone: of the hub's day, charges beyond it are on the host's other lists.
"""

from collections.abc import Container, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from hub.clearing.model_checks import CHARGED, kept_states
from hub.core.clock import local_day
from hub.protocols.tcec102.translate_fields import instant, nearest, scaled
from operator_sdk.contract.codes import DifferenceKind, RecordKind, Role
from operator_sdk.contract.messages.checks import ListedRecord, RecordDifference
from operator_sdk.contract.tcec102.messages import (
    ChargeOrder,
    CheckChargeOrders,
    CheckChargeOrdersReply,
    DisputeOrder,
)
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.values import kwh_of, yuan_of
from operator_sdk.contract.tcec102.wire import Ret, WireProblem

NO_SUCH, AMOUNT, ENERGY, NOT_LISTED = 1, 2, 3, 4
"""DisputeReason; 4 is ours: the hub has this order, and the list does not."""

REASONS = {
    DifferenceKind.AMOUNT: AMOUNT,
    DifferenceKind.DOUBLE: AMOUNT,
    DifferenceKind.ENERGY: ENERGY,
    DifferenceKind.MISSING_THERE: NOT_LISTED,
}

KEPT = kept_states(Role.HOST)
DAY = timedelta(days=1)


class Kept(NamedTuple):
    """A record of the host's as the hub has it."""

    record_ref: str
    kind: str
    state: str
    started_at: datetime
    ended_at: datetime
    service_day: str
    amount_fen: int
    energy_wh: int


class Window(NamedTuple):
    """The day of the hub's that a list is about, or most of it, and from when to when it is."""

    day: str
    begins: datetime
    ends: datetime

    def holds(self, record: Kept) -> bool:
        """Whether a charge belongs to this list and to no other, whichever of its ends counts."""
        return self.begins <= record.started_at and record.ended_at <= self.ends

    @property
    def days(self) -> list[str]:
        """The day with the one before and the one after, between which charges across midnight lie."""
        day = date.fromisoformat(self.day)
        return [(day + DAY * step).isoformat() for step in (-1, 0, 1)]


def window_of(check: CheckChargeOrders, profile: Profile) -> Window:
    """The day of a list.

    Raises:
        WireProblem: no times, or not those of one day.
    """
    begins, ends = instant(check.start_time, profile, "StartTime"), instant(check.end_time, profile, "EndTime")
    if not begins <= ends <= begins + DAY:
        raise WireProblem(Ret.BUSINESS, "EndTime: expected at most a day after StartTime", "time")
    if begins == ends:  # a day alone, twice
        ends = begins + DAY
    return Window(local_day(begins + (ends - begins) // 2), begins, ends)


def seq_of(record: str) -> str:
    """The StartChargeSeq in the name of a hub's record of an order."""
    return record.rpartition(".")[0] or record


def lines_of(orders: Sequence[ChargeOrder], kept: Iterable[Kept], window: Window) -> list[ListedRecord]:
    """The list in the hub's names, with what it could not name as the hub has it.

    Raises:
        WireProblem: a number that no list can hold.
    """
    known: dict[str, list[Kept]] = {}
    for record in kept:
        known.setdefault(seq_of(record.record_ref), []).append(record)
    lines, named = [], set()
    for order in orders:
        fen = nearest(scaled(order.total_money, 100, "TotalMoney"))
        wh = nearest(scaled(order.total_power, 1_000, "TotalPower"))
        bills = [one for one in known.get(order.start_charge_seq, []) if one.kind == RecordKind.CHARGE]
        bill = min(bills, key=lambda one: _unlike(one, fen, wh), default=None)
        if bill is not None and _is_of_next_door(bill, fen, wh, window):
            continue
        name = order.start_charge_seq if bill is None else bill.record_ref
        named.add(name)
        lines.append(ListedRecord(record=name, amount_fen=fen, energy_wh=wh))
    listed = {seq_of(name) for name in named}
    for seq, records in known.items():
        lines += [_as_kept(one) for one in records if _is_agreed(one, window, named, is_listed=seq in listed)]
    return lines


def _unlike(record: Kept, fen: int, wh: int) -> tuple[bool, bool, bool]:
    """How little a record is the one that an order means: the least is."""
    differs = (record.amount_fen, record.energy_wh) != (fen, wh)
    return record.state not in KEPT, differs, record.state not in CHARGED


def _is_of_next_door(record: Kept, fen: int, wh: int, window: Window) -> bool:
    same = (record.amount_fen, record.energy_wh) == (fen, wh)
    return same and record.state in KEPT and record.service_day != window.day


def _is_agreed(record: Kept, window: Window, named: set[str], *, is_listed: bool) -> bool:
    """Whether a record of the day is one that the list has no way, or no need, to name."""
    if record.state not in KEPT or record.service_day != window.day or record.record_ref in named:
        return False
    return record.kind != RecordKind.CHARGE or is_listed or not window.holds(record)


def _as_kept(record: Kept) -> ListedRecord:
    return ListedRecord(
        record=record.record_ref,
        amount_fen=record.amount_fen,
        energy_wh=record.energy_wh,
        credit=record.kind != RecordKind.CHARGE,
    )


def reply_of(check: CheckChargeOrders, differences: Iterable[RecordDifference]) -> CheckChargeOrdersReply:
    """The answer: what is in dispute, with the list's own numbers, or the hub's where the list has none."""
    listed = {one.start_charge_seq for one in check.charge_orders}
    disputes = [_dispute(one, listed) for one in differences]
    return CheckChargeOrdersReply(
        check_order_seq=check.check_order_seq,
        start_time=check.start_time,
        end_time=check.end_time,
        total_dispute_order=len(disputes),
        total_dispute_power=sum((one.total_power for one in disputes), kwh_of(0)),
        total_dispute_money=sum((one.total_money for one in disputes), yuan_of(0)),
        dispute_orders=disputes,
    )


def _dispute(difference: RecordDifference, listed: Container[str]) -> DisputeOrder:
    name = difference.record
    fen = difference.here_fen if difference.there_fen is None else difference.there_fen
    wh = difference.here_wh if difference.there_wh is None else difference.there_wh
    return DisputeOrder(
        start_charge_seq=name if name in listed else seq_of(name),
        total_power=kwh_of(abs(wh or 0)),
        total_money=yuan_of(abs(fen or 0)),
        dispute_reason=REASONS.get(DifferenceKind(difference.kind), NO_SUCH),
    )
