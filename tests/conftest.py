"""Fixtures that every suite shares: both engines, a clock that stands, ids that repeat."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.ids import SeededIds
from tests import compiled, databases

compiled.share()


def pytest_collection_finish() -> None:
    """What is imported by now stays: looking through it for garbage was a seventh of the suite's time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_database_is_left_behind() -> Iterator[None]:
    yield
    asyncio.run(databases.drop_everything())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def kind(request: pytest.FixtureRequest) -> str:
    """Which engine: a test that takes `database` or `kind` runs once on each."""
    return str(request.param)


@pytest.fixture
async def database(kind: str) -> AsyncIterator[Database]:
    """An empty database with every table and trigger of the rooms that are imported."""
    async with databases.fresh_database(kind) as fresh:
        yield fresh


@pytest.fixture
def clock() -> ManualClock:
    """Noon in Shanghai, on a working day."""
    return ManualClock(datetime(2026, 3, 2, 4, 0, tzinfo=UTC))


@pytest.fixture
def ids(clock: ManualClock) -> SeededIds:
    """The same ids in every run."""
    return SeededIds(clock)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which seeds were simulated, and how to run them again."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, words in report.user_properties:
                if name == "simulated":
                    terminalreporter.write_line(f"simulated: {words}")
