"""Items taken apart without recursion: each of a batch is taken or kept as it came, however deep it is nested.

msgspec is the oracle wherever nothing is nested too deep for it.
"""

import contextlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from operator_sdk.contract.edge_link import BATCH_ITEMS_MOST, FRAME_BYTES_MOST, splitting
from operator_sdk.contract.edge_link.agent_end import AgentEnd, Identity
from operator_sdk.contract.edge_link.frames import (
    BadItem,
    Batch,
    HealthItem,
    LinkCode,
    LinkProblem,
    Stream,
    decode_from_agent,
    decode_item,
    encode,
)
from operator_sdk.contract.edge_link.gateway_end import Arrived, GatewayEnd

pytestmark = pytest.mark.property

GATEWAY, NONCE = "MA5AAAAA1", bytes(32)
SITE_KEY, GATEWAY_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
HEALTH = HealthItem(at=datetime(2026, 3, 2, tzinfo=UTC), can_frames=1, meter_frames=0, spool_waiting=0)
RAW = msgspec.msgpack.Decoder(msgspec.Raw)
BEYOND = 2_000
"""Levels, twice as many as msgspec follows."""


def nested(levels: int, opening: bytes, end: bytes = b"\xc0") -> bytes:
    """A value in a value in a value..."""
    return opening * levels + end


OPENINGS = (b"\x91", b"\xdc\0\1", b"\xdd\0\0\0\1", b"\x81\xc0", b"\xde\0\1\xc0", b"\xdf\0\0\0\1\xc0")
deep = st.builds(nested, st.sampled_from([1, 50, 900, 990, 1_000, 1_100, BEYOND]), st.sampled_from(OPENINGS))
sizes = st.sampled_from([0, 1, 2, 4, 8, 15, 16, 17, 31, 32, 255, 256, 65_535, 65_536])
"""On both sides of each edge between two ways of writing a length."""

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(),
    sizes.map(lambda size: "x" * size),
    sizes.map(bytes),
    sizes.map(lambda size: [None] * size),
    sizes.map(lambda size: dict.fromkeys(range(size))),
    st.builds(msgspec.msgpack.Ext, st.integers(-128, 127), sizes.map(bytes)),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=10,
)
items = st.one_of(st.just(encode(HEALTH)), values.map(msgspec.msgpack.encode), deep).filter(
    lambda raw: len(raw) < FRAME_BYTES_MOST // 10
)


def gateway() -> GatewayEnd:
    """A gateway's end whose site is proved."""
    end = GatewayEnd(GATEWAY, GATEWAY_KEY, nonce=NONCE)
    identity = Identity("site-1", "spool-1", SITE_KEY, GATEWAY, GATEWAY_KEY.public_key(), ("C1",))
    agent = AgentEnd(identity, nonce=NONCE)
    agent.receive(end.outgoing.popleft())
    end.receive(agent.outgoing.popleft())
    end.accept(SITE_KEY.public_key(), {})
    return end


@settings(max_examples=60, deadline=None)
@given(st.lists(items, min_size=1, max_size=8))
def test_every_item_is_taken_or_kept_as_it_came(batch: list[bytes]) -> None:
    arrived = gateway().receive(
        encode(Batch(stream=Stream.LIVE, first=1, items=[msgspec.Raw(one) for one in batch]))
    )
    assert isinstance(arrived, Arrived)
    assert arrived.items == [decode_item(one) for one in batch]
    for raw, item in zip(batch, arrived.items, strict=True):
        assert item == HEALTH if raw == encode(HEALTH) else isinstance(item, BadItem) and item.raw == raw


