"""A hub in this process and partners that speak T/CEC 102 to it: sealed requests in, opened answers out."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
from starlette.applications import Starlette

from hub.app import create_app
from hub.core.types import TableRow
from hub.protocols.tcec102.tables import ToleratedRow
from hub.settings import Settings
from hub.wiring import Hub
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.profile import Profile, Secrets, read_profile
from operator_sdk.contract.tcec102.wire import Answered, open_answer, seal_request
from tests import databases

HOST, HOME = "MA5TCEC01", "MA5TCEC02"


def secret_table(direction: str, name: str, **more: str) -> str:
    """One key set of a profile file; its secrets are made of its name."""
    made = "".join(f'{key} = "{value}"\n' for key, value in _secrets(direction, name).items())
    dates = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[[secrets.{direction}]]\nid = "{name}"\n{made}{dates}'


def _secrets(direction: str, name: str) -> dict[str, str]:
    return {
        "operator_secret": f"{direction}-{name}-operator",
        "data_secret": f"{direction}-{name}-data-0000000"[:16],
        "data_secret_iv": f"{direction}-{name}-iv-00000000"[:16],
        "sig_secret": f"{direction}-{name}-sig",
    }


def keys_named(direction: str, name: str) -> KeySet:
    """The key set of `secret_table`."""
    return msgspec.convert(_secrets(direction, name), type=KeySet)


def profile_text(
    party_id: str = HOST,
    roles: str = '["host"]',
    *,
    rest: str = "",
    ours: tuple[str, ...] = ("o1",),
    theirs: tuple[str, ...] = ("t1",),
    tables: str = "",
) -> str:
    """A profile file. `rest` are keys and tables beside the usual ones."""
    head = f'operator_id = "{party_id}"\nname = "Operator {party_id}"\nroles = {roles}\n'
    keys = [secret_table("ours", name) for name in ours] + [secret_table("theirs", name) for name in theirs]
    return f'{head}base_url = "http://{party_id.lower()}.example"\n{rest}\n' + "".join(keys) + tables


@dataclass
class Partner:
    """A partner's platform, as far as it calls the hub."""

    world: "World"
    profile: Profile
    keys: KeySet
    token: str = ""
    seq: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def party_id(self) -> str:
        return self.profile.operator_id

    def stamp(self, at: datetime | None = None) -> str:
        now = at or self.world.hub.clock.wall()
        return now.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y%m%d%H%M%S")

    def sealed(self, message: Any, *, keys: KeySet | None = None, at: datetime | None = None) -> bytes:
        """A request's body; `message` is the business object, or its bytes."""
        plain = message if isinstance(message, bytes) else msgspec.json.encode(message)
        seq = f"{next(self.seq) % 10_000:04d}"
        return seal_request(keys or self.keys, self.party_id, plain, stamp=self.stamp(at), seq=seq)

    async def post(
        self, interface: str, body: bytes, *, prefix: str = "/evcs/v1", token: str | None = None, **headers: str
    ) -> httpx.Response:
        """One call of a sealed body."""
        said = {"authorization": f"Bearer {self.token if token is None else token}", **headers}
        return await self.world.http.post(f"{prefix}/{interface}", content=body, headers=said)

    def opened(self, response: httpx.Response, keys: KeySet | None = None) -> Answered:
        """An answer; it must be signed and encrypted."""
        assert response.status_code == 200, response.text
        return open_answer(response.content, [keys or self.keys], self.profile)

    async def say(self, interface: str, message: Any, **how: Any) -> tuple[int, dict[str, Any]]:
        """Ret, and the business object of the answer."""
        answered = self.opened(await self.post(interface, self.sealed(message), **how))
        return answered.ret, msgspec.json.decode(answered.plain or b"{}")

    async def sign_in(self) -> str:
        """Ask for a token and keep it."""
        asked = {"OperatorID": self.party_id, "OperatorSecret": self.keys.operator_secret}
        ret, said = await self.say("query_token", asked)
        assert (ret, said["SuccStat"]) == (0, 0), said
        self.token = said["AccessToken"]
        return self.token


@dataclass
class World:
    """The hub, and a client that has no other way to it than its paths."""

    hub: Hub
    app: Starlette
    http: httpx.AsyncClient

    async def partner(self, text: str, name: str = "o1", *, signed_in: bool = True) -> Partner:
        """Add a party and become its platform."""
        profile, secrets = read_profile(text)
        await self.hub.tcec102.profiles.add(text, "test")
        partner = Partner(self, profile, _named(secrets, name))
        if signed_in:
            await partner.sign_in()
        return partner

    async def rows(self) -> dict[str, int]:
        """What every table holds, in short; without the counts of what was tolerated."""
        found = {}
        async with self.hub.database.reading() as unit:
            for table in TableRow.metadata.sorted_tables:
                if table.name != ToleratedRow.__tablename__:
                    rows = (await unit.execute(table.select())).all()
                    found[table.name] = hash(tuple(sorted(map(repr, rows))))
        return found


def _named(secrets: Secrets, name: str) -> KeySet:
    return next(one.keys for one in secrets.ours if one.id == name)


@asynccontextmanager
async def open_world(kind: str = "sqlite", **settings: Any) -> AsyncIterator[World]:
    """A real application on an empty database; nothing listens, no jobs run."""
    async with databases.fresh_url(kind) as url:
        with TemporaryDirectory() as folder:
            told = Settings(env="test", database_url=url, secret_file=Path(folder) / "secrets.json", **settings)
            async with open_process(told) as world:
                yield world


@asynccontextmanager
async def open_process(told: Settings) -> AsyncIterator[World]:
    """The application as one more process serves it."""
    app = create_app(told, embedded=False)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, client=("203.0.113.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as http:
            yield World(app.state.hub, app, http)


LATER = timedelta(seconds=6)
"""Longer than anything of a profile is remembered."""
