"""The frame reader among noise: what it finds, when, and how much it keeps."""

import pytest

from edge_agent.codecs.dlt645 import MAX_FRAME, Fault, Frame, FrameError, FrameReader, encode_frame

METER = "202506180042"
FRAME = Frame(METER, 0x91, bytes.fromhex("00 00 01 00 78 56 34 12"))
WIRE = encode_frame(FRAME)


def frames(found: list[Frame | FrameError]) -> list[Frame]:
    return [seen for seen in found if isinstance(seen, Frame)]


def faults(found: list[Frame | FrameError]) -> list[Fault]:
    return [seen.fault for seen in found if isinstance(seen, FrameError)]


def test_a_frame_is_found_at_its_last_byte() -> None:
    reader = FrameReader()
    assert reader.feed(WIRE[:-1]) == []
    assert reader.feed(WIRE[-1:]) == [FRAME]
    assert reader.pending == 0


def test_what_wakes_and_what_is_noise_is_skipped() -> None:
    reader = FrameReader()
    assert reader.feed(b"\xfe\xfe\xfe\xfe" + WIRE + b"\x00\xff" + WIRE) == [FRAME, FRAME]
    assert reader.skipped == 6


@pytest.mark.parametrize(
    ("spoilt", "fault"),
    [
        (WIRE[:7] + b"\x00" + WIRE[8:], Fault.NO_SECOND_START),
        (WIRE[:9] + b"\xff" + WIRE[10:], Fault.OVERSIZED),
        (WIRE[:-2] + b"\x00\x16", Fault.BAD_CHECKSUM),
        (WIRE[:-1] + b"\x00", Fault.NO_END),
    ],
)
def test_a_spoilt_frame_is_reported_and_the_next_one_found(spoilt: bytes, fault: Fault) -> None:
    found = FrameReader().feed(spoilt + WIRE)
    assert frames(found) == [FRAME]
    assert faults(found)[0] is fault


def test_after_a_failure_the_search_goes_on_one_byte_later() -> None:
    # A cut-off frame: its length reaches into the next one, which must not be lost.
    found = FrameReader().feed(WIRE[:-4] + WIRE)
    assert frames(found) == [FRAME]
    assert faults(found)[0] is Fault.BAD_CHECKSUM


def test_a_false_start_hides_a_frame_only_until_the_line_is_quiet() -> None:
    # Seven bytes before the frame: the frame's own 68 passes for the second one, and its address for a length.
    reader = FrameReader()
    address = Frame("202506181042", 0x91, FRAME.data)
    found = reader.feed(b"\x68\x00\x00\x00\x00\x00\x00" + encode_frame(address))
    assert found == []
    assert reader.pending > 0
    found = reader.quiet()
    assert frames(found) == [address]
    assert faults(found) == [Fault.TRUNCATED]
    assert reader.pending == 0


def test_a_frame_cut_short_is_reported_once_the_line_is_quiet() -> None:
    reader = FrameReader()
    assert reader.feed(WIRE[:-3]) == []
    found = reader.quiet()
    assert faults(found)[0] is Fault.TRUNCATED
    assert not frames(found)
    assert reader.feed(WIRE) == [FRAME]


def test_the_reader_keeps_less_than_one_frame_of_endless_noise() -> None:
    reader = FrameReader()
    for _ in range(200):
        reader.feed(b"\x68" * 97)
        reader.feed(b"\x68\x00\x00\x00\x00\x00\x00\x68\x91\xc8")
        assert reader.pending < MAX_FRAME
