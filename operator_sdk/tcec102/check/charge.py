"""One charge at a host that was named to us: started, followed, stopped at once, and nothing left behind."""

import sys

from operator_sdk.contract.tcec102.messages import (
    NotificationChargeOrderInfo,
    NotificationStartChargeResult,
    NotificationStopChargeResult,
    QueryEquipChargeStatus,
    QueryEquipChargeStatusReply,
    QueryStartCharge,
    QueryStartChargeReply,
    QueryStopCharge,
    QueryStopChargeReply,
)
from operator_sdk.contract.tcec102.problems import Ret
from operator_sdk.contract.tcec102.values import parse_time
from operator_sdk.tcec102.check.ending import see_it_end
from operator_sdk.tcec102.check.listener import Listener
from operator_sdk.tcec102.check.plan import Bench, Check
from operator_sdk.tcec102.check.probe import Fails, Noted, Skipped

_CHARGING, _STOPPING = 2, 3
_REFUSALS = {Ret.SIGNATURE, Ret.TOKEN, Ret.ENVELOPE, Ret.BUSINESS}
"""Of a start: decided, and there is no charge to follow. After any other Ret there may be one."""


async def _start(bench: Bench) -> str:
    if not bench.connector_id or bench.listener is None:
        raise Skipped("--charge CONNECTOR and --listen allow one short charge")
    bench.charge = bench.probe.new_seq()
    message = QueryStartCharge(start_charge_seq=bench.charge, connector_id=bench.connector_id, qr_code="")
    body = bench.probe.seal(message)
    exchange = await bench.probe.send("query_start_charge", body)
    if exchange.answered is not None and exchange.answered.ret in _REFUSALS:
        bench.charge = None
    said = exchange.reply(QueryStartChargeReply)
    if said.succ_stat != 0:
        if said.start_charge_seq_stat not in {_CHARGING, _STOPPING}:
            bench.charge = None
        raise Fails(f"SuccStat {said.succ_stat}, FailReason {said.fail_reason}: is a vehicle plugged in?")
    if said.start_charge_seq != bench.charge:
        raise Fails("StartChargeSeq is not given back")
    again = (await bench.probe.send("query_start_charge", body)).reply(QueryStartChargeReply)
    if again.succ_stat != 0:
        raise Noted(
            f"the same start again is answered with FailReason {again.fail_reason}; it should be the same"
        )
    return f"taken, StartChargeSeqStat {said.start_charge_seq_stat}; the same envelope again changes nothing"


async def _result(bench: Bench) -> str:
    seq, listener = _need_charge(bench)
    found = await listener.wait(NotificationStartChargeResult, seq, bench.patience_s)
    if not found:
        raise Fails(f"no notification_start_charge_result within {bench.patience_s} s")
    if found[0].start_charge_seq_stat != _CHARGING:
        raise Fails(f"StartChargeSeqStat {found[0].start_charge_seq_stat}: it did not start")
    return f"StartChargeSeqStat 2, {len(found)} times"


async def _status(bench: Bench) -> str:
    seq, _ = _need_charge(bench)
    message = QueryEquipChargeStatus(start_charge_seq=seq)
    exchange = await bench.probe.ask("query_equip_charge_status", message)
    said = exchange.reply(QueryEquipChargeStatusReply)
    try:
        started, sampled = (
            parse_time(one, bench.profile.time.zone) for one in (said.start_time, said.end_time)
        )
    except ValueError as problem:
        raise Fails(f"StartTime or EndTime: {problem}") from None
    if sampled < started:
        raise Noted("EndTime, which is the sample's time, lies before StartTime")
    return f"StartChargeSeqStat {said.start_charge_seq_stat}, {said.total_power} kWh"


async def _stop(bench: Bench) -> str:
    seq, _ = _need_charge(bench)
    said = await _send_stop(bench, seq)
    if said.succ_stat != 0:
        raise Fails(f"SuccStat {said.succ_stat}, FailReason {said.fail_reason}")
    again = await _send_stop(bench, seq)
    return f"taken, StartChargeSeqStat {said.start_charge_seq_stat}; again: FailReason {again.fail_reason}"


async def _send_stop(bench: Bench, seq: str) -> QueryStopChargeReply:
    message = QueryStopCharge(start_charge_seq=seq, connector_id=bench.connector_id or "")
    return (await bench.probe.ask("query_stop_charge", message)).reply(QueryStopChargeReply)


