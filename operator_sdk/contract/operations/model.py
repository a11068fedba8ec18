"""What an operation is."""

from dataclasses import dataclass
from enum import StrEnum

from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.public_codes import Code


class Scope(StrEnum):
    """Who may call: anyone, an operator's platform, a driver, the hub's staff, or the hub itself."""

    PUBLIC = "public"
    OPERATOR = "operator"
    DRIVER = "driver"
    STAFF = "staff"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call.

    `role` narrows the scope: a party's role (home, host) or the staff function needed; `staff_role` is the
    function where operators may call too. `query` describes what a GET takes behind its path; `media` names
    what else than JSON it may answer. Only what is marked `apps` is open to a party that is nothing but an app.
    """

    id: str
    method: str
    path: str
    request: type[Message]
    reply: type[Message]
    scopes: frozenset[Scope]
    summary: str
    signed: bool = False
    role: str | None = None
    staff_role: str | None = None
    errors: tuple[Code, ...] = ()
    form: bool = False
    stream: bool = False
    paged: bool = False
    query: type[Message] | None = None
    media: tuple[str, ...] = ()
    apps: bool = False
    success: int = 200
    max_body: int = 262_144


def op(
    operation_id: str,
    route: str,
    request: type[Message],
    reply: type[Message],
    scope: Scope | tuple[Scope, ...],
    summary: str,
    **more: object,
) -> Operation:
    """An operation; `route` is method and path."""
    method, path = route.split(" ")
    scopes = frozenset(scope if isinstance(scope, tuple) else (scope,))
    return Operation(operation_id, method, path, request, reply, scopes, summary, **more)  # type: ignore[arg-type]
