"""Everybody who acts: the operators' offices, B's app, A's platform, the drivers' phones, the hub's staff."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from operator_sdk.client import AsyncHubClient, BearerToken, OperatorCredentials
from operator_sdk.contract.ids import split_connector
from operator_sdk.contract.messages.access import StaffSignIn
from operator_sdk.contract.messages.directory import Station
from operator_sdk.examples.demo.administrator import DISPATCHER, STAFF_PASSWORDS, WORKER, A, B, C
from operator_sdk.examples.demo.network import Network
from operator_sdk.examples.demo.phone import Phone
from operator_sdk.examples.demo.trouble import Trouble

RICH, POOR = "13800000001", "13800000002"


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


@dataclass(frozen=True, slots=True)
class People:
    """Clients and phones, each signed in as somebody."""

    a_office: AsyncHubClient
    b_office: AsyncHubClient
    worker: AsyncHubClient
    dispatcher: AsyncHubClient
    b_app: OwnApp
    a_platform: OwnApp
    phones: dict[str, Phone]

    async def where(self, connector: str) -> Station:
        """The station of a connector.

        Raises:
            Trouble: the directory does not know it.
        """
        party_id, _ = split_connector(connector)
        info = await self.a_office.get_connector(connector)
        return await self.a_office.get_station(party_id, info.station_id)


@asynccontextmanager
async def people(network: Network) -> AsyncIterator[People]:
    """Everybody, for as long as the network stands; the drivers of B and C are signed in on their phones."""
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=15, trust_env=False))

        async def client(party_id: str | None) -> AsyncHubClient:
            who = None if party_id is None else OperatorCredentials(party_id, network.keys[party_id])
            return await stack.enter_async_context(AsyncHubClient(network.hub_url, who, clock=network.clock))

        async def staff(login: str) -> AsyncHubClient:
            signed_in = await public.staff_sign_in(StaffSignIn(login=login, password=STAFF_PASSWORDS[login]))
            return public.acting_as(BearerToken(signed_in.token))

        public = await client(None)
        b_app = OwnApp(http, network.b_url, "B's app")
        yield People(
            a_office=await client(A),
            b_office=await client(B),
            worker=await staff(WORKER),
            dispatcher=await staff(DISPATCHER),
            b_app=b_app,
            a_platform=OwnApp(http, network.a_url, "A's platform"),
            phones=await _phones(network, http, b_app),
        )


async def _phones(network: Network, http: httpx.AsyncClient, b_app: OwnApp) -> dict[str, Phone]:
    """By phone number, the drivers of C; by their ids, those of B, with what B has signed for them."""
    fresh = Phone(http, network.graphql_url)
    phones = {number: await fresh.by_code(C, number, network.code_file) for number in (RICH, POOR)}
    for driver in ("B-0001", "B-0002", "B-0003", "B-0006"):
        signed = await b_app.post("/app/assertions", driver=driver)
        phones[driver] = await fresh.by_assertion(signed["assertion"])
    return phones
