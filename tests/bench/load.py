"""The load generator: `python -m tests.bench.load WORLD CORE`, told what to do on standard input.

For each job it signs first, says it is ready, waits for the word, and then only sends and counts. Times are
read from the performance counter: uvloop's own clock has whole milliseconds.
"""

import asyncio
import contextlib
import os
import random
import resource
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

import msgspec
import uvloop

from operator_sdk.contract.signing import SignatureProblem, read_claims, verify_answer
from tests.bench import tcec_traffic
from tests.bench.tcec_traffic import TcecTraffic
from tests.bench.traffic import STATIONS_ASKED, Job, Traffic
from tests.bench.wire import Connection, Request, connect
from tests.bench.world import World

SETTLE_S = 8
CHECK_EVERY = 50
SIGNED = frozenset({"authorize", "home"})


class Result(msgspec.Struct, frozen=True):
    """What a window gave. `per_s` counts good answers between ramp and end; latencies are of good answers."""

    asked: int
    good: int
    wrong: dict[str, int]
    per_s: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    lag_p99_ms: float
    signatures_checked: int
    ran_out: bool
    generator_cpu_s: float
    wall_s: float
    sessions: list[tuple[str, str, int]] = []


class Window:
    """One job under way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.latencies: list[float] = []
        self.lags: list[float] = []
        self.finished_at: list[float] = []
        self.samples: list[tuple[Request, int, bytes, bytes]] = []
        self.bodies: list[tuple[str, bytes]] = []
        self.wrong: Counter[str] = Counter()
        self.asked = self.in_flight = 0
        self.ran_out = self.over = False
        self.idle: deque[Connection] = deque()
        self.waiting: deque[Request] = deque()
        self.streams: dict[Connection, Iterator[Request]] = {}
        self.done = asyncio.Event()
        self._expected, self._times = _good(job.kind)

    async def open(self, streams: list[Iterator[Request]]) -> None:
        """Connect; the streams are shared out among the connections."""
        for number in range(self.job.connections):
            connection = await connect(self.job.url, self.answered, self.lost)
            self.streams[connection] = streams[number % len(streams)]

    def close(self) -> None:
        """Hang up."""
        self.over = True
        for connection in self.streams:
            connection.close()

    def answered(self, connection: Connection, request: Request, status: int, head: bytes, body: bytes) -> None:
        """Count an answer and, where there is more to ask, ask."""
        now = time.perf_counter()
        self.in_flight -= 1
        if status == 200 and body.count(self._expected) == self._times:
            self.latencies.append(now - request.begun)
            self.finished_at.append(now)
            if len(self.latencies) % CHECK_EVERY == 0:
                self.samples.append((request, status, head, body))
            if self.job.collect:
                self.bodies.append((request.label, body))
        else:
            self.wrong[f"{status} {body[:80].decode('utf-8', 'replace')}"] += 1
        if self.job.rate:
            if self.waiting:
                self.send(connection, self.waiting.popleft())
            else:
                self.idle.append(connection)
        else:
            self.next(connection)
        if self.over and not self.in_flight and not self.waiting:
            self.done.set()

    def lost(self, connection: Connection, request: Request | None) -> None:
        """A connection that the server closed."""
        if request is not None:
            self.in_flight -= 1
        if not self.over or request is not None:
            self.wrong["connection lost"] += 1

    def send(self, connection: Connection, request: Request) -> None:
        self.asked += 1
        self.in_flight += 1
        request.begun = request.begun or time.perf_counter()
        connection.send(request)

    def next(self, connection: Connection) -> None:
        """Closed loop: the next of this connection's stream."""
        if self.over:
            return
        request = next(self.streams[connection], None)
        if request is None:
            self.ran_out = self.over = True
            return
        self.send(connection, request)

    async def closed_loop(self) -> None:
        """All connections ask as fast as they are answered, as long as the job says or there is more to ask."""
        for connection in self.streams:
            self.next(connection)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.done.wait(), self.job.seconds)

    async def open_loop(self) -> None:
        """Requests arrive at random, whatever becomes of those before."""
        chance, due = random.Random(1), time.perf_counter()
        stream = next(iter(self.streams.values()))
        self.idle.extend(self.streams)
        end = due + self.job.seconds
        while True:
            due += chance.expovariate(self.job.rate)
            request = next(stream, None)
            if due > end or request is None:
                self.ran_out = request is None
                break
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            request.begun = time.perf_counter()
            self.lags.append(request.begun - due)
            if self.idle:
                self.send(self.idle.popleft(), request)
            else:
                self.waiting.append(request)
        await asyncio.sleep(max(0.0, end - time.perf_counter()))

    async def settle(self) -> None:
        """Wait for what is still under way."""
        self.over = True
        if self.in_flight or self.waiting:
            try:
                await asyncio.wait_for(self.done.wait(), SETTLE_S)
            except TimeoutError:
                self.wrong["unanswered"] += self.in_flight + len(self.waiting)


