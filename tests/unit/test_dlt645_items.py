"""Values of a meter: BCD, signs, units, and a maker's own rows."""

import pytest

from edge_agent.codecs.dlt645 import ItemError
from edge_agent.codecs.dlt645_items import (
    STANDARD_ITEMS,
    Item,
    MeterValue,
    Unit,
    decode_value,
    encode_value,
    item_table,
)


def number(name: str, wire: str) -> int:
    return decode_value(STANDARD_ITEMS[name], bytes.fromhex(wire)).number


@pytest.mark.parametrize(
    ("name", "wire", "expected"),
    [
        ("forward_total", "99 99 99 99", 999_999_990),
        ("reverse_total", "01 00 00 00", 10),
        ("voltage_c", "99 99", 999_900),
        ("current_b", "99 99 79", 799_999),
        ("current_b", "99 99 F9", -799_999),
        ("current_b", "00 00 80", 0),
        ("power_a", "01 00 00", 100),
        ("power_c", "99 99 F9", -79_999_900),
        ("power_factor", "85 09", 985),
        ("power_factor", "85 89", -985),
        ("frequency", "98 49", 49_980),
    ],
)
def test_a_value_is_a_whole_number_of_its_unit(name: str, wire: str, expected: int) -> None:
    assert number(name, wire) == expected


def test_dates_times_and_addresses_keep_their_leading_zeros() -> None:
    clock = decode_value(STANDARD_ITEMS["meter_clock"], bytes.fromhex("05 30 09"))
    assert clock.digits == "093005"
    assert decode_value(STANDARD_ITEMS["meter_date"], bytes.fromhex("03 18 06 25")).digits == "25061803"
    assert (
        decode_value(STANDARD_ITEMS["meter_address"], bytes.fromhex("61 01 00 00 00 00")).digits
        == "000000000161"
    )


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("forward_total", ""),
        ("forward_total", "01 00 00"),
        ("forward_total", "01 00 00 00 02 00 00 00"),
        ("forward_total", "0A 00 00 00"),
        ("forward_total", "00 00 00 80"[:9] + "A0"),
        ("forward_total", "FF FF FF FF"),
        ("forward_block", "01 00 00 00 02"),
        ("current_a", "00 00 FA"),
    ],
)
def test_what_is_no_value_of_the_item_is_refused(name: str, wire: str) -> None:
    with pytest.raises(ItemError):
        number(name, wire)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("forward_total", (1_000_000_000,)),  # a digit too many
        ("forward_total", (15,)),  # finer than 0.01 kWh
        ("forward_total", (-10,)),  # no sign
        ("forward_total", ()),
        ("forward_total", (10, 20)),
        ("current_a", (800_000,)),  # the sign takes a bit of the top digit
        ("current_a", (-800_000,)),
        ("voltage_a", (1_000_000,)),
    ],
)
def test_what_the_wire_cannot_say_is_refused(name: str, numbers: tuple[int, ...]) -> None:
    with pytest.raises(ItemError):
        encode_value(MeterValue(STANDARD_ITEMS[name], numbers))


def test_cutting_goes_towards_zero() -> None:
    assert STANDARD_ITEMS["forward_total"].cut(123_459) == 123_450
    assert STANDARD_ITEMS["power_total"].cut(-123_499) == -123_400
    assert STANDARD_ITEMS["current_a"].cut(-7) == -7


FINE = Item(name="forward_total", identifier="00900100", unit=Unit.ENERGY_WH, octets=5, decimals=4)


def test_a_makers_rows_join_the_table_and_take_the_place_of_the_standards() -> None:
    dc_voltage = Item(name="dc_voltage", identifier="02A10100", unit=Unit.VOLTAGE_MV, octets=3, decimals=2)
    table = item_table([FINE, dc_voltage])
    assert table["forward_total"] is FINE
    assert table["dc_voltage"] is dc_voltage
    assert table["voltage_a"] is STANDARD_ITEMS["voltage_a"]


def test_a_total_finer_than_the_unit_is_rounded_and_never_falls_by_it() -> None:
    assert FINE.resolution == 1
    assert decode_value(FINE, bytes.fromhex("78 56 34 12 00")).number == 1_234_568
    assert [decode_value(FINE, bytes([step, 0, 0, 0, 0])).number for step in (4, 5, 9, 0x14, 0x15)] == [
        0,
        1,
        1,
        1,
        2,
    ]
    assert encode_value(MeterValue(FINE, (1_234_568,))) == bytes.fromhex("80 56 34 12 00")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Total"},
        {"name": ""},
        {"identifier": "0001000"},
        {"identifier": "0001000g"},
        {"octets": 0},
        {"octets": 9},
        {"decimals": 9},
        {"decimals": -1},
    ],
)
def test_a_row_that_contradicts_itself_is_refused(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {"name": "x", "identifier": "00010000", "unit": Unit.ENERGY_WH, "octets": 4}
    with pytest.raises(ItemError):
        Item(**{**right, **wrong})  # type: ignore[arg-type]  # wrong on purpose


def test_the_table_has_each_name_and_identifier_once() -> None:
    assert all(name == item.name for name, item in STANDARD_ITEMS.items())
    identifiers = [item.identifier for item in STANDARD_ITEMS.values()]
    assert len(identifiers) == len(set(identifiers))
