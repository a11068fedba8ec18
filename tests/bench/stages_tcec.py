"""Partners who speak T/CEC 102: statuses taken in and handed on, stations given out, charges started.

The hub is alone on the first core, or in turns with the bare route that it is compared with; the partners'
stub, the generator, the jobs process and PostgreSQL are on the other. One host with as many stations as a large
operator has, one home.
"""

import itertools
import signal
from collections.abc import Sequence
from statistics import median

import httpx

from operator_sdk.contract.tcec102.wire import WireProblem
from tests.bench import tcec_bare
from tests.bench.edge_world import Driver
from tests.bench.machine import load_average
from tests.bench.processes import BenchError, Measured
from tests.bench.stages import FOREIGN_MOST, LEAST_DISTURBED, Bench, usable
from tests.bench.tcec_backlog import DEAD, DRAIN_S, Backlog, drained_s, problem_of
from tests.bench.tcec_client import TcecClient, pull_stations
from tests.bench.tcec_furnish import furnish_tcec
from tests.bench.tcec_traffic import PARTNER, RESULTS, STARTS, STATUSES
from tests.bench.tcec_world import (
    CONNECTORS,
    STATIONS,
    STATUS,
    TCEC_HOME,
    TCEC_HOST,
    base_url,
    connectors,
)
from tests.bench.traffic import Job

CHARGE = ("tcec_charge_status_per_s", "tcec_vs_bare_ratio")
FORWARDED, FULL, ADDED = "tcec_forwarded_per_s", "tcec_stations_full_s", "tcec_start_added_ms_p50"
FIGURES = (*CHARGE, FORWARDED, FULL, ADDED)
SESSIONS, CONNECTIONS = 512, 64
ROUNDS, FORWARDED_ROUNDS, ROUND_S, WARM_UP, RAMP_S = 4, 3, 4.0, 3, 0.5
GUESS_PER_S = 1_200
SPARE = 1.6
"""Envelopes are sealed for so many times what is expected."""

EVEN_S = 6.0
"""How long delivery takes to come into its stride."""

FORGET = "UPDATE outbox_letter SET done_at = now() WHERE party_id = 'MA5TCHOME' AND done_at IS NULL RETURNING 1"
PAGE_SIZE, PULLS = 50, 3
STARTED, STARTED_LEAST, ASKED, OPENING_S = 240, 200, 200, 120.0
AT_A_START = ("query_equip_auth", "query_equip_business_policy", "query_start_charge")
Session = tuple[str, str, int]

METHOD = {
    "tcec_charge_status_per_s": f"{STATUS} of a host at the hub: envelope verified and decrypted, update and "
    "letter to the T/CEC 102 home stored in PostgreSQL, answer sealed; good answers per second at saturation, "
    f"{SESSIONS} sessions over {CONNECTIONS} connections, in order, one in flight per connection, every "
    "envelope fresh, without ChargeDetails; no jobs process, so that nothing is delivered; median of the "
    "rounds used; the rows are counted afterwards",
    "tcec_vs_bare_ratio": "the same, hub / bare: a Starlette route behind the same server that verifies, "
    "decrypts and seals with the same functions, stores each plaintext with one INSERT, committed in groups, "
    "and asks for no token; good answers per second at saturation, rounds in turns, median of the ratios of "
    "the pairs used. CPU of each, of PostgreSQL, and their ratio are beside it in `rounds`",
    FORWARDED: "the same while the jobs process delivers to a home that verifies, decrypts and answers each: "
    "acknowledged per second, median of the rounds used. The jobs process has ordinary priority here, on the "
    "core of PostgreSQL, the home and the generator. What was delivered, where of a session's updates the "
    "newest wins, and the largest backlog are in `rounds`: `backlog_rows` are letters not delivered, those "
    "included that a newer one has beaten, `backlog_owed` those that will be sent. No figure where the rows, "
    "more than one for each session, still grow by a quarter from round to round, or where anything waits "
    f"{DRAIN_S:.0f} s after the last",
    FULL: f"seconds until a home that asks for pages of {PAGE_SIZE}, one after the other, has {STATIONS:,} "
    f"stations with {CONNECTORS:,} connectors of one host, decrypted and counted; its own work included; "
    f"median of {PULLS}. Beside it in `rounds` the first of all, which gives every number its alias",
    ADDED: "query_start_charge of a T/CEC 102 home for a connector of a T/CEC 102 host, one after the other, "
    "each at a connector of its own where one was started before, its price asked anew: median of at least "
    f"{STARTED_LEAST} answer times less what the host takes itself, the median answer times of its calls, "
    "asked directly by the same generator, times how often the hub makes each for one start. Beside it in "
    "`rounds` the first starts of all, where the hub freezes each connector's price as a tariff",
}


