"""The yardstick: a bare Starlette forwarder with the hub's messages and signatures that stores nothing.

It verifies the host's AuthorizeRequest, signs and sends the HomeAuthorizeRequest through one pooled aiohttp
session, verifies the home's answer, and signs its own. No hub can do less than this per authorization.
"""

import contextlib
import secrets
import time
from collections.abc import AsyncIterator

import aiohttp
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from operator_sdk.contract.ids import AUTHORIZATION, SESSION, connector_ref, hub_id
from operator_sdk.contract.messages.roaming import (
    Authorization,
    AuthorizeRequest,
    HomeAuthorization,
    HomeAuthorizeRequest,
)
from operator_sdk.contract.signing import read_claims, sign_answer, sign_request, verify_answer, verify_request
from tests.bench.world import HOLD_FEN, Operator, World

PATH = "/v1/authorizations"


class Forwarder:
    """Forwards authorizations."""

    def __init__(self, world: World) -> None:
        self._target = world.forwarder_url + PATH
        self._key = world.forwarder.key()
        self._hosts = {
            host.key_id: (host.party_id, host.key().private.public_key(), world.tariff(host))
            for host in world.hosts
        }
        self._homes = {home.prefix: _home(home) for home in world.homes}
        self._asked = msgspec.json.Decoder(AuthorizeRequest)
        self._decided = msgspec.json.Decoder(HomeAuthorization)
        self._session: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """The pool lives as long as the process."""
        connector = aiohttp.TCPConnector(limit=200)
        async with aiohttp.ClientSession(
            connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as self._session:
            yield

    async def authorize(self, request: Request) -> Response:
        """One authorization through."""
        body, headers, now_ms = await request.body(), request.headers, time.time_ns() // 1_000_000
        claims = read_claims(headers.get("signature-input"), headers.get("signature"))
        host_id, public, tariff = self._hosts[claims.key_id]
        verify_request(
            claims,
            public,
            method="POST",
            target_uri=self._target,
            body=body,
            digest_header=headers.get("content-digest"),
            now_s=now_ms // 1000,
        )
        asked = self._asked.decode(body)
        ask = HomeAuthorizeRequest(
            authorization_id=hub_id(AUTHORIZATION, now_ms, secrets.randbits(74)),
            session_id=hub_id(SESSION, now_ms, secrets.randbits(74)),
            token=asked.token,
            host_party_id=host_id,
            connector=connector_ref(host_id, asked.connector_id),
            tariff=tariff,
            target=asked.target,
            hold_fen=HOLD_FEN,
        )
        decided = await self._ask(ask, headers.get("x-request-id", ""))
        reply = Authorization(
            authorization_id=ask.authorization_id,
            authorization_ref=asked.authorization_ref,
            state=decided.state,
            session_id=ask.session_id,
            refusal=decided.refusal,
            limit_fen=decided.limit_fen,
            token_ref=secrets.token_urlsafe(32),
            tariff=tariff,
        )
        return self._signed(msgspec.json.encode(reply), headers.get("signature", ""))

    async def _ask(self, ask: HomeAuthorizeRequest, request_id: str) -> HomeAuthorization:
        url, public = self._homes[ask.token.ref[:7]]
        body = msgspec.json.encode(ask)
        signed = sign_request(
            self._key,
            method="POST",
            target_uri=url,
            body=body,
            created=int(time.time()),
            nonce=secrets.token_urlsafe(32),
        )
        headers = {"content-type": "application/json", "x-request-id": request_id, **signed.as_dict()}
        assert self._session is not None
        async with self._session.post(url, data=body, headers=headers) as answer:
            content = await answer.read()
        verify_answer(
            read_claims(answer.headers.get("signature-input"), answer.headers.get("signature")),
            public,
            status=answer.status,
            body=content,
            digest_header=answer.headers.get("content-digest"),
            request_signature=signed.signature,
            now_s=int(time.time()),
        )
        return self._decided.decode(content)

    def _signed(self, body: bytes, request_signature: str) -> Response:
        headers = sign_answer(
            self._key,
            status=200,
            body=body,
            request_signature=request_signature,
            created=int(time.time()),
            nonce=secrets.token_urlsafe(32),
        )
        return Response(body, media_type="application/json", headers=headers.as_dict())


def _home(home: Operator):
    return home.base_url + PATH, home.key().private.public_key()


async def ready(_: Request) -> Response:
    """Up."""
    return Response(b"{}")


def forwarder_app(world: World) -> Starlette:
    """The application."""
    forwarder = Forwarder(world)
    routes = [Route(PATH, forwarder.authorize, methods=["POST"]), Route("/readyz", ready)]
    return Starlette(lifespan=forwarder.lifespan, routes=routes)
