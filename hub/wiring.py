"""The composition of the hub: every part built once, explicitly, from settings."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hub.accounts.jobs import AccountsJobs
from hub.accounts.model import Digests
from hub.accounts.service import Accounts
from hub.accounts.service_charging import HostedCharging
from hub.clearing.checking import RecordChecks
from hub.clearing.checking_out import RecordChecksOut
from hub.clearing.jobs import advance_all
from hub.clearing.payments import Payments
from hub.clearing.proof import Proofs
from hub.clearing.rates import Rates
from hub.clearing.service import ClearingService
from hub.clearing.suspense import Suspense
from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.group_writer import GroupWriter
from hub.core.ids import Ids, SystemIds
from hub.core.live import Live
from hub.core.nonces import Nonces
from hub.core.outbound import Outbound
from hub.core.outbox import Doorbell, LocalDoorbell, forget_done
from hub.core.pseudonyms import Pseudonyms
from hub.core.runner import keep_running
from hub.core.secrets import Seal, Secrets, make_secrets, read_secrets
from hub.core.tables import forget_nonces
from hub.core.tokens import Tokens
from hub.directory.importer import StationImporter
from hub.directory.pulling import StationPulls
from hub.directory.relaying import StatusRelay
from hub.directory.search import StationSearch
from hub.directory.service import DirectoryService
from hub.ledger.jobs import LedgerJobs
from hub.ledger.service import Ledger
from hub.ledger.tables_seals import serving_role_may_change_entries
from hub.parties.agreements import Agreements
from hub.parties.audit import AuditLog
from hub.parties.link import Links
from hub.parties.service import PartiesService
from hub.parties.staff import StaffService
from hub.parties.tables import forget_assertions
from hub.protocols.hosted.link import HostedTools
from hub.protocols.native.call import Services
from hub.protocols.native.link import NativeTools
from hub.protocols.tcec102.tables import forget_old as forget_old_of_tcec102
from hub.protocols.tcec102.tools import LinkTools
from hub.roaming.context import RoamingContext
from hub.roaming.model_scans import WINDOW
from hub.roaming.service import Roaming
from hub.roaming.store_authorize import AuthorizeStore
from hub.roaming.store_updates import UpdateStore
from hub.roaming.tables_scans import forget_failures
from hub.settings import Settings, SettingsError
from hub.sites.context import SitesContext
from hub.sites.jobs import forget_old as forget_old_of_sites
from hub.sites.service import Sites
from hub.upkeep.service import UpkeepService
from hub.wiring_ports import make_doorbell, make_outbox, make_sign_in, open_live
from hub.wiring_protocols import LinkRegistry, tcec102_links

log = logging.getLogger("interpile.wiring")

TIDY_EVERY_S = 60
CLEARING_EVERY_S = 5
CHECKS_EVERY_S = 30
DISPUTES_EVERY_S = 15
SILENCE_EVERY_S = 15
FOREIGN = ("tcec102",)
"""Protocols whose hosts are asked for stations, and whose homes are told what connectors do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub(Services):
    """What the rooms offer, and what runs beside them."""

    settings: Settings
    nonces: Nonces
    local_doorbell: LocalDoorbell
    live: Live
    ledger_jobs: LedgerJobs
    accounts_jobs: AccountsJobs
    checks_out: RecordChecksOut
    station_pulls: StationPulls
    tcec102: LinkTools

    async def advance_clearing(self) -> None:
        """Follow the cycles' due times, and those of their payments, until cancelled."""
        await keep_running("clearing", CLEARING_EVERY_S, self._advance)

    async def _advance(self) -> None:
        await advance_all(self.clearing, self.payments, self.clock.business())

    async def end_disputes(self) -> None:
        """End the disputes in which somebody let the time pass, until cancelled."""
        await keep_running("disputes", DISPUTES_EVERY_S, self._end_disputes)

    async def _end_disputes(self) -> None:
        await self.roaming.disputes.expire_due(self.clock.business())

    async def ask_silent_hosts(self) -> None:
        """Have hosts asked that fell silent in the middle of a charge, until cancelled."""
        await keep_running("silent hosts", SILENCE_EVERY_S, self.roaming.silence.sweep)

    async def check_records(self) -> None:
        """Begin the daily checks of the hub's own lists when they are due, until cancelled."""
        await keep_running("daily checks", CHECKS_EVERY_S, self.checks_out.advance)

    async def keep_tidy(self) -> None:
        """Forget what can mean nothing any more, until cancelled."""
        await keep_running("tidying", TIDY_EVERY_S, self.tidy)

    async def tidy(self) -> None:
        """Forget stale nonces, spent assertions, old sign-in rows, failed scans and letters done long ago."""
        await self.accounts_jobs.purge()
        await self.parties.purge()
        now = self.clock.wall()
        async with self.database.unit() as unit:
            await forget_nonces(unit, now)
            await forget_assertions(unit, now)
            await forget_done(unit, now)
            await forget_old_of_sites(unit, now)
            await forget_failures(unit, before=now - WINDOW)
            await forget_old_of_tcec102(unit, now)


