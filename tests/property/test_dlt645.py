"""DL/T 645-2007 over all values, all bytes, and all ways to cut them."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.codecs.dlt645 import (
    MAX_DATA,
    MAX_FRAME,
    Dlt645Error,
    Frame,
    FrameError,
    FrameReader,
    decode_frame,
    encode_frame,
)
from edge_agent.codecs.dlt645_items import STANDARD_ITEMS, Item, MeterValue, Unit, decode_value, encode_value
from edge_agent.codecs.dlt645_messages import (
    AddressIs,
    Data,
    Message,
    NextData,
    Read,
    ReadAddress,
    ReadNext,
    Refusal,
    SetTime,
    parse,
    to_frame,
)

pytestmark = pytest.mark.property

addresses = st.text("0123456789", min_size=12, max_size=12)
wildcards = st.text("0123456789A", min_size=12, max_size=12)
identifiers = st.text("0123456789ABCDEF", min_size=8, max_size=8)
octets = st.integers(0, 255)
frames = st.builds(
    Frame,
    address=st.text("0123456789ABCDEF", min_size=12, max_size=12),
    control=octets,
    data=st.binary(max_size=MAX_DATA),
)
seconds = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2099, 12, 31, 23, 59, 59),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda at: at.replace(microsecond=0))
messages = st.one_of(
    st.builds(Read, wildcards, identifiers),
    st.builds(ReadNext, wildcards, identifiers, octets),
    st.builds(ReadAddress, wildcards),
    st.builds(SetTime, seconds),
    st.builds(Data, addresses, identifiers, st.binary(max_size=MAX_DATA - 4), more=st.booleans()),
    st.builds(NextData, addresses, identifiers, st.binary(max_size=MAX_DATA - 5), octets, more=st.booleans()),
    st.builds(AddressIs, addresses),
    st.builds(Refusal, addresses, st.integers(0, 31), octets),
)
# Mostly the bytes that matter to the reader, so that false starts and lengths are common.
noise = st.lists(st.one_of(st.sampled_from([0x68, 0x68, 0xFE, 0x16, 0x00, 0x04]), octets), max_size=80).map(
    bytes
)


@st.composite
def makers_items(draw: st.DrawFn) -> Item:
    size = draw(st.integers(1, 8))
    return Item(
        name="own",
        identifier=draw(identifiers),
        unit=draw(st.sampled_from(Unit)),
        octets=size,
        decimals=draw(st.integers(0, 2 * size)),
        signed=draw(st.booleans()),
        block=draw(st.booleans()),
    )


items = st.one_of(st.sampled_from(list(STANDARD_ITEMS.values())), makers_items())


@st.composite
def values(draw: st.DrawFn) -> MeterValue:
    """Anything the item's wire can say and its unit can count."""
    item = draw(items)
    top = 8 * 10 ** (2 * item.octets - 1) - 1 if item.signed else 10 ** (2 * item.octets) - 1
    most = top // item.finer
    steps = st.integers(-most if item.signed else 0, most)
    count = draw(st.integers(1, 6)) if item.block else 1
    return MeterValue(item, tuple(draw(steps) * item.resolution for _ in range(count)))


@given(frames, st.integers(0, 4))
def test_a_frame_comes_back_as_it_went(frame: Frame, wake: int) -> None:
    assert decode_frame(encode_frame(frame, wake=wake)) == frame


@given(messages)
def test_a_message_comes_back_as_it_went(message: Message) -> None:
    assert parse(to_frame(message)) == message


@given(values())
def test_a_value_comes_back_as_it_went(value: MeterValue) -> None:
    assert decode_value(value.item, encode_value(value)) == value


@given(items, st.binary(max_size=40))
def test_any_bytes_are_a_value_or_a_typed_error(item: Item, payload: bytes) -> None:
    try:
        value = decode_value(item, payload)
    except Dlt645Error:
        return
    assert all(abs(number) <= 10**16 * item.resolution for number in value.numbers)
    assert len(value.numbers) == 1 or item.block


@given(frames)
def test_any_frame_is_a_message_or_a_typed_error(frame: Frame) -> None:
    try:
        message = parse(frame)
    except Dlt645Error:
        return
    assert to_frame(message).data == frame.data


@given(st.one_of(st.binary(max_size=300), noise))
def test_any_bytes_are_one_frame_or_a_typed_error(raw: bytes) -> None:
    try:
        frame = decode_frame(raw)
    except FrameError:
        return
    assert raw.endswith(encode_frame(frame))


@given(st.lists(octets, max_size=3 * MAX_FRAME).map(bytes))
@example(b"\x68" * 600)
def test_the_reader_survives_any_bytes_and_keeps_less_than_one_frame(raw: bytes) -> None:
    reader = FrameReader()
    for at in range(0, len(raw), 50):
        reader.feed(raw[at : at + 50])
        assert reader.pending < MAX_FRAME
    reader.quiet()
    assert reader.pending == 0


@given(st.lists(st.one_of(noise, frames.map(encode_frame)), max_size=6), st.data())
def test_how_bytes_are_cut_never_matters(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    whole, pieces = FrameReader(), FrameReader()
    at_once = told(whole.feed(stream)) + told(whole.quiet())
    bit_by_bit: list[object] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        bit_by_bit += told(pieces.feed(stream[start:end]))
    assert bit_by_bit + told(pieces.quiet()) == at_once
    assert pieces.skipped == whole.skipped


@given(st.lists(st.one_of(noise, frames.map(encode_frame)), max_size=6))
def test_the_reader_finds_what_a_slow_search_from_the_left_finds(parts: list[bytes]) -> None:
    stream = b"".join(parts)
    reader = FrameReader()
    found = [seen for seen in reader.feed(stream) + reader.quiet() if isinstance(seen, Frame)]
    assert [encode_frame(frame) for frame in found] == list(slow_search(stream))


@given(noise, frames, noise)
def test_a_frame_is_found_within_any_noise_that_holds_no_other(
    before: bytes, frame: Frame, after: bytes
) -> None:
    wire = encode_frame(frame)
    stream = before + wire + after
    if list(slow_search(stream)) != [wire]:
        return  # the noise makes a frame of its own, with or without bytes of this one
    reader = FrameReader()
    found = [seen for seen in reader.feed(stream) + reader.quiet() if isinstance(seen, Frame)]
    assert found == [frame]


def told(found: list[Frame | FrameError]) -> list[object]:
    return [(seen.fault, seen.raw) if isinstance(seen, FrameError) else seen for seen in found]


def slow_search(stream: bytes) -> Iterable[bytes]:
    """Every position in turn, over bytes that are all there: the rule as the standard states it."""
    at = 0
    while at < len(stream):
        length = frame_length(stream[at:])
        if length:
            yield stream[at : at + length]
        at += length or 1


def frame_length(raw: bytes) -> int:
    if len(raw) < 12 or raw[0] != 0x68 or raw[7] != 0x68 or raw[9] > 200:
        return 0
    length = raw[9] + 12
    if len(raw) < length or raw[length - 1] != 0x16:
        return 0
    return length if sum(raw[: length - 2]) % 256 == raw[length - 2] else 0
