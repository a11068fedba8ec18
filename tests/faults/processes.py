"""Real processes for fault tests: started with an environment of their own, killed by id, never left behind."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import httpx

from operator_sdk.client.trust import authorities
from tests import nursery
from tests.nursery import Process

ROOT = Path(__file__).resolve().parents[2]
INTERPILE = (sys.executable, "-m", "operator_sdk.command")
CELERY = (sys.executable, "-m", "celery", "--app", "hub.worker", "worker")
UP_S, END_S, LOOK_S = 20, 8, 0.02


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Child:
    """A process that leads a group of its own, so that what it forked goes with it."""

    name: str
    process: Process
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def said(self) -> str:
        """Everything it has printed so far."""
        return self.log.read_text("utf-8", "replace")

    def kill(self) -> None:
        """SIGKILL, to its whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    async def ended(self, within_s: float = END_S) -> int:
        """Its exit code, once it has ended."""
        until = time.monotonic() + within_s
        while (code := self.process.poll()) is None:
            assert time.monotonic() < until, f"{self.name} does not end: {self.said()[-800:]}"
            await asyncio.sleep(LOOK_S)
        return code

    async def says(self, words: str, within_s: float = UP_S) -> None:
        """Wait until it has printed these words."""
        until = time.monotonic() + within_s
        while words not in self.said():
            assert self.alive, f"{self.name} ended: {self.said()[-800:]}"
            assert time.monotonic() < until, f"{self.name} never said {words!r}: {self.said()[-800:]}"
            await asyncio.sleep(0.05)

    async def answers(self, url: str, path: str = "/readyz") -> None:
        """Wait until it serves there."""
        until = time.monotonic() + UP_S
        async with httpx.AsyncClient(trust_env=False, timeout=5, verify=authorities()) as http:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{url}{path}")).status_code == 200:
                        return
                assert self.alive, f"{self.name} ended: {self.said()[-800:]}"
                assert time.monotonic() < until, f"{self.name} never answered: {self.said()[-800:]}"
                await asyncio.sleep(LOOK_S)


@dataclass
class Fleet:
    """The processes of a test; all of them are gone when the block ends, however it ends.

    They are born in the nursery where it knows what they need, unless the test is about starting cold.
    """

    folder: Path
    environment: dict[str, str]
    cold: bool = False
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, *command: str, **more: str) -> Child:
        """Start a process. Of this process's own environment it gets only what programs need to run."""
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
        log = self.folder / f"{name}-{len(self.children)}.log"
        with log.open("wb") as stream:
            process = self._started(command, {**inherited, **self.environment, **more}, stream)
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def _started(self, command: Sequence[str], environment: dict[str, str], stream: BinaryIO) -> Process:
        interpreter, _, module, *arguments = command
        if interpreter == sys.executable and module in nursery.NEEDS and not self.cold:
            to = stream.fileno()
            return nursery.start(module, *arguments, environment=environment, stdout=to, stderr=to)
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )

    def serve(self, url: str, **more: str) -> Child:
        """`interpile serve` on this address's port."""
        return self.start("hub", *INTERPILE, "serve", "--port", url.rsplit(":", 1)[1], **more)

    def jobs(self, **more: str) -> Child:
        """`interpile jobs`."""
        return self.start("jobs", *INTERPILE, "jobs", **more)

    def worker(self, name: str, at_once: int, /, **more: str) -> Child:
        """A Celery worker as in production, that talks to no other worker."""
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        pool = ("--pool", "prefork", "--concurrency", str(at_once))
        node = ("--hostname", f"{name}@%h", "--loglevel", "INFO")
        return self.start("worker", *CELERY, *pool, *node, *quiet, **more)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self.children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGTERM)
        until = time.monotonic() + END_S
        for child in self.children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, until - time.monotonic()))
            child.kill()