class Generator:
    """Does jobs."""

    def __init__(self, world: World) -> None:
        self._world, self._traffic, self._tcec = world, Traffic(world), TcecTraffic(world)
        self._keys = {
            operator.key_id: operator.key().private.public_key()
            for operator in [world.hub, world.forwarder, *world.homes]
        }

    def streams(self, job: Job) -> list[Iterator[Request]]:
        """Every request of a job."""
        if job.kind == "update":
            return [iter(stream) for stream in self._traffic.updates(job)]
        if job.kind in tcec_traffic.KINDS:
            return [iter(stream) for stream in self._tcec.streams(job)]
        make = {
            "home": self._traffic.home_authorizations,
            "stations": self._traffic.stations,
        }.get(job.kind, self._traffic.authorizations)
        return [iter(make(job))]

    async def run(self, job: Job, streams: list[Iterator[Request]], go: Any) -> Result:
        """The window: opened, waited for, measured."""
        window = Window(job)
        await window.open(streams)
        await asyncio.to_thread(go)
        cpu, begun = _cpu_s(), time.perf_counter()
        await (window.open_loop() if job.rate else window.closed_loop())
        ended = time.perf_counter()
        await window.settle()
        used = _cpu_s() - cpu
        checked = self._check(window)
        result = _result(window, begun, ended, checked=checked, used=used)
        window.close()
        return result

    def _check(self, window: Window) -> int:
        """Look into the answers kept; those that are not what they seemed are wrong. Returns how many."""
        if window.job.kind in tcec_traffic.KINDS:
            kept = window.bodies if window.job.collect else [("", body) for *_, body in window.samples]
            return self._tcec.check(window.job, kept, window.wrong)
        if window.job.kind not in SIGNED:
            return 0
        checked = 0
        for request, status, head, body in window.samples:
            lines = (line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:])
            headers = {name.lower(): value for name, _, value in lines}
            try:
                claims = read_claims(headers.get("signature-input"), headers.get("signature"))
                verify_answer(
                    claims,
                    self._keys[claims.key_id],
                    status=status,
                    body=body,
                    digest_header=headers.get("content-digest"),
                    request_signature=request.signature(),
                    now_s=int(time.time()),
                )
            except SignatureProblem as problem:
                window.wrong[problem.code] += 1
            checked += 1
        return checked


def _result(window: Window, begun: float, ended: float, *, checked: int, used: float) -> Result:
    last = min(ended, window.finished_at[-1]) if window.ran_out and window.finished_at else ended
    first = begun + window.job.warm_s
    within = sum(first <= at <= last for at in window.finished_at)
    return Result(
        asked=window.asked,
        good=len(window.latencies),
        wrong=dict(window.wrong),
        per_s=within / max(1e-9, last - first),
        p50_ms=percentile(window.latencies, 50) * 1000,
        p90_ms=percentile(window.latencies, 90) * 1000,
        p99_ms=percentile(window.latencies, 99) * 1000,
        lag_p99_ms=percentile(window.lags, 99) * 1000,
        signatures_checked=checked,
        ran_out=window.ran_out,
        generator_cpu_s=used,
        wall_s=ended - begun,
        sessions=[
            (msgspec.json.decode(body)["session_id"], host, 0)
            for host, body in window.bodies
            if window.job.kind == "authorize"
        ],
    )


def _good(kind: str) -> tuple[bytes, int]:
    """What a good answer holds, and how often."""
    if kind == "stations":
        return b'"priceNowMicro":', STATIONS_ASKED
    if kind in tcec_traffic.KINDS:
        return tcec_traffic.GOOD, 1
    return (b'"number":' if kind == "update" else b'"state":"granted"'), 1


def percentile(values: list[float], percent: int) -> float:
    """The smallest value that `percent` of all are not above."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else 0.0


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(world_file: str, core: str) -> None:
    """Do jobs until the input ends."""
    if core:
        os.sched_setaffinity(0, {int(core)})
    generator = Generator(World.load(world_file))

    def go() -> None:
        print("ready", flush=True)
        sys.stdin.readline()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in iter(sys.stdin.readline, ""):
            job = msgspec.json.decode(line, type=Job)
            result = runner.run(generator.run(job, generator.streams(job), go))
            print(msgspec.json.encode(result).decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
