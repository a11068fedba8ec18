"""What is done beside serving: `interpile jobs`, or the server itself where nothing else does it."""

import asyncio
import signal
from typing import Any

from hub.core.logs import configure_logs
from hub.core.runner import JobsRunner
from hub.settings import Settings
from hub.wiring import Hub, open_hub


async def _run_jobs(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_hub(settings) as hub:
        tasks = [asyncio.create_task(work) for work in (hub.live.run(), *background(hub))]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def background(hub: Hub) -> list[Any]:
    """Everything that runs beside serving: due lanes, seals, cycles, disputes, silent hosts, checks, pulls."""
    runner = JobsRunner(hub.outbox, hub.local_doorbell)
    return [
        runner.run(),
        hub.ledger_jobs.run(),
        hub.advance_clearing(),
        hub.end_disputes(),
        hub.ask_silent_hosts(),
        hub.check_records(),
        hub.station_pulls.run(),
        hub.keep_tidy(),
    ]


def run_jobs(settings: Settings) -> None:
    """Run the jobs until told to stop."""
    configure_logs()
    asyncio.run(_run_jobs(settings))
