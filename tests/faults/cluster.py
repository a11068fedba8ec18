"""A PostgreSQL server of a test's own, that may be killed or run out of room."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from hub.core.database import Database
from tests import databases
from tests.faults.processes import free_port

OWNER = "postgres"
"""Who runs the server where the tests run as root: PostgreSQL itself refuses to."""

DEBIAN = Path("/usr/lib/postgresql")
UP_S, STOP_S = 20, 10
SMALL = ("shared_buffers=16MB", "max_connections=40", "max_wal_size=8MB", "min_wal_size=2MB")


def as_owner() -> dict[str, Any]:
    """For subprocess: as somebody who may run a server."""
    return {"user": OWNER, "group": pwd.getpwnam(OWNER).pw_gid, "extra_groups": []} if _is_root() else {}


def _is_root() -> bool:
    return os.geteuid() == 0


def _program(name: str) -> str:
    newest_first = sorted(DEBIAN.glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or next(iter(newest_first), None)
    if found is None:
        pytest.skip(f"no {name} here")
    return str(found)


@dataclass
class Cluster:
    """A server in a folder: started, killed, started again."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its one database."""
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """An empty server, whose log of writes grows by single megabytes."""
        options = ("--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "--wal-segsize=1")
        command = [_program("initdb"), f"--username={OWNER}", *options, str(self.folder / "data")]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **as_owner())

    async def start(self) -> None:
        """Until it answers. What is left of a killed server's processes ends by itself before that."""
        until = time.monotonic() + UP_S
        while True:
            if self.process is None or self.process.poll() is not None:
                self._launch()
            with contextlib.suppress(OSError, asyncpg.PostgresError):
                await (await asyncpg.connect(self.url, timeout=2)).close()
                return
            assert time.monotonic() < until, f"PostgreSQL does not come up: {self.said()[-800:]}"
            await asyncio.sleep(0.05)

    def _launch(self) -> None:
        settings = [word for setting in SMALL for word in ("-c", setting)]
        where = [
            "-D",
            str(self.folder / "data"),
            "-k",
            str(self.folder),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [_program("postgres"), *where, *settings],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_owner(),
            )

    def said(self) -> str:
        """Its log."""
        return (self.folder / "log").read_text("utf-8", "replace")

    def kill(self) -> None:
        """SIGKILL: nothing is written down that is not written already. The others see it and end."""
        assert self.process is not None, "started before"
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """At once, and for good."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()


@asynccontextmanager
async def cluster_in(folder: Path) -> AsyncIterator[Cluster]:
    """A server with every table of the hub, in a folder that belongs to its owner."""
    cluster = Cluster(folder)
    cluster.make()
    try:
        await cluster.start()
        database = Database(cluster.url, pool_size=1)
        await databases.create_tables(database)
        await database.close()
        yield cluster
    finally:
        cluster.stop()


@asynccontextmanager
async def own_cluster() -> AsyncIterator[Cluster]:
    """The same in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="interpile-pg-", dir=databases._FOLDERS_IN))
    try:
        if _is_root():
            shutil.chown(folder, OWNER)
        async with cluster_in(folder) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)
