"""The pile bus codec: every value survives the bus, and nothing that a bus can carry is an accident."""

from dataclasses import astuple, fields
from typing import cast

import cantools
import pytest
from cantools.database.can import Database
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.codecs.pile_bus import AGENT, DBC, NODE_LAST, decode, encode
from edge_agent.codecs.pile_bus_card import CardReader, split_card
from edge_agent.codecs.pile_bus_messages import (
    Ability,
    BusProblem,
    Card,
    CardPart,
    Commanded,
    CommandResult,
    Faults,
    Limit,
    Lock,
    LockAction,
    Measure,
    Meter,
    PileFault,
    PileKind,
    PileState,
    ProblemKind,
    Report,
    Severity,
    Start,
    Status,
    Stop,
    StopCause,
    StopReason,
)

pytestmark = pytest.mark.property
NODES = st.integers(1, NODE_LAST)
POWERS = st.integers(0, 2_000_000)
LETTERS = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
STATUSES = st.builds(
    Status,
    NODES,
    st.sampled_from(PileState),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(0, 100),
    st.integers(0, 255),
    st.sampled_from(CommandResult),
    st.sampled_from(StopCause),
)
MEASURES = st.builds(
    Measure,
    NODES,
    st.integers(0, 20_000),
    st.integers(-10_000, 10_000),
    st.integers(-2_000_000, 2_000_000),
    st.none() | st.integers(-50, 120),
)
REPORTS = st.one_of(
    STATUSES,
    MEASURES,
    st.builds(Meter, NODES, st.integers(0, 10**12)),
    st.builds(Faults, NODES, st.frozensets(st.sampled_from(PileFault)), st.sampled_from(Severity)),
    st.builds(Ability, NODES, st.integers(1, 255), st.sampled_from(PileKind), POWERS, POWERS),
)
COMMANDS = st.one_of(
    st.builds(Start, st.none() | POWERS),
    st.builds(Stop, st.sampled_from(StopReason)),
    st.builds(Limit, st.none() | POWERS),
    st.builds(Lock, st.sampled_from(LockAction)),
)
MESSAGES = REPORTS | st.builds(Commanded, NODES, st.integers(1, 255), COMMANDS)
DATABASE = cast("Database", cantools.database.load_file(DBC))
IDS = [message.frame_id for message in DATABASE.messages]
LENGTHS = {message.frame_id: message.length for message in DATABASE.messages}


@given(MESSAGES)
def test_every_message_comes_back_from_the_bus_as_it_was(message: Report | Commanded) -> None:
    can_id, data = encode(message)
    assert 0 <= can_id < 1 << 29
    assert len(data) <= 8
    assert decode(can_id, data) == message


@st.composite
def frames(draw: st.DrawFn) -> tuple[int, bytes]:
    """Anything at all, and what nearly is a message."""
    if draw(st.booleans()):
        return draw(st.integers(-(1 << 40), 1 << 40)), draw(st.binary(max_size=70))
    base = draw(st.sampled_from(IDS))
    can_id = base | draw(st.integers(0, 255)) << draw(st.sampled_from([0, 8]))
    length = draw(st.just(LENGTHS[base]) | st.integers(0, 8))
    small = st.lists(st.integers(0, 8), min_size=length, max_size=length).map(bytes)
    return can_id, draw(small | st.binary(min_size=length, max_size=length))


@settings(max_examples=500)
@given(frames())
@example((0, b""))
@example((0x0CA0E001, bytes(6)))
def test_any_frame_is_one_message_or_a_problem(frame: tuple[int, bytes]) -> None:
    can_id, data = frame
    said = decode(can_id, data)
    if isinstance(said, BusProblem):
        assert (said.can_id, said.data) == frame
    else:
        assert encode(said) == frame
        assert not any(isinstance(value, float) for value in astuple(said))


@given(REPORTS)
def test_cantools_reads_the_same_in_volts_and_amperes(report: Report) -> None:
    can_id, data = encode(report)
    read = cast("dict[str, float]", DATABASE.decode_message(can_id & ~0xFF, data, decode_choices=False))
    match report:
        case Measure():
            assert round(read["voltage"] * 10) == report.voltage_dv
            assert round(read["current"] * 10) == report.current_da
            assert read["power"] == report.power_w
        case Status():
            assert read["soc"] == (255 if report.soc_percent is None else report.soc_percent)
        case Faults():
            assert {name for name, bit in read.items() if name != "severity" and bit} == report.active


@given(STATUSES, st.integers(0, 47))
def test_a_status_with_one_bit_turned_is_another_status_or_a_problem(status: Status, bit: int) -> None:
    can_id, data = encode(status)
    turned = (int.from_bytes(data, "little") ^ 1 << bit).to_bytes(len(data), "little")
    assert decode(can_id, turned) != status


