"""The phone's service before a real hub: both on real ports, and phones that ask by HTTP and WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from gql import Client, gql
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from mobile_bff.app import create_app
from mobile_bff.graph.context import Services
from mobile_bff.settings import Settings
from operator_sdk.client.trust import authorities
from operator_sdk.clock import Clock
from tests.rig_partners import listen, serving

TRANSPORT_WS = Subprotocol("graphql-transport-ws")


@dataclass
class Phone:
    """One driver's phone, or nobody's when it has no token."""

    url: str
    token: str | None = None
    language: str = "en"
    _http: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(trust_env=False, timeout=30, verify=authorities())
    )

    @property
    def headers(self) -> dict[str, str]:
        """Who asks, in which language."""
        known = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return {"accept-language": self.language, **known}

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        """One request, as it is."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", **self.headers, **headers}
        return await self._http.post(f"{self.url}/graphql", content=content, headers=sent)

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """One operation over HTTP, whole: data and errors."""
        answer = await self.post({"query": document, "variables": variables})
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return dict(answer.json())

    async def data(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation without errors."""
        answer = await self.ask(document, **variables)
        assert "errors" not in answer, answer
        return dict(answer["data"])

    async def code(self, document: str, **variables: Any) -> str:
        """The code of the one error of an operation."""
        answer = await self.ask(document, **variables)
        (error,) = answer["errors"]
        return str(error["extensions"]["code"])

    def over_http(self) -> Client:
        """The `gql` package's client."""
        transport = HTTPXAsyncTransport(url=f"{self.url}/graphql", headers=self.headers, trust_env=False)
        return Client(transport=transport, fetch_schema_from_transport=True)

    def over_socket(self) -> Client:
        """The same over WebSocket."""
        params = {"authorization": f"Bearer {self.token}", "locale": self.language}
        transport = WebsocketsTransport(
            url=f"{self.url.replace('http', 'ws', 1)}/graphql",
            init_payload=params,
            subprotocols=[TRANSPORT_WS],
            connect_args={"proxy": None},
        )
        return Client(transport=transport)

    @asynccontextmanager
    async def socket(self, *, init: dict[str, Any] | None = None) -> AsyncIterator["Socket"]:
        """A bare socket that has said who it is."""
        async with self.bare_socket() as bare:
            await bare.say(type="connection_init", payload=init if init is not None else self.headers)
            assert (await bare.hear())["type"] == "connection_ack"
            yield bare

    @asynccontextmanager
    async def bare_socket(self, *protocols: str, **more: Any) -> AsyncIterator["Socket"]:
        """A socket before the first word."""
        chosen = [Subprotocol(name) for name in protocols] or [TRANSPORT_WS]
        url = f"{self.url.replace('http', 'ws', 1)}/graphql"
        async with connect(url, subprotocols=chosen, proxy=None, **more) as connection:
            yield Socket(connection)

    async def aclose(self) -> None:
        """Hang up."""
        await self._http.aclose()


@dataclass
class Socket:
    """Messages of graphql-transport-ws, by hand."""

    connection: ClientConnection

    async def say(self, **message: Any) -> None:
        """Send a message."""
        await self.connection.send(json.dumps(message))

    async def subscribe(self, number: str, document: str, **variables: Any) -> None:
        """Begin an operation."""
        await self.say(type="subscribe", id=number, payload={"query": document, "variables": variables})

    async def hear(self) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(20):
            text = await self.connection.recv()
        assert isinstance(text, str), "a message must be text"
        return dict(json.loads(text))

    async def closed(self) -> tuple[int, str]:
        """How the other side hung up."""
        async with asyncio.timeout(20):
            await self.connection.wait_closed()
        assert self.connection.close_code is not None
        return self.connection.close_code, self.connection.close_reason or ""


@dataclass
class Bff:
    """The service, and what is inside."""

    url: str
    services: Services
    phones: list[Phone] = field(default_factory=list)

    def phone(self, token: str | None = None, language: str = "en") -> Phone:
        """A phone."""
        made = Phone(self.url, token, language)
        self.phones.append(made)
        return made


@asynccontextmanager
async def open_bff(
    hub_url: str,
    *,
    clock: Clock | None = None,
    party_id: str | None = None,
    key_file: Path | None = None,
    **settings: Any,
) -> AsyncIterator[Bff]:
    """The service before a hub, on a port of its own."""
    at = listen()
    given = Settings(
        hub_url=hub_url,
        issuer=settings.pop("issuer", hub_url),
        env=settings.pop("env", "test"),
        party_id=party_id,
        key_file=key_file,
        **settings,
    )
    app = create_app(given, alone=True, clock=clock)
    async with serving((app, at)):
        bff = Bff(at.url, app.state.services)
        try:
            yield bff
        finally:
            for phone in bff.phones:
                await phone.aclose()


def parsed(document: str) -> Any:
    """A document for `gql`."""
    return gql(document)
