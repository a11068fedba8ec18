"""The home as one ASGI app: the hub's calls, and a small app for drivers.

The drivers' app is a demonstration: it shows every driver and asks nobody for a password.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from operator_sdk.chance import fresh_id
from operator_sdk.client import AsyncHubClient
from operator_sdk.clock import Clock, unix_s
from operator_sdk.contract.messages.checks import RecordListPart, RecordListReply
from operator_sdk.contract.messages.common import ConnectorRef, Empty, Message, Target
from operator_sdk.contract.messages.records import HomeRecord, RecordAnswer
from operator_sdk.contract.messages.roaming import (
    DriverAccount,
    DriverAccountRequest,
    HomeAuthorization,
    HomeAuthorizeRequest,
    ReleaseReply,
    ReleaseRequest,
    SessionProgress,
    StopRequest,
)
from operator_sdk.contract.public_codes import Code
from operator_sdk.examples import web
from operator_sdk.examples.home.desk import Desk
from operator_sdk.examples.home.page import PAGE
from operator_sdk.examples.home.starts import Starts, state_of
from operator_sdk.examples.home.store import Charge, Driver, Store
from operator_sdk.examples.settings import Settings
from operator_sdk.guard import Refuse
from operator_sdk.keys import sign_token
from operator_sdk.operator import Call, OperatorApp

ASSERTION_LIFE_S = 240


class NewCharge(Message, frozen=True):
    """A driver wants to charge there."""

    driver: str
    connector: ConnectorRef
    limit_fen: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    target: Target = Target()


class NewAssertion(Message, frozen=True):
    """A driver wants to sign in at the hub."""

    driver: str


def usual_drivers() -> list[Driver]:
    """The drivers of the demonstration."""
    return [
        Driver(driver_id="B-0001", name="陈晓 Chen Xiao", card="B2000001", balance_fen=20_000),
        Driver(driver_id="B-0002", name="李雷 Li Lei", card="B2000002", balance_fen=6_000),
        Driver(driver_id="B-0003", name="韩梅梅 Han Meimei", card="B2000003", balance_fen=300),
        Driver(driver_id="B-0004", name="王芳 Wang Fang", card="B2000004", balance_fen=9_000, blocked=True),
    ]


def load_drivers(path: Path | None) -> list[Driver]:
    """The drivers of a JSON file, or a few.

    Raises:
        OSError: the file cannot be read.
        msgspec.DecodeError: it is not a list of drivers.
    """
    return msgspec.json.decode(path.read_bytes(), type=list[Driver]) if path else usual_drivers()


def create_app(settings: Settings, clock: Clock) -> Starlette:
    """The home, ready to be served."""
    store = Store(settings.database)
    for driver in load_drivers(settings.data):
        store.add_driver(driver)
    hub = AsyncHubClient(settings.hub_url, settings.credentials, clock=clock, issuer=settings.hub_issuer)
    operator = OperatorApp(
        party_id=settings.party_id,
        key=settings.key,
        hub_url=settings.hub_url,
        public_url=settings.public_url,
        clock=clock,
    )
    answer_the_hub(operator, Desk(party_id=settings.party_id, store=store, clock=clock), store)
    starts = Starts(store, hub)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = web.background(starts.ask_again())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await operator.aclose()
        await hub.aclose()
        store.close()

    drivers_app = DriversApp(settings, clock, store, starts, hub)
    return Starlette(routes=[*drivers_app.routes(), Mount("/", app=operator)], lifespan=lifespan)


def answer_the_hub(app: OperatorApp, desk: Desk, store: Store) -> None:
    """What a home answers."""

    @app.authorize
    async def authorize(message: HomeAuthorizeRequest, _: Call) -> HomeAuthorization:
        return desk.authorize(message)

    @app.release_authorization
    async def release_authorization(message: ReleaseRequest, _: Call) -> ReleaseReply:
        return desk.release(message.authorization_id, message.home_ref)

    @app.push_record
    async def push_record(message: HomeRecord, _: Call) -> RecordAnswer:
        return desk.settle(message)

    @app.check_records
    async def check_records(message: RecordListPart, _: Call) -> RecordListReply:
        with store.unit():
            return store.lists.check(message)

    @app.push_session
    async def push_session(message: SessionProgress, _: Call) -> Empty:
        store.save_progress(message)
        return Empty()

    @app.driver_account
    async def driver_account(message: DriverAccountRequest, _: Call) -> DriverAccount:
        return desk.driver_account(message.token)


class DriversApp:
    """The page and its JSON."""

    def __init__(
        self, settings: Settings, clock: Clock, store: Store, starts: Starts, hub: AsyncHubClient
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._store = store
        self._starts = starts
        self._hub = hub

    def routes(self) -> list[Route]:
        """Everything below /app, and the page."""
        return [
            web.route("/", "GET", self._page),
            web.route("/app/drivers", "GET", self._drivers),
            web.route("/app/drivers/{driver_id}", "GET", self._driver),
            web.route("/app/connectors", "GET", self._connectors),
            web.route("/app/charges", "POST", self._start),
            web.route("/app/charges/{session_id}", "GET", self._charge),
            web.route("/app/charges/{session_id}/stop", "POST", self._stop),
            web.route("/app/assertions", "POST", self._assertion),
        ]

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(PAGE)

    async def _drivers(self, _: Request) -> dict[str, object]:
        return {"drivers": self._store.drivers()}

    async def _driver(self, request: Request) -> dict[str, object]:
        driver = self._known(request.path_params["driver_id"])
        account = self._store.account(driver.driver_id)
        charges = self._store.charges_of(driver.driver_id)
        return {
            "driver": driver,
            "balance_fen": account.balance_fen,
            "held_fen": account.held_fen,
            "available_fen": account.available_fen,
            "debt_fen": account.debt_fen,
            "holds": self._store.open_holds(driver.driver_id),
            "charges": [self._shown(charge) for charge in charges],
        }

    async def _connectors(self, _: Request) -> dict[str, object]:
        page = await self._hub.list_stations(limit=50)
        found = [
            {"connector": f"{one.connector_id}.{station.party_id}", "station": station.name}
            for station in page.items
            if not station.removed
            for pile in station.piles
            for one in pile.connectors
        ]
        return {"connectors": found}

    async def _start(self, request: Request) -> Response:
        wanted = await web.read(request, NewCharge)
        session = await self._starts.start(
            self._known(wanted.driver),
            wanted.connector,
            limit_fen=wanted.limit_fen,
            target=wanted.target,
        )
        if session is None:
            return web.answer({"state": "requested", "session_id": None}, 202)
        return web.answer(session)

    async def _charge(self, request: Request) -> dict[str, object]:
        charge = self._store.charge(request.path_params["session_id"])
        if charge is None:
            raise Refuse(Code.NOT_FOUND)
        return self._shown(charge)

    async def _stop(self, request: Request) -> object:
        session_id = request.path_params["session_id"]
        if self._store.charge(session_id) is None:
            raise Refuse(Code.NOT_FOUND)
        # One stop per session: pressing again is the same message.
        return await self._hub.stop_session(session_id, StopRequest(stop_ref=f"stop-{session_id}"))

    async def _assertion(self, request: Request) -> dict[str, object]:
        driver = self._known((await web.read(request, NewAssertion)).driver)
        if driver.blocked:
            raise Refuse(Code.TOKEN_BLOCKED)
        now_s = unix_s(self._clock.wall())
        claims = {
            "iss": self._settings.party_id,
            "sub": driver.driver_id,
            "aud": self._settings.hub_issuer,
            "jti": fresh_id("in"),
            "iat": now_s,
            "exp": now_s + ASSERTION_LIFE_S,
        }
        return {
            "assertion": sign_token(self._settings.key, claims),
            "expires_in": ASSERTION_LIFE_S,
        }

    def _known(self, driver_id: str) -> Driver:
        driver = self._store.driver(driver_id)
        if driver is None:
            raise Refuse(Code.NOT_FOUND)
        return driver

    def _shown(self, charge: Charge) -> dict[str, object]:
        session = charge.session
        authorization_id = session.authorization_id if session else None
        return {
            "start_ref": charge.start_ref,
            "session_id": session.session_id if session else None,
            "connector": charge.request.connector,
            "state": state_of(charge),
            "refusal": session.refusal if session else None,
            "limit_fen": charge.request.limit_fen,
            "progress": charge.progress,
            "settlement": authorization_id and self._store.settlement_of(authorization_id),
        }
