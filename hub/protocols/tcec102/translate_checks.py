"""The daily check as check_charge_orders, and what a home's answer says about the hub's list. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from hub.core.clock import ZONE
from hub.protocols.tcec102.translate_out import rounded_wh
from operator_sdk.contract.messages.checks import ListedRecord, RecordListReply
from operator_sdk.contract.record_check import compare, reply_of
from operator_sdk.contract.tcec102.messages import (
    ChargeOrder,
    CheckChargeOrders,
    CheckChargeOrdersReply,
    DisputeOrder,
)
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.values import fen_of, format_time, kwh_of, wh_of, yuan_of

AMOUNT, ENERGY = 2, 3
"""DisputeReason; 1 is `no such transaction`, from 4 on a partner's own."""


class Told:
    """The lines of a day and how the home knows them: by its StartChargeSeq, one line for each.

    Left out are credits, charges without such a number, and, where one charge was billed again, all but the
    last bill: the standard has no words for them. What is left out counts as agreed.
    """

    def __init__(self, lines: list[ListedRecord], refs: Mapping[str, str], profile: Profile) -> None:
        self.lines, self.profile = lines, profile
        self.by_seq: dict[str, ListedRecord] = {}
        for line in sorted(lines, key=lambda one: one.record):
            seq = refs.get(line.record)
            if seq is not None and not line.credit:
                self.by_seq[seq] = line

    def energy_wh(self, line: ListedRecord) -> int:
        """The energy of a line as the home is told of it."""
        return rounded_wh(line.energy_wh, self.profile)


def orders_of(told: Told, day: str, seq: str) -> CheckChargeOrders:
    """The hub's list of a day of its own, whose edges the home reads in its own zone.

    The totals are the sums of the orders as they are told.
    """
    begins = datetime.fromisoformat(day).replace(tzinfo=UTC) - ZONE
    zone = told.profile.time.zone
    orders = [
        ChargeOrder(
            start_charge_seq=ref,
            total_power=kwh_of(told.energy_wh(line)),
            total_money=yuan_of(line.amount_fen),
        )
        for ref, line in told.by_seq.items()
    ]
    return CheckChargeOrders(
        check_order_seq=seq,
        start_time=format_time(begins, zone),
        end_time=format_time(begins + timedelta(days=1, seconds=-1), zone),
        order_count=len(orders),
        total_order_power=sum((one.total_power for one in orders), kwh_of(0)),
        total_order_money=sum((one.total_money for one in orders), yuan_of(0)),
        charge_orders=orders,
    )


def reply_to_check(told: Told, reply: CheckChargeOrdersReply) -> RecordListReply:
    """What the home's disputes make of its own list, compared with the hub's."""
    return reply_of(compare(list(_theirs(told, reply.dispute_orders)), told.lines))


def _theirs(told: Told, disputes: Iterable[DisputeOrder]) -> Iterator[ListedRecord]:
    said = {one.start_charge_seq: one for one in disputes}
    seqs = {line.record: seq for seq, line in told.by_seq.items()}
    for line in told.lines:
        dispute = said.get(seqs.get(line.record, ""))
        if dispute is None:
            yield line
        elif (other := _disputed(told, line, dispute)) is not None:
            yield other
    for seq in sorted(said.keys() - told.by_seq.keys()):
        yield _line(seq, said[seq])


def _disputed(told: Told, line: ListedRecord, dispute: DisputeOrder) -> ListedRecord | None:
    """The home's own line, or None where it has none or does not say in what it differs."""
    theirs = _line(line.record, dispute)
    if dispute.dispute_reason == AMOUNT and theirs.amount_fen != line.amount_fen:
        return ListedRecord(record=line.record, amount_fen=theirs.amount_fen, energy_wh=line.energy_wh)
    if dispute.dispute_reason == ENERGY and theirs.energy_wh != told.energy_wh(line):
        return ListedRecord(record=line.record, amount_fen=line.amount_fen, energy_wh=theirs.energy_wh)
    return None


def _line(record: str, dispute: DisputeOrder) -> ListedRecord:
    return ListedRecord(
        record=record,
        amount_fen=max(0, fen_of(dispute.total_money)),
        energy_wh=max(0, wh_of(dispute.total_power)),
    )
