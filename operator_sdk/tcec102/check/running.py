"""Carries out all checks against one platform, in an order that leaves nothing charging."""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator

import httpx
import uvicorn

from operator_sdk.client.trust import authorities
from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.profile import Profile, read_profile
from operator_sdk.contract.tcec102.sequences import make_qr
from operator_sdk.tcec102.check.charge import CHARGE, stop_what_runs
from operator_sdk.tcec102.check.guest import GUEST, release_guest
from operator_sdk.tcec102.check.home import HOME
from operator_sdk.tcec102.check.host import HOST
from operator_sdk.tcec102.check.listener import Listener
from operator_sdk.tcec102.check.pile import CONNECTOR
from operator_sdk.tcec102.check.plan import Bench, Check, carry_out
from operator_sdk.tcec102.check.probe import Probe
from operator_sdk.tcec102.check.protocol import PROTOCOL
from operator_sdk.tcec102.check.report import SKIPPED, Finding, Report
from operator_sdk.tcec102.check.summing import SUMMING
from operator_sdk.tcec102.sim.listening import listen

KEEP_ALIVE_S = 75
"""Longer than any platform keeps an idle connection: who closes first must not be the one that is asked."""


async def run(given: argparse.Namespace) -> Report:
    """The report on the platform that the command line names.

    Raises:
        ValueError: what the command line or the profile says cannot be.
        OSError: the profile cannot be read, or the address to listen on not be taken.
    """
    profile, secrets = read_profile(given.profile.read_text("utf-8"))
    operator_id = given.operator_id or profile.hub_operator_id
    if not operator_id:
        raise ValueError("whose OperatorID calls? Give --operator-id, or hub_operator_id in the profile")
    clock = Clock()
    began = clock.wall()
    listener = None
    if given.listen:
        listener = Listener(profile, secrets, operator_id=operator_id, clock=clock, slow_s=given.slow_s)
    async with _http(given.timeout_s) as http, listening(listener, given.listen):
        if given.scan:
            where = f"listening on {given.listen}; " if given.listen else ""
            sys.stderr.write(f"{where}scan this in the platform's app: {make_qr(CONNECTOR, operator_id)}\n")
            sys.stderr.flush()
        bench = Bench(
            Probe(profile, secrets, operator_id=operator_id, clock=clock, http=http),
            listener=listener,
            connector_id=given.charge,
            patience_s=given.patience_s,
            scan=given.scan,
        )
        try:
            findings = await _all(checks_for(profile), bench)
        finally:
            await stop_what_runs(bench)
            await release_guest(bench)
    return Report(
        profile.operator_id, profile.name, profile.base_url, began.isoformat(timespec="seconds"), findings
    )


async def _all(checks: list[Check], bench: Bench) -> list[Finding]:
    findings = [await carry_out(checks[0], bench)]
    if why := _pointless(bench.probe):
        return findings + [Finding(one.name, one.title, SKIPPED, why) for one in checks[1:]]
    return findings + [await carry_out(check, bench) for check in checks[1:]]


def _pointless(probe: Probe) -> str:
    """Why nothing more is worth asking after the first call; empty: it is."""
    if not probe.log or not probe.log[-1].http_status:
        return "the platform cannot be reached" if probe.log else ""
    return "" if probe.token else "the platform does not let us in: see token.issued"


def checks_for(profile: Profile) -> list[Check]:
    """What is looked at, by the platform's roles."""
    checks = list(PROTOCOL)
    if "host" in profile.roles:
        checks += [*HOST, *CHARGE]
    if "home" in profile.roles:
        checks += [*HOME, *GUEST]
    return [*checks, *SUMMING]


def _http(timeout_s: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=timeout_s, trust_env=False, verify=authorities())


class _Server(uvicorn.Server):
    """Leaves the signals to the process: when a check is broken off, the end of its charge is still heard."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def listening(listener: Listener | None, address: str | None) -> AsyncIterator[None]:
    """The listener served at HOST:PORT, where there is one.

    Raises:
        ValueError: not HOST:PORT.
        OSError: the address cannot be taken.
    """
    if listener is None or address is None:
        yield
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError("--listen: HOST:PORT is expected")
    config = uvicorn.Config(
        listener, log_level="warning", access_log=False, lifespan="off", timeout_keep_alive=KEEP_ALIVE_S
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listen(host, int(port))]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
