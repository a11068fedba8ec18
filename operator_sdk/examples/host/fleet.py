"""The host's sites: what each has to know, what it asks, what it says of itself."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from operator_sdk.client import AsyncHubClient, is_decided
from operator_sdk.clock import Clock
from operator_sdk.contract.codes import AuthorizationState
from operator_sdk.contract.edge_link.frames import (
    Answer,
    Ask,
    AuthorizeAsk,
    Authorized,
    BlacklistCommand,
    Done,
    FaultItem,
    HealthItem,
    LinkCode,
    LinkProblem,
    Refused,
    Result,
    StatusItem,
    StopCommand,
    TariffsCommand,
)
from operator_sdk.contract.edge_link.proof import token_digest
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.roaming import AuthorizeRequest
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.signing import SigningKey
from operator_sdk.errors import ApiError, InterpileError, SiteError
from operator_sdk.examples.host.site import SiteAgent, SiteTariff, sites_of, tariff_of
from operator_sdk.examples.host.store import Alarm, Session, Store
from operator_sdk.guard import Refuse
from operator_sdk.site_gateway import Inbox, KeptItem, SiteAlarm, SiteConnection, SiteGateway, SqliteInbox

log = logging.getLogger("interpile.host")

_TARIFFS_IN_A_COMMAND = 50
_ITEMS_AT_ONCE = 200
_AGAIN_S = 2


class Fleet:
    """Between the host and its sites. `changed` is set whenever a connector's state may have changed."""

    def __init__(
        self,
        *,
        party_id: str,
        key: SigningKey,
        agents: Mapping[str, SiteAgent],
        inbox: Inbox,
        store: Store,
        hub: AsyncHubClient,
        clock: Clock,
    ) -> None:
        self.agents = agents
        self.changed = asyncio.Event()
        self.gateway = SiteGateway(gateway_id=party_id, key=key, site_key=self._key_of, inbox=inbox)
        self.gateway.on_connected(self._connected)
        self.gateway.on_disconnected(self._disconnected)
        self.gateway.on_ask(self._asked)
        self.gateway.on_alarm(self._alarmed)
        self._party_id, self._store, self._hub, self._clock = party_id, store, hub, clock
        self._sites = sites_of(agents)
        self._owed: set[str] = set()

    def site_of(self, connector_id: str) -> str | None:
        """The site that drives a connector."""
        return self._sites.get(connector_id)

    def is_connected(self, site_id: str | None) -> bool:
        """Whether a site is connected, and told what it has to know."""
        site = self.gateway.sites.get(site_id or "")
        return site is not None and site.is_ready

    async def add_tariff(self, put: SiteTariff) -> None:
        """A new tariff version, for every site."""
        self._store.add_tariff(put)
        await self._tell_all(TariffsCommand(tariffs=[tariff_of(self._party_id, put)]))

    async def replace_blacklist(self, tokens: Sequence[Token]) -> None:
        """A new blacklist, for every site."""
        self._store.replace_blacklist(tokens)
        await self._tell_all(self._blacklist())

    async def _key_of(self, site_id: str) -> Ed25519PublicKey | None:
        agent = self.agents.get(site_id)
        return agent.key if agent else None

    async def run(self) -> None:
        """Tell again what a connected site could not note, such as one whose disk was full; until cancelled."""
        while True:
            await asyncio.sleep(_AGAIN_S)
            for site_id in list(self._owed):
                site = self.gateway.sites.get(site_id)
                if site is None or not site.is_ready:
                    continue  # at its next connection it is told everything
                try:
                    await self._bring_up_to_date(site)
                except SiteError as problem:
                    self.owes(site_id)  # it may be connected all the same, and only slow
                    log.warning("site %s: not told yet: %s", site_id, problem)

    def owes(self, site_id: str) -> None:
        """This site could not note what it was told; it is told again."""
        self._owed.add(site_id)

    async def _bring_up_to_date(self, site: SiteConnection) -> None:
        """Tell a site everything that it has to know; what it cannot note is owed to it.

        Raises:
            SiteError: it is gone, or silent.
        """
        self._owed.discard(site.site_id)
        tariffs = [tariff_of(self._party_id, put) for put in self._store.tariffs()]
        for command in _tariff_commands(tariffs):
            self._note(site, await site.command(command))
        self._note(site, await site.command(self._blacklist()))
        for session_id, reason in self._store.stops_of(site.site_id):
            result = await site.command(StopCommand(session_id=session_id, reason=reason))
            self._note(site, result)
            if is_taken(result):
                self._store.drop_stop(session_id)

    def _note(self, site: SiteConnection, result: Result) -> None:
        if not is_taken(result):
            self.owes(site.site_id)
        elif isinstance(result, Refused):
            log.warning("site %s refused: %s %s", site.site_id, result.code, result.detail)

    async def _connected(self, site: SiteConnection) -> None:
        await self._bring_up_to_date(site)
        said = self._store.site(site.site_id)
        said.agent_version, said.connectors = site.agent_version, site.connectors
        said.since = self._clock.business()
        self._store.save_site(said)
        self.changed.set()

    async def _disconnected(self, site_id: str) -> None:
        self.changed.set()

    async def _alarmed(self, alarm: SiteAlarm) -> None:
        at = self._clock.business()
        self._store.add_alarm(Alarm(site_id=alarm.site_id, code=alarm.code, detail=alarm.detail, at=at))

    async def _asked(self, site_id: str, ask: Ask) -> Answer:
        if isinstance(ask, AuthorizeAsk):
            return await self._authorize(site_id, ask.request)
        if self._store.site_of_authorization(ask.request.authorization_id) not in {None, site_id}:
            raise Refuse(Code.NOT_FOUND)
        try:
            await self._hub.release_authorization(ask.request)
        except ApiError as error:
            if not is_decided(error):
                raise  # left open: the site asks again
            raise Refuse(error.code, error.message) from error
        return Done()

    async def _authorize(self, site_id: str, request: AuthorizeRequest) -> Authorized:
        """A card at a pile: the hub decides. Somebody waits at the pile, so silence is told at once."""
        if self.site_of(request.connector_id) != site_id:
            raise Refuse(Code.CONNECTOR_UNKNOWN)
        try:
            decided = await self._hub.authorize(request)
        except ApiError as error:
            raise Refuse(error.code, error.message) from error
        except InterpileError as problem:
            raise Refuse(Code.UNAVAILABLE) from problem
        self._store.keep_authorization(decided.authorization_id, site_id)
        if decided.state == AuthorizationState.GRANTED and decided.session_id is not None:
            session = Session(
                session_id=decided.session_id,
                site_id=site_id,
                connector_id=request.connector_id,
                limit_fen=decided.limit_fen,
                may_be_sent=True,
            )
            self._store.save_sessions(self._store.session(decided.session_id) or session)
        return Authorized(authorization=decided)

    def _blacklist(self) -> BlacklistCommand:
        listed = self._store.blacklist()
        return BlacklistCommand(version=listed.version, digests=[token_digest(one) for one in listed.tokens])

    async def _tell_all(self, command: TariffsCommand | BlacklistCommand) -> None:
        """Who cannot be told now is told when it is back."""
        await asyncio.gather(*(self._tell(site, command) for site in list(self.gateway.sites.values())))

    async def _tell(self, site: SiteConnection, command: TariffsCommand | BlacklistCommand) -> None:
        try:
            self._note(site, await site.command(command))
        except SiteError:
            log.warning("site %s did not take a change; it has to come back", site.site_id)
            site.stop(LinkProblem(LinkCode.SILENT))


