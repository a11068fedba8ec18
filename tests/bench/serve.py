"""A process under measurement: `python -m tests.bench.serve ROLE WORLD CORE [NICENESS] [STACKS]`.

Roles: hub (serving only, as `interpile serve` beside `interpile jobs`), jobs, forwarder, home, bff (as
`interpile bff` in production), core (bare graphql-core behind the same server as bff), tcec_bare (what a route
of T/CEC 102 costs at least), tcec_partner (the platforms of its host and home).
"""

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from hub.app import create_app
from hub.core.logs import configure_logs
from hub.jobs import run_jobs
from hub.settings import Settings
from mobile_bff import app as bff
from mobile_bff.settings import Settings as BffSettings
from tests.bench.core import core_app
from tests.bench.forwarder import forwarder_app
from tests.bench.home import Home
from tests.bench.sampling import Sampler
from tests.bench.tcec_bare import bare_app
from tests.bench.tcec_partner import Partner
from tests.bench.world import World

NO_LIMIT_PER_S = 1_000_000
"""One generator plays all phones."""


def main(role: str, world_file: str, core: str, niceness: str = "0", stacks: str = "") -> None:
    """Become one of the processes."""
    if core:
        os.sched_setaffinity(0, {int(core)})
    os.nice(int(niceness))
    world = World.load(world_file)
    settings = Settings.from_env(world.environment)
    configure_logs()
    if stacks:
        Sampler(stacks).listen()
    if role == "jobs":
        run_jobs(settings)
    elif role == "hub":
        _serve(create_app(settings, embedded=False), world.hub_url)
    elif role == "bff":
        bff.serve(_bff_settings(world, Path(world_file).parent), "127.0.0.1", _port(world.bff_url))
    else:
        _stand_in(role, world)


def _stand_in(role: str, world: World) -> None:
    """Yardsticks and partners."""
    if role == "forwarder":
        _serve(forwarder_app(world), world.forwarder_url)
    elif role == "core":
        _serve(core_app(), world.core_url)
    elif role == "tcec_bare":
        _serve(bare_app(world), world.tcec_bare_url)
    elif role == "tcec_partner":
        _serve(Partner(world), world.tcec_partner_url, lifespan="off")
    else:
        _serve(Home(world), world.home_url, lifespan="off")


def _bff_settings(world: World, folder: Path) -> BffSettings:
    return BffSettings(
        hub_url=world.hub_url,
        issuer=world.hub_url,
        env="production",
        party_id=world.app.party_id,
        key_file=folder / world.app.key_file,
        rate_per_s=NO_LIMIT_PER_S,
        sign_ins_per_s=NO_LIMIT_PER_S,
    )


def _port(url: str) -> int:
    return urlsplit(url).port or 0


def _serve(app: Any, url: str, **more: Any) -> None:
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=_port(url),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        **more,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
