"""Meters of DL/T 645-2007 on one serial line, for the agent's event loop.

Errors: `MeterError` and its tree in `meter_errors`.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TypeVar

from edge_agent.codecs.dlt645 import ItemError
from edge_agent.codecs.dlt645_items import STANDARD_ITEMS, Item, MeterValue, decode_value
from edge_agent.codecs.dlt645_messages import (
    AddressIs,
    Answer,
    Data,
    NextData,
    Question,
    Read,
    ReadAddress,
    ReadNext,
    Refusal,
    SetTime,
)
from edge_agent.drivers.meter_errors import MeterGone, MeterRefused, MeterUnreadable
from edge_agent.drivers.meter_port import LineSettings, SerialLine
from edge_agent.drivers.meter_reading import MeterReading

MAX_PIECES = 20
"""Following frames of one item; the longest items of the standard need a few."""

Result = TypeVar("Result")


class MeterLine:
    """One serial line and the meters on it.

    Settings are those of `LineSettings`. One thread of the line's own asks one question at a time; callers
    queue. At 2400 baud a silent meter costs attempts x (answer_ms + 0.2 s), a line that is never still at most
    attempts x (answer_ms + gap_ms + 2.3 s). A call that is cancelled leaves the thread to finish its question.
    Use `await close()` at the end.

    Raises:
        ValueError: a setting that no line has.
    """

    def __init__(
        self,
        *,
        port: str,
        baud: int = 2400,
        parity: str = "E",
        stop_bits: int = 1,
        answer_ms: int = 800,
        gap_ms: int = 500,
        attempts: int = 3,
        reopen_ms: int = 1000,
        items: Mapping[str, Item] = STANDARD_ITEMS,
    ) -> None:
        self.settings = LineSettings(
            port=port,
            baud=baud,
            parity=parity,
            stop_bits=stop_bits,
            answer_ms=answer_ms,
            gap_ms=gap_ms,
            attempts=attempts,
            reopen_ms=reopen_ms,
        )
        self.items = items
        self._line = SerialLine(self.settings)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"meters on {port}")
        self._closed = False

    @property
    def frames(self) -> int:
        """Frames sent and received on this line."""
        return self._line.frames

    async def find_address(self) -> str:
        """The address of the only meter on the line, 12 digits.

        Raises:
            MeterLost: nobody answered, or several at once and so none of them legibly.
            MeterRefused: the meter will not say.
        """
        return await self._run(partial(_find_address, self._line))

    async def read_total(self, address: str, item: str = "forward_total") -> MeterReading:
        """The cumulative energy; `item` names another row of the table for meters with their own.

        Raises:
            MeterError: MeterLost, MeterRefused or MeterUnreadable.
            KeyError: no such item.
            Dlt645Error: not an address.
        """
        value = await self.read(address, item)
        return MeterReading(address=address, total_wh=value.number, resolution_wh=value.item.resolution)

    async def read(self, address: str, item: str) -> MeterValue:
        """One item of the table, in the item's unit.

        Raises:
            MeterError: MeterLost, MeterRefused or MeterUnreadable.
            KeyError: no such item.
            Dlt645Error: not an address.
        """
        return await self._run(partial(_read, self._line, address, self.items[item]))

    async def set_time(self, at: datetime) -> None:
        """Tells every meter on the line the time that `at` shows (station time); nobody answers.

        Raises:
            MeterGone: the port is not there.
            Dlt645Error: a year outside 2000..2099.
        """
        await self._run(partial(self._line.tell, SetTime(at)))

    async def close(self) -> None:
        """Ends the question under way with MeterGone, closes the port and lets the thread go."""
        if not self._closed:
            self._closed = True
            self._line.stop()
            await asyncio.get_running_loop().run_in_executor(self._thread, self._line.close)
            self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._closed:
            raise MeterGone(f"{self.settings.port} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _find_address(line: SerialLine) -> str:
    match _ask(line, ReadAddress()):
        case AddressIs(address=address):
            return address
        case other:
            raise MeterUnreadable(f"{other} for an address")


def _read(line: SerialLine, address: str, item: Item) -> MeterValue:
    answer = _ask(line, Read(address, item.identifier))
    payload = b""
    sequence = 0
    while isinstance(answer, Data | NextData):
        payload += answer.payload
        if not answer.more:
            break
        sequence += 1
        if sequence > MAX_PIECES:
            raise MeterUnreadable(f"meter {address}: {item.name} never ends")
        answer = _ask(line, ReadNext(address, item.identifier, sequence))
    try:
        return decode_value(item, payload)
    except ItemError as wrong:
        raise MeterUnreadable(f"meter {address}: {wrong}") from wrong


def _ask(line: SerialLine, question: Question) -> Answer:
    answer = line.ask(question)
    if isinstance(answer, Refusal):
        raise MeterRefused(answer)
    return answer
