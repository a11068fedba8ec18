"""A driver of the home's charges at our pile, which gives nothing and costs nothing."""

import contextlib
from datetime import timedelta

from msgspec.structs import asdict

from operator_sdk.contract.tcec102.messages import (
    ChargeOrder,
    CheckChargeOrders,
    CheckChargeOrdersReply,
    NotificationChargeOrderInfo,
    NotificationChargeOrderInfoReply,
    NotificationEquipChargeStatus,
    NotificationEquipChargeStatusReply,
    NotificationStartChargeResult,
    NotificationStartChargeResultReply,
    NotificationStopChargeResult,
    NotificationStopChargeResultReply,
    QueryEquipChargeStatus,
)
from operator_sdk.contract.tcec102.sequences import is_seq
from operator_sdk.contract.tcec102.values import format_time
from operator_sdk.tcec102.check.pile import CONNECTOR, ZERO, Pile
from operator_sdk.tcec102.check.plan import Bench, Check
from operator_sdk.tcec102.check.probe import Fails, Noted, Skipped
from operator_sdk.tcec102.handlers import Caller

_BY_HAND = 0


async def _start(bench: Bench) -> str:
    if bench.listener is None or not bench.scan:
        raise Skipped("--scan and --listen let a driver of the platform's scan our QR code")
    pile = bench.listener.pile
    start = await pile.wait(bench.patience_s)
    if start is None:
        raise Fails(f"no query_start_charge within {bench.patience_s} s")
    pile.begun_at = _now(bench)
    bench.guest = start.start_charge_seq
    if not is_seq(start.start_charge_seq) or not start.start_charge_seq.startswith(bench.profile.operator_id):
        raise Noted("StartChargeSeq is not its OperatorID and 18 more letters and digits")
    asked = [one.path.rpartition("/")[2] for one in bench.listener.heard]
    before = [name for name in ("query_equip_auth", "query_equip_business_policy") if name in asked]
    return f"asked for a start; before it {', '.join(before) or 'nothing'}"


async def _result(bench: Bench) -> str:
    seq, pile = _need_guest(bench)
    message = NotificationStartChargeResult(
        start_charge_seq=seq, start_charge_seq_stat=2, connector_id=CONNECTOR, start_time=pile.begun_at
    )
    exchange = await bench.probe.ask("notification_start_charge_result", message)
    return _must_be_taken(exchange.reply(NotificationStartChargeResultReply).succ_stat)


async def _status(bench: Bench) -> str:
    seq, pile = _need_guest(bench)
    caller = Caller(bench.profile.operator_id, bench.profile)
    state = await pile.query_equip_charge_status(QueryEquipChargeStatus(start_charge_seq=seq), caller)
    message = NotificationEquipChargeStatus(**{**asdict(state), "end_time": _now(bench)})
    exchange = await bench.probe.ask("notification_equip_charge_status", message)
    return _must_be_taken(exchange.reply(NotificationEquipChargeStatusReply).succ_stat)


async def _stop(bench: Bench) -> str:
    seq, pile = _need_guest(bench)
    pile.is_over = True
    message = NotificationStopChargeResult(
        start_charge_seq=seq, start_charge_seq_stat=4, connector_id=CONNECTOR, succ_stat=0
    )
    exchange = await bench.probe.ask("notification_stop_charge_result", message)
    return _must_be_taken(exchange.reply(NotificationStopChargeResultReply).succ_stat)


async def _order(bench: Bench) -> str:
    seq, pile = _need_guest(bench)
    pile.is_over = True
    order = NotificationChargeOrderInfo(
        start_charge_seq=seq,
        connector_id=CONNECTOR,
        start_time=pile.begun_at,
        end_time=_now(bench),
        total_power=ZERO,
        total_elec_money=ZERO,
        total_service_money=ZERO,
        total_money=ZERO,
        stop_reason=_BY_HAND,
    )
    results = []
    for _ in range(2):
        exchange = await bench.probe.ask("notification_charge_order_info", order)
        results.append(exchange.reply(NotificationChargeOrderInfoReply).confirm_result)
    if results[0] != results[1]:
        raise Fails(f"the same order is answered with ConfirmResult {results[0]}, then with {results[1]}")
    if results[0] != 0:
        raise Noted(f"an order of 0 kWh and 0 yuan is answered with ConfirmResult {results[0]}")
    return "ConfirmResult 0, both times: nothing is owed"


async def _check(bench: Bench) -> str:
    seq, pile = _need_guest(bench)
    day = pile.begun_at[:10]
    message = CheckChargeOrders(
        check_order_seq=bench.probe.new_seq(),
        start_time=f"{day} 00:00:00",
        end_time=format_time(bench.probe.clock.wall() + timedelta(seconds=1), bench.profile.time.zone),
        order_count=1,
        total_order_power=ZERO,
        total_order_money=ZERO,
        charge_orders=[ChargeOrder(start_charge_seq=seq, total_power=ZERO, total_money=ZERO)],
    )
    said = (await bench.probe.ask("check_charge_orders", message)).reply(CheckChargeOrdersReply)
    if any(one.start_charge_seq == seq for one in said.dispute_orders):
        raise Fails("the order that it agreed to is disputed")
    return f"{said.total_dispute_order} disputes"


async def release_guest(bench: Bench) -> None:
    """The last word, however the checks ended: the driver's charge gets its stop and its empty order."""
    if bench.guest and bench.listener and not bench.listener.pile.is_over:
        for told in (_stop, _order):
            with contextlib.suppress(Fails, Noted):
                await told(bench)


GUEST = (
    Check("guest.start", "a scan in its app starts at our pile", _start),
    Check("guest.result", "the result of the start is taken", _result),
    Check("guest.status", "the status of the charge is taken", _status),
    Check("guest.stop", "the result of the stop is taken", _stop),
    Check("guest.order", "the order is agreed to, twice the same", _order),
    Check("guest.check", "check_charge_orders agrees to the order", _check),
)


def _need_guest(bench: Bench) -> tuple[str, Pile]:
    if bench.guest is None or bench.listener is None:
        raise Skipped("no driver of the platform's started a charge")
    return bench.guest, bench.listener.pile


def _must_be_taken(succ_stat: int) -> str:
    if succ_stat != 0:
        raise Fails(f"SuccStat {succ_stat} for a charge that it started")
    return "SuccStat 0"


def _now(bench: Bench) -> str:
    return format_time(bench.probe.clock.wall(), bench.profile.time.zone)
