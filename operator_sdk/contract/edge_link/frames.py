"""Frames, items, commands and asks of the edge link, with their encoding.

Every union is tagged by `t`. Fields unknown to a reader are ignored; an item of an unknown kind is handed on as
`BadItem`, so that a newer agent never gets stuck behind an older gateway.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from operator_sdk.contract.edge_link import BATCH_ITEMS_MOST, FRAME_BYTES_MOST, splitting
from operator_sdk.contract.messages.common import (
    ConnectorId,
    ForeignId,
    HubId,
    Instant,
    Number,
    PartyId,
    Text,
    Word,
)
from operator_sdk.contract.messages.directory import ConnectorStatus, Tariff
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import (
    Authorization,
    AuthorizeRequest,
    CheckConnectorReply,
    HostSession,
    HostStartReply,
    HostStartRequest,
    ReleaseRequest,
    SessionUpdate,
)

SiteId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
Nonce = Annotated[bytes, Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Count = Annotated[int, Meta(ge=0, le=1 << 53)]


class Stream(StrEnum):
    """Bills do not wait behind telemetry."""

    LIVE = "live"
    BILLS = "bills"


class LinkCode(StrEnum):
    """Why an end closes the link."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    OUT_OF_ORDER = "out_of_order"
    NUMBER_GAP = "number_gap"
    NUMBER_UNKNOWN = "number_unknown"
    VERSION_UNKNOWN = "version_unknown"
    SITE_UNKNOWN = "site_unknown"
    PROOF_WRONG = "proof_wrong"
    GATEWAY_FORGED = "gateway_forged"
    SUPERSEDED = "superseded"
    NOT_STORED = "not_stored"
    SILENT = "silent"
    GOING_DOWN = "going_down"


class LinkProblem(Exception):
    """The other end broke the rules of the link, or may not use it: close it. `code` goes into Bye."""

    def __init__(self, code: LinkCode, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code, self.detail = code, detail


class _Part(Struct, frozen=True, kw_only=True, tag_field="t"):
    """The base of everything that is told apart by its tag."""


# Items: what the agent's spool holds.


class UpdateItem(_Part, frozen=True, kw_only=True, tag="update"):
    """A live update of a session, numbered within it by the agent."""

    session_id: HubId
    update: SessionUpdate


class StatusItem(_Part, frozen=True, kw_only=True, tag="status"):
    """A connector's state."""

    status: ConnectorStatus


class FaultItem(_Part, frozen=True, kw_only=True, tag="fault"):
    """A fault seen (or gone: `cleared`) at a connector, or at the site itself where `connector_id` is null."""

    code: Word
    at: Instant
    connector_id: ConnectorId | None = None
    text: Text = ""
    cleared: bool = False


class HealthItem(_Part, frozen=True, kw_only=True, tag="health"):
    """How the agent fares: frames counted since its spool was made, what still waits in the spool."""

    at: Instant
    can_frames: Count
    meter_frames: Count
    spool_waiting: Count
    version: Text = ""


class BillItem(_Part, frozen=True, kw_only=True, tag="bill"):
    """The final bill of a session, made on site."""

    record: ChargeRecord


Item = UpdateItem | StatusItem | FaultItem | HealthItem | BillItem


class BadItem(Struct, frozen=True, kw_only=True):
    """An item that cannot be read: kept as it came, acknowledged, and shown to a person."""

    raw: bytes
    problem: str


# Commands and their results.


class StartCommand(_Part, frozen=True, kw_only=True, tag="start"):
    """Start a charge; the tariff named in it was pushed before."""

    request: HostStartRequest


class StopCommand(_Part, frozen=True, kw_only=True, tag="stop"):
    """Stop a session. One that the agent does not know is burnt: it will never start."""

    session_id: HubId
    reason: Word


class QueryCommand(_Part, frozen=True, kw_only=True, tag="query"):
    """What do you know of this session?"""

    session_id: HubId


class CheckCommand(_Part, frozen=True, kw_only=True, tag="check"):
    """Could a charge start at this connector now?"""

    connector_id: ConnectorId


class TariffsCommand(_Part, frozen=True, kw_only=True, tag="tariffs"):
    """Tariff versions that charges at this site may name. A version never changes."""

    tariffs: Annotated[list[Tariff], Meta(max_length=200)]


class BlacklistCommand(_Part, frozen=True, kw_only=True, tag="blacklist"):
    """The whole list of refused tokens, by digest (`token_digest`); it replaces the one before."""

    version: Count
    digests: Annotated[list[bytes], Meta(max_length=20_000)]


class UnlockCommand(_Part, frozen=True, kw_only=True, tag="unlock"):
    """Let a plug go where no charge runs."""

    connector_id: ConnectorId


Command = (
    StartCommand | StopCommand | QueryCommand | CheckCommand | TariffsCommand | BlacklistCommand | UnlockCommand
)


class StartResult(_Part, frozen=True, kw_only=True, tag="started"):
    """To StartCommand."""

    reply: HostStartReply


class StopResult(_Part, frozen=True, kw_only=True, tag="stopped"):
    """To StopCommand: the session's state now; `ended` says that no energy flows."""

    state: str


class QueryResult(_Part, frozen=True, kw_only=True, tag="queried"):
    """To QueryCommand."""

    session: HostSession


class CheckResult(_Part, frozen=True, kw_only=True, tag="checked"):
    """To CheckCommand."""

    reply: CheckConnectorReply


class Done(_Part, frozen=True, kw_only=True, tag="done"):
    """To what has no answer of its own."""


class Refused(_Part, frozen=True, kw_only=True, tag="refused"):
    """The command or ask was understood and not carried out: a public code."""

    code: Word
    detail: Text = ""


Result = StartResult | StopResult | QueryResult | CheckResult | Done | Refused


# Asks of the agent and their answers.


class AuthorizeAsk(_Part, frozen=True, kw_only=True, tag="authorize"):
    """A card was shown at a pile: may it charge?"""

    request: AuthorizeRequest


class ReleaseAsk(_Part, frozen=True, kw_only=True, tag="release"):
    """Nothing was started on this authorization; asked again until it is answered."""

    request: ReleaseRequest


Ask = AuthorizeAsk | ReleaseAsk


class Authorized(_Part, frozen=True, kw_only=True, tag="authorized"):
    """To AuthorizeAsk, granted or refused."""

    authorization: Authorization


Answer = Authorized | Done | Refused


# Frames.


class Challenge(_Part, frozen=True, kw_only=True, tag="challenge"):
    """Gateway, first: who it is, and what the agent is to sign."""

    gateway_id: PartyId
    nonce: Nonce
    version: int = 1


class Prove(_Part, frozen=True, kw_only=True, tag="prove"):
    """Agent: who it is, signed; `spool_id` names the numbering of its streams."""

    site_id: SiteId
    spool_id: ForeignId
    nonce: Nonce
    signature: Signature
    connectors: Annotated[list[ConnectorId], Meta(max_length=200)]
    agent_version: Text = ""


class Welcome(_Part, frozen=True, kw_only=True, tag="welcome"):
    """Gateway: signed; the highest number of each stream below which nothing is missing."""

    signature: Signature
    acknowledged: dict[Stream, Count]


class Batch(_Part, frozen=True, kw_only=True, tag="batch"):
    """Agent: items `first`, `first` + 1, ... of a stream."""

    stream: Stream
    first: Number
    items: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=BATCH_ITEMS_MOST)]


