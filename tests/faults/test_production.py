"""Production refuses to start where it would not be safe: one line says why, and the exit code is not 0."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from hub.core.secrets import make_secrets
from tests import databases
from tests.faults.processes import INTERPILE, Child, Fleet, free_port

pytestmark = pytest.mark.faults

NAME = f"interpile_test_{os.getpid()}_roles"
OWNER, SERVING = f"{NAME}_owner", f"{NAME}_serving"
PASSWORD = "a-password-of-this-test"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    make_secrets(tmp_path / "secrets.json")
    environment = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/hub.db",
        "INTERPILE_SECRET_FILE": str(tmp_path / "secrets.json"),
        "INTERPILE_PUBLIC_URL": "https://hub.example",
    }
    with Fleet(tmp_path, environment, cold=True) as fleet:
        yield fleet


async def refuses(child: Child, *words: str) -> None:
    """It ends by itself, with one line."""
    assert await child.ended(15) == 1
    assert "Traceback" not in child.said()
    *before, line = child.said().splitlines()
    assert line.startswith("interpile: "), line
    assert all(word in line for word in words), line
    # Celery greets, and minds a test that runs as root.
    assert not before or child.name == "worker", before


def serve(fleet: Fleet, **environment: str) -> Child:
    return fleet.serve(f"http://127.0.0.1:{free_port()}", **environment)


async def test_another_speed_is_refused_in_production(fleet: Fleet) -> None:
    epoch = "2026-03-02T00:00:00Z"
    await refuses(serve(fleet, SPEED="60", INTERPILE_EPOCH=epoch), "SPEED", "INTERPILE_ENV")


@pytest.mark.parametrize("process", ["serve", "jobs"])
async def test_a_missing_secrets_file_is_refused_with_the_command_that_makes_it(
    fleet: Fleet, process: str
) -> None:
    missing = str(fleet.folder / "nowhere.json")
    child = fleet.start(process, *INTERPILE, process, INTERPILE_SECRET_FILE=missing)
    await refuses(child, f"interpile key init {missing}")


async def test_codes_for_signing_in_never_go_to_a_file_in_production(fleet: Fleet) -> None:
    file = fleet.folder / "codes.jsonl"
    await refuses(serve(fleet, INTERPILE_CODE_FILE=str(file)), "INTERPILE_CODE_FILE")
    assert not file.exists()


async def test_a_database_never_migrated_is_refused_with_the_command_that_does_it(fleet: Fleet) -> None:
    await refuses(serve(fleet), "interpile migrate")


async def test_a_database_that_does_not_answer_is_one_line(fleet: Fleet) -> None:
    nobody = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    await refuses(serve(fleet, DATABASE_URL=nobody))


async def test_a_celery_worker_refuses_in_one_line_too(fleet: Fleet) -> None:
    closed = f"amqp://guest:guest@127.0.0.1:{free_port()}//"
    missing = str(fleet.folder / "nowhere.json")
    child = fleet.worker("refused", 1, BROKER_URL=closed, INTERPILE_SECRET_FILE=missing)
    await refuses(child, f"interpile key init {missing}")


@dataclass(frozen=True)
class Roles:
    """A database of its own, with the addresses of its two roles."""

    owner_url: str
    serving_url: str


@asynccontextmanager
async def two_roles() -> AsyncIterator[Roles]:
    try:
        for role in (OWNER, SERVING):
            await databases.on_server(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        await databases.on_server(f"GRANT {OWNER} TO CURRENT_USER")
        await databases.on_server(f"CREATE DATABASE {NAME} OWNER {OWNER}")
        owner, serving = (
            make_url(databases.SERVER)
            .set(username=role, password=PASSWORD, database=NAME)
            .render_as_string(hide_password=False)
            for role in (OWNER, SERVING)
        )
        yield Roles(owner, serving)
    finally:
        await databases.on_server(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        for role in (SERVING, OWNER):
            await databases.on_server(f"DROP ROLE IF EXISTS {role}")


@pytest.mark.integration
async def test_the_role_that_serves_may_not_rewrite_the_books(fleet: Fleet) -> None:
    fleet.cold = False
    async with two_roles() as roles:
        alone = {"DATABASE_URL": roles.owner_url}
        apart = {"DATABASE_URL": roles.serving_url, "DATABASE_MIGRATION_URL": roles.owner_url}
        assert await fleet.start("migrate", *INTERPILE, "migrate", **apart).ended(20) == 0

        refused = serve(fleet, **alone)
        relaxed_at, strict_at = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        relaxed = fleet.serve(relaxed_at, **alone, INTERPILE_ENV="test")
        strict = fleet.serve(strict_at, **apart)

        await refuses(refused, "serving role", "DATABASE_MIGRATION_URL")
        await relaxed.answers(relaxed_at)
        assert _warnings(relaxed), relaxed.said()
        await strict.answers(strict_at)
        assert not _warnings(strict), strict.said()
        await _the_books_are_closed_to(roles.serving_url)


def _warnings(child: Child) -> list[str]:
    lines = [json.loads(line) for line in child.said().splitlines()]
    warnings = [line["message"] for line in lines if line["level"] == "WARNING"]
    return [warning for warning in warnings if "serving role" in warning]


async def _the_books_are_closed_to(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        for statement in (
            "UPDATE ledger_entry SET amount_fen = 1",
            "DELETE FROM ledger_entry",
            "UPDATE ledger_posting SET digest = ''",
            "DELETE FROM ledger_posting",
            "DELETE FROM ledger_seal",
            "TRUNCATE ledger_posting CASCADE",
            "DROP TABLE ledger_entry CASCADE",
            "ALTER TABLE ledger_entry DISABLE TRIGGER ALL",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