def steps(wanted: set[str]) -> int:
    """How many there will be."""
    if not wanted & set(FIGURES):
        return 0
    opened = bool(wanted & {*CHARGE, FORWARDED})
    charge = (2 + 2 * ROUNDS) * bool(wanted & set(CHARGE))
    return 2 + opened + charge + (FORWARDED_ROUNDS + 2) * (FORWARDED in wanted) + len(wanted & {FULL, ADDED})


def run(bench: Bench, _drivers: Sequence[Driver]) -> None:
    """Everything of these figures that is wanted."""
    if not bench.wanted & set(FIGURES):
        return
    try:
        _prepare(bench)
        _Stage(bench).run()
    except WireProblem as problem:
        raise BenchError(f"an answer could not be opened: {problem.reason}") from problem
    finally:
        for name in ("jobs", "hub", "tcec_bare", "tcec_partner"):
            bench.processes.stop(name)


def _prepare(bench: Bench, *, stacks: str = "") -> None:
    """The partners and a hub of its own; no jobs process."""
    processes, world = bench.processes, bench.world
    for name in ("hub", "jobs"):
        processes.stop(name)
    processes.give_first("hub", "tcec_bare")
    bench.step(f"T/CEC 102: {STATIONS:,} stations")
    furnish_tcec(world)
    processes.start("tcec_partner", url=world.tcec_partner_url)
    processes.start("hub", url=world.hub_url, stacks=stacks)
    processes.ensure("load")


def profiled(bench: Bench, stacks: str, seconds: float) -> Measured:
    """One long window of statuses at the hub under the sampler, which has been told to stop."""
    _prepare(bench, stacks=stacks)
    stage = _Stage(bench)
    stage.begin()
    stage.open_sessions()
    stage.warm_up("hub")
    bench.step("hub: profiling")
    hub = bench.processes.running["hub"]
    hub.send_signal(signal.SIGUSR1)
    measured = stage.statuses("hub", GUESS_PER_S, seconds, "hub_profiled")
    hub.send_signal(signal.SIGUSR2)
    return measured