class Intake:
    """Works off what is no part of a session: states, faults, how sites fare. Safe to do twice."""

    def __init__(self, inbox: SqliteInbox, store: Store, changed: asyncio.Event) -> None:
        self._inbox, self._store, self._changed = inbox, store, changed
        self.news = asyncio.Event()

    async def run(self) -> None:
        """Work off what is there, then wait for news."""
        while True:
            self.news.clear()
            while kept := await self._inbox.waiting("status", "fault", "health", most=_ITEMS_AT_ONCE):
                for one in kept:
                    self._take(one)
                await self._inbox.done(*(one.position for one in kept))
            await self.news.wait()

    def _take(self, kept: KeptItem) -> None:
        match kept.item:
            case StatusItem(status=status):
                self._store.save_status(status)
                self._changed.set()
            case FaultItem() as fault:
                self._store.save_fault(kept.site_id, fault)
            case HealthItem() as health:
                said = self._store.site(kept.site_id)
                said.health = health
                self._store.save_site(said)
            case _:
                raise AssertionError("a kind that was not asked for")


def is_taken(result: Result) -> bool:
    """Whether a site has decided about a command; `unavailable` says that it could not note it just now."""
    return not (isinstance(result, Refused) and result.code == Code.UNAVAILABLE)


def _tariff_commands(tariffs: Sequence[Tariff]) -> list[TariffsCommand]:
    return [
        TariffsCommand(tariffs=list(tariffs[first:][:_TARIFFS_IN_A_COMMAND]))
        for first in range(0, len(tariffs), _TARIFFS_IN_A_COMMAND)
    ]
