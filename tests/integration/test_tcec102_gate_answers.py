"""Stored answers, errors of handlers, and rotation of keys, at the served shell of T/CEC 102."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from hub.core.database import OutOfReach
from hub.core.errors import HubError
from hub.core.tables import table_of
from hub.parties.link import LinkError
from hub.protocols.tcec102.server import Arrival, Context, TcecServer
from hub.protocols.tcec102.tables import AnswerRow, forget_old, profile_rows
from hub.wiring_protocols import tcec102_tools
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.tcec102 import messages
from operator_sdk.contract.tcec102.golden import GOLDEN
from operator_sdk.contract.tcec102.interfaces import is_final
from operator_sdk.contract.tcec102.profile import active_keys, read_profile
from operator_sdk.contract.tcec102.wire import Answered, Ret, WireProblem, open_answer
from tests.rig import LogLines
from tests.tcec102_gate import HOST, Partner, World, keys_named, open_world, profile_text, secret_table

pytestmark = pytest.mark.integration

SEQ = HOST + "1" * 18
STOP = {
    "StartChargeSeq": SEQ,
    "StartChargeSeqStat": 4,
    "ConnectorID": "A1",
    "SuccStat": 0,
    "FailReason": 0,
}


@dataclass
class Door:
    """The shell over one handler that counts, and fails when told to."""

    server: TcecServer
    partner: Partner
    calls: int = 0
    problem: Exception | None = None
    succ_stat: int = 0
    seen: list[Context] = field(default_factory=list)

    async def handle(self, context: Context, message: Any) -> Any:
        self.calls += 1
        self.seen.append(context)
        if self.problem is not None:
            raise self.problem
        return messages.NotificationStopChargeResultReply(
            start_charge_seq=message.start_charge_seq, succ_stat=self.succ_stat, fail_reason=self.succ_stat
        )

    async def send(self, body: bytes, interface: str = "notification_stop_charge_result") -> bytes:
        arrival = Arrival(interface, "/evcs/v1", body, self.partner.token, "203.0.113.7")
        return (await self.server.answer(arrival))[1]

    def opened(self, answer: bytes) -> Answered:
        return open_answer(answer, [self.partner.keys], self.partner.profile)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world() as opened:
        yield opened


@pytest.fixture
async def door(world: World) -> Door:
    partner = await world.partner(profile_text(rest="[limits]\nrate_per_s = 1000"))
    tools = tcec102_tools(world.hub, world.hub.tcec102)
    door = Door(TcecServer(tools, {}), partner)
    door.server = TcecServer(
        tools,
        {
            "notification_stop_charge_result": door.handle,
            "notification_start_charge_result": door.handle,
            "notification_equip_charge_status": door.handle,
        },
    )
    return door


async def test_the_same_envelope_gets_the_same_bytes_and_is_handled_once(door: Door) -> None:
    body = door.partner.sealed(STOP)
    first = await door.send(body)
    assert [await door.send(body) for _ in range(3)] == [first] * 3
    assert door.calls == 1
    await door.send(door.partner.sealed(STOP))
    assert door.calls == 2


async def test_a_no_that_may_become_a_yes_is_judged_anew_and_the_yes_is_kept(door: Door) -> None:
    """With the time window off, the retry of a platform whose Seq and TimeStamp stand still comes for days."""
    body = door.partner.sealed(STOP)
    door.succ_stat = 1
    refused = [door.opened(await door.send(body)).plain for _ in range(2)]
    assert (door.calls, [msgspec.json.decode(plain or b"")["SuccStat"] for plain in refused]) == (2, [1, 1])
    door.succ_stat = 0
    taken = [door.opened(await door.send(body)).plain for _ in range(2)]
    assert (door.calls, [msgspec.json.decode(plain or b"")["SuccStat"] for plain in taken]) == (3, [0, 0])


@pytest.mark.parametrize(
    ("interface", "said", "final"),
    [
        ("query_start_charge", {"succ_stat": 0}, True),
        ("query_start_charge", {"succ_stat": 1, "start_charge_seq_stat": 4}, True),
        ("query_stop_charge", {"succ_stat": 0}, True),
        ("query_stop_charge", {"succ_stat": 1}, False),
        ("notification_charge_order_info", {"confirm_result": 0}, True),
        ("notification_charge_order_info", {"confirm_result": 1}, False),
        ("check_charge_orders", {"dispute_orders": []}, True),
        ("check_charge_orders", {"dispute_orders": [object()]}, False),
    ],
)
def test_only_what_no_repetition_could_better_is_final(
    interface: str, said: dict[str, Any], final: bool
) -> None:
    assert is_final(msgspec.structs.replace(GOLDEN[interface][1], **said)) is final


async def test_a_stored_answer_is_known_to_every_process_and_forgotten_after_a_week(
    world: World, door: Door
) -> None:
    body = door.partner.sealed(STOP)
    first = await door.send(body)
    tools = tcec102_tools(world.hub, world.hub.tcec102)
    door.server = TcecServer(tools, {"notification_stop_charge_result": door.handle})
    assert await door.send(body) == first
    async with world.hub.database.unit() as unit:
        await forget_old(unit, world.hub.clock.wall() + timedelta(days=7, seconds=1))
        assert (await unit.execute(table_of(AnswerRow).select())).all() == []


async def test_an_envelope_that_was_answered_is_refused_at_another_interface(door: Door) -> None:
    body = door.partner.sealed(STOP)
    await door.send(body)
    answer = door.opened(await door.send(body, "notification_start_charge_result"))
    assert answer.ret == Ret.BUSINESS
    assert door.calls == 1


@pytest.mark.parametrize(
    ("problem", "ret"),
    [
        (WireProblem(Ret.BUSINESS, "ConnectorID: unknown", "unknown"), Ret.BUSINESS),
        (HubError(Code.NOT_FOUND), Ret.BUSINESS),
        (HubError(Code.RULE_VIOLATED, reason="too late"), Ret.BUSINESS),
        (HubError(Code.FORBIDDEN), Ret.ENVELOPE),
        (HubError(Code.UNAVAILABLE), Ret.BUSY),
        (HubError(Code.INTERNAL), Ret.ERROR),
        (LinkError("too slow"), Ret.BUSY),
        (OutOfReach("gone"), Ret.BUSY),
        (ZeroDivisionError("secret inside"), Ret.ERROR),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
async def test_what_a_handler_raises_is_told_in_the_standards_words_and_not_remembered(
    door: Door, problem: Exception, ret: Ret
) -> None:
    door.problem = problem
    body = door.partner.sealed(STOP)
    refused = door.opened(await door.send(body))
    assert refused.ret == ret
    assert "secret" not in refused.msg
    door.problem = None
    assert door.opened(await door.send(body)).ret == Ret.OK


async def test_a_fault_is_on_the_log_by_its_name_and_place_and_with_nothing_of_the_message(door: Door) -> None:
    lines, said = LogLines(), {**STOP, "PlateNo": "粤B12345"}
    door.problem = ValueError(f"[SQL: INSERT] [parameters: {said}, {door.partner.keys.sig_secret}]")
    root = logging.getLogger()
    root.addHandler(lines)
    try:
        answer = await door.send(door.partner.sealed(said))
    finally:
        root.removeHandler(lines)
    assert door.opened(answer).ret == Ret.ERROR
    (line,) = [line for line in lines.lines if "unhandled" in line]
    assert (msgspec.json.decode(line)["error"], msgspec.json.decode(line)["operation"]) == (
        "ValueError",
        "notification_stop_charge_result",
    )
    for hidden in ("粤B12345", door.partner.keys.sig_secret, door.partner.token, SEQ):
        assert hidden not in "".join(lines.lines) + answer.decode()


async def test_a_handler_sees_who_calls_and_the_proof_of_it(world: World, door: Door) -> None:
    body = door.partner.sealed(STOP)
    await door.send(body)
    (context,) = door.seen
    assert (context.party_id, context.roles, context.operator_id) == (HOST, frozenset({"host"}), "MA5HUB000")
    assert msgspec.json.decode(context.plain) == STOP
    proof = context.evidence()
    assert world.hub.seal.open(proof.body or b"") == body
    assert (proof.key_id, proof.signature) == ("o1", msgspec.json.decode(body)["Sig"])


async def test_one_slow_partner_is_bounded_and_holds_up_nobody(world: World, door: Door) -> None:
    slow = await world.partner(profile_text("MA5TCEC09", rest="[limits]\nconcurrent = 2"))
    inside, may_go = asyncio.Semaphore(0), asyncio.Event()

    async def wait(context: Context, message: Any) -> Any:
        if context.party_id == slow.party_id:
            inside.release()
            await may_go.wait()
        return await door.handle(context, message)

    tools = tcec102_tools(world.hub, world.hub.tcec102)
    door.server = TcecServer(tools, {"notification_stop_charge_result": wait})
    slow_door = Door(door.server, slow)
    held = [asyncio.create_task(slow_door.send(slow.sealed(STOP))) for _ in range(2)]
    for _ in held:
        await inside.acquire()
    assert slow_door.opened(await slow_door.send(slow.sealed(STOP))).ret == Ret.BUSY
    assert door.opened(await door.send(door.partner.sealed(STOP))).ret == Ret.OK
    may_go.set()
    assert {slow_door.opened(await task).ret for task in held} == {Ret.OK}


async def test_keys_rotate_under_running_traffic_without_a_refused_message(world: World, door: Door) -> None:
    """The new set is written beside the old one, the partner moves over, and the old one ends."""
    partner, new = door.partner, keys_named("ours", "o2")
    in_use, rets, stop, answered = [partner.keys], [], asyncio.Event(), asyncio.Semaphore(0)

    async def traffic() -> None:
        while not stop.is_set():
            for keys in tuple(in_use):
                answer = await door.send(partner.sealed(STOP, keys=keys))
                rets.append(open_answer(answer, [keys], partner.profile).ret)
                answered.release()

    async def answers(count: int) -> None:
        for _ in range(count):
            await answered.acquire()

    running = [asyncio.create_task(traffic()) for _ in range(3)]
    rest = "[limits]\nrate_per_s = 1000"
    await answers(6)
    await world.hub.tcec102.profiles.replace(HOST, profile_text(rest=rest, ours=("o1", "o2")), "test")
    in_use.append(new)
    await answers(12)
    in_use.remove(partner.keys)
    await answers(6)
    await world.hub.tcec102.profiles.replace(HOST, profile_text(rest=rest, ours=("o2",)), "test")
    await answers(6)
    stop.set()
    await asyncio.gather(*running)
    assert set(rets) == {Ret.OK}
    refused = await door.send(partner.sealed(STOP))
    assert open_answer(refused, [new], partner.profile).ret == Ret.SIGNATURE


async def test_key_sets_begin_and_end_by_themselves(world: World) -> None:
    now = world.hub.clock.wall()
    past, future = (now - timedelta(hours=1)).isoformat(), (now + timedelta(hours=1)).isoformat()
    tables = secret_table("ours", "over", until=past) + secret_table("ours", "next", since=future)
    tables += secret_table("ours", "new", since=past) + secret_table("theirs", "new", since=past)
    partner = await world.hub.tcec102.profiles.add(profile_text(tables=tables), "test")
    stored = await world.hub.tcec102.profiles.of(partner.party_id)
    assert [one.id for one in stored.ours(now)] == ["new", "o1"]
    assert stored.theirs(now)[0].id == "new"
    assert "over" not in {one.id for one in active_keys(stored.secrets.ours, now)}


async def test_secrets_are_sealed_at_rest_and_in_no_text_form(world: World) -> None:
    text = profile_text()
    await world.hub.tcec102.profiles.add(text, "test")
    profile, secrets = read_profile(text)
    stored = await world.hub.tcec102.profiles.of(HOST)
    assert stored.profile == profile
    assert stored.secrets == secrets
    async with world.hub.database.reading() as unit:
        (row,) = await profile_rows(unit, [HOST])
    shown = f"{row!r} {stored!r} {row.profile}".encode() + row.secrets
    for hidden in msgspec.structs.asdict(secrets.ours[0].keys).values():
        assert str(hidden).encode() not in shown or hidden is False
