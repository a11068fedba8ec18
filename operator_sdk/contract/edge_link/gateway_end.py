"""The gateway's end of the edge link. No sockets, clock or storage: bytes in, events out, frames in `outgoing`.

The shell around it looks up the site's key (`Proving`), stores what arrives (`Arrived`) and says so (`stored`);
only then is anything acknowledged.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from operator_sdk.contract.edge_link import proof
from operator_sdk.contract.edge_link.frames import (
    Acknowledge,
    Answer,
    AnswerFrame,
    Ask,
    AskFrame,
    BadItem,
    Batch,
    Bye,
    Challenge,
    Command,
    CommandFrame,
    FromGateway,
    Item,
    LinkCode,
    LinkProblem,
    Prove,
    Result,
    ResultFrame,
    Stream,
    Welcome,
    decode_from_agent,
    decode_item,
    encode,
)


@dataclass(frozen=True, slots=True)
class Proving:
    """A site says who it is; answer with `accept` or by closing."""

    site_id: str
    spool_id: str
    connectors: tuple[str, ...]
    agent_version: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """Items `first`, `first` + 1, ... of a stream: store them, then call `stored`."""

    stream: Stream
    first: int
    items: list[Item | BadItem]


@dataclass(frozen=True, slots=True)
class Resulted:
    """What became of a command."""

    command_id: str
    result: Result


@dataclass(frozen=True, slots=True)
class Asked:
    """The agent asks; answer with `answer`."""

    ask_id: str
    ask: Ask


@dataclass(frozen=True, slots=True)
class Left:
    """The agent said goodbye."""

    code: str
    detail: str


GatewayEvent = Proving | Arrived | Resulted | Asked | Left


class GatewayEnd:
    """One connection. `nonce` is 32 random bytes, fresh for each connection; the challenge is sent at once."""

    def __init__(self, gateway_id: str, key: Ed25519PrivateKey, *, nonce: bytes) -> None:
        self.outgoing: deque[bytes] = deque()
        self._key = key
        self._challenge = Challenge(gateway_id=gateway_id, nonce=nonce)
        self._prove: Prove | None = None
        self._stored: dict[Stream, int] | None = None
        self._received: dict[Stream, int] = {}
        self._send(self._challenge)

    @property
    def is_open(self) -> bool:
        """Whether both ends are proved."""
        return self._stored is not None

    def receive(self, data: bytes) -> GatewayEvent | None:
        """Take one message of the agent.

        Raises:
            LinkProblem: the agent broke a rule.
        """
        frame = decode_from_agent(data, is_proved=self.is_open)
        if isinstance(frame, Bye):
            return Left(frame.code, frame.detail)
        if isinstance(frame, Prove):
            if self._prove is not None:
                raise LinkProblem(LinkCode.OUT_OF_ORDER, "a second proof")
            self._prove = frame
            return Proving(frame.site_id, frame.spool_id, tuple(frame.connectors), frame.agent_version)
        if self._stored is None:
            raise LinkProblem(LinkCode.OUT_OF_ORDER, "before the welcome")
        if isinstance(frame, Batch):
            return self._arrived(frame, self._stored)
        if isinstance(frame, ResultFrame):
            return Resulted(frame.command_id, frame.result)
        assert isinstance(frame, AskFrame)
        return Asked(frame.ask_id, frame.ask)

    def accept(self, site_key: Ed25519PublicKey, acknowledged: Mapping[Stream, int]) -> None:
        """Check the site's proof and welcome it; `acknowledged` is what is durable of its spool.

        Raises:
            LinkProblem: proof_wrong.
        """
        assert self._prove is not None
        assert self._stored is None
        prove = self._prove
        proof.check_agent(site_key, self._challenge, prove)
        self._stored = {stream: acknowledged.get(stream, 0) for stream in Stream}
        self._received = dict(self._stored)
        signature = proof.sign(
            self._key,
            proof.GATEWAY,
            self._challenge,
            site_id=prove.site_id,
            spool_id=prove.spool_id,
            nonce=prove.nonce,
        )
        self._send(Welcome(signature=signature, acknowledged=dict(self._stored)))

    def _arrived(self, batch: Batch, stored: dict[Stream, int]) -> Arrived | None:
        seen = self._received[batch.stream]
        if batch.first > seen + 1:
            raise LinkProblem(LinkCode.NUMBER_GAP, f"{batch.stream} {batch.first} after {seen}")
        fresh = batch.items[seen + 1 - batch.first :]
        if not fresh:
            self._send(Acknowledge(stream=batch.stream, number=stored[batch.stream]))
            return None
        self._received[batch.stream] = seen + len(fresh)
        return Arrived(batch.stream, seen + 1, [decode_item(bytes(raw)) for raw in fresh])

    def stored(self, stream: Stream, number: int) -> None:
        """Everything up to `number` is durable: acknowledge it."""
        assert self._stored is not None
        assert number <= self._received[stream]
        if number > self._stored[stream]:
            self._stored[stream] = number
            self._send(Acknowledge(stream=stream, number=number))

    def command(self, command_id: str, command: Command) -> None:
        """Have the agent do something."""
        assert self.is_open
        self._send(CommandFrame(command_id=command_id, command=command))

    def answer(self, ask_id: str, answer: Answer) -> None:
        """Answer an ask."""
        self._send(AnswerFrame(ask_id=ask_id, answer=answer))

    def bye(self, code: LinkCode, detail: str = "") -> None:
        """Say why this end closes."""
        self._send(Bye(code=code, detail=detail))

    def _send(self, frame: FromGateway) -> None:
        self.outgoing.append(encode(frame))