@given(st.text(LETTERS, min_size=1, max_size=16), NODES, st.integers(0, 40), st.data())
def test_a_card_is_whole_whatever_order_its_parts_come_in(
    number: str, node: int, tap: int, data: st.DataObject
) -> None:
    parts = data.draw(st.permutations(split_card(node, tap, number)))
    reader = CardReader()
    cards = []
    for part in parts:
        heard = decode(*encode(part))
        assert heard == part
        assert isinstance(heard, CardPart)
        cards.append(reader.take(heard))
    assert cards == [*[None] * (len(parts) - 1), Card(node, number)]


@given(st.text(LETTERS, min_size=8, max_size=16), st.text(LETTERS, min_size=8, max_size=16))
def test_a_card_cut_short_does_not_run_into_the_next(first: str, second: str) -> None:
    reader = CardReader()
    assert reader.take(split_card(1, 3, first)[0]) is None
    heard = [reader.take(part) for part in reversed(split_card(1, 4, second))]
    assert heard == [*[None] * (len(heard) - 1), Card(1, second)]


WRONG = [
    (0x1FFFFFFF, b"", ProblemKind.UNKNOWN_ID),
    (0x0CA0E001 | 1 << 29, bytes(6), ProblemKind.UNKNOWN_ID),
    (0x0CA1E001, bytes(6), ProblemKind.UNKNOWN_ID),
    (0x0CA0E000, bytes(6), ProblemKind.WRONG_NODE),
    (0x0CA0E000 | AGENT, bytes(6), ProblemKind.WRONG_NODE),
    (0x0CA0E001, bytes(5), ProblemKind.WRONG_LENGTH),
    (0x0CA0E001, bytes(7), ProblemKind.WRONG_LENGTH),
    (0x0CA0E001, b"\x07" + bytes(5), ProblemKind.UNKNOWN_VALUE),
    (0x0CA0E001, b"\0\x08" + bytes(4), ProblemKind.RESERVED_BITS),
    (0x0CA0E001, b"\0\0\x65" + bytes(3), ProblemKind.OUT_OF_RANGE),
    (0x18A1E001, bytes(7) + b"\x79", ProblemKind.OUT_OF_RANGE),
    (0x08A3E001, b"\0\x80\0", ProblemKind.RESERVED_BITS),
    (0x08A3E001, b"\0\0\x04", ProblemKind.UNKNOWN_VALUE),
    (0x14A4E001, b"\x04" + bytes(7), ProblemKind.NOT_A_CARD),
    (0x14A4E001, b"\x04" + b"12\x0034\0\0", ProblemKind.NOT_A_CARD),
    (0x14A4E001, b"\x08" + b"123456\0", ProblemKind.NOT_A_CARD),
    (0x14A4E001, b"\x0e" + b"123\0\0\0\0", ProblemKind.NOT_A_CARD),
    (0x14A4E001, b"\x0f" + b"123\0\0\0\0", ProblemKind.OUT_OF_RANGE),
    (0x04B101E0, b"\0\0", ProblemKind.OUT_OF_RANGE),
    (0x04B100E0, b"\x01\0", ProblemKind.WRONG_NODE),
]


@pytest.mark.parametrize(("can_id", "data", "kind"), WRONG)
def test_what_is_wrong_with_a_frame_has_its_name(can_id: int, data: bytes, kind: ProblemKind) -> None:
    said = decode(can_id, data)
    assert isinstance(said, BusProblem)
    assert said.kind is kind


@pytest.mark.parametrize(
    "message",
    [
        Meter(0, 1),
        Meter(NODE_LAST + 1, 1),
        Meter(1, -1),
        Meter(1, 10**12 + 1),
        Measure(1, 20_001, 0, 0, None),
        Commanded(1, 0, Stop()),
        Commanded(1, 256, Stop()),
        Commanded(1, 1, Start(2_000_001)),
        Commanded(1, 1, Limit(-1)),
        CardPart(1, 0, 0, 1, "12345678"),
        CardPart(1, 0, 0, 1, "卡"),
        CardPart(1, 0, 1, 1, "1"),
    ],
)
def test_a_value_without_a_place_on_the_bus_is_refused(message: Report | Commanded) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(message)


def test_a_float_never_gets_onto_the_bus() -> None:
    measure = Measure(1, 4000, 100, 40_000, 25)
    for name in [one.name for one in fields(measure) if one.name != "node"]:
        spoilt = {one.name: getattr(measure, one.name) for one in fields(measure)} | {name: 1.0}
        with pytest.raises(ValueError, match="cannot be"):
            encode(Measure(**spoilt))


@pytest.mark.parametrize("number", ["", "1" * 17])
def test_a_card_has_one_to_sixteen_characters(number: str) -> None:
    with pytest.raises(ValueError, match="1 to 16"):
        split_card(1, 0, number)
