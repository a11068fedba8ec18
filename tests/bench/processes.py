"""The processes of a run: started, waited for, measured around each window, and ended by their ids."""

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from operator_sdk.client.credentials import OperatorCredentials
from operator_sdk.clock import machine_now
from tests.bench.load import Result
from tests.bench.machine import Cores, core_busy_s, cpu_s, pin
from tests.bench.traffic import Job
from tests.bench.world import ROOT, Watch, World, let_go

UP_S = 30
PATIENCE_S, LOOK_S, QUIET = 120.0, 0.4, 0.15
PIN_EVERY_S = 0.5
PINNED_FIRST = frozenset({"hub", "forwarder"})
"""The servers that have the first core to themselves, one measured at a time; other stages name others."""
QUIET_NICENESS = "19"


class BenchError(Exception):
    """The run cannot go on; its text says why."""


@dataclass
class Measured:
    """A window as the generator and the machine saw it. CPU in seconds.

    Of the server's core, `idlers` is the share of our servers that are not being measured and `foreign` that of
    everything else: other people's work, the kernel, and database connections too short-lived to be pinned.
    """

    result: Result
    server_cpu_s: float
    postgres_cpu_s: float
    jobs_cpu_s: float
    foreign: float
    idlers: float
    utilisation: float
    others_busy: float

    @property
    def us_per_request(self) -> float:
        """CPU of the server process for each good answer."""
        return self.server_cpu_s * 1e6 / max(1, self.result.good)

    def facts(self) -> dict[str, object]:
        """For bench.json."""
        good = max(1, self.result.good)
        return {
            "per_s": round(self.result.per_s, 1),
            "answers": self.result.good,
            "cpu_us": round(self.us_per_request),
            "postgres_cpu_us": round(self.postgres_cpu_s * 1e6 / good),
            "jobs_cpu_us": round(self.jobs_cpu_s * 1e6 / good),
            "generator_cpu_us": round(self.result.generator_cpu_s * 1e6 / good),
            "p50_ms": round(self.result.p50_ms, 2),
            "p99_ms": round(self.result.p99_ms, 2),
            "generator_lag_p99_ms": round(self.result.lag_p99_ms, 2),
            "server_core_busy": round(self.utilisation, 2),
            "other_core_busy": round(self.others_busy, 2),
            "foreign_on_server_core": round(self.foreign, 3),
            "idle_servers_on_server_core": round(self.idlers, 3),
        }


