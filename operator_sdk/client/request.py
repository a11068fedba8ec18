"""A call as data, and the pure making of its HTTP request."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.operations import HUB, Operation
from operator_sdk.contract.signing import SigningKey, sign_request

Reply = TypeVar("Reply")
QueryValue = str | int | datetime | None
# What RFC 3986 lets stand in a path segment: a server that rebuilds the target must see the same.
_PATH_SAFE = ":@!$'()*,;=~"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Call(Generic[Reply]):
    """One call: what is asked (`operation`, `message`) and what comes back (`reply`; `bytes` as they are)."""

    operation: Operation
    reply: type[Reply]
    message: Message | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, QueryValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signing:
    """What an attempt is signed with: the key, Unix seconds of wall time, and a fresh nonce."""

    key: SigningKey
    created: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """An HTTP request, ready to send."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def checked_request_id(text: str) -> str:
    """A request id that every side will carry on.

    Raises:
        ValueError: it is none; the hub would make another in its place.
    """
    if not _REQUEST_ID.match(text):
        raise ValueError("a request id is 1 to 64 of A-Z a-z 0-9 . _ : -")
    return text


def hub_operation(operation_id: str) -> Operation:
    """A hub operation by its id.

    Raises:
        ValueError: the contract has no such operation.
    """
    try:
        return HUB[operation_id]
    except KeyError:
        raise ValueError(f"the hub has no operation {operation_id!r}") from None


def encode_body(call: Call[Reply]) -> bytes:
    """The body of a call: JSON, a form, or nothing.

    Raises:
        TypeError: the message is missing, or is not the operation's.
    """
    operation = call.operation
    if operation.request.__struct_fields__ == ():
        return b""
    if not isinstance(call.message, operation.request):
        raise TypeError(f"{operation.id} needs a {operation.request.__name__}")
    if operation.form:
        return urlencode(msgspec.to_builtins(call.message)).encode()
    return msgspec.json.encode(call.message)


def target_url(operation: Operation, base_url: str, path: Mapping[str, str]) -> str:
    """The operation's address below a base URL.

    Raises:
        ValueError: a path parameter is missing or empty.
    """
    try:
        below = operation.path.format_map(
            {name: quote(value, safe=_PATH_SAFE) for name, value in path.items() if value}
        )
    except KeyError as missing:
        raise ValueError(f"{operation.id} needs the path parameter {missing}") from None
    return base_url.rstrip("/") + below


def build(
    call: Call[Reply],
    body: bytes,
    *,
    base_url: str,
    request_id: str,
    public_url: str | None = None,
    token: str | None = None,
    signing: Signing | None = None,
) -> Prepared:
    """The HTTP request of one attempt. Pure: time and chance come in with `signing`.

    It is sent to `base_url` and signed for `public_url`, the server's own name for itself, which differs
    where a tunnel or a proxy stands in between.
    """
    operation = call.operation
    below = target_url(operation, "", call.path)
    wanted = {name: _text(value) for name, value in call.query.items() if value is not None}
    if wanted:
        below = f"{below}?{urlencode(wanted, quote_via=quote)}"
    url = base_url.rstrip("/") + below
    headers = {
        "accept": _accepted(call),
        # The digest of a signed answer is over the bytes as they are, so none are asked for packed.
        "accept-encoding": "identity",
        "user-agent": "interpile-sdk",
        "x-request-id": request_id,
    }
    if body:
        kind = "application/x-www-form-urlencoded" if operation.form else "application/json"
        headers["content-type"] = kind
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    if signing is not None:
        signed = sign_request(
            signing.key,
            method=operation.method,
            target_uri=(public_url or base_url).rstrip("/") + below,
            body=body,
            created=signing.created,
            nonce=signing.nonce,
        )
        headers |= signed.as_dict()
    return Prepared(operation.method, url, headers, body)


def _accepted(call: Call[Reply]) -> str:
    if call.operation.stream:
        return "text/event-stream"
    return "*/*" if call.reply is bytes else "application/json"


def _text(value: str | int | datetime) -> str:
    if isinstance(value, datetime):
        instant = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return instant.replace("+00:00", "Z")
    return str(value)