@asynccontextmanager
async def open_hub(settings: Settings, *, warn: bool = True) -> AsyncIterator[Hub]:
    """Build the hub, check that it may run like this, and take it down again.

    Raises:
        SettingsError: production, and the serving role could change entries of the ledger.
        SecretsError: no secrets file.
    """
    if settings.relaxed and not settings.secret_file.exists():
        make_secrets(settings.secret_file)
    secrets = read_secrets(settings.secret_file, master=settings.master_key)
    database = Database(settings.database_url)
    outbound = Outbound(private=settings.relaxed)
    local = LocalDoorbell()
    doorbell = make_doorbell(settings, local)
    try:
        await _check_roles(settings, database, warn=warn)
        clock = settings.clock()
        effects = Effects(outbound, doorbell, local, clock, SystemIds(clock))
        hub = build_hub(settings, secrets, database, effects)
        await hub.parties.ensure_hub_party(settings.party_id, settings.party_name)
        yield hub
        await hub.tcec102.tolerance.close()
        await hub.sign_in.close()
        await hub.roaming.close()
        await hub.directory.close()
        await hub.nonces.close()
    finally:
        doorbell.close()
        await outbound.close()
        await database.close()


async def try_to_open(settings: Settings) -> None:
    """Raise what `open_hub` would refuse to start with."""
    async with open_hub(settings, warn=False):
        pass


async def _check_roles(settings: Settings, database: Database, *, warn: bool) -> None:
    async with database.reading() as unit:
        if not await serving_role_may_change_entries(unit):
            return
    if settings.relaxed and not warn:
        return
    problem = (
        "the serving role could update or delete ledger entries; let DATABASE_MIGRATION_URL name the role that"
        " owns the tables and DATABASE_URL another one"
    )
    if not settings.relaxed:
        raise SettingsError(problem)
    log.warning(problem)


@dataclass(frozen=True, slots=True)
class Effects:
    """Where time, ids and partners come in; the simulator puts its own in their places."""

    outbound: Outbound
    doorbell: Doorbell
    local: LocalDoorbell
    clock: Clock
    ids: Ids
    links: Callable[[Links], Links] = lambda links: links


def build_hub(settings: Settings, secrets: Secrets, database: Database, effects: Effects) -> Hub:
    """Every room over one database, joined; nothing is opened yet."""
    clock, ids, live = effects.clock, effects.ids, open_live(settings)
    audit, ledger, digests = AuditLog(clock, ids), Ledger(clock, ids), Digests(secrets.derive("accounts"))
    parties = PartiesService(database, clock, ids, audit=audit, env=settings.env)
    upkeep = UpkeepService(database, clock, ids, audit=audit, hub_party_id=settings.party_id)
    directory = DirectoryService(database, clock, status_ttl_s=settings.status_life_s, statuses_seen=upkeep)
    lower = _Lower(settings, secrets, database, effects, live, directory, parties)
    money, partners = _money(settings, database, clock, ids, ledger, audit), _partners(lower, audit)
    sites, hosted = _sites(lower, SitesContext(database, clock, ids, live, audit, upkeep), ledger, digests)
    context = _roaming_context(lower, _links(lower, hosted, partners), money)
    return Hub(
        settings=settings,
        database=database,
        clock=clock,
        ids=ids,
        tokens=Tokens(secrets, clock, ids, settings.public_url),
        secrets=secrets,
        seal=Seal(secrets.derive("evidence")),
        pseudonyms=context.pseudonyms,
        links=context.links,
        parties=parties,
        staff=StaffService(database, clock, ids, audit=audit),
        directory=directory,
        search=context.search,
        importer=StationImporter(database, clock, audit),
        ledger=ledger,
        accounts=hosted.accounts,
        sign_in=make_sign_in(settings, database, clock, ids, hosted.accounts, digests),
        roaming=Roaming(context),
        clearing=money.clearing,
        rates=Rates(database, clock, audit=audit),
        proofs=Proofs(database),
        payments=money.payments,
        suspense=money.suspense,
        record_checks=_record_checks(lower, context, audit),
        upkeep=upkeep,
        sites=sites,
        outbox=context.outbox,
        issuer=settings.public_url,
        nonces=Nonces(database, context.writer),
        local_doorbell=effects.local,
        live=live,
        ledger_jobs=LedgerJobs(database, clock, ledger),
        accounts_jobs=AccountsJobs(database, clock),
        checks_out=_checks_out(lower, context),
        station_pulls=_station_pulls(lower, context),
        tcec102=partners,
    )


