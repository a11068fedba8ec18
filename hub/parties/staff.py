"""Use cases of staff: adding people, signing in, knowing who a token belongs to."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from typing import Any

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, TooManyError
from hub.core.ids import Ids
from hub.core.tables import insert_new
from hub.core.tokens import Principal
from hub.parties.audit import AuditLog
from hub.parties.model import SESSION_LIFE, Failures, PartyProblem, functions_of, join_roles
from hub.parties.passwords import Cost, hash_password, nobodys_hash, password_fits
from hub.parties.tables import StaffRow, StaffSessionRow
from hub.parties.tables_staff import failures_for_update
from operator_sdk.contract.messages.access import StaffSession, StaffSignIn
from operator_sdk.contract.messages.admin import Staff, StaffAdd
from operator_sdk.contract.public_codes import Code

TOKEN_PREFIX = "staff_"
HASHES_AT_ONCE = 2
"""Each takes its memory: guessing must not take all of it."""


class StaffService:
    """The hub's people. Passwords are hashed beside the event loop and never inside a unit."""

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, *, audit: AuditLog, cost: Cost | None = None
    ) -> None:
        self._database, self._clock, self._ids = database, clock, ids
        self._cost = cost or Cost()
        self._audit = audit
        self._room = asyncio.Semaphore(HASHES_AT_ONCE)
        self._nobody = nobodys_hash(self._cost)

    async def add_staff(self, add: StaffAdd, actor: str, *, alone: bool = False) -> Staff:
        """Add a person. Nobody grants what they may not do themselves, except the command line (`alone`).

        Raises:
            HubError: id_reused (the login is taken), rule_violated (no such role) or forbidden.
        """
        try:
            granted = functions_of(add.roles)
        except PartyProblem as problem:
            raise HubError(Code.RULE_VIOLATED, reason=str(problem)) from problem
        password_hash = await self._hash(add.password)
        async with self._database.unit() as unit:
            if not alone:
                granter = await unit.session.get(StaffRow, actor)
                if granter is None or not granted <= functions_of(granter.roles.split(",")):
                    raise HubError(Code.FORBIDDEN)
            new = await insert_new(
                unit,
                StaffRow,
                login=add.login,
                password_hash=password_hash,
                roles=join_roles(add.roles),
                created_by=actor,
                created_at=self._clock.wall(),
            )
            if not new:
                raise HubError(Code.ID_REUSED)
            roles = sorted(set(add.roles))
            self._audit.note(unit, actor=actor, action="add_staff", subject=add.login, roles=roles)
            return Staff(login=add.login, roles=roles)

    async def note(self, actor: str, action: str, subject: str, **detail: Any) -> None:
        """Put on the audit log what somebody is about to do."""
        async with self._database.unit() as unit:
            self._audit.note(unit, actor=actor, action=action, subject=subject, **detail)

    async def sign_in(self, request: StaffSignIn) -> StaffSession:
        """Sign in; the fifth wrong password in a row locks the login for fifteen minutes.

        A login that does not exist costs the same work, fails the same way and locks the same.

        Raises:
            HubError: sign_in_failed.
            TooManyError: locked_out.
        """
        async with self._database.reading() as unit:
            row = await unit.session.get(StaffRow, request.login)
        checked = row.password_hash if row is not None else self._nobody
        async with self._room:
            fits = await asyncio.to_thread(password_fits, request.password, checked)
        async with self._database.unit() as unit:
            session = await self._open(unit, request.login, checked if fits and row is not None else None)
        if session is None:
            raise HubError(Code.SIGN_IN_FAILED)
        return session

    async def _open(self, unit: Unit, login: str, fitting_hash: str | None) -> StaffSession | None:
        now = self._clock.wall()
        kept = await failures_for_update(unit, login)
        failures = Failures(kept.failures, kept.last_at)
        until = failures.locked_until(now)
        if until is not None:
            raise TooManyError(_seconds(until - now), Code.LOCKED_OUT)
        row = await unit.session.get(StaffRow, login)
        # The hash was read in an earlier unit: only the password that is in force now opens a session.
        if row is None or fitting_hash is None or row.password_hash != fitting_hash:
            failures = failures.one_more(now)
            kept.failures, kept.last_at = failures.count, failures.last_at
            return None
        await unit.session.delete(kept)
        return self._session(unit, row, now)

    def _session(self, unit: Unit, row: StaffRow, now: datetime) -> StaffSession:
        token = TOKEN_PREFIX + self._ids.secret()
        expires_at = now + SESSION_LIFE
        unit.session.add(StaffSessionRow(token_digest=_digest(token), login=row.login, expires_at=expires_at))
        self._audit.note(unit, actor=row.login, action="sign_in", subject=row.login)
        roles = sorted(functions_of(row.roles.split(",")))
        return StaffSession(token=token, expires_at=expires_at, roles=roles)

    async def who(self, token: str) -> Principal:
        """Whom a token belongs to, with the single functions they may use.

        Raises:
            HubError: token_invalid, unknown or expired.
        """
        async with self._database.reading() as unit:
            session = await unit.session.get(StaffSessionRow, _digest(token))
            if session is None or session.expires_at <= self._clock.wall():
                raise HubError(Code.TOKEN_INVALID)
            row = await unit.session.get(StaffRow, session.login)
        assert row is not None
        return Principal("staff", subject=row.login, roles=functions_of(row.roles.split(",")))

    async def _hash(self, password: str) -> str:
        async with self._room:
            return await asyncio.to_thread(hash_password, password, self._cost)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _seconds(span: timedelta) -> int:
    return max(1, -(-span // timedelta(seconds=1)))
