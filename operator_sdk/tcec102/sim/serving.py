"""A simulated platform on two ports of one process: the partner's and the control port."""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.profile import read_profile
from operator_sdk.tcec102.sim.control import Control
from operator_sdk.tcec102.sim.life import Pace
from operator_sdk.tcec102.sim.listening import listen, url_of
from operator_sdk.tcec102.sim.platform import Options, Platform


def platform_of(given: argparse.Namespace) -> Platform:
    """The platform that the command line describes.

    Raises:
        ValueError: what it says cannot be.
        OSError: the profile cannot be read.
    """
    if given.profile is None:
        raise ValueError("--profile is required")
    profile, secrets = read_profile(given.profile.read_text("utf-8"))
    operator_id = given.operator_id or profile.hub_operator_id
    if not operator_id:
        raise ValueError("--operator-id is required where the profile has no hub_operator_id")
    options = Options(
        profile=profile,
        secrets=secrets,
        operator_id=operator_id,
        role=given.role,
        pains=tuple(name for name in given.pains.split(",") if name),
        folder=given.folder,
        stations=given.stations,
        connectors=given.connectors,
        id_prefix=operator_id[-4:] if given.id_prefix is None else given.id_prefix,
        plugged=not given.unplugged,
        pace=Pace(
            push_ms=given.push_s,
            retry_ms=given.retry_s,
            start_ms=given.start_s,
            vehicle_wh=given.vehicle_wh,
            tells_stations=profile.push.station_status and not given.no_station_status,
        ),
        call_timeout_s=given.call_timeout_s,
        start_timeout_s=given.start_timeout_s,
        slow_ms=given.slow_s,
    )
    return Platform(options, Clock.from_env())


async def serve(platform: Platform, given: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; one line of JSON says where, once the ports are taken."""
    sockets = [listen(given.host, given.port), listen("127.0.0.1", given.control_port)]
    servers = [_server(platform.server), _server(Control(platform).app())]

    def end(*_: Any) -> None:
        for one in servers:
            one.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    platform.start()
    ready = {"url": url_of(sockets[0]), "control": url_of(sockets[1])}
    sys.stdout.write(json.dumps({**ready, "operator_id": platform.options.operator_id}) + "\n")
    sys.stdout.flush()
    await asyncio.gather(*(one.serve(sockets=[at]) for one, at in zip(servers, sockets, strict=True)))
    await platform.aclose()


class _Server(uvicorn.Server):
    """Leaves the signals to the process: there are two servers in it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,  # longer than the hub keeps an idle connection
        timeout_graceful_shutdown=2,
    )
    return _Server(config)
