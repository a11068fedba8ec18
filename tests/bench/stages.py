"""The measurements: what is run, in which order, and what each figure is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

from tests.bench.machine import memory_mb
from tests.bench.processes import BenchError, Measured, Processes
from tests.bench.traffic import Job
from tests.bench.world import CONNECTORS, HOMES, HOSTS, World

T = TypeVar("T")

FORWARDER_LEAST_PER_S = 1_800
SATURATION_ROUNDS, HALF_LOAD_ROUNDS, UPDATE_ROUNDS = 5, 5, 3
MADE_UP_MOST = 2
SATURATION_S, HALF_LOAD_S, HOME_S, WARM_UP_S, UPDATE_S = 4.0, 6.0, 3.0, 2.0, 5.0
RAMP_S = 0.5
FOREIGN_MOST, LEAST_DISTURBED = 0.1, 3
"""A round is disturbed when something else had more of the server's core than this. Where too few
are not, the least disturbed make up for them, and the setup says so."""

CONNECTIONS, OPEN_CONNECTIONS, SESSIONS = 64, 128, 512
GUESS_PER_S = {"forwarder": 3_000, "hub": 1_500}

SATURATION = {"forwarder_per_s", "authorize_per_s"}
HALF_LOAD = {"authorize_vs_forwarder_ratio", "authorize_added_ms_p50", "authorize_added_ms_p99"}
UPDATES = {"session_updates_per_s"}
MEMORY = {"hub_rss_mb"}
FIGURES = (
    "forwarder_per_s",
    "authorize_per_s",
    "authorize_vs_forwarder_ratio",
    "authorize_added_ms_p50",
    "authorize_added_ms_p99",
    "session_updates_per_s",
    "hub_rss_mb",
)

METHOD = {
    "layout": "the server under measurement alone on one core; load generator, home stub, jobs process (lowest "
    "priority) and PostgreSQL backends of this database on the other",
    "world": f"{HOSTS} hosts with {CONNECTORS} connectors each, asked about in turn; {HOMES} homes behind one "
    "stub process, each with its own key; every card and every id fresh",
    "forwarder_per_s": "good answers per second at saturation (64 connections, closed loop), median of the "
    "rounds used: those in which nothing else had more than a tenth of the server's core, at least three",
    "authorize_per_s": "the same of the hub, its rounds interleaved with the forwarder's",
    "authorize_vs_forwarder_ratio": "CPU time of the server process (user + system, all threads) per good "
    "answer, forwarder / hub, each at half of its own saturation with random arrivals; median of interleaved "
    "rounds. CPU of PostgreSQL and of the jobs process is beside it in `rounds`, not in the ratio",
    "authorize_added_ms_p50": "median of the hub's answer times less the median of the home stub's own, asked "
    "directly by the same generator at the same rate in the same round; half load; median of rounds",
    "authorize_added_ms_p99": "99th percentile of the hub's times less the median of the home stub's own",
    "session_updates_per_s": "updates stored in PostgreSQL and acknowledged per second, 512 sessions over 64 "
    "connections, in order, one in flight per connection; the rows are counted afterwards",
    "hub_rss_mb": "resident memory of the serving process after everything else that was run",
}


@dataclass
class Bench:
    """A run: its processes, what it has found, and how to tell of progress."""

    world: World
    processes: Processes
    wanted: set[str]
    step: Callable[[str], None]
    figures: dict[str, float | None] = field(default_factory=dict)
    rounds: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    used: dict[str, dict[str, int]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)

    @property
    def servers(self) -> list[str]:
        """Which servers these figures need."""
        forwarder_too = self.wanted & {"forwarder_per_s", "authorize_vs_forwarder_ratio"}
        only_forwarder = self.wanted == {"forwarder_per_s"}
        return [*(["forwarder"] if forwarder_too else []), *([] if only_forwarder else ["hub"])]

    def steps(self) -> int:
        """How many windows there will be."""
        if not self.wanted & set(FIGURES):
            return 0
        servers, count = len(self.servers), len(self.servers)
        if self.wanted & (SATURATION | HALF_LOAD):
            count += SATURATION_ROUNDS * servers
        if self.wanted & HALF_LOAD:
            count += HALF_LOAD_ROUNDS * (servers + 1)
        return count + (UPDATE_ROUNDS + 1 if self.wanted & UPDATES else 0)

    def run(self) -> None:
        """Everything of these figures that is wanted."""
        if self.wanted & set(FIGURES):
            self._start()
            self._measure()

    def _start(self) -> None:
        self.processes.start("home", url=self.world.home_url)
        self.processes.start_generator()
        for server in self.servers:
            self.processes.start(server, url=self.url(server))
        if "hub" in self.servers:
            self.processes.start("jobs")
        for server in self.servers:
            self.warm_up(server)

    def _measure(self) -> None:
        if self.wanted & (SATURATION | HALF_LOAD):
            self.saturate()
        if self.wanted & HALF_LOAD:
            self.half_load()
        if self.wanted & UPDATES:
            self.update()
        if self.wanted & MEMORY:
            self.figures["hub_rss_mb"] = round(memory_mb(self.processes.pid("hub")), 1)

    def url(self, server: str) -> str:
        """Where a server answers."""
        return {"hub": self.world.hub_url, "forwarder": self.world.forwarder_url, "home": self.world.home_url}[
            server
        ]

    def authorize(self, server: str, *, seconds: float, rate: float = 0.0, name: str = "") -> Measured:
        """One window of authorizations at a server."""
        expected = rate or self.rates.get(server, GUESS_PER_S[server])
        job = Job(
            kind="home" if server == "home" else "authorize",
            url=self.url(server),
            seconds=seconds,
            connections=OPEN_CONNECTIONS if rate else CONNECTIONS,
            requests=int(expected * seconds * (1.4 if rate else 2)) + 4 * CONNECTIONS,
            rate=rate,
            warm_s=0.0 if rate else RAMP_S,
            tokens=self.processes.sign_in() if server == "hub" else {},
        )
        measured = self.processes.window(server, job)
        self.note(name, measured)
        return measured

    def note(self, name: str, measured: Measured) -> None:
        """Keep a window's facts."""
        if name:
            self.rounds.setdefault(name, []).append(measured.facts())

    def warm_up(self, server: str) -> None:
        """Fill caches and pools; learn about how fast it is."""
        self.step(f"{server}: warming up")
        measured = self.authorize(server, seconds=WARM_UP_S)
        if not measured.result.good:
            raise BenchError(f"{server} gives no good answers: {measured.result.wrong}")
        self.rates[server] = measured.result.per_s

    def saturate(self) -> None:
        """As fast as each can, in turns; a few rounds are added for those that something else disturbed."""
        found: dict[str, list[Measured]] = {server: [] for server in self.servers}
        for number in range(SATURATION_ROUNDS + MADE_UP_MOST):
            if all(len(_quiet(windows)) >= SATURATION_ROUNDS for windows in found.values()):
                break
            for server in _in_turn(self.servers, number):
                self.step(f"{server}: saturation {number + 1}")
                name = f"{server}_saturated"
                found[server].append(self.authorize(server, seconds=SATURATION_S, name=name))
                self.rates[server] = _rate(found[server])
        for server, windows in found.items():
            self.remark_on(f"{server} at saturation", windows)
            figure = "authorize_per_s" if server == "hub" else "forwarder_per_s"
            self.set(figure, round(self.rates[server], 1), usable(windows))
        if self.rates.get("forwarder", FORWARDER_LEAST_PER_S) < FORWARDER_LEAST_PER_S:
            self.invalid.append(
                f"the forwarder reached {self.rates['forwarder']:.0f}/s, below {FORWARDER_LEAST_PER_S}: "
                "this machine was too slow or too busy for the figures to count"
            )

    def remark(
        self, what: str, quiet: Sequence[object], used: Sequence[object], every: Sequence[object]
    ) -> None:
        """How many rounds a figure comes from, and whether some of them shared the core with something else."""
        self.used[what] = {"rounds": len(every), "used": len(used), "undisturbed": len(quiet)}
        if len(quiet) < len(used):
            self.remarks.append(f"{what}: only {len(quiet)} of the {len(used)} rounds used were undisturbed")

    def remark_on(self, what: str, windows: list[Measured]) -> None:
        """The same for windows of one server."""
        self.remark(what, _quiet(windows), usable(windows), windows)

    def half_load(self) -> None:
        """Each at half of its saturation, in turns, and the home stub by itself at the hub's rate."""
        found: list[dict[str, Measured]] = []
        quiet: list[dict[str, Measured]] = []
        while len(quiet) < HALF_LOAD_ROUNDS and len(found) < HALF_LOAD_ROUNDS + MADE_UP_MOST:
            seen: dict[str, Measured] = {}
            for server in _in_turn([*self.servers, "home"], len(found)):
                self.step(f"{server}: half load {len(found) + 1}")
                rate = self.rates["hub" if server == "home" else server] / 2
                seconds = HOME_S if server == "home" else HALF_LOAD_S
                seen[server] = self.authorize(server, seconds=seconds, rate=rate, name=f"{server}_half_load")
            found.append(seen)
            quiet = [one for one in found if all(_quiet([one[server]]) for server in self.servers)]
        used = _least(found, lambda one: max(one[server].foreign for server in self.servers))
        self.remark("half load", quiet, used, found)
        self.compare(used)

    def compare(self, rounds: list[dict[str, Measured]]) -> None:
        """The figures of half load."""
        windows = [window for one in rounds for window in one.values()]
        p50 = median(one["hub"].result.p50_ms - one["home"].result.p50_ms for one in rounds)
        p99 = median(one["hub"].result.p99_ms - one["home"].result.p50_ms for one in rounds)
        self.set("authorize_added_ms_p50", round(p50, 2), windows)
        self.set("authorize_added_ms_p99", round(p99, 2), windows)
        if "forwarder" in rounds[0]:
            pairs = [(one["forwarder"].us_per_request, one["hub"].us_per_request) for one in rounds]
            ratio = median(forwarder / max(1e-9, hub) for forwarder, hub in pairs)
            self.set("authorize_vs_forwarder_ratio", round(ratio, 3), windows)

    def update(self) -> None:
        """Many sessions at once, each update stored before it is acknowledged."""
        self.step("hub: opening sessions")
        sessions = self.open_sessions()
        found: list[Measured] = []
        rate = 1_000.0
        for number in range(UPDATE_ROUNDS):
            self.step(f"hub: session updates {number + 1}/{UPDATE_ROUNDS}")
            job = Job(
                kind="update",
                url=self.world.hub_url,
                seconds=UPDATE_S,
                connections=CONNECTIONS,
                requests=int(rate * UPDATE_S * 2) + 2 * len(sessions),
                warm_s=RAMP_S,
                tokens=self.processes.sign_in(),
                sessions=sessions,
            )
            measured = self.processes.window("hub", job)
            self.note("session_updates", measured)
            found.append(measured)
            rate = max(rate, measured.result.per_s)
            pairs = "SELECT session_id || ' ' || last_number FROM session WHERE last_number > 0"
            last = dict(pair.split() for pair in self.processes.watch.column(pairs))
            sessions = [(session_id, host, int(last.get(session_id, 0))) for session_id, host, _ in sessions]
        stored = self.processes.watch.column("SELECT count(*) FROM session_update")[0]
        acknowledged = sum(window.result.good for window in found)
        if stored != acknowledged:
            self.missing["session_updates_per_s"] = f"{acknowledged} acknowledged, {stored} stored"
        self.remark_on("session updates", found)
        self.set("session_updates_per_s", round(_rate(found), 1), usable(found))

    def open_sessions(self) -> list[tuple[str, str, int]]:
        """Authorized sessions to report on."""
        job = Job(
            kind="authorize",
            url=self.world.hub_url,
            seconds=SESSIONS / max(20.0, self.rates["hub"] / 2),
            connections=CONNECTIONS,
            requests=SESSIONS,
            tokens=self.processes.sign_in(),
            collect=True,
        )
        sessions = self.processes.window("hub", job).result.sessions
        if len(sessions) < CONNECTIONS:
            raise BenchError(f"only {len(sessions)} sessions could be opened")
        return sessions

    def found(self, figure: str, value: float) -> None:
        """A figure that no window of the generator made."""
        if figure in self.wanted:
            self.figures[figure] = value

    def set(self, figure: str, value: float, windows: list[Measured]) -> None:
        """A figure, unless not all answers in the windows it comes from were good."""
        if figure not in self.wanted:
            return
        wrong = [window.result.wrong for window in windows if window.result.wrong]
        self.figures[figure] = None if wrong or figure in self.missing else value
        if wrong:
            self.missing[figure] = f"not all answers were good: {wrong[0]}"


def _in_turn(servers: list[str], number: int) -> list[str]:
    """Every other round the other way about, so that a drift of the machine falls on all alike."""
    return servers if number % 2 == 0 else servers[::-1]


def _quiet(windows: list[Measured]) -> list[Measured]:
    return [window for window in windows if window.foreign <= FOREIGN_MOST]


def _least(items: list[T], disturbance: Callable[[T], float]) -> list[T]:
    """The undisturbed, made up to a few with the least disturbed, so that no figure hangs on one round."""
    ordered = sorted(items, key=disturbance)
    undisturbed = sum(disturbance(item) <= FOREIGN_MOST for item in items)
    return ordered[: max(undisturbed, LEAST_DISTURBED)]


def usable(windows: list[Measured]) -> list[Measured]:
    """The windows that a figure may come from."""
    return _least(windows, lambda window: window.foreign)


def _rate(windows: list[Measured]) -> float:
    return median(window.result.per_s for window in usable(windows))
