"""A real hub on a fresh database, served on a real port, with two operators' platforms around it.

Jobs run when a test says so (`work`), and what waits for a time is made due by hand (`make_due`).
A is a native host, B a native home, C a hosted home, D a native home and host that takes part in nothing.
"""

import hashlib
import itertools
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlmodel import SQLModel, col, select, update

from hub.app import create_app
from hub.auditor.verify import audit
from hub.clearing.tables import ObligationRow
from hub.core.logs import JsonLines
from hub.core.runner import JobsRunner
from hub.core.tables import OutboxLane, OutboxLetter, table_of
from hub.core.tokens import Principal
from hub.directory.model import STATUS_TTL_S
from hub.ledger.tables import ACCOUNT, ENTRY, HOLD, HOLD_EVENT, POSTING
from hub.parties.passwords import Cost, nobodys_hash
from hub.parties.scope import PartyScope
from hub.parties.tables import Exposure
from hub.roaming.tables import AuthorizationRow, SessionRow, UpdateRow
from hub.roaming.tables_records import RecordRow
from hub.settings import Settings
from hub.wiring import Hub
from operator_sdk import AsyncHubClient, BearerToken, OperatorCredentials
from operator_sdk.client.patience import Patience
from operator_sdk.client.trust import authorities
from operator_sdk.contract.codes import ConnectorState, Role, TokenKind
from operator_sdk.contract.messages.access import KeyAdd, StaffSignIn
from operator_sdk.contract.messages.admin import (
    AgreementAdd,
    Customer,
    CustomerAdd,
    DriverTokenAdd,
    PartyAdd,
    StaffAdd,
    TopUp,
)
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorStatus,
    Pile,
    StationPut,
    StatusPush,
    Tariff,
    TariffPeriod,
    TariffPut,
)
from tests import databases
from tests.rig_partners import Listener, Platform, listen, serving

HUB, A, B, C, D = "MA5HUB000", "MA5AAAAA1", "MA5BBBBB2", "MA5CCCCC3", "MA5DDDDD4"
HOLD_FEN, EXPOSURE_FEN, COMMISSION_PPM = 5_000, 1_000_000, 20_000
ELECTRICITY, SERVICE = 1_000_000, 500_000
"""1.50 yuan a kWh, all day: 10 kWh cost 1,500 fen."""

PHONE, PASSWORD = "13800001111", "a long enough password"
CHEAP = Cost(n=16, r=1, p=1)
"""Of a guess at a password. The hub's own cost is a quarter of a second, and most tests are not about it."""

FINGERPRINTED = (
    ACCOUNT,
    ENTRY,
    POSTING,
    HOLD,
    HOLD_EVENT,
    table_of(ObligationRow),
    table_of(Exposure),
)


async def ledger_fingerprint(hub: Hub) -> str:
    """A digest over everything that is money: equal before and after a call that was refused."""
    whole = hashlib.sha256()
    async with hub.database.reading() as unit:
        for table in FINGERPRINTED:
            rows = (await unit.execute(table.select())).all()
            for line in sorted(repr(tuple(row)) for row in rows):
                whole.update(f"{table.name} {line}\n".encode())
    return whole.hexdigest()


