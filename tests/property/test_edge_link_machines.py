"""Both ends of the edge link against each other, over a line that loses, doubles and cuts.

Whatever happens, the gateway has stored a beginning of what the agent has made, in order and once; the agent
forgets nothing that is not stored; and when the line holds at last, everything arrives.
"""

import contextlib
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from operator_sdk.contract.edge_link.agent_end import Acknowledged, AgentEnd, Identity, Opened
from operator_sdk.contract.edge_link.frames import (
    BadItem,
    Batch,
    HealthItem,
    Item,
    LinkProblem,
    Prove,
    Stream,
    decode_from_agent,
    decode_from_gateway,
    decode_item,
    encode,
)
from operator_sdk.contract.edge_link.gateway_end import Arrived, GatewayEnd, Proving

pytestmark = pytest.mark.property

AT = datetime(2026, 3, 2, tzinfo=UTC)
SITE_KEY, GATEWAY_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
GATEWAY = "MA5AAAAA1"
IDENTITY = Identity(
    site_id="site-1",
    spool_id="spool-1",
    key=SITE_KEY,
    gateway_id=GATEWAY,
    gateway_key=GATEWAY_KEY.public_key(),
    connectors=("C1",),
)


@dataclass
class Line:
    """One connection: both machines, and what is on its way between them."""

    agent: AgentEnd
    gateway: GatewayEnd
    to_agent: deque[bytes] = field(default_factory=deque)
    to_gateway: deque[bytes] = field(default_factory=deque)
    arrived: deque[Arrived] = field(default_factory=deque)

    def collect(self) -> None:
        """What the machines say is on its way."""
        self.to_agent.extend(self.gateway.outgoing)
        self.gateway.outgoing.clear()
        self.to_gateway.extend(self.agent.outgoing)
        self.agent.outgoing.clear()


streams = st.sampled_from(list(Stream))
directions = st.sampled_from(["to_agent", "to_gateway"])


