"""Calls to the hub below the SDK: well signed unless a test wants otherwise."""

from typing import Any

import httpx

from hub.core.clock import unix_s
from operator_sdk.chance import fresh_nonce
from operator_sdk.contract.operations import Operation
from operator_sdk.contract.signing import SigningKey, sign_request
from tests.rig import A, B, D, Rig


def key_of(rig: Rig, party: str) -> SigningKey | None:
    """A native operator's key."""
    platform = {A: rig.a, B: rig.b, D: rig.d}.get(party)
    return platform.key if platform else None


def signature(
    rig: Rig, operation: Operation, path: str, body: bytes, key: SigningKey, **changes: Any
) -> dict[str, str]:
    """The headers of a signed request; `created`, `nonce`, `target_uri` may be other than right."""
    given = {
        "method": operation.method,
        "target_uri": rig.url + path,
        "body": body,
        "created": unix_s(rig.hub.clock.wall()),
        "nonce": fresh_nonce(),
        **changes,
    }
    return sign_request(key, **given).as_dict()


async def send(
    rig: Rig,
    operation: Operation,
    path: str,
    body: bytes,
    *,
    party: str = "",
    subject: str | None = None,
    token: str | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """One request as this operator or this driver, signed where the contract wants it."""
    sent = {"content-type": "application/json"}
    if token or party:
        sent["authorization"] = f"Bearer {token or rig.token(party, subject)}"
    key = key_of(rig, party)
    if operation.signed and key is not None and subject is None:
        sent |= signature(rig, operation, path, body, key)
    return await rig.http.request(operation.method, path, content=body, headers=sent | (headers or {}))
