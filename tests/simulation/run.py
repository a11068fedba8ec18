"""One seed from beginning to end: the market opens, things happen to it, calm returns, the auditor comes."""

import asyncio
import logging
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import IO, Any

from sqlalchemy import create_engine

from hub.auditor.verify import verify
from hub.migrations.metadata import METADATA, triggers
from operator_sdk.contract.messages.clearing import Statement
from tests.simulation.auditor.auditor import Auditor
from tests.simulation.bank import Bank
from tests.simulation.chance import Chance, Tally, Trace, Weather
from tests.simulation.chores import NEXT_LANE, Chores
from tests.simulation.door import Door, operator
from tests.simulation.hearing import hear
from tests.simulation.links import SimLinks
from tests.simulation.loop import SimClock, Stuck, VirtualLoop
from tests.simulation.market import DEPOSITS_FEN, Market
from tests.simulation.network import Network
from tests.simulation.operators import Scene, rest
from tests.simulation.process import Crashed, HubProcess, Surroundings, fixed_secrets, task_factory
from tests.simulation.story import DAYS, Story
from tests.simulation.truth import Truth

SESSIONS = 30
QUIET_DAYS_MOST = 12
DAYS_AFTER = 3


@dataclass(slots=True)
class Outcome:
    """What became of a seed. `problems` is empty when all is well; `lines` led to the first of them."""

    seed: int
    sessions: int
    trace: str
    tally: Tally
    problems: list[str]
    lines: list[str] = field(default_factory=list)


