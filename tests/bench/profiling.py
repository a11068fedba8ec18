"""`ONLY=authorize PROFILE=1`: where the hub's CPU goes, authorizing at saturation."""

import signal
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.bench.processes import BenchError, Processes
from tests.bench.sampling import Profile, wait_for
from tests.bench.stages import Bench
from tests.bench.world import ROOT, World

PROFILE_S = 25.0
OUT = ROOT / "var" / "bench"


def profile(world: World, processes: Processes, folder: Path, step: Callable[[str], None]) -> Bench:
    """Run the hub under the sampler; leaves var/bench/authorize.prof for `python -m pstats`."""
    stacks = folder / "stacks.json"
    bench = Bench(world, processes, {"authorize_per_s"}, step)
    processes.start("home", url=world.home_url)
    processes.start_generator()
    processes.start("hub", url=world.hub_url, stacks=str(stacks))
    processes.start("jobs")
    bench.warm_up("hub")
    step("hub: profiling")
    hub = processes.running["hub"]
    hub.send_signal(signal.SIGUSR1)
    measured = bench.authorize("hub", seconds=PROFILE_S, name="hub_profiled")
    hub.send_signal(signal.SIGUSR2)
    if not wait_for(stacks, seconds=30):
        raise BenchError("the hub left no samples")
    found = Profile(stacks)
    OUT.mkdir(parents=True, exist_ok=True)
    found.write(OUT / "authorize.prof", seconds=measured.server_cpu_s)
    console = Console(width=140)
    console.print(f"{measured.facts()}\n{found.total} samples")
    found.show(console, us_per_request=measured.us_per_request)
    console.print(f"more: python -m pstats {(OUT / 'authorize.prof').relative_to(ROOT)}")
    return bench
