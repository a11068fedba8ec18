"""The correlation id: one per call from outside, carried over every leg and into every log line."""

from contextvars import ContextVar

_REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")


def current_request_id() -> str:
    """The id of the call that this task works for."""
    return _REQUEST_ID.get()


def set_request_id(request_id: str) -> None:
    """Work for this call from here on."""
    _REQUEST_ID.set(request_id)
