"""What partners build against: the flat names of `operator_sdk`, and nothing by accident."""

import subprocess
import sys

import operator_sdk

PUBLIC = [
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


def test_the_public_names_are_these_in_order() -> None:
    assert operator_sdk.__all__ == PUBLIC
    assert sorted(PUBLIC) == PUBLIC
    assert dir(operator_sdk) == PUBLIC


def test_every_public_name_is_there_and_documented() -> None:
    for name in PUBLIC:
        assert getattr(operator_sdk, name).__doc__, name


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(operator_sdk, "nothing")


def test_the_contract_alone_loads_no_client_and_no_web_framework() -> None:
    program = (
        "import operator_sdk.contract.signing, operator_sdk.contract.operations, sys;"
        "print([name for name in ('httpx', 'starlette', 'joserfc') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
