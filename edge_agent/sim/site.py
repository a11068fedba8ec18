"""A site to try things on: the piles that a site's file describes, simulated, and the agent that drives them.

    python -m edge_agent.sim.site SITE.toml

starts one process for each pile, on the bus and behind the meter line that the file names (the line becomes a
link to a pty, so its parity must be N), then `interpile edge run` on the same file; SIGTERM ends them all.
Each pile says where its control port is (`edge_agent.sim.control`), with a vehicle plugged in.
"""

import argparse
import asyncio
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Iterator
from pathlib import Path

from edge_agent.clock import environment_of
from edge_agent.settings import PileSettings, Settings, SettingsWrong, read_settings

END_S = 10


def pile_command(pile: PileSettings) -> list[str]:
    """The process that stands for one pile of the file."""
    words = {
        "node": pile.can.node,
        "kind": pile.kind,
        "rated-power-w": pile.rated_power_w,
        "vehicle-ac-power-w": pile.rated_power_w,
        "interface": pile.can.interface,
        "channel": pile.can.channel,
        "port": pile.can.port,
        "meter-address": pile.meter.address or f"{pile.can.node:012d}",
        "meter-link": pile.meter.port,
    }
    named = (part for word, value in words.items() if value is not None for part in (f"--{word}", str(value)))
    return [sys.executable, "-m", "edge_agent.sim", *named, "--plugged"]


def commands(settings: Settings, file: Path) -> Iterator[list[str]]:
    """Every process of the site, piles first."""
    for pile in settings.piles:
        yield pile_command(pile)
    yield [sys.executable, "-m", "operator_sdk.command", "edge", "run", str(file)]


async def run(settings: Settings, file: Path) -> int:
    """Work until SIGTERM, SIGINT or the end of one of them; returns an exit code."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    running = [await asyncio.create_subprocess_exec(*command) for command in commands(settings, file)]
    ends = [asyncio.create_task(process.wait()) for process in running]
    stop = asyncio.create_task(told.wait())
    await asyncio.wait([*ends, stop], return_when=asyncio.FIRST_COMPLETED)
    was_told = stop.done()
    stop.cancel()
    await _end(running, ends)
    return 0 if was_told else 1


async def _end(running: list[Process], ends: list[asyncio.Task[int]]) -> None:
    for process in reversed(running):
        if process.returncode is None:
            process.terminate()
    await asyncio.wait(ends, timeout=END_S)
    for process in running:
        if process.returncode is None:
            process.kill()
    await asyncio.wait(ends)


def main(argv: list[str]) -> int:
    """Read the file and run."""
    parser = argparse.ArgumentParser(prog="python -m edge_agent.sim.site", description="A simulated site.")
    parser.add_argument("file", type=Path, metavar="SITE.toml")
    file = parser.parse_args(argv).file
    try:
        settings = read_settings(file, environment=environment_of())
    except (SettingsWrong, ValueError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    return asyncio.run(run(settings, file))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
