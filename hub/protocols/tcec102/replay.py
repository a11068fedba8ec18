"""Stored answers: a byte-identical envelope of a business interface gets the answer it got before.

With the standard's fixed IV, and with platforms that always send Seq 0001, an honest retry is identical to a
replay (T/CEC 102.4 says nothing of either), so both get the same answer and change nothing. The path is not
under the signature: an envelope that was answered at one interface is refused at any other.
"""

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.group_writer import GroupWriter
from hub.protocols.tcec102.tables import store_answer, stored_answer
from operator_sdk.contract.tcec102.wire import Ret, WireProblem

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
"""What changes something and has no order of its own. Status and progress are put in order by their times; what
only reads may be read again."""


class StoredAnswers:
    """Answers that may be asked for again."""

    def __init__(self, database: Database, clock: Clock, writer: GroupWriter) -> None:
        self._database, self._clock, self._writer = database, clock, writer

    async def find(self, party_id: str, interface: str, digest: bytes) -> bytes | None:
        """The answer this envelope got.

        Raises:
            WireProblem: 4004, it was answered at another interface.
        """
        async with self._database.reading() as unit:
            row = await stored_answer(unit, party_id, digest)
        if row is None:
            return None
        if row.interface != interface:
            raise WireProblem(Ret.BUSINESS, "Data belongs to another interface", "other_interface")
        return row.answer

    async def keep(self, party_id: str, interface: str, digest: bytes, answer: bytes) -> None:
        """Keep an answer for a week; of two the first."""
        facts = {"party_id": party_id, "digest": digest, "interface": interface, "answer": answer}

        async def write(unit: Unit) -> None:
            await store_answer(unit, **facts, stored_at=self._clock.wall())

        await self._writer.write(write)
