"""The parts of a simulated platform, and how they hang together."""

from dataclasses import dataclass, field
from pathlib import Path

import httpx

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.profile import Profile, Secrets
from operator_sdk.tcec102.pen import Pen
from operator_sdk.tcec102.sim.calls import SimulatedClient
from operator_sdk.tcec102.sim.charges import Told
from operator_sdk.tcec102.sim.crooked_pen import CrookedPen
from operator_sdk.tcec102.sim.home import SimulatedHome
from operator_sdk.tcec102.sim.host import SimulatedHost
from operator_sdk.tcec102.sim.journal import Journal
from operator_sdk.tcec102.sim.life import Life, Pace
from operator_sdk.tcec102.sim.pains import Pains
from operator_sdk.tcec102.sim.served import SimulatedServer
from operator_sdk.tcec102.sim.store import Store, open_store
from operator_sdk.tcec102.sim.tasks import Tasks
from operator_sdk.tcec102.sim.world import build

ROLES = ("host", "home", "both")


@dataclass(frozen=True, slots=True)
class Options:
    """How a simulated platform is: `operator_id` its own, `profile` and `secrets` its partner's."""

    profile: Profile
    secrets: Secrets
    operator_id: str
    role: str
    pains: tuple[str, ...] = ()
    folder: Path | None = None
    stations: int = 2
    connectors: int = 4
    id_prefix: str = ""
    plugged: bool = True
    pace: Pace = field(default_factory=Pace)
    call_timeout_s: int = 10
    start_timeout_s: int = 60
    slow_ms: int = 3_000


class Platform:
    """A partner: its server app, its client, a host or a home or both behind them; `http` for its calls.

    Raises:
        ValueError: a role or a pain that does not exist, or a world that cannot be.
    """

    def __init__(self, options: Options, clock: Clock, http: httpx.AsyncClient | None = None) -> None:
        if options.role not in ROLES:
            raise ValueError(f"a role is one of {', '.join(ROLES)}")
        self.options, self.clock = options, clock
        self.pains, self.journal, self.tasks = Pains(options.pains), Journal(), Tasks()
        self._store = open_store(options.folder)
        pen = CrookedPen(self.pains, clock)
        self.client = SimulatedClient(
            options.profile,
            options.secrets,
            operator_id=options.operator_id,
            clock=clock,
            pen=pen,
            pains=self.pains,
            journal=self.journal,
            timeout_s=options.call_timeout_s,
            http=http,
        )
        self.host = self._host(self._store) if options.role != "home" else None
        self.home = self._home(self._store) if options.role != "host" else None
        self.server = self._server(pen)

    def start(self) -> None:
        """Go on where the last run ended; needs a running loop."""
        if self.host is not None:
            self.host.life.resume()

    def put_secrets(self, secrets: Secrets) -> None:
        """Other key sets from now on, in both directions, as a platform that rotates has them."""
        self.server.put_partner(self.options.profile, secrets)
        self.client.put_secrets(secrets)

    async def aclose(self) -> None:
        """End the tasks and close what is open."""
        await self.tasks.cancel()
        await self.client.aclose()
        self._store.close()

    def _server(self, pen: Pen) -> SimulatedServer:
        return SimulatedServer(
            [(self.options.profile, self.options.secrets)],
            operator_id=self.options.operator_id,
            clock=self.clock,
            pen=pen,
            pains=self.pains,
            journal=self.journal,
            infrastructure=self.host,
            customer=self.home,
            slow_ms=self.options.slow_ms,
        )

    def _host(self, store: Store) -> SimulatedHost:
        options = self.options
        world = build(
            operator_id=options.operator_id,
            prefix=options.id_prefix,
            stations=options.stations,
            connectors=options.connectors,
            now=self.clock.business(),
            plugged=options.plugged,
        )
        told = Told(options.profile.time.zone, lambda: "odd_money" in self.pains)
        life = Life(
            world=world,
            client=self.client,
            told=told,
            pains=self.pains,
            clock=self.clock,
            store=store,
            pace=options.pace,
            tasks=self.tasks,
        )
        return SimulatedHost(
            world=world, life=life, told=told, pains=self.pains, clock=self.clock, profile=options.profile
        )

    def _home(self, store: Store) -> SimulatedHome:
        return SimulatedHome(
            operator_id=self.options.operator_id,
            partner_id=self.options.profile.operator_id,
            client=self.client,
            clock=self.clock,
            store=store,
            tasks=self.tasks,
            start_timeout_s=self.options.start_timeout_s,
        )
