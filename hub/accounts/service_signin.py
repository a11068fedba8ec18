"""How hosted drivers sign in: a one-time code to the phone, then refresh tokens that are spent when used.

A known and an unknown phone get the same answer after the same work; sending runs beside the answer, so its
duration tells nothing either.
"""

import asyncio
import hmac
import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from hub.accounts.model import (
    CODE_ATTEMPTS,
    CODE_DIGITS,
    CODE_LIFE,
    CODES_PER_HOUR,
    SESSION_LIFE,
    Digests,
    wait_before_code,
)
from hub.accounts.service import Accounts
from hub.accounts.tables_signin import (
    DriverSession,
    code_for_update,
    session_for_update,
    spend_family,
)
from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.errors import HubError, TooManyError
from hub.core.ids import Ids
from hub.core.paging import cut_page
from hub.parties.model import sign_in_grants
from hub.parties.tables_keys import page_of_homes
from operator_sdk.contract.messages.places import HomeOperator, HomeOperatorPage
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.accounts")

SECOND = timedelta(seconds=1)


class CodeSender(Protocol):
    """The port that brings a code to a phone."""

    async def send(self, phone: str, code: str) -> None:
        """Send; called after the commit, never inside a unit."""


class FileCodeSender:
    """Writes codes to a file instead of sending them: for the demo and for tests, and nowhere else."""

    def __init__(self, path: Path, *, env: str) -> None:
        if env not in {"demo", "test"}:
            raise ValueError("codes go to a file only in a demo or a test")
        self._path = path

    async def send(self, phone: str, code: str) -> None:
        """Append a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"phone": phone, "code": code}) + "\n")


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Who the driver is, and the next refresh token."""

    home_party_id: str
    subject: str
    refresh_token: str


class SignIn:
    """One-time codes and refresh tokens, on wall time."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        accounts: Accounts,
        digests: Digests,
        sender: CodeSender,
    ) -> None:
        self._database, self._clock, self._ids = database, clock, ids
        self._accounts, self._digests, self._sender = accounts, digests, sender
        self._sending: set[asyncio.Task[None]] = set()

    async def homes(self, *, after: tuple[datetime, str] | None, limit: int) -> HomeOperatorPage:
        """A page of the homes whose drivers can sign in, oldest member first."""
        async with self._database.reading() as unit:
            found = await page_of_homes(unit, after=after, count=limit + 1)
        rows, next_after = cut_page(found, limit, lambda row: (row[0].created_at, row[0].party_id))
        homes = [
            HomeOperator(
                party_id=party.party_id,
                name=party.name,
                grants=sign_in_grants(party.protocol, has_live_key=has_live_key),
            )
            for party, has_live_key in rows
        ]
        return HomeOperatorPage(items=homes, next_after=next_after)

    async def send_code(self, home_party_id: str, phone: str) -> int:
        """Send a code if the phone is a customer's; in either case the seconds for which codes are good.

        Raises:
            TooManyError: more than one a minute or five an hour for this phone.
        """
        now = self._clock.wall()
        phone_digest = self._digests.phone(home_party_id, phone)
        code = self._ids.digits(CODE_DIGITS)
        async with self._database.unit() as unit:
            row = await code_for_update(unit, phone_digest, now)
            sent = row.sent_at()
            wait = wait_before_code(sent, now)
            if wait > timedelta(0):
                raise TooManyError(-(-wait // SECOND))
            row.code_digest = self._digests.code(phone_digest, code)
            row.expires_at, row.attempts, row.used = now + CODE_LIFE, 0, False
            row.remember([*sent, now][-CODES_PER_HOUR:])
            known = await self._accounts.customer_id_of_phone(unit, home_party_id, phone_digest)
        if known is not None:
            task = asyncio.create_task(self._sender.send(phone, code))
            self._sending.add(task)
            task.add_done_callback(self._sent)
        await asyncio.sleep(0)
        return CODE_LIFE // SECOND

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.error("a code was not sent: %s", type(problem).__name__)

    async def close(self) -> None:
        """Wait for what is being sent."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=10)

    async def check_code(self, home_party_id: str, phone: str, code: str) -> str:
        """The customer whose phone got this code. A code is good once, for five minutes and five attempts.

        Raises:
            HubError: sign_in_failed, whatever was wrong.
        """
        now = self._clock.wall()
        phone_digest = self._digests.phone(home_party_id, phone)
        offered = self._digests.code(phone_digest, code)
        async with self._database.unit() as unit:
            row = await code_for_update(unit, phone_digest, now)
            row.attempts += 1
            right = hmac.compare_digest(row.code_digest, offered)
            live = not row.used and now < row.expires_at and row.attempts <= CODE_ATTEMPTS
            customer_id = None
            if right and live:
                row.used = True
                customer_id = await self._accounts.customer_id_of_phone(unit, home_party_id, phone_digest)
        # The attempt is counted and committed before anybody is told.
        if customer_id is None:
            raise HubError(Code.SIGN_IN_FAILED)
        return customer_id

    async def open_session(self, home_party_id: str, subject: str) -> str:
        """The first refresh token of a new family, for a driver who has just signed in."""
        token = self._ids.secret()
        async with self._database.unit() as unit:
            unit.session.add(self._session(token, self._ids.new("fam"), home_party_id, subject))
        return token

    def _session(self, token: str, family: str, home_party_id: str, subject: str) -> DriverSession:
        return DriverSession(
            token_digest=self._digests.refresh(token),
            family=family,
            home_party_id=home_party_id,
            subject=subject,
            expires_at=self._clock.wall() + SESSION_LIFE,
        )

    async def refresh(self, token: str) -> Refreshed:
        """Spend a refresh token for the next. One that was spent before ends its whole family.

        Raises:
            HubError: sign_in_failed, unknown, expired or spent.
        """
        now = self._clock.wall()
        refreshed = None
        async with self._database.unit() as unit:
            row = await session_for_update(unit, self._digests.refresh(token))
            if row is not None and row.spent_at is not None:
                await spend_family(unit, row.family, now)
            elif row is not None and now < row.expires_at:
                row.spent_at = now
                following = self._ids.secret()
                unit.session.add(self._session(following, row.family, row.home_party_id, row.subject))
                refreshed = Refreshed(row.home_party_id, row.subject, following)
        if refreshed is None:
            raise HubError(Code.SIGN_IN_FAILED)
        return refreshed