class Acknowledge(_Part, frozen=True, kw_only=True, tag="ack"):
    """Gateway: everything up to `number` of this stream is durable."""

    stream: Stream
    number: Count


class CommandFrame(_Part, frozen=True, kw_only=True, tag="command"):
    """Gateway: do this. The same id again gets the first result."""

    command_id: ForeignId
    command: Command


class ResultFrame(_Part, frozen=True, kw_only=True, tag="result"):
    """Agent: what became of a command."""

    command_id: ForeignId
    result: Result


class AskFrame(_Part, frozen=True, kw_only=True, tag="ask"):
    """Agent: a question of its own."""

    ask_id: ForeignId
    ask: Ask


class AnswerFrame(_Part, frozen=True, kw_only=True, tag="answer"):
    """Gateway: the answer to it."""

    ask_id: ForeignId
    answer: Answer


class Bye(_Part, frozen=True, kw_only=True, tag="bye"):
    """Either: this end closes, and why."""

    code: str
    detail: Text = ""


FromGateway = Challenge | Welcome | Acknowledge | CommandFrame | AnswerFrame | Bye
FromAgent = Prove | Batch | ResultFrame | AskFrame | Bye

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the decoder raises of bytes from strangers; the last where arrays or maps are nested too deep."""

_encoder = msgspec.msgpack.Encoder()
_from_gateway: msgspec.msgpack.Decoder[FromGateway] = msgspec.msgpack.Decoder(FromGateway)
_from_agent: msgspec.msgpack.Decoder[FromAgent] = msgspec.msgpack.Decoder(FromAgent)
_item: msgspec.msgpack.Decoder[Item] = msgspec.msgpack.Decoder(Item)


def encode(part: _Part) -> bytes:
    """A frame or an item as msgpack."""
    return _encoder.encode(part)


def decode_item(raw: bytes) -> Item | BadItem:
    """An item, or what is wrong with it; never raises."""
    try:
        return _item.decode(raw)
    except RecursionError:
        return BadItem(raw=bytes(raw), problem="nested too deep")
    except UNREADABLE as problem:
        return BadItem(raw=bytes(raw), problem=str(problem)[:200])


def decode_from_gateway(data: bytes) -> FromGateway:
    """A gateway's frame.

    Raises:
        LinkProblem: malformed, too_large.
    """
    return _decode(_from_gateway.decode, data)


def decode_from_agent(data: bytes, *, is_proved: bool = False) -> FromAgent:
    """An agent's frame. `is_proved`: of one who is, a batch is read however deep its items are nested.

    Raises:
        LinkProblem: malformed, too_large.
    """
    return _decode(_decode_patiently if is_proved else _from_agent.decode, data)


def _decode_patiently(data: bytes) -> FromAgent:
    try:
        return _from_agent.decode(data)
    except RecursionError:
        shallow, items = splitting.apart(data)
    batch = _from_agent.decode(shallow)
    if not isinstance(batch, Batch):
        raise msgspec.DecodeError("nested too deep")
    return msgspec.structs.replace(batch, items=[msgspec.Raw(item) for item in items])


_Frame = TypeVar("_Frame")


def _decode(decode: Callable[[bytes], _Frame], data: bytes) -> _Frame:
    if len(data) > FRAME_BYTES_MOST:
        raise LinkProblem(LinkCode.TOO_LARGE)
    try:
        return decode(data)
    except UNREADABLE as problem:
        raise LinkProblem(LinkCode.MALFORMED, str(problem)[:200]) from problem
