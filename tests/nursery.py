"""Processes that begin at once: forks of one that has imported what they need.

A fresh interpreter spends a second of a core on imports before it does anything, and the suite starts hundreds.
Here an interpreter beside this one (pytest has one a worker) imports once, and a process that is asked for is a
fork of it, which runs a module as `python -m` does. In every other respect it is a process of its own: it leads
its own session, has the environment and the streams that it is given, and SIGKILL takes it like any other. What
a cold start does is seen where processes are started cold: test_production, test_demo, test_start_up.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parents[1]
MESSAGE_BYTES_MOST = 1 << 17
EXIT_BYTES = 4

_SERVING = (
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)
_HUB = (
    "aiohttp",
    "hub.app",
    "redis.asyncio",
    "mobile_bff.app",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    *_SERVING,
)
_COMMANDS = (
    "edge_agent.commands",
    *(
        f"hub.commands.{name}"
        for name in ("auditing", "clearing", "operators", "people", "places", "processes", "sites", "tariffs")
    ),
)
NEEDS: Mapping[str, tuple[str, ...]] = {
    "operator_sdk.command": (*_HUB, *_COMMANDS),
    "edge_agent": ("edge_agent.commands",),
    "edge_agent.sim": ("edge_agent.sim.control", "edge_agent.sim.meter_line", "edge_agent.sim.pile_on_bus"),
    "operator_sdk.examples.home": ("operator_sdk.examples.home.app", *_SERVING),
    "operator_sdk.examples.host": ("operator_sdk.examples.host.app", *_SERVING),
    "operator_sdk.tcec102.sim": ("operator_sdk.tcec102.sim.serving", *_SERVING),
    "tests.faults.closer": ("tests.clearing_world",),
}
"""By the module that is run, what is imported for it; the module itself is run anew in each process."""


class Process(Protocol):
    """What tests use of `subprocess.Popen`, and of what is born here."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""

    def send_signal(self, sig: int) -> None:
        """To it alone; nothing where it has ended."""

    def terminate(self) -> None:
        """SIGTERM, to it alone."""

    def kill(self) -> None:
        """SIGKILL, to it alone."""


class Born:
    """A process that was born here; the nursery, whose child it is, tells of its end."""

    def __init__(self, pid: int, ends: int) -> None:
        self.pid, self._ends = pid, ends
        self._lock = threading.Lock()
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not.
        """
        if (code := self._look(timeout)) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, sig: int) -> None:
        """To it alone; nothing where it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def terminate(self) -> None:
        """SIGTERM, to it alone."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, to it alone."""
        self.send_signal(signal.SIGKILL)

    def _look(self, within_s: float | None) -> int | None:
        with self._lock:
            if self._code is None and select.select([self._ends], [], [], within_s)[0]:
                said = os.read(self._ends, EXIT_BYTES)
                os.close(self._ends)
                assert said, "the nursery itself is gone"
                self._code = int.from_bytes(said, signed=True)
            return self._code


class _Nursery:
    """The interpreter beside this one, as this one speaks to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.nursery", str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def bear(self, task: Mapping[str, object], given: list[int]) -> Born:
        """One process. Returns when it leads its own session, so that its group can be killed."""
        ends, tells = os.pipe()
        try:
            with self._lock:
                socket.send_fds(self._line, [json.dumps(task).encode()], [*given, tells])
                said = self._line.recv(MESSAGE_BYTES_MOST)
        finally:
            os.close(tells)
        assert said, f"the nursery ended with {self._process.wait()}"
        return Born(int(said), ends)

    def close(self) -> None:
        """It ends by itself when nobody speaks to it any more; what was born there lives on."""
        self._line.close()
        self._process.wait()


_nursery: list[_Nursery] = []
_opening = threading.Lock()


def start(
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    stdin: int | None = None,
    stdout: int = 1,
    stderr: int = 2,
) -> Born:
    """`python -m module arguments...` in the project's folder, with nothing in its environment but this."""
    with _opening:
        if not _nursery:
            _nursery.append(_Nursery())
            atexit.register(_nursery[0].close)
    task = {"module": module, "arguments": arguments, "environment": dict(environment)}
    with open(os.devnull, "rb") as nothing:
        return _nursery[0].bear(task, [nothing.fileno() if stdin is None else stdin, stdout, stderr])


def start_and_hear(module: str, *arguments: str, environment: Mapping[str, str]) -> tuple[Born, dict[str, Any]]:
    """The same, and the first line that it prints, which is JSON."""
    hears, says = os.pipe()
    with open(hears, encoding="utf-8") as printed:
        try:
            born = start(module, *arguments, environment=environment, stdout=says)
        finally:
            os.close(says)
        line = printed.readline()
    assert line, f"{module} ended with {born.wait()}"
    return born, json.loads(line)


# The other side.


@dataclass(frozen=True)
class _Task:
    module: str
    arguments: list[str]
    environment: dict[str, str]

    def become(self) -> None:
        """Be that process; returns when it ends well."""
        os.environ.clear()
        os.environ.update(self.environment)
        time.tzset()
        sys.argv = [self.module, *self.arguments]
        gc.enable()
        runpy.run_module(self.module, run_name="__main__", alter_sys=True)


def _import(module: str) -> None:
    for name in NEEDS.get(module, ()):
        importlib.import_module(name)
    if "sqlalchemy.orm" in sys.modules:
        sys.modules["sqlalchemy.orm"].configure_mappers()
    # What is here stays: no process spends time on looking whether it is garbage.
    gc.freeze()


def _serve(line: socket.socket) -> _Task | None:
    """Bear processes until nobody asks any more. In a process that was born, returns what it is to be."""
    running: dict[int, tuple[int, int]] = {}
    with selectors.DefaultSelector() as ready, line:
        ready.register(line, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is not line:
                    ready.unregister(key.fileobj)
                    _ended(key.fd, *running.pop(key.fd))
                    continue
                said, fds, _, _ = socket.recv_fds(line, MESSAGE_BYTES_MOST, 4)
                if not said:
                    return None
                task = _Task(**json.loads(said))
                _import(task.module)
                *given, tells = fds
                assert threading.active_count() == 1, "what forks has one thread"
                pid = os.fork()
                if not pid:
                    others = [fd for watched, (_, told) in running.items() for fd in (watched, told)]
                    _leave(line, given, [tells, *others])
                    return task
                for fd in given:
                    os.close(fd)
                watched = os.pidfd_open(pid)
                running[watched] = (pid, tells)
                ready.register(watched, selectors.EVENT_READ)


def _leave(line: socket.socket, given: list[int], others: list[int]) -> None:
    """In the process that was born: a session and streams of its own, and nothing left of the nursery's."""
    os.setsid()
    for place, fd in enumerate(given):
        os.dup2(fd, place)
    for fd in (*given, *others):
        os.close(fd)
    line.send(str(os.getpid()).encode())


def _ended(watched: int, pid: int, tells: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        os.write(tells, code.to_bytes(EXIT_BYTES, signed=True))
    os.close(tells)
    os.close(watched)


if __name__ == "__main__":
    gc.disable()
    if (_task := _serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        _task.become()
