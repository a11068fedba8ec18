"""Tokens of both directions (T/CEC 102.4 annex A, `query_token`).

Issued: what partners call us with. A token is made with a key of the hub's from a random id; the database keeps
the id and the token's digest. So the same token can be given again for as long as it lasts, by every process,
and whoever reads the database has none. An earlier token stays good until its own end.
Held: what we call partners with. One token a partner, sealed in the database and shared by all processes. At
many partners a new token ends the one before, so only one process asks at a time, and the others wait for its.
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

import msgspec

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.ids import Ids
from hub.core.memory import Memory
from hub.core.secrets import Seal
from hub.parties.link import LinkError
from hub.protocols.tcec102.profiles import Partner
from hub.protocols.tcec102.tables import (
    HeldTokenRow,
    IssuedTokenRow,
    claim_held,
    count_issued,
    newest_issued,
    put_held,
)
from operator_sdk.contract.tcec102.messages import QueryToken, QueryTokenReply

UNKNOWN_OPERATOR, WRONG_SECRET = 1, 2
"""FailReason of `query_token`."""

TOKENS_MOST = 50
"""Tokens of one partner in force at once; who asks for more gets the newest again."""

REMEMBERED = timedelta(seconds=60)
WORTH_GIVING_S = 300
"""A token that ends sooner is not given again; a new one is made beside it."""

ABSOLUTE_FROM = 10_000_000_000
"""TokenAvailableTime is seconds; where it is this large it is the end itself, in Unix milliseconds."""

LIFE_MOST_S, LIFE_UNSAID_S = 7 * 86_400, 600
EARLY_S = 300
"""How long before its end a held token is replaced, or a tenth of its life where that is less."""

ASKED_FOR = timedelta(seconds=20)
"""How long one process may ask while the others wait: two tries of `query_token`, and some."""

LOOK_AGAIN_S = 0.1


class IssuedTokens:
    """Gives partners their tokens and knows them again."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, key: bytes) -> None:
        self._database, self._clock, self._ids, self._key = database, clock, ids, key
        self._known: Memory[str, tuple[str, datetime]] = Memory(REMEMBERED)

    async def answer(self, partner: Partner, message: QueryToken) -> QueryTokenReply:
        """The answer to a partner whose signature was good."""
        now = self._clock.wall()
        if message.operator_id != partner.party_id:
            return _refused(partner, UNKNOWN_OPERATOR)
        given = message.operator_secret.encode()
        right = [hmac.compare_digest(given, one.keys.operator_secret.encode()) for one in partner.ours(now)]
        if not any(right):
            return _refused(partner, WRONG_SECRET)
        async with self._database.unit() as unit:
            row = await self._row(unit, partner, now)
        left = (row.expires_at - now) // timedelta(seconds=1)
        return QueryTokenReply(
            operator_id=partner.party_id,
            succ_stat=0,
            access_token=self._token(row.token_id),
            token_available_time=left,
            fail_reason=0,
        )

    async def _row(self, unit: Unit, partner: Partner, now: datetime) -> IssuedTokenRow:
        wanted = partner.profile.token
        worth = min(WORTH_GIVING_S, wanted.life_s // 2)
        newest = await newest_issued(unit, partner.party_id, now + timedelta(seconds=worth))
        if newest is not None:
            many = await count_issued(unit, partner.party_id, now, TOKENS_MOST) >= TOKENS_MOST
            if wanted.reuse or many:
                return newest
        token_id = self._ids.secret()[:40]
        row = IssuedTokenRow(
            digest=digest_of(self._token(token_id)),
            token_id=token_id,
            party_id=partner.party_id,
            expires_at=now + timedelta(seconds=wanted.life_s),
        )
        unit.session.add(row)
        return row

    def _token(self, token_id: str) -> str:
        made = hmac.digest(self._key, token_id.encode(), "sha256")
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()

    async def owner(self, token: str) -> str | None:
        """Whose token this is, while it lasts; remembered for a minute."""
        now, digest = self._clock.wall(), digest_of(token)
        known = self._known.get(digest, now)
        if known is None:
            async with self._database.reading() as unit:
                row = await unit.session.get(IssuedTokenRow, digest)
            if row is None:
                return None
            known = row.party_id, row.expires_at
            self._known.put(digest, known, now)
        party_id, expires_at = known
        return party_id if now < expires_at else None


def digest_of(token: str) -> str:
    """Under which a token is kept."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _refused(partner: Partner, reason: int) -> QueryTokenReply:
    return QueryTokenReply(
        operator_id=partner.party_id,
        succ_stat=1,
        access_token="",
        token_available_time=0,
        fail_reason=reason,
    )


@dataclass(frozen=True, slots=True)
class Granted:
    """A token that a partner gave us, and what it said of its life: seconds, or its end in milliseconds."""

    token: str = field(repr=False)
    available_time: int


Fetch = Callable[[], Awaitable[Granted]]
"""Asks the partner for a token; raises LinkError."""


@dataclass(frozen=True, slots=True)
class _Held:
    token: str = field(repr=False)
    refresh_at: datetime


class HeldTokens:
    """The tokens that we call partners with: each asked for once, whoever needs it first."""

    def __init__(self, database: Database, clock: Clock, seal: Seal) -> None:
        self._database, self._clock, self._seal = database, clock, seal
        self._held: Memory[str, _Held] = Memory(REMEMBERED)
        self._turns: dict[str, asyncio.Lock] = {}
        self._under_way: dict[tuple[str, str | None], asyncio.Task[str]] = {}

    async def token(self, party_id: str, fetch: Fetch) -> str:
        """The token to call a partner with.

        Raises:
            LinkError: the partner gave none.
        """
        held = self._held.get(party_id, self._clock.wall())
        if self._is_good(held, None):
            return held.token
        return await self._shared(party_id, None, fetch)

    async def renewed(self, party_id: str, spent: str, fetch: Fetch) -> str:
        """Another token than the one that the partner just refused; another process may have it already.

        Raises:
            LinkError: the partner gave none.
        """
        return await self._shared(party_id, spent, fetch)

    def _is_good(self, held: _Held | None, spent: str | None) -> TypeGuard[_Held]:
        return held is not None and held.token != spent and self._clock.wall() < held.refresh_at

    async def _shared(self, party_id: str, spent: str | None, fetch: Fetch) -> str:
        key = party_id, spent
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._obtain(party_id, spent, fetch))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._over(key, done))
        # One that has no more time to wait must not take the answer from the others.
        return await asyncio.shield(task)

    def _over(self, key: tuple[str, str | None], task: asyncio.Task[str]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # it was raised at whoever waited, or nobody waits any more

    async def _obtain(self, party_id: str, spent: str | None, fetch: Fetch) -> str:
        """Ask only if nobody has, in this process or in another: looked up and asked in one turn."""
        async with self._turns.setdefault(party_id, asyncio.Lock()):
            held = self._held.get(party_id, self._clock.wall())
            if self._is_good(held, spent):
                return held.token
            while True:
                row = await self._row(party_id)
                held = None if row is None else self._opened(row)
                if self._is_good(held, spent):
                    return held.token
                if await self._claim(party_id, row):
                    return await self._fetch(party_id, fetch)
                await asyncio.sleep(LOOK_AGAIN_S)

    async def _row(self, party_id: str) -> HeldTokenRow | None:
        async with self._database.reading() as unit:
            row: HeldTokenRow | None = await unit.session.get(HeldTokenRow, party_id)
        return row

    async def _claim(self, party_id: str, row: HeldTokenRow | None) -> bool:
        """Whether it is this process that asks now; a claim that is too old is nobody's any more."""
        now = self._clock.wall()
        if row is not None and not row.token and now < row.fetched_at + ASKED_FOR:
            return False
        async with self._database.unit() as unit:
            return await claim_held(unit, party_id, None if row is None else row.fetched_at, now)

    def _opened(self, row: HeldTokenRow) -> _Held | None:
        if not row.token:
            return None
        party_id = row.party_id
        plain = msgspec.json.decode(self._seal.open(row.token))
        if plain["party_id"] != party_id:
            return None
        held = _Held(plain["token"], row.refresh_at)
        self._held.put(party_id, held, self._clock.wall())
        return held

    async def _fetch(self, party_id: str, fetch: Fetch) -> str:
        try:
            granted = await fetch()
        except LinkError:
            now = self._clock.wall()
            await self._put(party_id, b"", refresh_at=now, fetched_at=now - ASKED_FOR)  # whoever waits may ask
            raise
        now = self._clock.wall()
        held = _Held(granted.token, now + refresh_after(granted.available_time, now))
        sealed = self._seal.close(msgspec.json.encode({"party_id": party_id, "token": granted.token}))
        await self._put(party_id, sealed, refresh_at=held.refresh_at, fetched_at=now)
        self._held.put(party_id, held, now)
        return held.token

    async def _put(self, party_id: str, sealed: bytes, *, refresh_at: datetime, fetched_at: datetime) -> None:
        async with self._database.unit() as unit:
            facts = {"token": sealed, "refresh_at": refresh_at, "fetched_at": fetched_at}
            await put_held(unit, party_id=party_id, **facts)


def refresh_after(available_time: int, now: datetime) -> timedelta:
    """How long to use a token whose partner said this of its life."""
    life = available_time
    if life >= ABSOLUTE_FROM:
        end = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=min(life, 10**14))
        life = (end - now) // timedelta(seconds=1)
    life = min(life, LIFE_MOST_S) if life > 0 else LIFE_UNSAID_S
    return timedelta(seconds=life - min(EARLY_S, life // 10))
