"""Reading a request off ASGI and writing an answer: sizes, ids, the one error body."""

import re

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from operator_sdk.chance import fresh_id
from operator_sdk.contract.messages.common import ErrorBody, Message
from operator_sdk.contract.operations import Operation
from operator_sdk.contract.public_codes import PUBLIC_CODES, Code, http_status
from operator_sdk.guard import Refuse

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")


def request_id_of(request: Request) -> str:
    """The caller's request id, or a new one where it has none that could go into a log."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.match(given) else fresh_id("req")


def target_uri(request: Request, public_url: str) -> str:
    """The address that the caller signed: our public base URL, the path as it was sent, the query."""
    path = request.scope.get("raw_path") or request.scope["path"].encode()
    query = request.scope["query_string"]
    below = path.split(b"?", 1)[0] + (b"?" + query if query else b"")
    return public_url.rstrip("/") + str(below.decode("latin-1"))


async def read_body(request: Request, most: int) -> bytes:
    """The body, as long as it is no larger than allowed.

    Raises:
        Refuse: `too_large`, or `malformed` when the caller hung up.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > most:
        raise Refuse(Code.TOO_LARGE)
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise Refuse(Code.TOO_LARGE)
    except ClientDisconnect as gone:
        raise Refuse(Code.MALFORMED) from gone
    return body


def decode_message(operation: Operation, body: bytes, path: dict[str, str]) -> Message:
    """The operation's message; what it repeats of the path must say the same.

    Raises:
        Refuse: `malformed`. The words say where, never what stood there.
    """
    if operation.request.__struct_fields__ == ():
        return operation.request()
    try:
        message = msgspec.json.decode(body, type=operation.request)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise Refuse(Code.MALFORMED, str(problem)) from problem
    for name, value in path.items():
        if getattr(message, name, value) not in {value, int(value) if value.isdecimal() else value}:
            raise Refuse(Code.MALFORMED, f"{name} differs between path and body")
    return message


def error_answer(problem: Refuse, request_id: str) -> Response:
    """The one error body."""
    meaning = PUBLIC_CODES.get(Code(problem.code)) if problem.code in set(Code) else None
    words = problem.message or (meaning.en if meaning else problem.code)
    body = ErrorBody(code=problem.code, message=words, request_id=request_id)
    answer = json_answer(body, request_id, status=http_status(problem.code))
    if problem.retry_after_s is not None:
        answer.headers["retry-after"] = str(problem.retry_after_s)
    return answer


def json_answer(message: object, request_id: str, *, status: int = 200) -> Response:
    """A message as JSON."""
    return Response(
        msgspec.json.encode(message),
        status_code=status,
        media_type="application/json",
        headers={"x-request-id": request_id},
    )
