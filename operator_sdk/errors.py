"""What can go wrong in a call, as one tree.

    InterpileError
    ├── TransportError            no answer came; whether the hub did the work is not known
    │   ├── TimedOut              (also a TimeoutError)
    │   └── ConnectionFailed      (also a ConnectionError)
    ├── MalformedAnswer           an answer came that is not what the contract says
    ├── SignatureError            an answer came whose signature does not hold
    ├── SiteError                 a site of ours did not answer a command (SiteGateway)
    │   ├── SiteOffline           it is not connected: certainly not sent
    │   └── SiteSilent            no answer in time: it may have been done
    └── ApiError                  the hub answered with an error body: status, code, request_id
        ├── BadRequest            400 and any other 4xx without a class of its own
        ├── Unauthenticated       401
        ├── Forbidden             403
        ├── NotFound              404: unknown, or somebody else's
        ├── Conflict              409: the state does not allow it, or it is in progress
        ├── Unprocessable         422: a rule, or an id used again
        ├── TooManyRequests       429
        └── ServerFailed          5xx

A caller writes:

    try:
        session = hub.start_session(request)
    except TransportError:
        ...  # call again later with the same start_ref
    except ApiError as error:
        log.warning("refused: %s (request %s)", error.code, error.request_id)

A refusal (no money, connector busy) is no error: it is a decided answer with `state` refused.
"""

from collections.abc import Mapping
from typing import Any


class InterpileError(Exception):
    """The root of everything the SDK raises on its own account."""


class TransportError(InterpileError):
    """No answer came: the message may have been worked on, and its id makes a repeat safe."""

    def __init__(self, message: str, *, request_id: str = "") -> None:
        super().__init__(f"{message} (request {request_id})" if request_id else message)
        self.request_id = request_id


class TimedOut(TransportError, TimeoutError):
    """The other side was silent for longer than allowed."""


class ConnectionFailed(TransportError, ConnectionError):
    """The connection could not be made, or broke before the answer was whole."""


class MalformedAnswer(InterpileError):
    """The answer is not what the contract says, or larger than allowed."""


class SignatureError(InterpileError):
    """The answer's signature is missing, wrong, stale, or by a key the hub does not publish."""

    def __init__(self, code: str, *, request_id: str = "") -> None:
        super().__init__(f"{code} (request {request_id})" if request_id else code)
        self.code = code
        self.request_id = request_id


class SiteError(InterpileError):
    """A site of ours did not answer a command."""

    def __init__(self, site_id: str) -> None:
        super().__init__(f"the site {site_id}")
        self.site_id = site_id


class SiteOffline(SiteError):
    """The site is not connected: the command was certainly not sent."""


class SiteSilent(SiteError, TimeoutError):
    """The site did not answer in time, or its connection broke: the command may have been carried out."""


class ApiError(InterpileError):
    """The hub's error body. `retry_after_s` is set where the hub named a time."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        message: str = "",
        request_id: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message} (request {request_id})")
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.details = dict(details or {})
        self.retry_after_s = retry_after_s


class BadRequest(ApiError):
    """400: the request is malformed."""


class Unauthenticated(ApiError):
    """401: the token, the signature or the nonce was not accepted."""


class Forbidden(ApiError):
    """403: the caller's role may not do this."""


class NotFound(ApiError):
    """404: unknown, or somebody else's."""


class Conflict(ApiError):
    """409: the present state does not allow this, or the same request is in progress."""


class Unprocessable(ApiError):
    """422: a rule forbids it, or the id was used for another message."""


class TooManyRequests(ApiError):
    """429: too many requests, or locked out for a while."""


class ServerFailed(ApiError):
    """5xx: the hub failed, or is not available just now."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Unprocessable,
    429: TooManyRequests,
}


def error_class(status: int) -> type[ApiError]:
    """The class for an HTTP status."""
    if status >= 500:
        return ServerFailed
    return _BY_STATUS.get(status, BadRequest)
