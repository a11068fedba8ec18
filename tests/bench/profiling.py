"""`PROFILE=1`: where the CPU of a server goes. The hub's, authorizing at saturation; with `ONLY=graphql` that
of the phones' service, finding stations; with `ONLY=tcec` the hub's, taking statuses of T/CEC 102.
"""

import signal
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.bench import stages_phone, stages_tcec
from tests.bench.edge_world import furnish
from tests.bench.processes import BenchError, Measured, Processes
from tests.bench.sampling import Profile, wait_for
from tests.bench.stages import Bench
from tests.bench.world import ROOT, World

PROFILE_S = 25.0
OUT = ROOT / "var" / "bench"


def profile(
    world: World, processes: Processes, folder: Path, step: Callable[[str], None], *, wanted: set[str]
) -> None:
    """Run a server under the sampler; leaves var/bench/NAME.prof for `python -m pstats`."""
    stacks = folder / "stacks.json"
    if wanted <= stages_phone.LISTS:
        furnish(world)
        bench = Bench(world, processes, wanted, step)
        _show("graphql", stages_phone.profiled(bench, str(stacks), PROFILE_S), stacks)
    elif wanted <= set(stages_tcec.FIGURES):
        bench = Bench(world, processes, wanted, step)
        _show("tcec", stages_tcec.profiled(bench, str(stacks), PROFILE_S), stacks)
    else:
        bench = Bench(world, processes, {"authorize_per_s"}, step)
        _show("authorize", _authorizing(bench, stacks), stacks)


def _authorizing(bench: Bench, stacks: Path) -> Measured:
    processes, world = bench.processes, bench.world
    processes.start("home", url=world.home_url)
    processes.start_generator()
    processes.start("hub", url=world.hub_url, stacks=str(stacks))
    processes.start("jobs")
    bench.warm_up("hub")
    bench.step("hub: profiling")
    hub = processes.running["hub"]
    hub.send_signal(signal.SIGUSR1)
    measured = bench.authorize("hub", seconds=PROFILE_S, name="hub_profiled")
    hub.send_signal(signal.SIGUSR2)
    return measured


def _show(name: str, measured: Measured, stacks: Path) -> None:
    if not wait_for(stacks, seconds=30):
        raise BenchError("the server left no samples")
    found = Profile(stacks)
    OUT.mkdir(parents=True, exist_ok=True)
    found.write(OUT / f"{name}.prof", seconds=measured.server_cpu_s)
    console = Console(width=140)
    console.print(f"{measured.facts()}\n{found.total} samples")
    found.show(console, us_per_request=measured.us_per_request)
    console.print(f"more: python -m pstats {(OUT / f'{name}.prof').relative_to(ROOT)}")
