"""The phones' service: lists of stations per second against bare graphql-core; memory of a live subscription.

The service has the first core to itself; the hub with its 25,000 stations, PostgreSQL and the generator are on
the other. Every request names another place, so that no answer comes whole from the service's memory: each is
executed, and its page of stations is at most a second old.
"""

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from operator_sdk.examples.demo.phone import PROGRESS, PROTOCOL
from tests.bench.edge_world import Driver, import_stations, sessions_to_follow
from tests.bench.machine import load_average, memory_mb
from tests.bench.processes import BenchError, Measured
from tests.bench.stages import Bench, usable
from tests.bench.stages_edge import start_bff
from tests.bench.traffic import SQUARES, STATIONS_ASKED, Job

FIGURES = ("graphql_stations_per_s", "graphql_vs_core_ratio", "subscription_kb")
STATIONS, ROUNDS, ROUND_S, WARM_UP_S, RAMP_S = 25_000, 4, 4.0, 2.0, 0.5
CONNECTIONS, GUESS_PER_S = 64, 2_500
SUBSCRIPTIONS, FIRST_ONES, AT_ONCE, WITHIN_S = 500, 20, 50, 60.0
LISTS = {"graphql_stations_per_s", "graphql_vs_core_ratio"}
METHOD = {
    "graphql_stations_per_s": f"good answers per second at saturation ({CONNECTIONS} connections, closed "
    f"loop): {STATIONS_ASKED} of {STATIONS:,} stations with 8 fields each, phones in {SQUARES} squares of "
    "50 m, no two at one place, so that every document is executed and the hub is asked about each square"
    " once a second; the service as in production, alone on the first core; median of the rounds used. "
    "Beside it in `rounds`: all phones at one place (whole answers from memory), and phones in ever other"
    " squares (the hub asked each time)",
    "graphql_vs_core_ratio": "CPU time of the server process per good answer, graphql-core / service; "
    "graphql-core executes the same document, parsed and validated once, over plain objects behind the "
    "same server; median of interleaved rounds",
    "subscription_kb": f"growth of the service's resident memory over {SUBSCRIPTIONS} subscriptions, each on"
    " a socket of its own of a driver of its own, following a charge of its own by a stream of its own "
    "from the hub; every one has received an update; divided by their number",
}


def steps(wanted: set[str]) -> int:
    """How many there will be."""
    lists = 5 + 2 * ROUNDS if wanted & LISTS else 0
    return lists + (2 if "subscription_kb" in wanted else 0)


def run(bench: Bench, _drivers: Sequence[Driver]) -> None:
    """Everything of these figures that is wanted."""
    if bench.wanted & LISTS:
        _lists(bench)
    if "subscription_kb" in bench.wanted:
        _subscriptions(bench)


def _prepare(bench: Bench) -> None:
    """The hub with its stations, on the cores that are not the first."""
    bench.step(f"phones: importing {STATIONS:,} stations")
    bench.processes.ensure("home", "hub", "load", "jobs")
    bench.processes.give_first("bff", "core")
    import_stations(bench.world, STATIONS)


def _lists(bench: Bench) -> None:
    processes = bench.processes
    _prepare(bench)
    start_bff(processes)
    processes.start("core", url=bench.world.core_url)
    try:
        for server in ("bff", "core"):
            bench.step(f"{server}: warming up")
            _look(bench, server, seconds=WARM_UP_S)
        found: dict[str, list[Measured]] = {"bff": [], "core": []}
        for number in range(ROUNDS):
            for server in ("bff", "core") if number % 2 == 0 else ("core", "bff"):
                bench.step(f"{server}: lists of stations {number + 1}/{ROUNDS}")
                found[server].append(_look(bench, server, name=f"{server}_stations"))
        for places in ("same", "anywhere"):
            bench.step(f"bff: lists of stations, {places}")
            _look(bench, "bff", places=places, name=f"bff_stations_{places}")
    finally:
        processes.stop("core")
        processes.stop("bff")
    used = usable(found["bff"])
    bench.remark_on("lists of stations", found["bff"])
    bench.set("graphql_stations_per_s", round(median(one.result.per_s for one in used), 1), used)
    pairs = zip(found["core"], found["bff"], strict=True)
    ratio = median(core.us_per_request / max(1e-9, bff.us_per_request) for core, bff in pairs)
    bench.set("graphql_vs_core_ratio", round(ratio, 3), [*found["core"], *found["bff"]])


