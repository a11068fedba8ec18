"""Envelope, signature, token and encryption: what holds for both sides (T/CEC 102.4)."""

import asyncio
from datetime import timedelta

from msgspec.structs import replace

from operator_sdk.contract.tcec102.crypto import encrypt
from operator_sdk.contract.tcec102.messages import (
    CheckChargeOrders,
    ConnectorStatusInfo,
    NotificationStationStatus,
    Part,
    QueryEquipAuth,
    QueryStationsInfo,
    QueryTokenReply,
)
from operator_sdk.contract.tcec102.problems import Ret
from operator_sdk.contract.tcec102.values import format_day
from operator_sdk.tcec102.check.plan import Bench, Check
from operator_sdk.tcec102.check.probe import Exchange, Fails, Noted, changed, must_refuse

UNKNOWN_CONNECTOR = "INTERPILECHECK404"
_WEEK_S = 604_800
_AT_ONCE, _LARGE_BYTES = 10, 1_000_000
_WRONG = "0123456789abcdeX"
_NO_TOKEN = "not-a-token"


def harmless(bench: Bench) -> tuple[str, Part]:
    """An interface of the platform's that changes nothing, and a request to it."""
    if "host" in bench.profile.roles:
        return "query_stations_info", QueryStationsInfo(page_no=1, page_size=1)
    status = ConnectorStatusInfo(connector_id=UNKNOWN_CONNECTOR, status=0)
    return "notification_stationStatus", NotificationStationStatus(connector_status_info=status)


async def _token(bench: Bench) -> str:
    exchange = await bench.probe.sign_in()
    said = exchange.reply(QueryTokenReply)
    if said.succ_stat != 0 or not said.access_token:
        raise Fails(f"SuccStat {said.succ_stat}, FailReason {said.fail_reason}, no token")
    bench.probe.token = said.access_token
    # The published example does not tell whose it is: some give the caller's back, some name themselves.
    if said.operator_id not in {bench.profile.operator_id, bench.probe.operator_id}:
        raise Noted(f"OperatorID of the answer is {said.operator_id!r}, neither the platform's nor ours")
    if said.token_available_time > _WEEK_S:
        raise Noted(f"TokenAvailableTime {said.token_available_time} is no life in seconds of at most a week")
    return f"TokenAvailableTime {said.token_available_time} s"


async def _wrong_secret(bench: Bench) -> str:
    exchange = await bench.probe.sign_in(_WRONG)
    if exchange.opened().ret != 0:
        raise Noted(f"refused with Ret {exchange.opened().ret}; the standard's is SuccStat 1, FailReason 2")
    said = exchange.reply(QueryTokenReply)
    if said.succ_stat == 0 or said.access_token:
        raise Fails("a token was given for a wrong OperatorSecret")
    return f"SuccStat {said.succ_stat}, FailReason {said.fail_reason}"


async def _token_reuse(bench: Bench) -> str:
    first = bench.probe.token
    second = (await bench.probe.sign_in()).reply(QueryTokenReply).access_token
    bench.probe.token = second
    exchange = await bench.probe.send(*_sealed(bench), token=first)
    if exchange.opened().ret == Ret.TOKEN:
        raise Fails("asking for a token again ended the one before, which two processes cannot live with")
    _must_be_taken(exchange)
    return "the same token again" if first == second else "a new token; the one before stays good"


async def _honest(bench: Bench) -> str:
    exchange = await bench.probe.send(*_sealed(bench))
    _must_be_taken(exchange)
    if exchange.http_status != 200:
        raise Noted(f"HTTP {exchange.http_status}; 200 is usual")
    return f"{exchange.interface}: Ret 0"


async def _wrong_token(bench: Bench) -> str:
    return must_refuse(await bench.probe.send(*_sealed(bench), token=_NO_TOKEN), Ret.TOKEN)


async def _no_token(bench: Bench) -> str:
    return must_refuse(await bench.probe.send(*_sealed(bench), token=""), Ret.TOKEN)


async def _wrong_signature(bench: Bench) -> str:
    interface, body = _sealed(bench)
    return must_refuse(await bench.probe.send(interface, changed(body, Sig="0" * 32)), Ret.SIGNATURE)


async def _changed_data(bench: Bench) -> str:
    interface, body = _sealed(bench)
    other = encrypt(bench.probe.keys, b'{"PageNo":2}')
    return must_refuse(await bench.probe.send(interface, changed(body, Data=other)), Ret.SIGNATURE)


async def _missing(bench: Bench) -> str:
    taken, said = [], []
    for name in ("OperatorID", "Data", "TimeStamp", "Seq", "Sig"):
        interface, body = _sealed(bench)
        exchange = await bench.probe.send(interface, changed(body, **{name: None}))
        # Without OperatorID or Sig the platform may not know with which keys to sign its answer.
        ret = exchange.claimed_ret()
        if ret is None:
            raise Fails(f"without {name}: {exchange.problem}")
        said.append(f"{name}: {ret}")
        taken += [name] if ret == 0 else []
    if taken:
        raise Fails(f"taken without {', '.join(taken)}")
    text = "refused without " + ", ".join(said)
    if any(not one.endswith(" 4003") for one in said):
        raise Noted(f"{text}; the standard's is 4003")
    return text


async def _stranger(bench: Bench) -> str:
    interface, message = harmless(bench)
    body = bench.probe.seal(message, operator_id="000000000")
    exchange = await bench.probe.send(interface, body)
    ret = exchange.claimed_ret()
    if ret is None or ret == 0:
        raise Fails(f"answered with Ret {ret}")
    return f"refused with Ret {ret}"


