"""What all calls together show: forms that had to be forgiven, slow answers, and how the platform calls us."""

from collections import Counter

import msgspec

from operator_sdk.contract.tcec102.problems import Ret
from operator_sdk.tcec102.check.listener import Heard, Listener
from operator_sdk.tcec102.check.plan import Bench, Check
from operator_sdk.tcec102.check.probe import Fails, Noted, Skipped
from operator_sdk.tcec102.check.report import EVIDENCE_MOST

_SLOW_MS, _TOO_SLOW_MS = 1_000, 5_000
_SECRET = "1 is another OperatorID than its own, 2 another OperatorSecret than that of `ours`"


async def _forms(bench: Bench) -> str:
    words = Counter(word for exchange in bench.probe.log for word in exchange.tolerated)
    if words:
        said = ", ".join(f"{word} ({count})" for word, count in sorted(words.items()))
        raise Noted(f"had to be forgiven in its answers: {said}")
    return f"{len(bench.probe.log)} answers, nothing to forgive"


async def _answers(bench: Bench) -> str:
    answered = [one for one in bench.probe.log if one.received]
    odd = [one for one in answered if one.http_status >= 500]
    if odd:
        raise Fails(f"HTTP {odd[0].http_status} {len(odd)} times, first at {odd[0].interface}")
    return f"{len(answered)} answers below HTTP 500"


async def _slow(bench: Bench) -> str:
    slowest = max(bench.probe.log, key=lambda one: one.took_ms, default=None)
    if slowest is None:
        raise Skipped("nothing was asked")
    said = f"the slowest was {slowest.interface} with {slowest.took_ms} ms"
    if slowest.took_ms > _TOO_SLOW_MS:
        raise Fails(f"{said}; callers give up after some seconds")
    if slowest.took_ms > _SLOW_MS:
        raise Noted(said)
    return said


async def _calls_taken(bench: Bench) -> str:
    heard = _heard(bench).heard
    asked = next((at for at, one in enumerate(heard) if one.path.endswith("/query_token")), 0)
    # A token of an earlier check may still be in its hands: refused once, it asks for another, as it should.
    good = [{0, -1, int(Ret.TOKEN)} if at < asked else {0, -1} for at in range(len(heard))]
    wrong = [(one, ret) for one, fine in zip(heard, good, strict=True) if (ret := _ret(one)) not in fine]
    if wrong:
        one, ret = wrong[0]
        said = f"{len(wrong)} of {len(heard)} calls were refused, the first ({one.path}) with {_msg(one, ret)}"
        raise Fails(said, [one.evidence() for one, _ in wrong[:EVIDENCE_MOST]])
    return f"{len(heard)} calls, all of the standard's form"


async def _calls_forms(bench: Bench) -> str:
    words = {word: count for (_, word), count in _heard(bench).server.tolerated.items()}
    if words:
        said = ", ".join(f"{word} ({count})" for word, count in sorted(words.items()))
        raise Noted(f"had to be forgiven in its calls: {said}")
    return "nothing to forgive"


async def _calls_tokens(bench: Bench) -> str:
    listener = _heard(bench)
    heard = listener.heard
    if listener.server.refused:
        # Its token of yesterday may be good for hours yet where it works; here it had to ask for one.
        raise Fails(f"query_token: refused with FailReason {listener.server.refused[0]}: {_SECRET}")
    tokens = sum(one.path.endswith("/query_token") for one in heard)
    if tokens > 2 and tokens * 2 > len(heard):
        raise Noted(f"{tokens} tokens were asked for in {len(heard)} calls: one serves for its whole life")
    return f"{tokens} tokens for {len(heard) - tokens} calls"


SUMMING = (
    Check("answers.http", "errors are told by Ret, not by HTTP 5xx", _answers),
    Check("answers.forms", "answers have the standard's spelling and types", _forms),
    Check("answers.slow", "answers come within a second", _slow),
    Check("calls.taken", "its calls to us have the right envelope, Sig, token and fields", _calls_taken),
    Check("calls.forms", "its calls have the standard's spelling and types", _calls_forms),
    Check(
        "calls.tokens", "it asks for a token with the right OperatorSecret, once for its life", _calls_tokens
    ),
)


def _heard(bench: Bench) -> Listener:
    if bench.listener is None:
        raise Skipped("--listen lets the platform call us")
    if not bench.listener.heard:
        raise Skipped("the platform did not call us")
    return bench.listener


def _ret(heard: Heard) -> int | None:
    try:
        ret = msgspec.json.decode(heard.answer).get("Ret")
    except (msgspec.MsgspecError, AttributeError):
        return None
    return ret if isinstance(ret, int) else None


def _msg(heard: Heard, ret: int | None) -> str:
    try:
        return f"Ret {ret}: {msgspec.json.decode(heard.answer)['Msg']}"
    except (msgspec.MsgspecError, KeyError):
        return f"Ret {ret}"
