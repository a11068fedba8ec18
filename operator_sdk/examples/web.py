"""The few lines of JSON over HTTP that both examples' own pages need."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from operator_sdk.contract.messages.common import ErrorBody
from operator_sdk.contract.public_codes import PUBLIC_CODES, Code, http_status
from operator_sdk.errors import ApiError, InterpileError
from operator_sdk.guard import Refuse

T = TypeVar("T")
log = logging.getLogger("interpile.examples")
BODY_BYTES_MAX = 16_384


def answer(body: object, status: int = 200) -> Response:
    """JSON."""
    return Response(msgspec.json.encode(body), status, media_type="application/json")


async def read(request: Request, kind: type[T]) -> T:
    """The request's body as this type.

    Raises:
        Refuse: `malformed` or `too_large`.
    """
    body = await request.body()
    if len(body) > BODY_BYTES_MAX:
        raise Refuse(Code.TOO_LARGE)
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise Refuse(Code.MALFORMED, str(problem)) from problem


def route(path: str, method: str, endpoint: Callable[[Request], Awaitable[Any]]) -> Route:
    """A route whose function returns what to answer, or raises what went wrong."""

    async def guarded(request: Request) -> Response:
        try:
            given = await endpoint(request)
        except Refuse as refusal:
            return _error(refusal.code, refusal.message)
        except ApiError as error:
            return _error(error.code, error.message)
        except InterpileError as problem:
            return _error(Code.UNAVAILABLE, str(problem))
        return given if isinstance(given, Response) else answer(given)

    return Route(path, guarded, methods=[method])


def background(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run beside the server; what ends it other than being told to is logged at once."""
    task = asyncio.create_task(work)

    def ended(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (problem := done.exception()) is not None:
            log.critical("a background task ended", exc_info=problem)

    task.add_done_callback(ended)
    return task


def _error(code: str, message: str | None) -> Response:
    words = message or (PUBLIC_CODES[Code(code)].en if code in set(Code) else code)
    return answer(ErrorBody(code=code, message=words, request_id=""), http_status(code))