async def _undecryptable(bench: Bench) -> str:
    other = replace(bench.probe.keys, data_secret="0" * 16, data_secret_iv="1" * 16)
    interface, message = harmless(bench)
    return must_refuse(await bench.probe.send(interface, bench.probe.seal(message, keys=other)), Ret.ENVELOPE)


async def _not_json(bench: Bench) -> str:
    interface, _ = harmless(bench)
    exchange = await bench.probe.send(interface, bench.probe.seal(b"not a JSON object"))
    return must_refuse(exchange, Ret.BUSINESS)


async def _missing_field(bench: Bench) -> str:
    interface = "query_equip_auth" if "host" in bench.profile.roles else "notification_charge_order_info"
    return must_refuse(await bench.probe.send(interface, bench.probe.seal(b"{}")), Ret.BUSINESS)


async def _old_stamp(bench: Bench) -> str:
    interface, message = harmless(bench)
    body = bench.probe.seal(message, at=bench.probe.clock.wall() - timedelta(days=30))
    ret = (await bench.probe.send(interface, body)).opened().ret
    if ret == 0:
        raise Noted("an envelope of a month ago is taken: there is no time window")
    return f"refused with Ret {ret}"


async def _replayed(bench: Bench) -> str:
    interface, body = _sealed(bench)
    first = await bench.probe.send(interface, body)
    _must_be_taken(first)
    again = await bench.probe.send(interface, body)
    ret = again.opened().ret
    if again.http_status >= 500:
        raise Fails(f"HTTP {again.http_status} for an envelope that came before")
    return f"an identical envelope is answered with Ret {ret}"


async def _at_once(bench: Bench) -> str:
    sent = await asyncio.gather(*(bench.probe.send(*_sealed(bench)) for _ in range(_AT_ONCE)))
    rets = sorted({exchange.opened().ret for exchange in sent})
    if set(rets) - {Ret.OK, Ret.BUSY}:
        raise Fails(f"{_AT_ONCE} calls at once are answered with Ret {', '.join(map(str, rets))}")
    if rets != [Ret.OK]:
        raise Noted(f"of {_AT_ONCE} calls at once some are answered with Ret -1")
    return f"{_AT_ONCE} calls at once are all taken"


async def _large(bench: Bench) -> str:
    interface, message = harmless(bench)
    body = changed(bench.probe.seal(message), Filler="x" * _LARGE_BYTES)
    exchange = await bench.probe.send(interface, body)
    ret = exchange.claimed_ret()
    if ret is None:
        raise Noted(f"a body of {_LARGE_BYTES} bytes gets no answer: HTTP {exchange.http_status}")
    return f"a body of {_LARGE_BYTES} bytes is answered with Ret {ret}"


async def _other_path(bench: Bench) -> str:
    """A body of one interface at another: the signature does not cover the path."""
    if "host" in bench.profile.roles:
        auth = QueryEquipAuth(equip_auth_seq=bench.probe.new_seq(), connector_id=UNKNOWN_CONNECTOR)
        body = bench.probe.seal(auth)
        return must_refuse(await bench.probe.send("query_equip_business_policy", body), Ret.BUSINESS)
    body = bench.probe.seal(_empty_check(bench))
    return must_refuse(await bench.probe.send("notification_charge_order_info", body), Ret.BUSINESS)


def _empty_check(bench: Bench) -> CheckChargeOrders:
    day = format_day(bench.probe.clock.wall() - timedelta(days=1), bench.profile.time.zone)
    return CheckChargeOrders(
        check_order_seq=bench.probe.new_seq(),
        start_time=f"{day} 00:00:00",
        end_time=f"{day} 23:59:59",
        order_count=0,
        total_order_power=bench.zero,
        total_order_money=bench.zero,
        charge_orders=[],
    )


PROTOCOL = (
    Check("token.issued", "query_token gives a token", _token),
    Check("token.wrong_secret", "a wrong OperatorSecret gives none (SuccStat 1)", _wrong_secret),
    Check("token.reuse", "asking again does not end the token before", _token_reuse),
    Check("token.wrong", "a wrong token is refused with 4002", _wrong_token),
    Check("token.missing", "a call without a token is refused with 4002", _no_token),
    Check("envelope.honest", "a call as the standard says is taken, its answer signed", _honest),
    Check("envelope.missing", "an envelope that lacks a field is refused with 4003", _missing),
    Check("envelope.stranger", "an OperatorID that is not known is refused", _stranger),
    Check("envelope.old_stamp", "a TimeStamp of a month ago is refused", _old_stamp),
    Check("envelope.replay", "an envelope that comes again does no harm", _replayed),
    Check("envelope.other_path", "a body of another interface is refused", _other_path),
    Check("limits.at_once", "ten calls at once are answered", _at_once),
    Check("limits.large", "a large body gets an answer", _large),
    Check("signature.wrong", "a wrong Sig is refused with 4001", _wrong_signature),
    Check("signature.changed_data", "changed Data is refused with 4001", _changed_data),
    Check("encryption.wrong_key", "Data under other keys is refused with 4003", _undecryptable),
    Check("business.not_json", "Data that is no JSON is refused with 4004", _not_json),
    Check("business.missing_field", "a missing business field is refused with 4004", _missing_field),
)


def _sealed(bench: Bench) -> tuple[str, bytes]:
    interface, message = harmless(bench)
    return interface, bench.probe.seal(message)


def _must_be_taken(exchange: Exchange) -> None:
    answered = exchange.opened()
    if answered.ret != 0:
        raise Fails(f"{exchange.interface}: Ret {answered.ret} {answered.msg!r}, expected 0")