class LogLines(logging.Handler):
    """Every log line, as the hub would write it. httpx is the tests' own client and speaks for itself."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JsonLines())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("http"):
            self.lines.append(self.format(record))


@dataclass
class Rig:
    """The hub, the platforms of A and B, and a client for each party."""

    hub: Hub
    url: str
    a: Platform
    b: Platform
    d: Platform
    http: httpx.AsyncClient
    logs: LogLines
    codes: Path
    customer: Customer
    _clients: dict[str, AsyncHubClient] = field(default_factory=dict)
    _count: Any = field(default_factory=lambda: itertools.count(1))
    turns: Any = field(default_factory=itertools.count)
    """Charges, numbered from 0: each has the connector, and its meter, for a time of its own."""

    def ref(self, prefix: str = "r") -> str:
        """A sender's id that was not used before."""
        return f"{prefix}-{next(self._count)}"

    def client(self, party_id: str) -> AsyncHubClient:
        """The SDK as this operator uses it, without second tries."""
        if party_id not in self._clients:
            key = {A: self.a, B: self.b, D: self.d}[party_id].key
            self._clients[party_id] = AsyncHubClient(
                self.url, OperatorCredentials(party_id, key), patience=Patience(attempts=1)
            )
        return self._clients[party_id]

    def token(self, party_id: str, subject: str | None = None, *, life_s: int = 600) -> str:
        """An access token of the hub's own: an operator's, or a driver's when a subject is named."""
        principal = Principal("driver" if subject else "operator", party_id, subject)
        return self.hub.tokens.issue(principal, timedelta(seconds=life_s))

    def driver(self, party_id: str = C, subject: str | None = None) -> AsyncHubClient:
        """The SDK as a driver uses it."""
        name = f"{party_id}/{subject}"
        if name not in self._clients:
            token = self.token(party_id, subject or self.customer.customer_id)
            self._clients[name] = AsyncHubClient(self.url, BearerToken(token), patience=Patience(attempts=1))
        return self._clients[name]

    async def staff_token(self, login: str = "boss", *roles: str) -> str:
        """A staff member's token; the person is added when new."""
        add = StaffAdd(login=login, password=PASSWORD, roles=list(roles) or ["admin"])
        await self.hub.staff.add_staff(add, actor="test", alone=True)
        session = await self.hub.staff.sign_in(StaffSignIn(login=login, password=PASSWORD))
        return session.token

    async def fingerprint(self) -> str:
        """See `ledger_fingerprint`."""
        return await ledger_fingerprint(self.hub)

    async def audit(self) -> None:
        """The books are whole, recomputed from raw entries."""
        report = await audit(self.hub.database.url)
        assert report.verified, report.problems

    # Jobs.

    async def work(self) -> int:
        """Do everything that is due."""
        return await JobsRunner(self.hub.outbox, self.hub.local_doorbell).run_until_idle()

    async def make_due(self, *kinds: str) -> None:
        """What waits for a time, of these kinds or of all, is due now; what a hub has in hand is left.

        Lanes are locked before letters, and nothing is waited for, as the outbox wants it.
        """
        now = self.hub.clock.wall()
        open_ones = [col(OutboxLetter.done_at).is_(None), col(OutboxLetter.dead_at).is_(None)]
        if kinds:
            open_ones.append(col(OutboxLetter.kind).in_(kinds))
        async with self.hub.database.unit() as unit:
            of_letters = select(OutboxLetter.lane).where(*open_ones)
            waiting = select(OutboxLane).where(col(OutboxLane.lane).in_(of_letters))
            lanes = (await unit.session.exec(waiting.with_for_update(skip_locked=True))).all()
            open_ones.append(col(OutboxLetter.lane).in_([lane.lane for lane in lanes]))
            letters = select(OutboxLetter).where(*open_ones).with_for_update(skip_locked=True)
            for row in (*lanes, *(await unit.session.exec(letters)).all()):
                row.due_at = now

    async def has_tried(self, attempts: int) -> None:
        """Every open letter has been tried so often in vain."""
        open_ones = col(OutboxLetter.done_at).is_(None), col(OutboxLetter.dead_at).is_(None)
        async with self.hub.database.unit() as unit:
            await unit.execute(update(OutboxLetter).where(*open_ones).values(attempts=attempts))

    async def work_now(self, *kinds: str) -> int:
        """Do what waits for a time, as if the time had come."""
        await self.make_due(*kinds)
        return await self.work()

    async def letters(self, kind: str) -> list[OutboxLetter]:
        """All letters of a kind, in order."""
        found = await self.rows(OutboxLetter)
        return sorted((one for one in found if one.kind == kind), key=lambda one: one.position or 0)

    # Rows.

    async def rows(self, model: type[SQLModel], **where: Any) -> list[Any]:
        """Rows of a table."""
        statement = select(model).where(*(getattr(model, name) == value for name, value in where.items()))
        async with self.hub.database.reading() as unit:
            return list((await unit.session.exec(statement)).all())

    async def session(self, session_id: str) -> SessionRow:
        """A session's row."""
        (row,) = await self.rows(SessionRow, session_id=session_id)
        assert isinstance(row, SessionRow)
        return row

    async def authorization(self, session_id: str) -> AuthorizationRow:
        """The authorization of a session."""
        (row,) = await self.rows(AuthorizationRow, session_id=session_id)
        assert isinstance(row, AuthorizationRow)
        return row

    async def record(self, session_id: str) -> RecordRow:
        """The one record of a session."""
        (row,) = await self.rows(RecordRow, session_id=session_id)
        assert isinstance(row, RecordRow)
        return row

    async def updates(self, session_id: str) -> list[UpdateRow]:
        """A session's stored updates, in order of number."""
        return sorted(await self.rows(UpdateRow, session_id=session_id), key=lambda row: row.number)

    async def exposure(self, party_id: str = B) -> tuple[int, int]:
        """(owed_fen, open_limits_fen)."""
        (row,) = await self.rows(Exposure, home_party_id=party_id)
        return row.owed_fen, row.open_limits_fen

    async def obligations(self) -> list[tuple[str, str, int, str]]:
        """(debtor, creditor, amount_fen, state) of every obligation."""
        found = await self.hub.clearing.obligations(PartyScope(everything=True), limit=1_000)
        return [(one.debtor, one.creditor, one.amount_fen, one.state) for one in found]

    async def posted(self, book: str, kind: str, subject: str = "") -> int:
        """An account's balance on its natural side."""
        async with self.hub.database.reading() as unit:
            return (await self.hub.ledger.balances(unit, book, kind, subject)).balance_fen

    async def wallet(self) -> tuple[int, int, int]:
        """(balance, held, debt) of C's customer."""
        token = Token(kind=TokenKind.APP_USER, ref=self.customer.customer_id)
        account = await self.hub.accounts.driver_account(C, token)
        return account.balance_fen or 0, account.held_fen or 0, account.debt_fen or 0

    # The directory.

    async def report(self, state: ConnectorState, connector_id: str = "A1") -> None:
        """A reports what a connector does."""
        at = self.hub.clock.business()
        status = ConnectorStatus(connector_id=connector_id, state=state, at=at)
        await self.hub.directory.push_status(A, StatusPush(statuses=[status]))

    async def reprice(self, version: int, electricity: int = 2_000_000) -> Tariff:
        """A publishes another version, in force now."""
        put = flat(self.hub, electricity)
        return await self.hub.directory.put_tariff(A, "t", version, put)


