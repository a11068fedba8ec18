"""DL/T 645-2007 byte for byte: worked frames, and published ones from a real log."""

from datetime import UTC, datetime

import pytest

from edge_agent.codecs.dlt645 import Fault, Frame, FrameError, MessageError, decode_frame, encode_frame
from edge_agent.codecs.dlt645_items import STANDARD_ITEMS, MeterValue, decode_value, encode_value
from edge_agent.codecs.dlt645_messages import (
    ANY_METER,
    AddressIs,
    Data,
    Message,
    NextData,
    Read,
    ReadAddress,
    ReadNext,
    Refusal,
    SetTime,
    answers,
    parse,
    to_frame,
)

METER = "202506180042"
TO = "FE FE FE FE 68 42 00 18 06 25 20 68 "


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


def read(name: str) -> Read:
    return Read(METER, STANDARD_ITEMS[name].identifier)


def data(name: str, *numbers: int) -> Data:
    item = STANDARD_ITEMS[name]
    return Data(METER, item.identifier, encode_value(MeterValue(item, numbers)))


BLOCK = (123_456_780, 10_000_000, 30_000_500, 50_000_000, 33_456_280)
WORKED: dict[str, tuple[str, Message]] = {
    "read address": ("FE FE FE FE 68 AA AA AA AA AA AA 68 13 00 DF 16", ReadAddress(ANY_METER)),
    "address": (TO + "93 06 75 33 4B 39 58 53 E5 16", AddressIs(METER)),
    "read total": (TO + "11 04 33 33 34 33 57 16", read("forward_total")),
    "123456.78 kWh": (TO + "91 08 33 33 34 33 AB 89 67 45 BB 16", data("forward_total", 123_456_780)),
    "read block": (TO + "11 04 33 32 34 33 56 16", read("forward_block")),
    "total and four tariffs": (
        TO + "91 18 33 32 34 33 AB 89 67 45 33 33 33 34 83 33 33 36 33 33 33 38 5B 89 67 36 08 16",
        data("forward_block", *BLOCK),
    ),
    "read voltage": (TO + "11 04 33 34 34 35 5A 16", read("voltage_a")),
    "220.5 V": (TO + "91 06 33 34 34 35 38 55 69 16", data("voltage_a", 220_500)),
    "read current": (TO + "11 04 33 34 35 35 5B 16", read("current_a")),
    "32.105 A": (TO + "91 07 33 34 35 35 38 54 36 A0 16", data("current_a", 32_105)),
    "-32.105 A": (TO + "91 07 33 34 35 35 38 54 B6 20 16", data("current_a", -32_105)),
    "read power": (TO + "11 04 33 33 36 35 5B 16", read("power_total")),
    "7.1234 kW": (TO + "91 07 33 33 36 35 67 45 3A C4 16", data("power_total", 7_123_400)),
    "no such data": (TO + "D1 01 35 7C 16", Refusal(METER, 0x11, 0x02)),
    "broadcast time": (
        "FE FE FE FE 68 99 99 99 99 99 99 68 08 06 48 63 3C 4B 39 58 37 16",
        SetTime(datetime(2025, 6, 18, 9, 30, 15, tzinfo=UTC)),
    ),
}


@pytest.mark.parametrize(("wire", "message"), WORKED.values(), ids=WORKED.keys())
def test_a_worked_frame_is_written_as_worked(wire: str, message: Message) -> None:
    assert encode_frame(to_frame(message), wake=4) == hexed(wire)


@pytest.mark.parametrize(("wire", "message"), WORKED.values(), ids=WORKED.keys())
def test_a_worked_frame_is_read_as_worked(wire: str, message: Message) -> None:
    assert parse(decode_frame(hexed(wire))) == message


@pytest.mark.parametrize(
    ("wire", "name", "number"),
    [
        ("68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16", "forward_total", 260),
        ("68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16", "voltage_a", 100_100),
    ],
)
def test_a_published_frame_reads_as_published(wire: str, name: str, number: int) -> None:
    message = parse(decode_frame(hexed(wire)))
    assert isinstance(message, Data)
    item = STANDARD_ITEMS[name]
    assert (message.address, message.identifier) == ("000000000161", item.identifier)
    assert decode_value(item, message.payload).number == number