class TwoEnds(RuleBasedStateMachine):
    """The agent's spool, the gateway's store, and the line between them when there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[Stream, list[Item]] = {stream: [] for stream in Stream}
        self.forgotten = dict.fromkeys(Stream, 0)
        self.stored: dict[Stream, list[Item | BadItem]] = {stream: [] for stream in Stream}
        self.line: Line | None = None
        self.late: deque[Arrived] = deque()
        self.connections = 0

    @initialize()
    def begin(self) -> None:
        self.connect(is_smooth=True)

    @rule(stream=streams, count=st.integers(1, 5))
    def make(self, stream: Stream, count: int) -> None:
        """Something happens on site."""
        for _ in range(count):
            number = len(self.made[stream]) + 1
            item = HealthItem(at=AT, can_frames=number, meter_frames=0, spool_waiting=0)
            self.made[stream].append(item)

    @precondition(lambda self: self.line is None)
    @rule(is_smooth=st.booleans())
    def connect(self, is_smooth: bool) -> None:
        """The agent comes (back); smoothly, or with its handshake still on the way."""
        self.connections += 1
        nonce = self.connections.to_bytes(32, "big")
        self.line = Line(AgentEnd(IDENTITY, nonce=nonce), GatewayEnd(GATEWAY, GATEWAY_KEY, nonce=nonce))
        self.line.collect()
        if is_smooth:
            for direction in ("to_agent", "to_gateway", "to_agent"):
                self.deliver(direction, 1)

    @precondition(lambda self: self.line is not None)
    @rule()
    def cut(self) -> None:
        """Everything on the way is lost; what the gateway was about to store may still be stored."""
        assert self.line is not None
        self.late.extend(self.line.arrived)
        self.line = None

    @precondition(lambda self: self.line is not None)
    @rule(stream=streams, count=st.integers(1, 4))
    def offer(self, stream: Stream, count: int) -> None:
        """Something happens, and the agent sends its next items."""
        self.make(stream, count)
        self._send(stream, count)

    def _send(self, stream: Stream, count: int) -> None:
        assert self.line is not None
        first = self.line.agent.next_number(stream)
        items = self.made[stream][first - 1 :][:count] if first else []
        if first and items:
            self.line.agent.offer(stream, first, [encode(item) for item in items])
            self.line.collect()

    @precondition(lambda self: self.line is not None)
    @rule(direction=directions, count=st.integers(1, 6))
    def deliver(self, direction: str, count: int) -> None:
        """Messages arrive in their order."""
        for _ in range(count):
            if self.line is None or not getattr(self.line, direction):
                return
            data = getattr(self.line, direction).popleft()
            try:
                self._at_agent(data) if direction == "to_agent" else self._at_gateway(data)
            except LinkProblem:
                self.cut()

    @precondition(lambda self: self.line is not None)
    @rule(direction=directions, place=st.integers(0, 20))
    def lose(self, direction: str, place: int) -> None:
        """One message gets lost and the line stays: no WebSocket does that, a bad proxy might."""
        wire = getattr(self.line, direction)
        if len(wire) > 1:
            del wire[place % len(wire)]

    @precondition(lambda self: self.line is not None)
    @rule(direction=directions, place=st.integers(0, 20))
    def double(self, direction: str, place: int) -> None:
        """One message comes twice."""
        wire = getattr(self.line, direction)
        if wire:
            wire.insert(place % len(wire), wire[place % len(wire)])

    @precondition(lambda self: self.line is not None and self.line.arrived)
    @rule()
    def store(self) -> None:
        """The gateway's store has finished with the oldest batch."""
        assert self.line is not None
        arrived = self.line.arrived.popleft()
        self._keep(arrived)
        self.line.gateway.stored(arrived.stream, arrived.first + len(arrived.items) - 1)
        self.line.collect()

    @precondition(lambda self: self.late)
    @rule(is_stored=st.booleans())
    def finish_late(self, is_stored: bool) -> None:
        """A batch of a connection that is gone becomes durable after all, or never does."""
        arrived = self.late.popleft()
        if is_stored:
            self._keep(arrived)
        else:
            self.late.clear()  # a store that fails does not go on with what came later

    def _at_agent(self, data: bytes) -> None:
        assert self.line is not None
        event = self.line.agent.receive(data)
        self.line.collect()
        if isinstance(event, Opened):
            self.forgotten = dict(event.acknowledged)
        elif isinstance(event, Acknowledged):
            self.forgotten[event.stream] = event.number

    def _at_gateway(self, data: bytes) -> None:
        assert self.line is not None
        event = self.line.gateway.receive(data)
        if isinstance(event, Proving):
            durable = {stream: len(items) for stream, items in self.stored.items()}
            self.line.gateway.accept(SITE_KEY.public_key(), durable)
        elif isinstance(event, Arrived):
            self.line.arrived.append(event)
        self.line.collect()

    def _keep(self, arrived: Arrived) -> None:
        """What an inbox does: each number once, and never with a gap before it."""
        stored = self.stored[arrived.stream]
        assert arrived.first <= len(stored) + 1
        stored.extend(arrived.items[len(stored) + 1 - arrived.first :])

    @invariant()
    def stored_is_a_beginning_of_what_was_made(self) -> None:
        for stream, items in self.stored.items():
            assert items == self.made[stream][: len(items)]

    @invariant()
    def nothing_is_forgotten_that_is_not_stored(self) -> None:
        for stream in Stream:
            assert self.forgotten[stream] <= len(self.stored[stream])

    def teardown(self) -> None:
        """The line holds at last."""
        if self.line is not None:
            self.cut()
        self.late.clear()
        self.connect(is_smooth=True)
        for _ in range(2 * sum(len(items) for items in self.made.values()) + 10):
            for stream in Stream:
                self._send(stream, 4)
            self.deliver("to_gateway", 6)
            while self.line is not None and self.line.arrived:
                self.store()
            self.deliver("to_agent", 6)
        assert self.line is not None, "a line without losses is never closed"
        assert self.stored == self.made
        assert self.line.agent.next_number(Stream.BILLS) == len(self.made[Stream.BILLS]) + 1
        assert self.forgotten == {stream: len(items) for stream, items in self.made.items()}


TwoEnds.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestTwoEnds = TwoEnds.TestCase


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_or_a_link_problem(data: bytes) -> None:
    for decode in (decode_from_agent, decode_from_gateway):
        with contextlib.suppress(LinkProblem):
            decode(data)
    assert decode_item(data) is not None


HEALTH = HealthItem(at=AT, can_frames=1, meter_frames=0, spool_waiting=0)
FRAMES = [
    encode(
        Prove(site_id="site-1", spool_id="s", nonce=bytes(32), signature=bytes(64), connectors=["C1"]),
    ),
    encode(Batch(stream=Stream.LIVE, first=1, items=[msgspec.Raw(encode(HEALTH))])),
]


@settings(max_examples=150)
@given(st.sampled_from(FRAMES), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4))
def test_a_frame_with_bytes_changed_raises_nothing_else(frame: bytes, changes: list[tuple[int, int]]) -> None:
    spoilt = bytearray(frame)
    for place, value in changes:
        spoilt[place % len(spoilt)] = value
    end = GatewayEnd(GATEWAY, GATEWAY_KEY, nonce=bytes(32))
    try:
        event = end.receive(bytes(spoilt))
        if isinstance(event, Proving):
            end.accept(SITE_KEY.public_key(), {})
    except LinkProblem:
        pass
    assert not end.is_open
