"""Reading an answer: its error, its message, its signature."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from operator_sdk.client.request import Call
from operator_sdk.contract.messages.common import ErrorBody
from operator_sdk.contract.signing import Claims, SignatureProblem, read_claims, verify_answer
from operator_sdk.errors import ApiError, MalformedAnswer, SignatureError, error_class

Reply = TypeVar("Reply")
ANSWER_BYTES_MAX = 16_777_216


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str:
        """The id under which the other side knows the call."""
        return self.headers.get("x-request-id", "")


def decode(call: Call[Reply], answer: Answer) -> Reply:
    """The message of a good answer; the answer as it is, where that is what was asked for.

    Raises:
        MalformedAnswer: it is not the operation's reply.
    """
    if call.reply is bytes:
        return cast("Reply", answer.body)
    try:
        return msgspec.json.decode(answer.body, type=call.reply)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise MalformedAnswer(
            f"the answer to {call.operation.id} (request {answer.request_id}) is not a {call.reply.__name__}"
        ) from problem


def error_of(answer: Answer) -> ApiError | None:
    """The error of an answer, or None for a good one.

    A proxy in between answers in its own way: then the code is `http_{status}`.
    """
    if 200 <= answer.status < 300:
        return None
    try:
        body = msgspec.json.decode(answer.body, type=ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = ErrorBody(code=f"http_{answer.status}", message="", request_id=answer.request_id)
    return error_class(answer.status)(
        status=answer.status,
        code=body.code,
        message=body.message,
        request_id=body.request_id or answer.request_id,
        details=body.details,
        retry_after_s=_retry_after_s(answer.headers.get("retry-after")),
    )


def signature_claims(answer: Answer) -> Claims | None:
    """What the answer's signature says of itself; None for an error without any.

    Errors may come from something in between that has no key, and decide nothing. A good answer
    without a signature is refused.

    Raises:
        SignatureError: missing on a good answer, or not of the profile's form.
    """
    given = answer.headers.get("signature-input"), answer.headers.get("signature")
    if given == (None, None) and not 200 <= answer.status < 300:
        return None
    try:
        return read_claims(*given)
    except SignatureProblem as problem:
        raise SignatureError(problem.code, request_id=answer.request_id) from problem


def check_signature(
    answer: Answer,
    claims: Claims,
    key: Ed25519PublicKey | None,
    *,
    request_signature: str,
    now_s: int,
) -> None:
    """Check that this very answer was signed with this key for this very request.

    Raises:
        SignatureError: it was not, or the key is not known.
    """
    if key is None:
        raise SignatureError("signature_invalid", request_id=answer.request_id)
    try:
        verify_answer(
            claims,
            key,
            status=answer.status,
            body=answer.body,
            digest_header=answer.headers.get("content-digest"),
            request_signature=request_signature,
            now_s=now_s,
        )
    except SignatureProblem as problem:
        raise SignatureError(problem.code, request_id=answer.request_id) from problem


def _retry_after_s(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
