"""A simulated DL/T 645-2007 meter: from questions to answers, without a line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from edge_agent.codecs.dlt645 import ItemError, address_matches
from edge_agent.codecs.dlt645_items import STANDARD_ITEMS, Item, MeterValue, encode_value
from edge_agent.codecs.dlt645_messages import (
    READ,
    READ_NEXT,
    AddressIs,
    Answer,
    Data,
    Message,
    NextData,
    Read,
    ReadAddress,
    ReadNext,
    Refusal,
    SetTime,
)

WMS_PER_WH = 3_600_000
NO_SUCH_DATA = 0x02
PIECE_BYTES = 192
"""The longest payload in one frame; longer ones are fetched with ReadNext."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterValues:
    """total_wms: watt-milliseconds delivered so far, 3 600 000 a Wh; the rest is what flows now."""

    total_wms: int
    power_w: int = 0
    voltage_mv: int = 0
    current_ma: int = 0


class SimulatedMeter:
    """Answers from `values`, which is called for each question.

    Items are found by name in the same table the agent uses, so a DC meter is one with another table.
    `shown_at` is the last broadcast time.
    """

    def __init__(
        self,
        *,
        address: str,
        values: Callable[[], MeterValues],
        items: Mapping[str, Item] = STANDARD_ITEMS,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        self.address = address
        self.shown_at: datetime | None = None
        self._values = values
        self._items = {item.identifier: item for item in items.values()}
        self._piece_bytes = piece_bytes

    def answer(self, message: Message, *, offset_wh: int = 0) -> Answer | None:
        """What this meter says to it, None when it says nothing; offset_wh falsifies the total."""
        match message:
            case SetTime(at=at):
                self.shown_at = at
            case ReadAddress(address=asked) if address_matches(asked, self.address):
                return AddressIs(self.address)
            case Read(address=asked, identifier=identifier) if address_matches(asked, self.address):
                pieces = self._pieces(identifier, offset_wh)
                if not pieces:
                    return Refusal(self.address, READ, NO_SUCH_DATA)
                return Data(self.address, identifier, pieces[0], more=len(pieces) > 1)
            case ReadNext(address=asked) if address_matches(asked, self.address):
                return self._next(message, offset_wh)
        return None

    def _next(self, message: ReadNext, offset_wh: int) -> Answer:
        pieces = self._pieces(message.identifier, offset_wh)
        at = message.sequence
        if not 0 < at < len(pieces):
            return Refusal(self.address, READ_NEXT, NO_SUCH_DATA)
        return NextData(self.address, message.identifier, pieces[at], at, more=at + 1 < len(pieces))

    def _pieces(self, identifier: str, offset_wh: int) -> list[bytes]:
        item = self._items.get(identifier)
        numbers = self._numbers(item, offset_wh) if item else ()
        if item is None or not numbers:
            return []
        try:
            payload = encode_value(MeterValue(item, tuple(item.cut(number) for number in numbers)))
        except ItemError:  # more than this meter's register can show
            return []
        return [payload[at : at + self._piece_bytes] for at in range(0, len(payload), self._piece_bytes)]

    def _numbers(self, item: Item, offset_wh: int) -> tuple[int, ...]:
        now = self._values()
        total_wh = max(0, now.total_wms // WMS_PER_WH + offset_wh)
        power_mw = now.power_w * 1000
        known: dict[str, tuple[int, ...]] = {
            "combined_total": (total_wh,),
            "forward_total": (total_wh,),
            "forward_flat": (total_wh,),
            "forward_block": (total_wh, 0, 0, total_wh, 0),
            "reverse_total": (0,),
            "voltage_a": (now.voltage_mv,),
            "voltage_block": (now.voltage_mv,),
            "current_a": (now.current_ma,),
            "current_block": (now.current_ma,),
            "power_total": (power_mw,),
            "power_a": (power_mw,),
            "power_block": (power_mw, power_mw),
            "meter_address": (int(self.address),),
        }
        return known.get(item.name, ())