def flat(hub: Hub, electricity: int = ELECTRICITY) -> TariffPut:
    """One price all day."""
    period = TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=electricity, service_micro=SERVICE)
    begins = hub.clock.business() - (timedelta(days=30) if electricity == ELECTRICITY else timedelta(0))
    return TariffPut(valid_from=begins, periods=[period])


async def _add_party(
    hub: Hub, party_id: str, platform: Platform | None, roles: list[Role], prefix: str
) -> None:
    add = PartyAdd(
        party_id=party_id,
        name=f"Operator {party_id}",
        roles=roles,
        protocol="native" if platform else "hosted",
        base_url=platform.url if platform else None,
        token_prefixes=[prefix] if Role.HOME in roles else [],
        deposit_fen=EXPOSURE_FEN,
        exposure_limit_fen=EXPOSURE_FEN,
    )
    await hub.parties.add_party(add, actor="test")
    if platform is not None:
        key = KeyAdd(key_id=platform.key.key_id, public_key=platform.key.public_b64url())
        await hub.parties.add_key(party_id, key, actor="test", alone=True)


async def set_up(hub: Hub, a: Platform, b: Platform, d: Platform) -> Customer:
    await _add_party(hub, A, a, [Role.HOST], "AA")
    await _add_party(hub, B, b, [Role.HOME], "BB")
    await _add_party(hub, C, None, [Role.HOME], "CC")
    await _add_party(hub, D, d, [Role.HOME, Role.HOST], "DD")
    for home in (B, C):
        terms = AgreementAdd(
            home_party_id=home, host_party_id=A, commission_ppm=COMMISSION_PPM, hold_fen=HOLD_FEN
        )
        await hub.parties.add_agreement(terms, actor="test")
    await hub.directory.put_tariff(A, "t", 1, flat(hub))
    plugs = [Connector(connector_id=name) for name in ("A1", "A2")]
    pile = Pile(pile_id="P1", kind="dc", rated_power_w=60_000, connectors=plugs)
    station = StationPut(
        name="一站", latitude_e6=22_540_000, longitude_e6=114_050_000, tariff_id="t", piles=[pile]
    )
    await hub.directory.put_station(A, "S1", station)
    at = hub.clock.business()
    statuses = [
        ConnectorStatus(connector_id=plug.connector_id, state=ConnectorState.AVAILABLE, at=at) for plug in plugs
    ]
    await hub.directory.push_status(A, StatusPush(statuses=statuses))
    customer = await hub.accounts.add_customer(
        CustomerAdd(home_party_id=C, customer_ref="c-1", phone=PHONE, name="张三")
    )
    card = DriverTokenAdd(kind=TokenKind.CARD, ref="CC-1")
    await hub.accounts.add_token(customer.customer_id, Token(kind=card.kind, ref=card.ref))
    return await hub.accounts.top_up(customer.customer_id, TopUp(top_up_ref="top-1", amount_fen=20_000))