@dataclass(frozen=True, slots=True)
class _Lower:
    settings: Settings
    secrets: Secrets
    database: Database
    effects: Effects
    live: Live
    directory: DirectoryService
    parties: PartiesService


@dataclass(frozen=True, slots=True)
class _Money:
    clearing: ClearingService
    payments: Payments
    suspense: Suspense


def _roaming_context(lower: _Lower, links: Links, money: _Money) -> RoamingContext:
    url, clock = lower.database.driver_url, lower.effects.clock
    return RoamingContext(
        database=lower.database,
        writer=GroupWriter(lower.database),
        clock=clock,
        ids=lower.effects.ids,
        links=lower.effects.links(links),
        outbox=make_outbox(lower.database, clock, lower.effects.ids, lower.effects.doorbell),
        live=lower.live,
        directory=lower.directory,
        search=StationSearch(lower.database, clock, status_ttl_s=lower.settings.status_life_s),
        parties=lower.parties,
        pseudonyms=Pseudonyms(lower.secrets.derive("pseudonyms")),
        record_accepted=money.clearing,
        money_waits=money.suspense,
        own_base_url=lower.settings.public_url,
        hub_name=lower.settings.party_name,
        scan_keys=lower.secrets.scan_keys(),
        authorize_store=AuthorizeStore(url) if url else None,
        update_store=UpdateStore(url) if url else None,
        second_person_fen=lower.settings.second_person_fen,
    )


def _links(lower: _Lower, hosted: HostedTools, partners: LinkTools) -> LinkRegistry:
    effects, seal = lower.effects, Seal(lower.secrets.derive("evidence"))
    native = NativeTools(
        effects.outbound, lower.secrets.signer, lower.parties, effects.clock, effects.ids, seal
    )
    return LinkRegistry(lower.parties, native, hosted, partners)


def _sites(lower: _Lower, context: SitesContext, ledger: Ledger, digests: Digests) -> tuple[Sites, HostedTools]:
    sites = Sites(context)
    clock, ids = lower.effects.clock, lower.effects.ids
    accounts = Accounts(lower.database, clock, ids, ledger=ledger, digests=digests)
    charging = HostedCharging(lower.database, clock, accounts=accounts, ledger=ledger, digests=digests)
    return sites, HostedTools(accounts, charging, sites.commands, lower.database)


def _partners(lower: _Lower, audit: AuditLog) -> LinkTools:
    effects = lower.effects
    return tcec102_links(
        lower.settings,
        lower.secrets,
        effects.outbound,
        audit,
        parties=lower.parties,
        directory=lower.directory,
        rooms=(lower.database, effects.clock, effects.ids),
    )


def _record_checks(lower: _Lower, context: RoamingContext, audit: AuditLog) -> RecordChecks:
    room = (lower.database, context.clock, context.ids)
    return RecordChecks(*room, parties=lower.parties, money_waits=context.money_waits, audit=audit)


def _checks_out(lower: _Lower, context: RoamingContext) -> RecordChecksOut:
    return RecordChecksOut(
        lower.database,
        context.clock,
        context.ids,
        parties=lower.parties,
        links=context.links,
        outbox=context.outbox,
        money_waits=context.money_waits,
        minute=lower.settings.check_minute,
    )


def _station_pulls(lower: _Lower, context: RoamingContext) -> StationPulls:
    room, links, directory = (lower.database, context.clock, context.ids), context.links, lower.directory
    agreements = Agreements(lower.database, context.clock, telling=FOREIGN)
    directory.tell_homes(StatusRelay(*room[1:], agreements=agreements, links=links, outbox=context.outbox))
    life_s = lower.settings.status_life_s
    return StationPulls(*room, links=links, directory=directory, protocols=FOREIGN, status_ttl_s=life_s)


def _money(
    settings: Settings, database: Database, clock: Clock, ids: Ids, ledger: Ledger, audit: AuditLog
) -> _Money:
    suspense = Suspense(
        database, clock, ids, ledger=ledger, audit=audit, second_person_fen=settings.second_person_fen
    )
    return _Money(
        clearing=ClearingService(
            database, clock=clock, ids=ids, ledger=ledger, hub_party_id=settings.party_id, env=settings.env
        ),
        payments=Payments(
            database,
            clock,
            ids,
            ledger=ledger,
            audit=audit,
            hub_party_id=settings.party_id,
            env=settings.env,
        ),
        suspense=suspense,
    )