def profiled(bench: Bench, stacks: str, seconds: float) -> Measured:
    """One long window of lists at the service under the sampler, which has been told to stop."""
    processes = bench.processes
    _prepare(bench)
    start_bff(processes, stacks=stacks)
    _look(bench, "bff", seconds=WARM_UP_S)
    bench.step("bff: profiling")
    processes.running["bff"].send_signal(signal.SIGUSR1)
    measured = _look(bench, "bff", seconds=seconds, name="bff_profiled")
    processes.running["bff"].send_signal(signal.SIGUSR2)
    return measured


def _look(
    bench: Bench, server: str, *, places: str = "near", seconds: float = ROUND_S, name: str = ""
) -> Measured:
    """One window of lists at a server."""
    guess = GUESS_PER_S * (8 if places == "same" else 1)
    job = Job(
        kind="stations",
        url=bench.world.bff_url if server == "bff" else bench.world.core_url,
        seconds=seconds,
        connections=CONNECTIONS,
        requests=int(guess * seconds),
        warm_s=RAMP_S,
        places=places,
    )
    measured = bench.processes.window(server, job)
    bench.note(name, measured)
    return measured


def _subscriptions(bench: Bench) -> None:
    processes = bench.processes
    bench.step("phones: opening charges to follow")
    processes.ensure("home", "hub", "jobs")
    processes.free()
    follow = sessions_to_follow(bench.world, FIRST_ONES + SUBSCRIPTIONS)
    start_bff(processes)
    try:
        bench.step(f"phones: {SUBSCRIPTIONS} subscriptions")
        asyncio.run(_Followers(bench, follow).measure())
    except TimeoutError:
        raise BenchError(f"no {SUBSCRIPTIONS} subscriptions within {WITHIN_S:.0f} s") from None
    finally:
        processes.stop("bff")


class _Followers:
    """Phones that follow charges, each on a socket of its own."""

    def __init__(self, bench: Bench, follow: Sequence[tuple[str, str]]) -> None:
        self._bench, self._follow = bench, follow
        self._url = f"{bench.world.bff_url.replace('http', 'ws', 1)}/graphql"
        self._places = asyncio.Semaphore(AT_ONCE)

    async def measure(self) -> None:
        """A few first, so that what the first subscription of all brings in is not counted."""
        pids = [self._bench.processes.pid(name) for name in ("bff", "hub")]
        async with contextlib.AsyncExitStack() as sockets, asyncio.timeout(WITHIN_S):
            await self._open(sockets, self._follow[:FIRST_ONES])
            before, begun = [memory_mb(pid) for pid in pids], time.monotonic()
            await self._open(sockets, self._follow[FIRST_ONES:])
            after, took_s = [memory_mb(pid) for pid in pids], time.monotonic() - begun
        bff_kb, hub_kb = (
            round(1024 * (late - early) / SUBSCRIPTIONS, 1) for early, late in zip(before, after, strict=True)
        )
        self._bench.found("subscription_kb", bff_kb)
        facts = {"subscriptions": SUBSCRIPTIONS, "opened_in_s": round(took_s, 1), "load": load_average()}
        self._bench.rounds["subscriptions"] = [
            {"bff_rss_mb": round(after[0], 1), "hub_kb_each": hub_kb, **facts}
        ]

    async def _open(self, sockets: contextlib.AsyncExitStack, follow: Sequence[tuple[str, str]]) -> None:
        await asyncio.gather(*(self._subscribe(sockets, *one) for one in follow))

    async def _subscribe(self, sockets: contextlib.AsyncExitStack, session_id: str, token: str) -> None:
        """Follow a charge until its first update has come."""
        async with self._places:
            socket = await sockets.enter_async_context(
                connect(self._url, subprotocols=[PROTOCOL], proxy=None, ping_interval=None, compression=None)
            )
            await _say(socket, type="connection_init", payload={"authorization": f"Bearer {token}"})
            await _hear(socket, "connection_ack")
            query = f"subscription($id: ID!) {{ chargingProgress(sessionId: $id) {{ {PROGRESS} }} }}"
            await _say(
                socket, type="subscribe", id="1", payload={"query": query, "variables": {"id": session_id}}
            )
            heard = await _hear(socket, "next")
            if heard["payload"].get("errors"):
                raise BenchError(f"a subscription failed: {heard['payload']['errors']}")


async def _say(socket: ClientConnection, **message: object) -> None:
    await socket.send(json.dumps(message))


async def _hear(socket: ClientConnection, kind: str) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await socket.recv())
    if message["type"] != kind:
        raise BenchError(f"{message} instead of {kind}")
    return message
