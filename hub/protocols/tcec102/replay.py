"""What comes again, byte for byte: stored answers of business interfaces, and states of connectors.

With the standard's fixed IV, and with platforms that always send Seq 0001, an honest retry is identical to a
replay (T/CEC 102.4 says nothing of either), so both get the same answer and change nothing. Only final answers
are kept (`is_final`): a profile may switch the time window off, and then a no of today would hide the yes of
tomorrow for a week. What is judged anew is protected by its own numbers. The path is not under the signature:
an envelope whose answer is kept is refused at any other interface.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.group_writer import GroupWriter
from hub.core.memory import Memory
from hub.protocols.tcec102.stamps import read_stamp
from hub.protocols.tcec102.tables import store_answer, stored_answer
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.wire import Envelope, Ret, WireProblem

BUSINESS = frozenset(
    {
        "query_start_charge",
        "query_stop_charge",
        "notification_start_charge_result",
        "notification_stop_charge_result",
        "notification_charge_order_info",
        "check_charge_orders",
    }
)
"""What changes something and has no order of its own. Progress is put in order by its times, a state is of when
it came (`ToldStates`), and what only reads may be read again."""

TOLD_FOR = timedelta(days=1)
"""The longest time window that a profile may have."""

NEAR = timedelta(minutes=5)
"""How far from our clock a TimeStamp may be that proves when its envelope was made."""


class StoredAnswers:
    """Answers that may be asked for again."""

    def __init__(self, database: Database, clock: Clock, writer: GroupWriter) -> None:
        self._database, self._clock, self._writer = database, clock, writer

    async def find(self, party_id: str, interface: str, digest: bytes) -> bytes | None:
        """The answer this envelope got.

        Raises:
            WireProblem: 4004, it was answered at another interface.
        """
        async with self._database.reading(once=True) as unit:
            row = await stored_answer(unit, party_id, digest)
        if row is None:
            return None
        if row.interface != interface:
            raise WireProblem(Ret.BUSINESS, "Data belongs to another interface", "other_interface")
        answer: bytes = row.answer
        return answer

    async def keep(self, party_id: str, interface: str, digest: bytes, answer: bytes) -> None:
        """Keep an answer for a week; of two the first."""
        facts = {"party_id": party_id, "digest": digest, "interface": interface, "answer": answer}

        async def write(unit: Unit) -> None:
            await store_answer(unit, **facts, stored_at=self._clock.wall())

        await self._writer.write(write)


@dataclass(slots=True)
class _Told:
    """Of one partner: the envelopes that were taken, and the TimeStamp and Seq of each connector's last one."""

    taken: Memory[bytes, bool] = field(default_factory=lambda: Memory(TOLD_FOR))
    last: Memory[str, tuple[str, str]] = field(default_factory=lambda: Memory(TOLD_FOR))


class ToldStates:
    """Which envelopes told of states, so that one that comes again does not set its connector back.

    It is over once its connector was told of by a later one, whose TimeStamp is right. A constant or wrong one
    proves nothing: such a partner says the same in the same bytes at any time, and is believed. This process
    only knows what came to it, and of each partner the last ten thousand envelopes of a day.
    """

    def __init__(self) -> None:
        self._of: dict[str, _Told] = {}

    def is_over(self, party_id: str, connector_id: str, envelope: Envelope, now: datetime) -> bool:
        """Whether this envelope was taken before, and another of its connector since; `now` is wall time."""
        told = self._of.get(party_id)
        last = told.last.get(connector_id, now) if told is not None else None
        if told is None or last is None or last == _number(envelope):
            return False
        return told.taken.get(envelope.digest, now) is not None

    def took(self, profile: Profile, connector_id: str, envelope: Envelope, now: datetime) -> None:
        """Remember an envelope that was taken; `now` is wall time."""
        told = self._of.setdefault(profile.operator_id, _Told())
        told.taken.put(envelope.digest, True, now)
        if _is_near(envelope, profile, now):
            told.last.put(connector_id, _number(envelope), now)
        else:
            told.last.forget(connector_id)


def _number(envelope: Envelope) -> tuple[str, str]:
    return envelope.time_stamp, envelope.seq


def _is_near(envelope: Envelope, profile: Profile, now: datetime) -> bool:
    try:
        at = read_stamp(envelope.time_stamp, profile)
    except ValueError:
        return False
    return abs(now - at) <= NEAR