class _Listener(logging.Handler):
    """Whatever the hub logs as an error is one."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(logging.ERROR)
        self._around = around

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self._around.problem(f"logged by {record.name}: {record.getMessage()} {cause!r}")


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, sessions: int, folder: Path, file: IO[str] | None) -> None:
        self.seed, self.sessions = seed, sessions
        self.loop = VirtualLoop()
        self.loop.set_task_factory(task_factory)
        self.loop.set_exception_handler(self._unheard)
        chance = Chance(seed)
        self.begins = _beginning(chance)
        path = folder / "hub.db"
        path.write_bytes(empty_database())
        self.around = Surroundings(
            loop=self.loop,
            clock=SimClock(self.loop, self.begins),
            chance=chance,
            weather=Weather(calm=True),
            trace=Trace(file),
            tally=Tally(),
            path=str(path),
            secrets=fixed_secrets(seed),
        )
        self.network = Network(self.around)
        names = ["hub1", "hub2"][: chance.between(1, 2)]
        self.processes = [HubProcess(name, self.around, self._links) for name in names]
        door = Door(self.around, self.network, self.processes)
        truth = Truth(self.around.clock.true, self.around.problem)
        self.scene = Scene(self.around, self.network, door, truth)
        self.market = Market(self.scene)
        self.chores = Chores(self.scene, door, self.processes)
        self.bank = Bank(self.scene)
        self.auditor = Auditor(
            self.around.path, wrong=self.around.problem, voided=self._voided, reach=self.scene.reach
        )
        self.around.rung, self.around.committed = self.chores.bell.set, self.auditor.step

    def _voided(self, reference: str) -> None:
        """A hosted home gave money back; holds are by authorization."""
        session_id = self.auditor.session_of(reference)
        if session_id is not None:
            self.scene.truth.money_released(session_id, "a hosted home")

    def _links(self, process: HubProcess, inner: Any) -> SimLinks:
        return SimLinks(process, inner, self.network, self.market.operators)

    def _unheard(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        problem = context.get("exception")
        if not isinstance(problem, Crashed | asyncio.CancelledError):
            self.around.problem(f"nobody heard of {context.get('message')}: {problem!r}")

    def run(self) -> Outcome:
        """All of it."""
        listener = _Listener(self.around)
        logger = logging.getLogger("interpile")
        logger.addHandler(listener)
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._live())
        except Stuck:
            self.around.problem("everybody waits for somebody")
        finally:
            logger.removeHandler(listener)
            self._clean_up()
            asyncio.set_event_loop(None)
        around = self.around
        return Outcome(
            self.seed, self.sessions, around.trace.digest(), around.tally, around.problems, around.lines_before
        )

    def _clean_up(self) -> None:
        self.around.weather.calm = True
        self.chores.end()
        self.auditor.close()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        for process in self.processes:
            process.life.end()
        self.loop.close()

    async def _live(self) -> None:
        around = self.around
        for process in self.processes:
            process.boot()
        self.market.draw()
        await self._or_broken(self.market.open(self.processes[0].hub))
        if self.around.problems:
            return
        for home in [*self.market.homes, *self.market.hosted]:
            amount_fen = around.chance.pick(DEPOSITS_FEN)
            if amount_fen:
                await self._or_broken(self.bank.deposit(home, amount_fen))
        story = Story(self.market, self.sessions)
        self._draw_outages()
        around.note("the market is open")
        self.chores.begin(self.bank.work())
        around.weather.calm = False
        cards = story.deal(around.clock.true())
        await self._or_broken(story.play(cards))
        await self._or_broken(rest(6 * 3600))
        around.weather.calm = True
        around.note("calm")
        await self._or_broken(self._until_quiet())
        await self._or_broken(rest(DAYS_AFTER * 86_400))
        await self._or_broken(self._until_quiet())
        if not around.problems:
            await self._or_broken(self._audit())

    async def _audit(self) -> None:
        """Hear everybody, and let the auditor add everything up; then the hub's own."""
        papers = [paper async for paper in self._papers()]
        self.auditor.end(hear(self.market, self.bank, papers))
        report = verify(f"sqlite:///{self.around.path}")
        if not report.verified:
            self.around.problem(f"the hub's own check of its books: {report.problems[:3]}")

    async def _papers(self) -> AsyncIterator[Statement]:
        """Everybody's statement of every cycle that has positions."""
        for cycle_id in self.chores.netted_cycles():
            for party_id in [*self.market.operators, *self.market.hosted]:
                yield await self.scene.door.insist(
                    Statement, "get_statement", operator(party_id), cycle_id=cycle_id
                )

    async def _or_broken(self, work: Coroutine[Any, Any, None]) -> None:
        """Go on until it is done, or something is wrong."""
        task = self.loop.create_task(work)
        broken = self.loop.create_task(self.around.broken.wait())
        await asyncio.wait({task, broken}, return_when=asyncio.FIRST_COMPLETED)
        broken.cancel()
        if not task.done():
            task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    async def _until_quiet(self) -> None:
        """Everything on its way has arrived, and nothing is due."""
        for _ in range(QUIET_DAYS_MOST * 144):
            await rest(600)
            if self.network.idle and self.chores.seconds_to(NEXT_LANE) is None:
                return
        self.around.problem("it never became quiet")

    def _draw_outages(self) -> None:
        chance = self.around.chance
        for platform in self.market.operators.values():
            for _ in range(chance.between(0, 3)):
                begin = self.begins + timedelta(seconds=chance.between(0, DAYS * 86_400))
                length = timedelta(seconds=chance.pick((90, 600, 3_600, 6 * 3_600)))
                platform.down.append((begin, begin + length))
        steps = chance.between(0, 3)
        waits = [float(chance.between(3_600, 50_000)) for _ in range(steps)]
        self.network.apart(self.chores.set_clocks(waits))


def _beginning(chance: Chance) -> datetime:
    """Six in the evening in Shanghai, of any day; every other seed sees the end of a month."""
    day = datetime(2026, 1, 1, 10, tzinfo=UTC) + timedelta(days=chance.between(0, 700))
    if chance.happens(500):
        first = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        day = first - timedelta(days=chance.between(1, 2))
    return day


@cache
def empty_database() -> bytes:
    """The file of a database with every table and trigger and no row."""
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/empty.db")
        with engine.begin() as connection:
            METADATA.create_all(connection)
            for statement in triggers("sqlite"):
                connection.exec_driver_sql(statement)
        engine.dispose()
        eyes = sqlite3.connect(f"{folder}/empty.db")
        eyes.execute("PRAGMA journal_mode=WAL")
        eyes.close()
        return Path(f"{folder}/empty.db").read_bytes()


def run_seed(
    seed: int, *, sessions: int = SESSIONS, folder: Path | None = None, trace: IO[str] | None = None
) -> Outcome:
    """Run one seed in a folder of its own, or in a given one that is kept."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return World(seed, sessions, folder, trace).run()
    with tempfile.TemporaryDirectory(prefix="interpile-simulation-") as own:
        return World(seed, sessions, Path(own), trace).run()
