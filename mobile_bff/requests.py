"""What every request has: an id to be known by, a body of bounded size."""

import re

from starlette.requests import ClientDisconnect, HTTPConnection, Request

from mobile_bff.refused import Refused
from operator_sdk.chance import fresh_id
from operator_sdk.contract.public_codes import Code

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")


def request_id_of(connection: HTTPConnection) -> str:
    """The caller's request id, or a new one where it has none that could go into a log."""
    given = connection.headers.get("x-request-id", "")
    return given if _REQUEST_ID.match(given) else fresh_id("req")


async def read_body(request: Request, most: int) -> bytes:
    """The body.

    Raises:
        Refused: too_large; malformed, when it never came whole.
    """
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise Refused(Code.MALFORMED)
    if int(length[:12]) > most:
        raise Refused(Code.TOO_LARGE)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise Refused(Code.TOO_LARGE)
    except ClientDisconnect as gone:
        raise Refused(Code.MALFORMED) from gone
    return bytes(body)