class _Stage:
    """The stage's parts, one after the other."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._processes, self._world = bench, bench.processes, bench.world
        self._connectors = iter(connectors())
        self._sessions: list[Session] = []
        self._tokens: dict[str, str] = {}

    def run(self) -> None:
        """What is wanted."""
        wanted = self._bench.wanted
        first_s = self.begin()
        if wanted & {*CHARGE, FORWARDED}:
            self.open_sessions()
        if wanted & set(CHARGE):
            self._charge()
        if FORWARDED in wanted:
            self._forward()
        if FULL in wanted:
            self._pull_stations(first_s)
        if ADDED in wanted:
            self._start_charges()

    def begin(self) -> float:
        """Tokens, and the list of stations: a home can start only where it was told of a connector.

        Returns the seconds that this first list took.
        """
        self._sign_in()
        self._bench.step("hub: all stations to a T/CEC 102 home, for the first time")
        return self._pulls(1)[0]

    def _sign_in(self) -> None:
        for party_id in (TCEC_HOST, TCEC_HOME):
            client = TcecClient(self._world, party_id)
            try:
                self._tokens[party_id] = client.sign_in()
            finally:
                client.close()

    def _window(self, server: str, job: Job, name: str = "") -> Measured:
        measured = self._processes.window(server, job)
        self._bench.note(name, measured)
        return measured

    def _starts(self, plugs: Sequence[str], at_once: int, name: str = "") -> Measured:
        """Starts by the home, one at each of these connectors."""
        job = Job(
            kind=STARTS,
            url=self._world.hub_url,
            seconds=OPENING_S,
            connections=at_once,
            requests=len(plugs),
            tokens=self._tokens,
            sessions=[("", plug, 0) for plug in plugs],
            collect=True,
        )
        return self._window("hub", job, name)

    def _plugs(self, count: int) -> list[str]:
        """Connectors at which nothing has been started yet."""
        return list(itertools.islice(self._connectors, count))

    def open_sessions(self) -> None:
        """Charges under way: started by the home, and reported as begun by the host."""
        self._bench.step("hub: opening sessions with two T/CEC 102 legs")
        opened = self._starts(self._plugs(SESSIONS), CONNECTIONS // 4)
        pairs = (
            "SELECT leg.external_ref || ' ' || session.connector_id FROM leg JOIN session USING (session_id)"
            " WHERE leg.side = 'host' AND leg.party_id = 'MA5TCHOST'"
        )
        started = (pair.split() for pair in self._processes.watch.column(pairs))
        self._sessions = [(seq, connector_id, 0) for seq, connector_id in started]
        if len(self._sessions) < SESSIONS:
            raise BenchError(f"only {len(self._sessions)} of {SESSIONS} charges began: {opened.result.wrong}")
        job = Job(
            kind=RESULTS,
            url=self._world.hub_url,
            seconds=OPENING_S,
            connections=CONNECTIONS // 4,
            requests=SESSIONS,
            tokens=self._tokens,
            sessions=self._sessions,
            collect=True,
        )
        begun = self._window("hub", job)
        if begun.result.good < SESSIONS or begun.result.wrong:
            raise BenchError(f"the host's results were not taken: {begun.result.wrong}")

    def warm_up(self, server: str) -> Measured:
        """A few statuses of every session: the first of each costs more."""
        return self._window_of(server, WARM_UP * SESSIONS, OPENING_S)

    def statuses(self, server: str, per_s: float, seconds: float, name: str = "") -> Measured:
        """One window of statuses."""
        return self._window_of(server, int(per_s * seconds * SPARE) + SESSIONS, seconds, name)

    def _window_of(self, server: str, count: int, seconds: float, name: str = "") -> Measured:
        """The next statuses of every session; those after them begin behind every one that was made here."""
        job = Job(
            kind=STATUSES,
            url=self._world.hub_url if server == "hub" else self._world.tcec_bare_url,
            seconds=seconds,
            connections=CONNECTIONS,
            requests=count,
            warm_s=RAMP_S,
            tokens=self._tokens,
            sessions=self._sessions,
        )
        measured = self._window(server, job, name)
        made = job.requests // SESSIONS
        self._sessions = [(seq, connector_id, last + made) for seq, connector_id, last in self._sessions]
        return measured

    def _stored(self) -> int:
        """Updates of the host's sessions."""
        query = (
            "SELECT count(*) FROM session_update JOIN session USING (session_id)"
            " WHERE session.host_party_id = 'MA5TCHOST'"
        )
        return int(self._processes.watch.column(query)[0])

    def _charge(self) -> None:
        """Delivery stopped: the hub and the bare route in turns."""
        bench, processes = self._bench, self._processes
        processes.start("tcec_bare", url=self._world.tcec_bare_url)
        before, every = self._stored(), {}
        for server in ("hub", "tcec_bare"):
            bench.step(f"{server}: T/CEC 102 statuses, warming up")
            every[server] = [self.warm_up(server)]
        for number in range(ROUNDS):
            for server in ("hub", "tcec_bare") if number % 2 == 0 else ("tcec_bare", "hub"):
                bench.step(f"{server}: T/CEC 102 statuses {number + 1}/{ROUNDS}")
                rate = max(GUESS_PER_S, *(window.result.per_s for window in every[server]))
                every[server].append(self.statuses(server, rate, ROUND_S, f"{server}_statuses"))
        processes.stop("tcec_bare")
        hub, bare = every["hub"][1:], every["tcec_bare"][1:]
        self._count_rows("hub", self._stored() - before, every["hub"])
        self._count_rows("tcec_bare", processes.watch.column(tcec_bare.COUNT)[0], every["tcec_bare"])
        bench.remark_on("T/CEC 102 statuses", hub)
        used = usable(hub)
        bench.set("tcec_charge_status_per_s", round(median(one.result.per_s for one in used), 1), used)
        self._compare(list(zip(hub, bare, strict=True)))

    def _compare(self, pairs: list[tuple[Measured, Measured]]) -> None:
        """Hub against bare route, from the pairs in which something else had least of the server's core."""
        ordered = sorted(pairs, key=_disturbance)
        undisturbed = [pair for pair in ordered if _disturbance(pair) <= FOREIGN_MOST]
        used = ordered[: max(len(undisturbed), LEAST_DISTURBED)]
        self._bench.remark("T/CEC 102 statuses against the bare route", undisturbed, used, pairs)
        cpu = [bare.us_per_request / max(1e-9, hub.us_per_request) for hub, bare in used]
        self._bench.rounds["tcec_vs_bare"] = [{"cpu_ratio": round(median(cpu), 3)}]
        ratios = [hub.result.per_s / max(1e-9, bare.result.per_s) for hub, bare in used]
        windows = [window for pair in used for window in pair]
        self._bench.set("tcec_vs_bare_ratio", round(median(ratios), 3), windows)

    def _count_rows(self, server: str, stored: int, windows: Sequence[Measured]) -> None:
        """What was acknowledged must have been stored, once."""
        acknowledged = sum(window.result.good for window in windows)
        if stored != acknowledged:
            figures = CHARGE if server == "hub" else ("tcec_vs_bare_ratio",)
            for figure in figures:
                self._bench.missing[figure] = f"{server}: {acknowledged} acknowledged, {stored} stored"

    def _forward(self) -> None:
        """Delivery on."""
        bench = self._bench
        bench.step("hub: T/CEC 102 statuses forwarded, warming up")
        # What the rounds without delivery have left is nobody's backlog.
        self._processes.watch.column(FORGET)
        # Delivery is what is measured here, so it gives way to nobody.
        self._processes.stop("jobs")
        self._processes.start("jobs", quiet=False)
        rate = max(GUESS_PER_S, self.warm_up("hub").result.per_s)
        windows = [self.statuses("hub", rate, EVEN_S)]
        most: list[int] = []
        for number in range(FORWARDED_ROUNDS):
            bench.step(f"hub: T/CEC 102 statuses forwarded {number + 1}/{FORWARDED_ROUNDS}")
            backlog, before = Backlog(), self._came()
            rate = max(window.result.per_s for window in windows)
            with backlog.watching(self._world):
                windows.append(self.statuses("hub", rate, ROUND_S, "hub_forwarded"))
            most.append(max(backlog.rows))
            delivered = self._came().get(STATUS, 0) - before.get(STATUS, 0)
            bench.rounds["hub_forwarded"][-1] |= {
                "delivered_per_s": round(delivered / windows[-1].result.wall_s, 1),
                "delivered": delivered,
                "backlog_rows": most[-1],
                "backlog_owed": max(backlog.owed),
            }
        bench.step("hub: T/CEC 102 statuses, the last to the home")
        self._judge(most)
        self._processes.stop("jobs")
        used = usable(windows[1:])
        bench.remark_on("T/CEC 102 statuses forwarded", windows[1:])
        bench.set(FORWARDED, round(median(one.result.per_s for one in used), 1), used)

    def _came(self) -> dict[str, int]:
        """What the partners' stub has been asked so far, by interface."""
        counts: dict[str, int] = httpx.get(f"{self._world.tcec_partner_url}/counts", timeout=20).json()
        return counts

    def _judge(self, most: Sequence[int]) -> None:
        """No figure for what piles up, gets lost or never ends."""
        watch = self._processes.watch
        spent_s, dead = drained_s(watch), watch.column(DEAD)[0]
        facts = {"drained_s": spent_s and round(spent_s, 1), "dead": dead, "load": load_average()}
        self._bench.rounds["forwarded_after"] = [facts]
        problem = problem_of(most, SESSIONS, left=spent_s is None, dead=dead)
        if problem is not None:
            self._bench.missing[FORWARDED] = problem

    def _pulls(self, count: int) -> list[float]:
        """The whole list, page by page, as a home asks for it every night, so many times."""
        client = TcecClient(self._world, TCEC_HOME)
        try:
            client.sign_in()
            return [pull_stations(client, PAGE_SIZE) for _ in range(count)]
        finally:
            client.close()

    def _pull_stations(self, first_s: float) -> None:
        self._bench.step("hub: all stations to a T/CEC 102 home")
        self._processes.ensure("jobs")
        spent = [round(one, 2) for one in self._pulls(PULLS)]
        facts = {"first_s": round(first_s, 2), "s": spent, "load": load_average()}
        self._bench.rounds["tcec_stations_full"] = [facts]
        self._bench.found(FULL, median(spent))

    def _start_charges(self) -> None:
        """One after the other, so that a start waits for nothing but what it needs."""
        self._bench.step("hub: starts between two T/CEC 102 legs")
        self._processes.ensure("jobs")
        plugs = self._plugs(STARTED)
        first = self._starts(plugs, 1, "tcec_starts_first")
        before = self._came()
        started = self._starts(plugs, 1, "tcec_starts")
        after = self._came()
        if started.result.good < STARTED_LEAST:
            raise BenchError(f"only {started.result.good} charges were started: {started.result.wrong}")
        calls = {name: (after.get(name, 0) - before.get(name, 0)) / STARTED for name in AT_A_START}
        alone = {name: self._ask_host(name) for name in AT_A_START}
        own_ms = sum(calls[name] * alone[name].result.p50_ms for name in AT_A_START)
        self._bench.rounds["tcec_starts"][-1] |= {
            "calls": calls,
            "host_p50_ms": {name: round(window.result.p50_ms, 2) for name, window in alone.items()},
        }
        self._bench.set(ADDED, round(started.result.p50_ms - own_ms, 2), [first, started, *alone.values()])

    def _ask_host(self, interface: str) -> Measured:
        """The host's own answers, to nobody but the generator."""
        connector_id = next(self._connectors)
        job = Job(
            kind=PARTNER,
            url=base_url(self._world, TCEC_HOST),
            seconds=OPENING_S,
            connections=1,
            requests=ASKED,
            sessions=[(interface, connector_id, 0)] * ASKED,
        )
        return self._window("tcec_partner", job)


def _disturbance(pair: tuple[Measured, Measured]) -> float:
    return max(window.foreign for window in pair)