@asynccontextmanager
async def open_rig(kind: str, **settings: Any) -> AsyncIterator[Rig]:
    """Everything up; down again at the end, when the books must be whole.

    At a speed, states are believed for as long as without one: a test that waits a second for a processor would
    otherwise find its connectors offline.
    """
    settings.setdefault("status_life_s", STATUS_TTL_S * settings.get("speed", 1))
    logs = LogLines()
    root = logging.getLogger()
    folder = Path(tempfile.mkdtemp(prefix="interpile-rig-"))
    root.addHandler(logs)
    level = root.level
    root.setLevel(logging.INFO)
    try:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(databases.fresh_url(kind))
            ports: list[Listener] = [listen() for _ in range(4)]
            hub_at = ports[0]
            given = Settings(
                env="test",
                database_url=url,
                public_url=hub_at.url,
                secret_file=folder / "secrets.json",
                code_file=folder / "codes.jsonl",
                **settings,
            )
            app = create_app(given, embedded=False)
            platforms = [
                Platform(party_id, hub_at.url, port.url)
                for party_id, port in zip((A, B, D), ports[1:], strict=True)
            ]
            served = [(one.moody, port) for one, port in zip(platforms, ports[1:], strict=True)]
            await stack.enter_async_context(serving((app, hub_at), *served))
            given_http = httpx.AsyncClient(base_url=hub_at.url, trust_env=False, verify=authorities())
            http = await stack.enter_async_context(given_http)
            hub: Hub = app.state.hub
            hub.staff._cost, hub.staff._nobody = CHEAP, nobodys_hash(CHEAP)
            customer = await set_up(hub, *platforms)
            a, b, d = platforms
            rig = Rig(hub, hub_at.url, a, b, d, http, logs, folder / "codes.jsonl", customer)
            yield rig
            await rig.audit()
            for client in rig._clients.values():
                await client.aclose()
    finally:
        root.setLevel(level)
        root.removeHandler(logs)
        shutil.rmtree(folder, ignore_errors=True)