def test_a_refusal_names_its_reasons() -> None:
    assert Refusal(METER, 0x11, 0x02).reasons == ("no_such_data",)
    assert Refusal(METER, 0x14, 0x45).reasons == ("other", "not_permitted", "too_many_tariffs")


GOOD = hexed(WORKED["220.5 V"][0])[4:]


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", Fault.NO_START),
        (b"\xfe\xfe", Fault.NO_START),
        (b"\x00" + GOOD, Fault.NO_START),
        (GOOD[:7] + b"\x69" + GOOD[8:], Fault.NO_SECOND_START),
        (GOOD[:9] + b"\xc9" + GOOD[10:], Fault.OVERSIZED),
        (GOOD[:-2] + bytes([GOOD[-2] ^ 1]) + GOOD[-1:], Fault.BAD_CHECKSUM),
        (GOOD[:-1] + b"\x17", Fault.NO_END),
        (GOOD[:-1], Fault.TRUNCATED),
        (GOOD[:5], Fault.TRUNCATED),
        (GOOD + b"\x00", Fault.SURPLUS),
    ],
)
def test_what_is_not_a_frame_says_why(raw: bytes, fault: Fault) -> None:
    with pytest.raises(FrameError) as refused:
        decode_frame(raw)
    assert refused.value.fault is fault


@pytest.mark.parametrize(
    ("address", "control", "size"),
    [("12345", 0x11, 0), ("20250618004b", 0x11, 0), (METER, 256, 0), (METER, -1, 0), (METER, 0x91, 201)],
)
def test_what_cannot_travel_is_no_frame(address: str, control: int, size: int) -> None:
    with pytest.raises(FrameError) as refused:
        Frame(address, control, bytes(size))
    assert refused.value.fault is Fault.BAD_FIELD


@pytest.mark.parametrize(
    ("control", "data"),
    [
        (0x11, "00 00 01"),  # three bytes of an identifier
        (0x11, "00 00 01 00 00"),
        (0x12, "00 00 01 00"),  # no sequence
        (0x13, "00"),
        (0x91, "00 00 01"),
        (0x93, "42 00 18 06 25"),
        (0x93, "42 00 18 06 25 AA"),  # not digits
        (0x08, "15 30 09 18 13 25"),  # the thirteenth month
        (0x08, "15 30 09 18 0A 25"),
        (0xD1, ""),
        (0xD1, "02 00"),
        (0x14, "00"),  # writing is for the meter's owner
        (0xF1, "02"),
    ],
)
def test_a_whole_frame_that_says_nothing_known_is_refused(control: int, data: str) -> None:
    with pytest.raises(MessageError):
        parse(Frame(METER, control, hexed(data)))


def test_an_answer_belongs_to_its_question_only() -> None:
    question, answer = read("voltage_a"), data("voltage_a", 220_500)
    assert answers(question, answer)
    assert answers(question, Refusal(METER, 0x11, 2))
    assert not answers(question, data("current_a", 1))
    assert not answers(question, Data("000000000161", answer.identifier, answer.payload))
    assert not answers(question, Refusal(METER, 0x12, 2))
    assert not answers(question, Refusal("000000000161", 0x11, 2))
    assert not answers(question, question)
    assert not answers(question, AddressIs(METER))
    assert answers(ReadAddress(), AddressIs(METER))
    assert answers(Read("AAAAAAAAAA42", answer.identifier), answer)
    assert not answers(Read("AAAAAAAAAA43", answer.identifier), answer)


def test_a_following_piece_belongs_to_its_number() -> None:
    question = ReadNext(METER, "0001FF00", 2)
    assert answers(question, NextData(METER, "0001FF00", b"", 2))
    assert answers(question, Refusal(METER, 0x12, 2))
    assert not answers(question, NextData(METER, "0001FF00", b"", 1))
    assert not answers(question, NextData(METER, "00010000", b"", 2))
    assert not answers(question, Data(METER, "0001FF00", b""))