@given(values, st.binary(max_size=20))
def test_a_value_ends_where_it_ends_whatever_follows(value: Any, rest: bytes) -> None:
    data = msgspec.msgpack.encode(value)
    assert splitting.end_of(data + rest, 0) == len(data)
    for cut in {len(data) // 2, len(data) - 1}:
        with pytest.raises(msgspec.DecodeError):
            splitting.end_of(data[:cut], 0)


@settings(max_examples=400)
@given(st.binary(max_size=60))
@example(b"\xc1")
@example(b"\x92\xc0\xc1")
@example(b"\xc4")
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xdf\xff\xff\xff\xff\x00")
@example(b"\xc9\x00\x00\x00\x01\x05")
@example(b"\xd8" + bytes(17))
def test_any_bytes_are_whole_exactly_where_the_codec_says_so(data: bytes) -> None:
    try:
        RAW.decode(data)
        is_whole = True
    except msgspec.DecodeError:
        is_whole = False
    try:
        end = splitting.end_of(data, 0)
    except msgspec.DecodeError:
        end = None
    assert (end == len(data)) is is_whole
    assert end is None or end <= len(data)


@settings(max_examples=150, deadline=None)
@given(st.lists(items, max_size=3), st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4))
def test_a_deep_batch_with_bytes_changed_is_taken_or_malformed(
    batch: list[bytes], changes: list[tuple[int, int]]
) -> None:
    raws = [msgspec.Raw(one) for one in [nested(BEYOND, b"\x91"), *batch]]
    frame = bytearray(encode(Batch(stream=Stream.LIVE, first=1, items=raws)))
    for place, value in changes:
        frame[place % len(frame)] = value
    with contextlib.suppress(LinkProblem):
        gateway().receive(bytes(frame))


DEEP = nested(BEYOND, b"\x91")


@pytest.mark.parametrize("key", sorted(splitting.ITEMS))
def test_fields_of_a_newer_agent_stand_before_and_after_the_items(key: bytes) -> None:
    newer = b"\xa5extra\x82\x01\xc0\xa5items\x93\x01\x02\x03"
    frame = b"\x86\xa1t\xa5batch" + newer + b"\xa6stream\xa4live" + key + b"\x92\xc0" + DEEP
    batch = decode_from_agent(frame + b"\xa5first\x07\xa4more\xc3", is_proved=True)
    assert isinstance(batch, Batch)
    assert (batch.stream, batch.first, [bytes(one) for one in batch.items]) == ("live", 7, [b"\xc0", DEEP])


START = b"\x84\xa1t\xa5batch\xa6stream\xa4live\xa5first\x01"
TOO_MANY = b"\xdc" + (BATCH_ITEMS_MOST + 1).to_bytes(2) + b"\xc0" * BATCH_ITEMS_MOST + DEEP


@pytest.mark.parametrize(
    "frame",
    [
        b"\x81\xa5items\x91" + DEEP,
        b"\x82\xa1t\xa6result\xa5items\x91" + DEEP,
        b"\x83\xa1t\xa3bye\xa4code\xa1x\xa5items\x91" + DEEP,
        b"\x92\xa5items\x91" + DEEP,
        START + b"\xa5items" + TOO_MANY,
        START + b"\xa5items\x92" + DEEP,
        START + b"\xa5items\x81\xc0" + DEEP,
        START + b"\xa5items\x91" + DEEP + b"\xc0",
        START + b"\xa5itemz\x91" + DEEP,
        START.replace(b"\x84", b"\x85") + b"\xa5items\x91\xc0\xa5extra" + DEEP,
        nested(FRAME_BYTES_MOST - 1, b"\x91"),
    ],
    ids=[
        "no_tag",
        "a_result",
        "a_bye",
        "an_array",
        "too_many",
        "cut_short",
        "a_map_of_items",
        "something_behind",
        "no_items",
        "deep_beside_the_items",
        "nothing_but_deep",
    ],
)
def test_what_is_deep_and_no_batch_is_malformed(frame: bytes) -> None:
    with pytest.raises(LinkProblem) as refused:
        decode_from_agent(frame, is_proved=True)
    assert refused.value.code == LinkCode.MALFORMED
