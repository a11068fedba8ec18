"""The network's processes: started with a log each, watched, and always ended, by number."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path

from operator_sdk.examples.demo.trouble import Trouble

END_PATIENCE_S = 8
LOG_LINES_SHOWN = 12


class Processes:
    """Children of this program. Each leads a group of its own, so that Ctrl-C reaches only us."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self.environment = dict(environment)
        self._running: dict[str, Process] = {}
        self._passing: set[Process] = set()

    @property
    def names(self) -> list[str]:
        """What has been started to stay."""
        return list(self._running)

    async def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process that is to stay."""
        with self.log(name).open("ab") as log:
            self._running[name] = await asyncio.create_subprocess_exec(
                *command, env=self.environment, stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    async def run(self, command: Sequence[str], *, given: str = "", timeout_s: int = 60) -> str:
        """Run a command to its end; returns what it printed.

        Raises:
            Trouble: it failed or took too long.
        """
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
        words = " ".join([Path(command[0]).name, *command[1:3]])
        self._passing.add(process)
        try:
            async with asyncio.timeout(timeout_s):
                printed, complaint = await process.communicate(given.encode())
        except TimeoutError as late:
            raise Trouble(f"`{words}` took more than {timeout_s} s") from late
        finally:
            if process.returncode is None:
                _kill(process)
            self._passing.discard(process)
        if process.returncode != 0:
            lines = complaint.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
            raise Trouble(f"`{words}` failed: {lines[-1]}")
        return printed.decode()

    def check(self) -> None:
        """Whether all that were started still run.

        Raises:
            Trouble: one does not.
        """
        for name, process in self._running.items():
            if process.returncode is not None:
                self.complain(name)

    def complain(self, name: str) -> None:
        """Say that a process has ended, with the last of its log."""
        lines = self.log(name).read_text("utf-8", "replace").splitlines()[-LOG_LINES_SHOWN:]
        raise Trouble("\n  ".join([f"the process {name} ended by itself; its log {self.log(name)}:", *lines]))

    async def stop(self) -> None:
        """End all of them: asked first, made to when that does not help."""
        for process in self._passing:
            _kill(process)
        for process in reversed(self._running.values()):
            _signal(process, signal.SIGTERM)
        waiting = [asyncio.create_task(process.wait()) for process in self._running.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=END_PATIENCE_S)
        for process in self._running.values():
            _kill(process)
        await asyncio.gather(*waiting)
        self._running.clear()

    def log(self, name: str) -> Path:
        """What a process has printed."""
        return self._logs / f"{name}.log"


def _signal(process: Process, number: signal.Signals) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)


def _kill(process: Process) -> None:
    """End what is left of its group: a worker's children outlive a worker that is killed."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