@dataclass
class Processes:
    """Everything that runs, by name."""

    world: World
    world_file: Path
    folder: Path
    watch: Watch
    cores: Cores = field(default_factory=Cores.found)
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    on_first: frozenset[str] = PINNED_FIRST
    patience_s: float = PATIENCE_S

    def start(self, role: str, *, url: str = "", stacks: str = "", quiet: bool = True) -> None:
        """Start a server and wait until it answers. A `quiet` jobs process gives way to everybody."""
        server = role in self.on_first
        niceness = QUIET_NICENESS if role == "jobs" and quiet else "0"
        core = self.cores.name(server=server)
        self.spawn(role, "tests.bench.serve", role, str(self.world_file), core, niceness, stacks, url=url)

    def _until_up(self, name: str, url: str) -> None:
        """Wait until a process answers HTTP, whatever it says."""
        until = time.monotonic() + UP_S
        while True:
            try:
                httpx.get(f"{url}/readyz", timeout=2)
                return
            except httpx.TransportError:
                if self.running[name].poll() is not None or time.monotonic() > until:
                    raise BenchError(f"{name} did not come up: {self.tail(name)}") from None
                time.sleep(0.1)

    def start_generator(self) -> None:
        """Start the load generator."""
        arguments = (str(self.world_file), self.cores.name(server=False))
        self.spawn("load", "tests.bench.load", *arguments, talks=True)

    def ensure(self, *roles: str) -> None:
        """Start those of hub, jobs, home and generator that do not run yet."""
        urls = {"hub": self.world.hub_url, "home": self.world.home_url}
        for role in roles:
            if role in self.running:
                continue
            if role == "load":
                self.start_generator()
            else:
                self.start(role, url=urls.get(role, ""))

    def free(self) -> None:
        """Let everything, and what is started from now on, run on every core."""
        pin([os.getpid(), *(process.pid for process in self.running.values())], self.cores.every)

    def give_first(self, *servers: str) -> None:
        """These have the first core to themselves; everything else moves to the others."""
        self.on_first = frozenset(servers)
        pin([os.getpid(), *(process.pid for process in self.running.values())], self.cores.others)

    def first_line(self, name: str) -> dict[str, Any]:
        """The line of JSON with which a process says that it is ready."""
        until = time.monotonic() + UP_S
        while True:
            line, end, _ = (self.folder / f"{name}.log").read_text("utf-8", "replace").partition("\n")
            if end:
                said: dict[str, Any] = json.loads(line)
                return said
            if self.running[name].poll() is not None or time.monotonic() > until:
                raise BenchError(f"{name} did not come up: {self.tail(name)}")
            time.sleep(0.05)

    def spawn(self, name: str, module: str, *arguments: str, url: str = "", talks: bool = False) -> None:
        """Start a process, which may run wherever this one may; with a URL, wait until it answers there.

        `talks`: through pipes, and not into its log.
        """
        let_go(url)
        with (self.folder / f"{name}.log").open("w") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else log,
                stderr=log,
                text=True,
            )
        if url:
            self._until_up(name, url)

    def tail(self, name: str) -> str:
        """The end of a process's log."""
        return (self.folder / f"{name}.log").read_text()[-600:].strip()

    def pid(self, name: str) -> int:
        """A process's id."""
        return self.running[name].pid

    def stop(self, name: str) -> None:
        """End one process."""
        process = self.running.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def stop_all(self) -> None:
        """End everything that was started here, last first."""
        for name in reversed(list(self.running)):
            self.stop(name)

    def sign_in(self) -> dict[str, str]:
        """Every host's token; they last ten minutes, so each window gets its own."""
        tokens = {}
        for host in self.world.hosts:
            credentials = OperatorCredentials(host.party_id, host.key())
            asked = credentials.token_request(
                issuer=self.world.hub_url, now=machine_now(), token_id=f"bench-{time.time_ns()}"
            )
            url = f"{self.world.hub_url}/v1/oauth/token"
            answer = httpx.post(url, data=msgspec.to_builtins(asked), timeout=20)
            if answer.status_code != 200:
                raise BenchError(f"no token: {answer.status_code} {answer.text[:200]}")
            tokens[host.party_id] = answer.json()["access_token"]
        return tokens

    def window(self, server: str, job: Job) -> Measured:
        """Let the generator do a job and measure around it."""
        self._tell(msgspec.json.encode(job).decode())
        if self._hear() != "ready":
            raise BenchError(f"the generator failed: {self.tail('load')}")
        self._wait_for_quiet()
        backends = self.watch.backends()
        pin(backends, self.cores.others)
        before, spent = self._read(server), {pid: cpu_s(pid) for pid in backends}
        begun = time.monotonic()
        self._tell("go")
        answer = self.running["load"].stdout
        assert answer is not None
        while not select.select([answer], [], [], PIN_EVERY_S)[0]:
            pin(self.watch.backends(), self.cores.others)
        result = msgspec.json.decode(self._hear(), type=Result)
        wall = time.monotonic() - begun
        after = self._read(server)
        used = [late - early for early, late in zip(before, after, strict=True)]
        # A backend that ended meanwhile takes its share with it: cpu_s says 0 for those that are gone.
        backends_s = sum(
            max(0.0, cpu_s(pid) - spent.get(pid, 0.0)) for pid in {*backends, *self.watch.backends()}
        )
        return Measured(
            result=result,
            server_cpu_s=used[0],
            postgres_cpu_s=backends_s,
            jobs_cpu_s=used[1],
            foreign=max(0.0, used[2] - used[4]) / wall if self.cores.server is not None else 0.0,
            idlers=max(0.0, used[4] - used[0]) / wall if server in self.on_first else used[4] / wall,
            utilisation=used[0] / wall,
            others_busy=used[3] / wall,
        )

    def _read(self, server: str) -> tuple[float, ...]:
        return (
            cpu_s(self.pid(server)),
            cpu_s(self.pid("jobs")) if "jobs" in self.running else 0.0,
            core_busy_s(self.cores.server),
            core_busy_s(self.cores.others[0] if self.cores.others else None),
            sum(cpu_s(process.pid) for name, process in self.running.items() if name in self.on_first),
        )

    def _wait_for_quiet(self) -> None:
        """Let somebody else's burst on the server's core pass, as long as the run's patience lasts."""
        while self.cores.server is not None and self.patience_s > 0:
            begun, busy = time.monotonic(), core_busy_s(self.cores.server)
            time.sleep(LOOK_S)
            passed = time.monotonic() - begun
            if (core_busy_s(self.cores.server) - busy) / passed <= QUIET:
                return
            self.patience_s -= passed

    def _tell(self, line: str) -> None:
        pipe = self.running["load"].stdin
        assert pipe is not None
        pipe.write(line + "\n")
        pipe.flush()

    def _hear(self) -> str:
        pipe = self.running["load"].stdout
        assert pipe is not None
        line = pipe.readline().strip()
        if not line:
            raise BenchError(f"the generator ended: {self.tail('load')}")
        return line
