"""The two gateways of the edge link behind one face, so that one suite holds them to the same contract.

Each is really served: the SDK's `SiteGateway` with its SQLite inbox, and the hub's own.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.applications import Starlette

from operator_sdk import SiteGateway, SiteOffline, SiteSilent, SqliteInbox, new_key
from operator_sdk.contract.edge_link.frames import (
    Answer,
    Ask,
    BadItem,
    BlacklistCommand,
    Command,
    Done,
    Item,
    Result,
    Stream,
    TariffsCommand,
)
from operator_sdk.contract.edge_link.proof import token_digest
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.site_gateway import GatewayLimits, Inbox, SiteAlarm, SiteConnection
from tests.rig_partners import Server, listen

HOST = "MA5AAAAA1"


class NotConnected(Exception):
    """The command was certainly not sent."""


class NoAnswer(Exception):
    """The site did not answer in time."""


class EdgeGateway(Protocol):
    """What the conformance suite needs of a gateway that is being served."""

    @property
    def url(self) -> str:
        """Where agents connect: ws://..."""

    @property
    def gateway_id(self) -> str:
        """The gateway's name in its challenge."""

    @property
    def gateway_key(self) -> Ed25519PublicKey:
        """The key it proves itself with."""

    async def add_site(self, site_id: str, public_key: Ed25519PublicKey, connectors: Sequence[str]) -> None:
        """Make a site known, with its connectors; again with another key: the site's key changes."""

    async def add_tariff(self, tariff: Tariff) -> None:
        """A tariff version that charges may name: pushed to who is connected, and at connection."""

    async def block(self, token: Token) -> None:
        """A token that no pile accepts from now on: pushed to who is connected, and at connection."""

    async def stored(self, site_id: str) -> list[Item | BadItem]:
        """Everything durable that the site sent: bills, then live, each in the order of its numbers."""

    async def fail_to_store(self, times: int) -> None:
        """Have the next attempts at storing fail."""

    async def command(self, site_id: str, command: Command, *, command_id: str | None = None) -> Result:
        """Command a site, within 2 s.

        Raises:
            NotConnected: certainly not sent.
            NoAnswer: it was silent.
        """

    async def alarms(self) -> list[tuple[str, str]]:
        """Site and code of every alarm so far: superseded, proof_wrong, bad_item."""

    async def asks(self) -> list[Ask]:
        """What sites have asked; each was answered `Done`, unless its gateway knows better."""


class Opener(Protocol):
    """Serves a gateway while the block lasts. `limits` shortens its patience where a test waits for its end."""

    def __call__(
        self, folder: Path, *, limits: Mapping[str, Any] | None = None
    ) -> AbstractAsyncContextManager[EdgeGateway]:
        """Open one."""


class FailingInbox:
    """Stands before an inbox and fails on demand, as a full disk does."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox, self.failures = inbox, 0

    async def acknowledged(self, site_id: str, spool_id: str) -> Mapping[Stream, int]:
        return await self._inbox.acknowledged(site_id, spool_id)

    async def store(
        self, site_id: str, spool_id: str, stream: Stream, first: int, items: Sequence[Item | BadItem]
    ) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise OSError("no space left on device")
        await self._inbox.store(site_id, spool_id, stream, first, items)


class SdkGateway:
    """SiteGateway as an operator would use it: pushes at connection and on change."""

    def __init__(self, url: str, inbox: SqliteInbox, limits: GatewayLimits) -> None:
        self.url, self.gateway_id = f"{url.replace('http', 'ws')}/edge", HOST
        self._key = new_key("gateway")
        self._inbox, self._failing = inbox, FailingInbox(inbox)
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._tariffs: list[Tariff] = []
        self._blocked: list[bytes] = []
        self._alarms: list[SiteAlarm] = []
        self._asks: list[Ask] = []
        self.gateway = SiteGateway(
            gateway_id=HOST, key=self._key, site_key=self._site_key, inbox=self._failing, limits=limits
        )
        self.gateway.on_connected(self._push)
        self.gateway.on_alarm(self._alarmed)
        self.gateway.on_ask(self._asked)

    @property
    def gateway_key(self) -> Ed25519PublicKey:
        return self._key.private.public_key()

    async def add_site(self, site_id: str, public_key: Ed25519PublicKey, connectors: Sequence[str]) -> None:
        self._keys[site_id] = public_key

    async def add_tariff(self, tariff: Tariff) -> None:
        self._tariffs.append(tariff)
        await self._push_all()

    async def block(self, token: Token) -> None:
        self._blocked.append(token_digest(token))
        await self._push_all()

    async def stored(self, site_id: str) -> list[Item | BadItem]:
        kinds = ("update", "status", "fault", "health", "bill", "bad")
        kept = [one for one in await self._inbox.waiting(*kinds, most=100_000) if one.site_id == site_id]
        return [one.item for one in sorted(kept, key=lambda one: (one.stream, one.number))]

    async def fail_to_store(self, times: int) -> None:
        self._failing.failures = times

    async def command(self, site_id: str, command: Command, *, command_id: str | None = None) -> Result:
        try:
            return await self.gateway.command(site_id, command, within_s=2, command_id=command_id)
        except SiteOffline as problem:
            raise NotConnected from problem
        except SiteSilent as problem:
            raise NoAnswer from problem

    async def alarms(self) -> list[tuple[str, str]]:
        return [(one.site_id, one.code) for one in self._alarms]

    async def asks(self) -> list[Ask]:
        return self._asks

    async def _site_key(self, site_id: str) -> Ed25519PublicKey | None:
        return self._keys.get(site_id)

    async def _push(self, site: SiteConnection) -> None:
        await site.command(TariffsCommand(tariffs=self._tariffs))
        await site.command(BlacklistCommand(version=len(self._blocked), digests=self._blocked))

    async def _push_all(self) -> None:
        await asyncio.gather(*(self._push(site) for site in self.gateway.sites.values()))

    async def _alarmed(self, alarm: SiteAlarm) -> None:
        self._alarms.append(alarm)

    async def _asked(self, site_id: str, ask: Ask) -> Answer:
        self._asks.append(ask)
        return Done()


@asynccontextmanager
async def open_sdk(folder: Path, *, limits: Mapping[str, Any] | None = None) -> AsyncIterator[EdgeGateway]:
    """The SDK's gateway, served by uvicorn in this loop."""
    at = listen()
    inbox = SqliteInbox(folder / "inbox.db")
    served = SdkGateway(at.url, inbox, GatewayLimits(**(limits or {})))
    app = Starlette(routes=[served.gateway.route("/edge")])
    config = uvicorn.Config(
        app, log_config=None, access_log=False, ws="websockets-sansio", timeout_graceful_shutdown=2
    )
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[at.socket]))
    try:
        yield served  # the port is ours already: who connects early waits
        await served.gateway.aclose()
    finally:
        server.should_exit = True
        await task
        await inbox.aclose()


OPENERS: dict[str, Opener] = {"sdk": open_sdk}
