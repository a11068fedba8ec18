"""The end of a charge that we started: asked for until an answer of the platform's says that there is one.

A refusal says nothing of the kind: query_equip_charge_status is optional, and where it is not offered it is
refused like a question about a charge that is not known.
"""

from dataclasses import dataclass
from typing import TypeVar

from operator_sdk.contract.tcec102 import messages as m
from operator_sdk.contract.tcec102.problems import Ret
from operator_sdk.errors import InterpileError
from operator_sdk.tcec102.check.listener import Ears
from operator_sdk.tcec102.check.plan import Bench
from operator_sdk.tcec102.check.probe import Exchange, Fails

R = TypeVar("R", m.QueryStopChargeReply, m.QueryEquipChargeStatusReply)
_RUNNING, _ENDED = {1, 2, 3}, 4
_ALREADY_STOPPED = 3
"""FailReason of query_stop_charge."""
_TRIES = 5


@dataclass(slots=True)
class Outcome:
    """What is known of a charge's end: `over` says what told us of it, and is empty while nothing did.

    `stopped` is whether a stop was acknowledged, `said` what was last answered about it.
    """

    over: str = ""
    stopped: bool = False
    said: str = ""

    def warning(self, seq: str, connector_id: str) -> str:
        """What is to be done about a charge that nobody has said is over."""
        stop = "took our stop" if self.stopped else "took no stop of ours"
        return (
            f"the charge {seq} at {connector_id} may still run: the platform {stop}, and nothing that it told"
            f" says that the charge is over ({self.said}). Stop it at the pile or by the platform's own staff"
        )


async def see_it_end(bench: Bench, seq: str, ears: Ears) -> Outcome:
    """Stop a charge, some times within the bench's patience, until something says that it is over.

    The pauses grow: most platforms say so at once, and the others shall have the time to.
    """
    outcome = Outcome()
    for left in range(_TRIES, 0, -1):
        await _look(bench, seq, ears, outcome)
        if outcome.over:
            return outcome
        await _stop(bench, seq, outcome)
        if not outcome.over:
            await ears.until(lambda: bool(told_over(ears, seq)), bench.patience_s / 2**left)
    await _look(bench, seq, ears, outcome)
    return outcome


def told_over(ears: Ears, seq: str) -> str:
    """Which of the platform's messages says that a charge is over; empty: none does."""
    if ears.orders(seq):
        return "its order came"
    stops = ears.about(m.NotificationStopChargeResult, seq)
    if any(one.start_charge_seq_stat == _ENDED or one.fail_reason == _ALREADY_STOPPED for one in stops):
        return "the result of the stop says so"
    kinds = m.NotificationStartChargeResult, m.NotificationEquipChargeStatus
    told = [one for one in ears.told if isinstance(one, kinds) and one.start_charge_seq == seq]
    return "it was told with status 4" if told and told[-1].start_charge_seq_stat == _ENDED else ""


async def _look(bench: Bench, seq: str, ears: Ears, outcome: Outcome) -> None:
    """Ask how it stands. That it runs outweighs whatever was told but an order."""
    if ears.orders(seq):
        outcome.over = told_over(ears, seq)
        return
    asked = m.QueryEquipChargeStatus(start_charge_seq=seq)
    reply, _ = await _answer(bench, seq, "query_equip_charge_status", asked, m.QueryEquipChargeStatusReply)
    if reply is not None and reply.start_charge_seq_stat == _ENDED:
        outcome.over = "query_equip_charge_status says so"
    elif reply is None or reply.start_charge_seq_stat not in _RUNNING:
        outcome.over = told_over(ears, seq)


async def _stop(bench: Bench, seq: str, outcome: Outcome) -> None:
    message = m.QueryStopCharge(start_charge_seq=seq, connector_id=bench.connector_id or "")
    reply, outcome.said = await _answer(bench, seq, "query_stop_charge", message, m.QueryStopChargeReply)
    if reply is None:
        return
    stat, had_stopped = reply.start_charge_seq_stat, reply.fail_reason == _ALREADY_STOPPED
    taken = reply.succ_stat == 0 or had_stopped
    outcome.stopped |= taken
    if (taken and stat == _ENDED) or (had_stopped and stat not in _RUNNING):
        outcome.over = "the answer to the stop says so"
    reason = f"SuccStat {reply.succ_stat}, FailReason {reply.fail_reason}"
    outcome.said = f"query_stop_charge: {reason}, StartChargeSeqStat {stat}"


async def _answer(
    bench: Bench, seq: str, interface: str, message: m.Part, kind: type[R]
) -> tuple[R | None, str]:
    """The reply about this charge, or None and what came instead."""
    try:
        exchange = await _ask(bench, interface, message)
        reply = exchange.reply(kind)
    except (Fails, InterpileError) as problem:
        return None, str(problem) or type(problem).__name__
    if reply.start_charge_seq != seq:
        return None, f"{interface}: answered about another charge"
    return reply, ""


async def _ask(bench: Bench, interface: str, message: m.Part) -> Exchange:
    """A call, once more where our token has ended meanwhile: a check may last longer than a token."""
    exchange = await bench.probe.ask(interface, message)
    if exchange.claimed_ret() == Ret.TOKEN:
        bench.probe.token = (await bench.probe.sign_in()).reply(m.QueryTokenReply).access_token
        exchange = await bench.probe.ask(interface, message)
    return exchange
