"""Charges that begin in the home's own app: hold first, then ask the hub, then learn what became of it.

The intent is stored before the hub is asked. Where no answer comes the hold stays, and the same
message is sent again, with the same number, until the hub has decided.
"""

import asyncio
import logging

from operator_sdk.chance import fresh_id
from operator_sdk.client import AsyncHubClient, is_decided
from operator_sdk.contract.codes import SessionState, TokenKind
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.roaming import Session, StartRequest
from operator_sdk.contract.public_codes import Code
from operator_sdk.errors import ApiError, Forbidden, InterpileError
from operator_sdk.examples.home.book import can_hold
from operator_sdk.examples.home.store import Charge, Driver, Hold, Store
from operator_sdk.guard import Refuse

log = logging.getLogger("interpile.home")

LIMIT_FEN_USUAL = 5_000
_ASK_AGAIN_S = 2
_NEVER_STARTED = frozenset({SessionState.REFUSED, SessionState.START_FAILED})


class Starts:
    """Starts charges for the home's drivers."""

    def __init__(self, store: Store, hub: AsyncHubClient) -> None:
        self._store = store
        self._hub = hub
        self._asking: set[str] = set()

    async def start(
        self, driver: Driver, connector: str, *, limit_fen: int | None, target: Target
    ) -> Session | None:
        """Hold and start. None: the hub has not answered yet, and is being asked again.

        Raises:
            Refuse: the driver may not.
            ApiError: the hub decided against it; nothing is held.
        """
        limit = LIMIT_FEN_USUAL if limit_fen is None else limit_fen
        if driver.blocked:
            raise Refuse(Code.TOKEN_BLOCKED)
        request = StartRequest(
            start_ref=fresh_id("home"),
            token=Token(kind=TokenKind.APP_USER, ref=driver.app_user or driver.driver_id),
            connector=connector,
            limit_fen=limit,
            target=target,
        )
        with self._store.unit():
            if not can_hold(self._store.account(driver.driver_id), limit):
                raise Refuse(Code.INSUFFICIENT_FUNDS)
            self._store.add_hold(Hold(request.start_ref, driver.driver_id, limit, "open", None))
            self._store.add_charge(request.start_ref, driver.driver_id, request)
        return await self._ask(request)

    async def ask_again(self) -> None:
        """For as long as the home runs: starts whose answer is not known."""
        while True:
            for charge in self._store.undecided_charges():
                if charge.start_ref in self._asking:
                    continue
                try:
                    await self._ask(charge.request)
                except ApiError as decided:
                    log.info("a start was decided against: %s", decided.code)
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _ask(self, request: StartRequest) -> Session | None:
        self._asking.add(request.start_ref)
        try:
            session = await self._hub.start_session(request)
        except InterpileError as problem:
            if is_decided(problem) or isinstance(problem, Forbidden):
                with self._store.unit():
                    self._store.close_hold(request.start_ref, "released")
                    self._store.drop_charge(request.start_ref)
                raise
            log.warning("a start is not answered yet: %s", problem)
            return None
        finally:
            self._asking.discard(request.start_ref)
        self._learn(request.start_ref, session)
        return session

    def _learn(self, start_ref: str, session: Session) -> None:
        """The hub's names for it. A release may have come first, under a name not known then."""
        with self._store.unit():
            self._store.save_session(start_ref, session)
            released = session.state in _NEVER_STARTED
            if session.authorization_id is not None:
                released = released or self._store.is_burnt(session.authorization_id)
                self._store.name_hold(start_ref, session.authorization_id)
            if released:
                self._store.close_hold(start_ref, "released")


def state_of(charge: Charge) -> str:
    """Where a charge stands, as far as the home has heard."""
    if charge.progress is not None:
        return charge.progress.state
    return charge.session.state if charge.session else SessionState.REQUESTED
