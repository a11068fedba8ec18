"""What a DL/T 645-2007 meter can be asked for: data identifiers, and their values in whole numbers.

A value is one number, or in a block several of the same kind, each in packed BCD, low byte first; where an
item is signed, the top bit of the top byte means minus. The table is data: a maker's own identifiers (DC
meters have no common ones) are added from configuration with `item_table`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from edge_agent.codecs.dlt645 import ItemError

SIGN = 0x80
_IDENTIFIER = re.compile(r"[0-9A-F]{8}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Unit(StrEnum):
    """The unit of a value's whole numbers."""

    ENERGY_WH = "energy_wh"
    VOLTAGE_MV = "voltage_mv"
    CURRENT_MA = "current_ma"
    POWER_MW = "power_mw"  # milliwatt
    POWER_FACTOR_E3 = "power_factor_e3"
    FREQUENCY_E3 = "frequency_e3"  # 1/1000 Hz
    DIGITS = "digits"  # not a quantity: a date, a time, an address


# The wire counts in kWh, V, A, kW, 1, Hz: the unit is that times ten to this.
_EXPONENT = {
    Unit.ENERGY_WH: 3,
    Unit.VOLTAGE_MV: 3,
    Unit.CURRENT_MA: 3,
    Unit.POWER_MW: 6,
    Unit.POWER_FACTOR_E3: 3,
    Unit.FREQUENCY_E3: 3,
    Unit.DIGITS: 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A row of the table.

    identifier: DI3 DI2 DI1 DI0 in hexadecimal, as printed in the standard; octets: bytes of one number;
    decimals: digits behind the point on the wire, in kWh, V, A, kW, Hz.

    Raises:
        ItemError: the row contradicts itself.
    """

    name: str
    identifier: str
    unit: Unit
    octets: int
    decimals: int = 0
    signed: bool = False
    block: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ItemError(f"an item's name is lower_snake, not {self.name!r}")
        if not _IDENTIFIER.fullmatch(self.identifier):
            raise ItemError(f"{self.name}: an identifier is 8 hexadecimal digits, not {self.identifier!r}")
        if not 1 <= self.octets <= 8 or not 0 <= self.decimals <= 2 * self.octets:
            raise ItemError(f"{self.name}: {self.octets} octets cannot hold {self.decimals} decimals")

    @property
    def resolution(self) -> int:
        """The smallest step that shows in `unit`; 1 where the wire is finer than that."""
        return int(10 ** max(0, _EXPONENT[self.unit] - self.decimals))

    @property
    def finer(self) -> int:
        """How many steps of the wire make one of `unit`; 1 where the wire is coarser."""
        return int(10 ** max(0, self.decimals - _EXPONENT[self.unit]))

    def cut(self, amount: int) -> int:
        """`amount` cut towards zero to what the wire can say."""
        size = abs(amount) // self.resolution * self.resolution
        return -size if amount < 0 else size


@dataclass(frozen=True, slots=True)
class MeterValue:
    """numbers: in `item.unit`; one, unless the item is a block."""

    item: Item
    numbers: tuple[int, ...]

    @property
    def number(self) -> int:
        """The only number, or the first of a block."""
        return self.numbers[0]

    @property
    def digits(self) -> str:
        """The number with its leading zeros, for dates, times and addresses."""
        return f"{self.number:0{2 * self.item.octets}d}"


def decode_value(item: Item, payload: bytes) -> MeterValue:
    """What the bytes after the identifier say.

    A source finer than the unit is rounded, half away from zero.

    Raises:
        ItemError: not of the item's length, or a nibble above 9.
    """
    count, rest = divmod(len(payload), item.octets)
    if rest or not count or (count > 1 and not item.block):
        raise ItemError(f"{item.name}: {len(payload)} bytes")
    parts = (payload[at : at + item.octets] for at in range(0, len(payload), item.octets))
    return MeterValue(item, tuple(_decode_number(item, part) for part in parts))


def encode_value(value: MeterValue) -> bytes:
    """The bytes after the identifier.

    Raises:
        ItemError: no number, several where one belongs, one too large, or finer than the wire can say.
    """
    item = value.item
    if not value.numbers or (len(value.numbers) > 1 and not item.block):
        raise ItemError(f"{item.name}: {len(value.numbers)} numbers")
    return b"".join(_encode_number(item, number) for number in value.numbers)


def _decode_number(item: Item, part: bytes) -> int:
    negative = item.signed and bool(part[-1] & SIGN)
    top = part[-1] & ~SIGN if item.signed else part[-1]
    digits = bytes([*part[:-1], top])[::-1].hex()
    if not digits.isdecimal():
        raise ItemError(f"{item.name}: {part.hex(' ')} is not BCD")
    size = (int(digits) * item.resolution + item.finer // 2) // item.finer
    return -size if negative else size


def _encode_number(item: Item, number: int) -> bytes:
    steps, rest = divmod(abs(number) * item.finer, item.resolution)
    if rest:
        raise ItemError(f"{item.name}: {number} is finer than {item.resolution}")
    digits = f"{steps:0{2 * item.octets}d}"
    # The sign takes a bit of the top digit, which then ends at 7.
    too_long = len(digits) > 2 * item.octets or (item.signed and digits[0] > "7")
    if too_long or (number < 0 and not item.signed):
        raise ItemError(f"{item.name}: {number} does not fit")
    raw = bytearray(bytes.fromhex(digits)[::-1])
    if number < 0:
        raw[-1] |= SIGN
    return bytes(raw)


def _energy(name: str, identifier: str, *, block: bool = False) -> Item:
    return Item(name=name, identifier=identifier, unit=Unit.ENERGY_WH, octets=4, decimals=2, block=block)


def _voltage(name: str, identifier: str, *, block: bool = False) -> Item:
    return Item(name=name, identifier=identifier, unit=Unit.VOLTAGE_MV, octets=2, decimals=1, block=block)


def _current(name: str, identifier: str, *, block: bool = False) -> Item:
    unit = Unit.CURRENT_MA
    return Item(name=name, identifier=identifier, unit=unit, octets=3, decimals=3, signed=True, block=block)


def _power(name: str, identifier: str, *, block: bool = False) -> Item:
    unit = Unit.POWER_MW
    return Item(name=name, identifier=identifier, unit=unit, octets=3, decimals=4, signed=True, block=block)


def _digits(name: str, identifier: str, octets: int) -> Item:
    return Item(name=name, identifier=identifier, unit=Unit.DIGITS, octets=octets)


_STANDARD = (
    _energy("combined_total", "00000000"),
    _energy("forward_total", "00010000"),
    # Which hours are sharp, peak, flat and valley is in the meter's own tariff table.
    _energy("forward_sharp", "00010100"),
    _energy("forward_peak", "00010200"),
    _energy("forward_flat", "00010300"),
    _energy("forward_valley", "00010400"),
    _energy("forward_block", "0001FF00", block=True),
    _energy("reverse_total", "00020000"),
    _voltage("voltage_a", "02010100"),
    _voltage("voltage_b", "02010200"),
    _voltage("voltage_c", "02010300"),
    _voltage("voltage_block", "0201FF00", block=True),
    _current("current_a", "02020100"),
    _current("current_b", "02020200"),
    _current("current_c", "02020300"),
    _current("current_block", "0202FF00", block=True),
    _power("power_total", "02030000"),
    _power("power_a", "02030100"),
    _power("power_b", "02030200"),
    _power("power_c", "02030300"),
    _power("power_block", "0203FF00", block=True),
    # No factor is above 1, so the sign bit never meets a digit of the value.
    Item(
        name="power_factor",
        identifier="02060000",
        unit=Unit.POWER_FACTOR_E3,
        octets=2,
        decimals=3,
        signed=True,
    ),
    Item(name="frequency", identifier="02800002", unit=Unit.FREQUENCY_E3, octets=2, decimals=2),
    _digits("meter_date", "04000101", 4),  # YYMMDDWW, WW = 00 on Sunday
    _digits("meter_clock", "04000102", 3),  # hhmmss
    _digits("meter_address", "04000401", 6),
)

STANDARD_ITEMS: Mapping[str, Item] = MappingProxyType({item.name: item for item in _STANDARD})
"""The standard's table, by name."""


def item_table(own: Iterable[Item]) -> Mapping[str, Item]:
    """The standard's table with a maker's rows added; a row of a standard name takes its place."""
    return MappingProxyType({**STANDARD_ITEMS, **{item.name: item for item in own}})
