"""Interpile's operator SDK: call the hub, answer its calls, agree with it to the byte and the fen.

`HubClient` and `AsyncHubClient` call the hub; `OperatorApp` answers it; `SiteGateway` lets the agents of one's
own sites in and `SqliteInbox` keeps what they send; messages, prices and signatures are in
`operator_sdk.contract`; `operator_sdk.testing` has a hub for tests.

The names are loaded when they are first used, so that who needs the contract alone (the hub, an edge
agent on small hardware) does not load an HTTP client and a web framework with it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operator_sdk.client import (
        AsyncHubClient,
        BearerToken,
        HubClient,
        OperatorCredentials,
        Patience,
        is_decided,
    )
    from operator_sdk.clock import Clock
    from operator_sdk.contract.signing import SigningKey
    from operator_sdk.errors import (
        ApiError,
        BadRequest,
        Conflict,
        ConnectionFailed,
        Forbidden,
        InterpileError,
        MalformedAnswer,
        NotFound,
        ServerFailed,
        SignatureError,
        SiteOffline,
        SiteSilent,
        TimedOut,
        TooManyRequests,
        TransportError,
        Unauthenticated,
        Unprocessable,
    )
    from operator_sdk.guard import Refuse
    from operator_sdk.keys import load_key, new_key, save_key
    from operator_sdk.operator import Call, OperatorApp
    from operator_sdk.site_gateway import Inbox, SiteGateway, SqliteInbox

__all__ = [
    "ApiError",
    "AsyncHubClient",
    "BadRequest",
    "BearerToken",
    "Call",
    "Clock",
    "Conflict",
    "ConnectionFailed",
    "Forbidden",
    "HubClient",
    "Inbox",
    "InterpileError",
    "MalformedAnswer",
    "NotFound",
    "OperatorApp",
    "OperatorCredentials",
    "Patience",
    "Refuse",
    "ServerFailed",
    "SignatureError",
    "SigningKey",
    "SiteGateway",
    "SiteOffline",
    "SiteSilent",
    "SqliteInbox",
    "TimedOut",
    "TooManyRequests",
    "TransportError",
    "Unauthenticated",
    "Unprocessable",
    "is_decided",
    "load_key",
    "new_key",
    "save_key",
]

_HOMES = {
    "ApiError": "operator_sdk.errors",
    "AsyncHubClient": "operator_sdk.client",
    "BadRequest": "operator_sdk.errors",
    "BearerToken": "operator_sdk.client",
    "Call": "operator_sdk.operator",
    "Clock": "operator_sdk.clock",
    "Conflict": "operator_sdk.errors",
    "ConnectionFailed": "operator_sdk.errors",
    "Forbidden": "operator_sdk.errors",
    "HubClient": "operator_sdk.client",
    "Inbox": "operator_sdk.site_gateway",
    "InterpileError": "operator_sdk.errors",
    "MalformedAnswer": "operator_sdk.errors",
    "NotFound": "operator_sdk.errors",
    "OperatorApp": "operator_sdk.operator",
    "OperatorCredentials": "operator_sdk.client",
    "Patience": "operator_sdk.client",
    "Refuse": "operator_sdk.guard",
    "ServerFailed": "operator_sdk.errors",
    "SignatureError": "operator_sdk.errors",
    "SigningKey": "operator_sdk.contract.signing",
    "SiteGateway": "operator_sdk.site_gateway",
    "SiteOffline": "operator_sdk.errors",
    "SiteSilent": "operator_sdk.errors",
    "SqliteInbox": "operator_sdk.site_gateway",
    "TimedOut": "operator_sdk.errors",
    "TooManyRequests": "operator_sdk.errors",
    "TransportError": "operator_sdk.errors",
    "Unauthenticated": "operator_sdk.errors",
    "Unprocessable": "operator_sdk.errors",
    "is_decided": "operator_sdk.client",
    "load_key": "operator_sdk.keys",
    "new_key": "operator_sdk.keys",
    "save_key": "operator_sdk.keys",
}


def __getattr__(name: str) -> object:
    """Load a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return [*__all__]
