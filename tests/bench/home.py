"""The home's platform as a stub: raw ASGI, grants every authorization, signs every answer, keeps nothing.

What is signed covers the request's own signature, so no answer could be made beforehand.
"""

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from operator_sdk.contract.codes import AuthorizationState
from operator_sdk.contract.messages.roaming import HomeAuthorization, HomeAuthorizeRequest
from operator_sdk.contract.signing import sign_answer
from tests.bench.world import World

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Home:
    """All homes of the world in one process, told apart by the path they are registered under."""

    def __init__(self, world: World) -> None:
        self._keys = {home.party_id: home.key() for home in world.homes}
        self._ask = msgspec.json.Decoder(HomeAuthorizeRequest)
        self._numbers = itertools.count(1)
        self._run = secrets.token_hex(4)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        _, party_id, rest = scope["path"].split("/", 2)
        answer = self._granted(body) if rest == "v1/authorizations" else b"{}"
        signature = next((value for name, value in scope["headers"] if name == b"signature"), b"")
        signed = sign_answer(
            self._keys[party_id],
            status=200,
            body=answer,
            request_signature=signature.decode("latin-1"),
            created=int(time.time()),
            nonce=secrets.token_urlsafe(24),
        )
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer)).encode()),
            *((name.encode(), value.encode()) for name, value in signed.as_dict().items()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _granted(self, body: bytes) -> bytes:
        ask = self._ask.decode(body)
        granted = HomeAuthorization(
            state=AuthorizationState.GRANTED,
            limit_fen=ask.hold_fen,
            home_ref=f"{self._run}-{next(self._numbers)}",
            subject=f"driver-{ask.token.ref}",
        )
        return msgspec.json.encode(granted)
