"""A process of the hub: every room over the common database, until it dies at a port."""

import asyncio
import contextvars
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event

from hub.core.database import Database
from hub.core.ids import SeededIds
from hub.core.outbound import Outbound
from hub.core.outbox import LocalDoorbell
from hub.core.secrets import Secrets
from hub.parties.link import Links
from hub.settings import Settings
from hub.wiring import Effects, Hub, build_hub
from operator_sdk.contract.signing import SigningKey
from tests.simulation.chance import Chance, Tally, Trace, Weather
from tests.simulation.driver import Connection
from tests.simulation.loop import SimClock, VirtualLoop

T = TypeVar("T")
HUB_ID = "MA5HUB000"
PUBLIC_URL = "https://hub.example"
FOREVER_S = 400 * 24 * 3600
"""Of a connector's state: hosts here need not repeat it every three minutes."""


class Crashed(BaseException):
    """This process is dead: nothing catches it, and nothing it had in memory is left."""


_PROCESS: contextvars.ContextVar["HubProcess | None"] = contextvars.ContextVar("process", default=None)


def task_factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
    """Tasks belong to the process in whose context they were made, and die with it."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    context = options.get("context")
    process = _PROCESS.get() if context is None else context.get(_PROCESS)
    if process is not None:
        process.life.tasks[task] = None
        task.add_done_callback(process.life.done)
    return task


@dataclass
class Surroundings:
    """What all processes stand on."""

    loop: VirtualLoop
    clock: SimClock
    chance: Chance
    weather: Weather
    trace: Trace
    tally: Tally
    path: str
    secrets: Secrets
    committed: Callable[[], None] = lambda: None
    rung: Callable[[], None] = lambda: None
    problems: list[str] = field(default_factory=list)
    lines_before: list[str] = field(default_factory=list)
    broken: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, *words: object) -> None:
        self.trace.note(self.clock.true(), *words)

    def fault(self, name: str) -> bool:
        """Whether this one strikes now."""
        strikes = self.weather.permille(name) > 0 and self.chance.happens(self.weather.permille(name))
        if strikes:
            self.tally.faults[name] += 1
        return strikes

    def problem(self, text: str) -> None:
        """Something that must never happen, happened."""
        self.note("PROBLEM", text)
        if not self.problems:
            self.lines_before = list(self.trace.lines)
            self.broken.set()
        self.problems.append(f"{self.clock.true():%Y-%m-%d %H:%M:%S} {text}")


@dataclass
class Life:
    """What dies with a process."""

    around: Surroundings
    name: str
    died: asyncio.Event
    alive: bool = True
    tasks: dict["asyncio.Task[Any]", None] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)

    def done(self, task: "asyncio.Task[Any]") -> None:
        self.tasks.pop(task, None)

    def connect(self, path: str) -> Connection:
        self.check()
        connection = Connection(path, self)
        self.connections.append(connection)
        return connection

    def check(self) -> None:
        if not self.alive:
            raise Crashed

    def port(self, what: str) -> None:
        self.check()
        if self.around.fault("crash"):
            self.around.note(self.name, "dies at", what)
            place = what if what.endswith("commit") else "at a call"
            self.around.tally.reached[f"crash {place}"] += 1
            self.end()
            raise Crashed

    def committed(self) -> None:
        self.around.committed()

    def end(self) -> None:
        """Everything in memory is lost, and what was not committed with it."""
        self.alive = False
        self.around.tally.crashes += 1
        for connection in self.connections:
            connection.stop()
        for task in list(self.tasks):
            task.cancel()
        self.died.set()


class _Doorbell:
    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def ring(self, lane: str) -> None:
        """Losing a ring loses nothing."""
        if not self._around.fault("ring_lost"):
            self._around.rung()

    def close(self) -> None:
        """Nothing to give back."""


class HubProcess:
    """One process, life after life. Its compiled statements survive: they are the driver's, not the hub's."""

    hub: Hub

    def __init__(self, name: str, around: Surroundings, links: Callable[["HubProcess", Links], Links]) -> None:
        self.name, self._around, self._links = name, around, links
        self._settings = Settings(
            env="production",
            database_url=f"sqlite:///{around.path}",
            public_url=PUBLIC_URL,
            party_id=HUB_ID,
            party_name="互桩清分中心",
            status_life_s=FOREVER_S,
        )
        driver = {"async_creator_fn": self._connect}
        self._database = Database(self._settings.database_url, connect_args=driver)
        event.listen(self._database.engine.sync_engine, "connect", _hurry)
        self.died = asyncio.Event()
        self.life = Life(around, name, self.died, alive=False)

    @property
    def alive(self) -> bool:
        return self.life.alive

    def _connect(self, path: str, **_: object) -> Connection:
        return self.life.connect(path)

    def boot(self) -> None:
        """A new life over the same database."""
        self._database.engine.sync_engine.dispose(close=False)
        self.died.clear()
        self.life = Life(self._around, self.name, self.died)
        clock = self._around.clock
        effects = Effects(
            outbound=Outbound(private=False),
            doorbell=_Doorbell(self._around),
            local=LocalDoorbell(),
            clock=clock,
            ids=SeededIds(clock, self._around.chance.child()),
            links=lambda links: self._links(self, links),
        )
        self.hub = build_hub(self._settings, self._around.secrets, self._database, effects)
        self._around.note(self.name, "boots")

    def spawn(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Have this process do something."""
        context = contextvars.copy_context()
        context.run(_PROCESS.set, self)
        return self._around.loop.create_task(work, context=context)

    async def serve(self, work: Callable[[Hub], Awaitable[T]]) -> T:
        """Do something in this process for somebody outside.

        Raises:
            Crashed: it died before it was done.
        """
        self.life.check()
        life = self.life
        task = self.spawn(_as_coroutine(work(self.hub)))
        await asyncio.wait({task})
        if task.cancelled():
            assert not life.alive, "only a crash cancels"
            raise Crashed
        return task.result()


async def _as_coroutine(work: Awaitable[T]) -> T:
    return await work


def _hurry(connection: Any, _record: Any) -> None:
    """Only processes die here, not machines; and nobody ever waits for a lock, because no unit ever pauses."""
    cursor = connection.cursor()
    for pragma in ("synchronous=OFF", "busy_timeout=0"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def fixed_secrets(seed: int) -> Secrets:
    """The same secrets in every run of a seed."""
    master = hashlib.sha256(f"master {seed}".encode()).digest()
    signing = hashlib.sha256(f"signing {seed}".encode()).digest()
    return Secrets(master, (SigningKey("hub-1", Ed25519PrivateKey.from_private_bytes(signing)),))
