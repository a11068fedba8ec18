"""The agent's end of the edge link. No sockets, no clock: bytes in, events out, frames in `outgoing`."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from operator_sdk.contract.edge_link import IN_FLIGHT_MOST, proof
from operator_sdk.contract.edge_link.frames import (
    Acknowledge,
    Answer,
    AnswerFrame,
    Ask,
    AskFrame,
    Batch,
    Bye,
    Challenge,
    Command,
    CommandFrame,
    LinkCode,
    LinkProblem,
    Prove,
    Result,
    ResultFrame,
    Stream,
    Welcome,
    decode_from_gateway,
    encode,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the agent is, and whom it trusts."""

    site_id: str
    spool_id: str
    key: Ed25519PrivateKey
    gateway_id: str
    gateway_key: Ed25519PublicKey
    connectors: tuple[str, ...]
    version: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """Both ends are proved; `acknowledged` says where each stream goes on."""

    acknowledged: dict[Stream, int]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Everything up to `number` may be forgotten."""

    stream: Stream
    number: int


@dataclass(frozen=True, slots=True)
class Commanded:
    """The gateway wants something; answer with `result`."""

    command_id: str
    command: Command


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to an ask of ours."""

    ask_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Closed:
    """The gateway said goodbye."""

    code: str
    detail: str


AgentEvent = Opened | Acknowledged | Commanded | Answered | Closed


@dataclass(slots=True)
class _Sent:
    acknowledged: int = 0
    sent: int = 0
    in_flight: deque[int] = field(default_factory=deque)


class AgentEnd:
    """One connection, from Challenge to Bye. `nonce` is 32 random bytes, fresh for each connection."""

    def __init__(self, identity: Identity, *, nonce: bytes) -> None:
        self.outgoing: deque[bytes] = deque()
        self._identity, self._nonce = identity, nonce
        self._challenge: Challenge | None = None
        self._streams: dict[Stream, _Sent] | None = None

    @property
    def is_open(self) -> bool:
        """Whether both ends are proved."""
        return self._streams is not None

    @property
    def is_under_way(self) -> bool:
        """Whether a batch waits for its acknowledgement."""
        return any(stream.in_flight for stream in (self._streams or {}).values())

    def receive(self, data: bytes) -> AgentEvent | None:
        """Take one message of the gateway.

        Raises:
            LinkProblem: the gateway broke a rule, or is not who it should be.
        """
        frame = decode_from_gateway(data)
        if isinstance(frame, Bye):
            return Closed(frame.code, frame.detail)
        if isinstance(frame, Challenge):
            self._prove(frame)
            return None
        if isinstance(frame, Welcome):
            return self._open(frame)
        if self._streams is None:
            raise LinkProblem(LinkCode.OUT_OF_ORDER, "before the welcome")
        if isinstance(frame, Acknowledge):
            return self._acknowledged(self._streams[frame.stream], frame)
        if isinstance(frame, CommandFrame):
            return Commanded(frame.command_id, frame.command)
        assert isinstance(frame, AnswerFrame)
        return Answered(frame.ask_id, frame.answer)

    def _prove(self, challenge: Challenge) -> None:
        if self._challenge is not None:
            raise LinkProblem(LinkCode.OUT_OF_ORDER, "a second challenge")
        if challenge.version != 1:
            raise LinkProblem(LinkCode.VERSION_UNKNOWN)
        if challenge.gateway_id != self._identity.gateway_id:
            raise LinkProblem(LinkCode.GATEWAY_FORGED, "another gateway's name")
        self._challenge = challenge
        mine = self._identity
        signature = proof.sign(
            mine.key, proof.AGENT, challenge, site_id=mine.site_id, spool_id=mine.spool_id, nonce=self._nonce
        )
        self._send(
            Prove(
                site_id=mine.site_id,
                spool_id=mine.spool_id,
                nonce=self._nonce,
                signature=signature,
                connectors=list(mine.connectors),
                agent_version=mine.version,
            )
        )

    def _open(self, welcome: Welcome) -> Opened:
        if self._challenge is None or self._streams is not None:
            raise LinkProblem(LinkCode.OUT_OF_ORDER, "a welcome out of turn")
        mine = self._identity
        signed = proof.transcript(
            proof.GATEWAY, self._challenge, site_id=mine.site_id, spool_id=mine.spool_id, nonce=self._nonce
        )
        proof.check_gateway(mine.gateway_key, welcome.signature, signed)
        numbers = {stream: welcome.acknowledged.get(stream, 0) for stream in Stream}
        self._streams = {stream: _Sent(number, number) for stream, number in numbers.items()}
        return Opened(numbers)

    def _acknowledged(self, stream: _Sent, frame: Acknowledge) -> Acknowledged | None:
        if frame.number > stream.sent:
            raise LinkProblem(LinkCode.NUMBER_UNKNOWN, f"{frame.stream} {frame.number}")
        if frame.number <= stream.acknowledged:
            return None
        stream.acknowledged = frame.number
        while stream.in_flight and stream.in_flight[0] <= frame.number:
            stream.in_flight.popleft()
        return Acknowledged(frame.stream, frame.number)

    def next_number(self, stream: Stream) -> int | None:
        """The number of the next item to offer, or None while enough is under way or the link is not open."""
        if self._streams is None:
            return None
        sent = self._streams[stream]
        return sent.sent + 1 if len(sent.in_flight) < IN_FLIGHT_MOST else None

    def offer(self, stream: Stream, first: int, items: Sequence[bytes]) -> None:
        """Send encoded items `first`, `first` + 1, ...; `first` is what `next_number` said."""
        assert self._streams is not None
        assert first == self.next_number(stream)
        last = first + len(items) - 1
        self._streams[stream].sent = last
        self._streams[stream].in_flight.append(last)
        self._send(Batch(stream=stream, first=first, items=[msgspec.Raw(item) for item in items]))

    def ask(self, ask_id: str, ask: Ask) -> None:
        """Ask the gateway."""
        self._send(AskFrame(ask_id=ask_id, ask=ask))

    def result(self, command_id: str, result: Result) -> None:
        """Answer a command."""
        self._send(ResultFrame(command_id=command_id, result=result))

    def bye(self, code: LinkCode, detail: str = "") -> None:
        """Say why this end closes."""
        self._send(Bye(code=code, detail=detail))

    def _send(self, frame: Prove | Batch | AskFrame | ResultFrame | Bye) -> None:
        self.outgoing.append(encode(frame))
