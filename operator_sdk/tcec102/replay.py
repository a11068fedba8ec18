"""Answers kept for envelopes that come again, byte for byte.

The fixed IV and a Seq that stays at 0001 make an honest retry identical to a replay, so it gets the answer that
was given and the work is not done twice; what may still become another answer is judged anew. Sig does not
cover the path: an envelope whose answer is kept is refused at every other interface. In memory and bounded by
number and by bytes; what an operator must know for longer it knows by the business numbers (StartChargeSeq,
EquipAuthSeq, CheckOrderSeq).
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

ANSWERS_MAX = 20_000
BYTES_MAX = 32_000_000

BUSINESS = frozenset(
    {
        "query_equip_auth",
        "query_start_charge",
        "query_stop_charge",
        "notification_start_charge_result",
        "notification_stop_charge_result",
        "notification_charge_order_info",
        "check_charge_orders",
    }
)
"""The interfaces whose final answers are kept. The others only read, or have an order of their own."""


@dataclass(slots=True)
class _Seen:
    interface: str
    answer: "asyncio.Future[bytes | None]"
    size: int = 0


class Replays:
    """Which envelopes came, where, and what they were answered."""

    def __init__(self, *, most: int = ANSWERS_MAX, most_bytes: int = BYTES_MAX) -> None:
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        self._most, self._most_bytes, self._bytes = most, most_bytes, 0

    def __len__(self) -> int:
        return len(self._seen)

    def interface_of(self, digest: bytes) -> str | None:
        """Where this envelope came before; None for a new one."""
        seen = self._seen.get(digest)
        return seen.interface if seen else None

    async def stored(self, digest: bytes) -> bytes | None:
        """The answer that this envelope got; waits for one that is being worked on. None: begin the work."""
        while (seen := self._seen.get(digest)) is not None:
            answer = await asyncio.shield(seen.answer)
            if answer is not None:
                return answer
        return None

    def begin(self, digest: bytes, interface: str) -> None:
        """This envelope is being worked on."""
        self._drop(digest)
        self._seen[digest] = _Seen(interface, asyncio.get_running_loop().create_future())

    def finish(self, digest: bytes, answer: bytes | None) -> None:
        """What it was answered; None for what is not decided and may be asked again."""
        seen = self._seen.get(digest)
        if seen is None or seen.answer.done():
            return
        if answer is None:
            self._drop(digest)
            return
        seen.answer.set_result(answer)
        seen.size = len(answer)
        self._bytes += seen.size
        while len(self._seen) > self._most or self._bytes > self._most_bytes:
            self._drop(next(iter(self._seen)))

    def _drop(self, digest: bytes) -> None:
        seen = self._seen.pop(digest, None)
        if seen is None:
            return
        self._bytes -= seen.size
        if not seen.answer.done():
            seen.answer.set_result(None)