async def _stop_result(bench: Bench) -> str:
    seq, listener = _need_charge(bench)
    found = await listener.wait(NotificationStopChargeResult, seq, bench.patience_s)
    if not found:
        raise Noted(f"no notification_stop_charge_result within {bench.patience_s} s; it is optional")
    return f"StartChargeSeqStat {found[0].start_charge_seq_stat}, SuccStat {found[0].succ_stat}"


async def _order(bench: Bench) -> str:
    seq, listener = _need_charge(bench)
    found = await listener.wait(NotificationChargeOrderInfo, seq, bench.patience_s)
    if not found:
        raise Fails(f"no notification_charge_order_info within {bench.patience_s} s")
    wrong = _remarks(found[0], bench.profile.time.zone)
    if wrong:
        raise Noted("; ".join(wrong))
    return f"{found[0].total_power} kWh, {found[0].total_money} yuan"


def _remarks(order: NotificationChargeOrderInfo, zone: str) -> list[str]:
    wrong = []
    if order.total_elec_money + order.total_service_money != order.total_money:
        wrong.append("TotalMoney is not TotalElecMoney + TotalSeviceMoney")
    if order.charge_details:
        energy = sum(one.detail_power for one in order.charge_details)
        if energy != order.total_power:
            wrong.append(f"TotalPower {order.total_power}, its ChargeDetails together {energy}")
    try:
        if parse_time(order.end_time, zone) < parse_time(order.start_time, zone):
            wrong.append("EndTime lies before StartTime")
    except ValueError as problem:
        wrong.append(f"StartTime or EndTime: {problem}")
    return wrong


async def _order_again(bench: Bench) -> str:
    seq, listener = _need_charge(bench)
    found = await listener.wait(NotificationChargeOrderInfo, seq, bench.patience_s, count=2)
    if not found:
        raise Skipped("no order came")
    if len(found) < 2:
        raise Fails(
            f"answered with Ret -1, the order did not come again within {bench.patience_s} s"
            " (150 s are usual: --patience-s)"
        )
    first, second = found[:2]
    if (first.total_power, first.total_money) != (second.total_power, second.total_money):
        raise Fails("the order that came again is another one")
    cost = "agreed" if not second.total_money else f"disputed, as it costs {second.total_money} yuan"
    return f"it came again, the same; {cost}"


async def _slow(bench: Bench) -> str:
    seq, listener = _need_charge(bench)
    told = listener.ears.about(NotificationStartChargeResult, seq)
    if not told:
        raise Skipped("no result of the start came")
    if not listener.ears.orders(seq):
        raise Fails(f"answered after {listener.ears.slow_s} s, it told no more of this charge")
    again = f"it came {len(told)} times" if len(told) > 1 else "it waited"
    return f"answered after {listener.ears.slow_s} s: {again}, and the charge went on"


async def _nothing_left(bench: Bench) -> str:
    seq, listener = _need_charge(bench)
    outcome = await see_it_end(bench, seq, listener.ears)
    bench.charge = None  # seen to, whatever has come of it
    if not outcome.over:
        raise Fails(outcome.warning(seq, bench.connector_id or ""))
    return f"the charge is over: {outcome.over}"


async def stop_what_runs(bench: Bench) -> None:
    """The last word where the checks were broken off: there is no table then, so stderr is told."""
    if bench.charge is None or bench.listener is None:
        return
    seq, connector_id = bench.charge, bench.connector_id or ""
    sys.stderr.write(f"broken off: the charge {seq} at {connector_id} is being stopped\n")
    outcome = await see_it_end(bench, seq, bench.listener.ears)
    said = f"the charge {seq} is over" if outcome.over else outcome.warning(seq, connector_id)
    sys.stderr.write(f"{said}\n")


CHARGE = (
    Check("charge.start", "a start is taken, and taken once", _start),
    Check("charge.result", "the result of the start is told", _result),
    Check("charge.status", "query_equip_charge_status tells how it stands", _status),
    Check("charge.stop", "a stop is taken", _stop),
    Check("charge.stop_result", "the result of the stop is told", _stop_result),
    Check("charge.order", "the order is told, and its sums are right", _order),
    Check("charge.order_again", "an order comes again until it is confirmed", _order_again),
    Check("charge.slow_answer", "a slow answer of ours does not break a charge", _slow),
    Check("charge.nothing_left", "nothing is left charging", _nothing_left),
)


def _need_charge(bench: Bench) -> tuple[str, Listener]:
    if bench.charge is None or bench.listener is None:
        raise Skipped("no charge was started")
    return bench.charge, bench.listener
