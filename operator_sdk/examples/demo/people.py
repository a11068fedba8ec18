"""Drivers and the apps, readers and pages they use; all of it over HTTP."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from operator_sdk.chance import fresh_id
from operator_sdk.client import AsyncHubClient, BearerToken, OperatorCredentials
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.access import CodeRequest, DriverTokenRequest
from operator_sdk.contract.messages.roaming import (
    ScanRequest,
    Session,
    StartChargingRequest,
    StopRequest,
)
from operator_sdk.examples.demo.administrator import A, B, C
from operator_sdk.examples.demo.network import Network
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.trouble import Trouble

CODE_S = 10


class OwnApp:
    """B's own app, or the local side of A: JSON over HTTP."""

    def __init__(self, http: httpx.AsyncClient, url: str, name: str) -> None:
        self._http, self._url, self._name = http, url, name

    async def get(self, path: str) -> Any:
        """Read something.

        Raises:
            Trouble: it cannot be read.
        """
        return self._read(path, await self._http.get(self._url + path))

    async def post(self, path: str, **body: object) -> Any:
        """Do something.

        Raises:
            Trouble: it cannot be done.
        """
        return self._read(path, await self._http.post(self._url + path, json=body))

    def _read(self, path: str, answer: httpx.Response) -> Any:
        if answer.is_error:
            raise Trouble(f"{self._name} answered {path} with {answer.status_code}: {answer.text[:200]}")
        return answer.json()


class HostedDriver:
    """A driver of C: signs in at the hub with phone and code, scans, starts and stops there."""

    def __init__(self, client: AsyncHubClient) -> None:
        self.client = client

    @classmethod
    async def sign_in(cls, hub: AsyncHubClient, phone: str, codes: Path) -> "HostedDriver":
        """With the code that arrives for this phone.

        Raises:
            Trouble: none arrives.
        """
        seen = len(_codes(codes, phone))
        await hub.call("send_code", CodeRequest(home_party_id=C, phone=phone))

        async def arrived() -> str | None:
            return next(iter(_codes(codes, phone)[seen:]), None)

        code = await until(arrived, within_s=CODE_S, missing="no one-time code arrived")
        request = DriverTokenRequest(grant="code", home_party_id=C, phone=phone, code=code)
        tokens = await hub.issue_driver_token(request)
        return cls(hub.acting_as(BearerToken(tokens.access_token)))

    async def start(self, connector_id: str) -> Session:
        """Scan the code at a connector, and start."""
        scan = await self.client.scan(ScanRequest(code=connector_ref(A, connector_id)))
        request = StartChargingRequest(request_ref=fresh_id("phone"), scan_id=scan.scan_id)
        return await self.client.start_charging(request)

    async def stop(self, session_id: str) -> None:
        """By hand."""
        await self.client.stop_charging(session_id, StopRequest(stop_ref=f"stop-{session_id}"))

    async def held_fen(self) -> int:
        """Asked of C, that is, of the hub's accounts."""
        return (await self.client.get_driver_account()).held_fen or 0


def _codes(file: Path, phone: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        said = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        return [one["code"] for one in said if one["phone"].endswith(phone)]
    return []


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who acts: the operators' offices, B's app, A's piles, the public door of the hub."""

    a_office: AsyncHubClient
    b_office: AsyncHubClient
    public: AsyncHubClient
    b_app: OwnApp
    a_piles: OwnApp
    connectors: Sequence[str]


@asynccontextmanager
async def people(network: Network, connectors: Sequence[str]) -> AsyncIterator[People]:
    """Everybody, for as long as the network stands."""
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=15, trust_env=False))

        async def client(party_id: str | None) -> AsyncHubClient:
            who = None if party_id is None else OperatorCredentials(party_id, network.keys[party_id])
            return await stack.enter_async_context(AsyncHubClient(network.hub_url, who, clock=network.clock))

        yield People(
            a_office=await client(A),
            b_office=await client(B),
            public=await client(None),
            b_app=OwnApp(http, network.b_url, "B's app"),
            a_piles=OwnApp(http, network.a_url, "A's piles"),
            connectors=connectors,
        )
