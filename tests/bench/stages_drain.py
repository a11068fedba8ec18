"""How fast an agent that was cut off delivers its spool: to the SDK's gateway, and to the hub's own.

The agent and the gateway are processes of their own. Every batch is durable at the gateway, on SQLite's or
PostgreSQL's disk, before it is acknowledged, and then forgotten in the agent's file. The hub's gateway does
more for each item: a session's update is checked and stored where its driver's phone reads it, a bill is
booked.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import LiteralString

from operator_sdk.contract.messages.directory import Tariff
from tests.bench.edge_world import (
    HOSTED,
    SITE_AT_HUB,
    Driver,
    authorize_at_hub,
    let_site_in,
    prices,
)
from tests.bench.machine import cpu_s, load_average
from tests.bench.processes import BenchError
from tests.bench.site import Gateway, Site
from tests.bench.spool_maker import ITEMS_A_CHARGE, fill, made_up_sessions
from tests.bench.stages import Bench
from tests.bench.world import TARIFF_ID

FIGURES = ("spool_drain_per_s", "spool_drain_hub_per_s")
CHARGES, CHARGES_AT_HUB = 500, 98
LOOK_S, PATIENCE_S, SETTLED_S = 0.02, 180.0, 15.0
SITE_ID = "bench-drain"
METHOD = {
    "spool_drain_per_s": f"items of a spool of {CHARGES * ITEMS_A_CHARGE:,} (updates of charges at 14 piles,"
    " with their bills) durable at the SDK's SiteGateway with its SqliteInbox in another process, from "
    "the first batch stored to the last; each item is there once afterwards; nothing pinned",
    "spool_drain_hub_per_s": f"the same for {CHARGES_AT_HUB * ITEMS_A_CHARGE:,} items at the hub's own "
    "gateway, which checks each and stores it in PostgreSQL as an update of its session or as its record",
}
STORED_AT_HUB: LiteralString = "SELECT coalesce(sum(number), 0) FROM site_stream"
KEPT_AT_HUB: tuple[LiteralString, ...] = (
    "SELECT count(*) FROM session_update WHERE session_id IN"
    " (SELECT session_id FROM session WHERE host_party_id = 'MA5HOSTED')",
    "SELECT count(*) FROM charge_record WHERE host_party_id = 'MA5HOSTED'",
)


def steps(wanted: set[str]) -> int:
    """How many there will be."""
    return 2 * len(wanted & set(FIGURES))


def run(bench: Bench, drivers: Sequence[Driver]) -> None:
    """Everything of these figures that is wanted."""
    if "spool_drain_per_s" in bench.wanted:
        bench.processes.free()
        _to_sdk(bench)
    if "spool_drain_hub_per_s" in bench.wanted:
        bench.processes.ensure("home", "hub", "jobs")
        bench.processes.free()
        _to_hub(bench, drivers)


def _to_sdk(bench: Bench) -> None:
    world, processes = bench.world, bench.processes
    bench.step("drain: filling a spool")
    site = Site(processes, SITE_ID, world.platform.party_id)
    inbox = site.folder / "inbox.sqlite3"
    made = fill(site.spool, made_up_sessions(CHARGES), _tariff(world.platform.party_id))
    arguments = (str(processes.world_file), str(inbox), site.site_id, site.public_key)
    processes.spawn("gateway", "tests.bench.gateway", *arguments, url=world.gateway_url)
    try:
        url = f"{world.gateway_url.replace('http', 'ws', 1)}/edge"
        site.write(Gateway(url, world.platform.party_id, world.platform.key().public_b64url()))
        with closing(sqlite3.connect(inbox)) as db:

            def one(query: str) -> int:
                return int(db.execute(query).fetchone()[0])

            stored = "select coalesce(sum(number), 0) from inbox_numbers"
            _drain(bench, site, "spool_drain_per_s", made, "gateway", lambda: one(stored))
            kept = [f"select count(*) from inbox where kind = '{kind}'" for kind in ("update", "bill")]
            _expect("in the inbox", made, tuple(map(one, kept)))
    finally:
        site.stop()
        processes.stop("gateway")


def _to_hub(bench: Bench, drivers: Sequence[Driver]) -> None:
    world, processes = bench.world, bench.processes
    bench.step("drain: filling a spool for the hub")
    site = Site(processes, SITE_AT_HUB, HOSTED)
    let_site_in(world, site.public_key)
    made = fill(site.spool, authorize_at_hub(world, drivers, CHARGES_AT_HUB), _tariff(HOSTED))
    url = f"{world.hub_url.replace('http', 'ws', 1)}/v1/edge"
    site.write(Gateway(url, world.hub.party_id, world.hub.key().public_b64url()))
    watch = processes.watch
    try:
        _drain(bench, site, "spool_drain_hub_per_s", made, "hub", lambda: int(watch.column(STORED_AT_HUB)[0]))
        _expect("at the hub", made, tuple(int(watch.column(query)[0]) for query in KEPT_AT_HUB))
    finally:
        site.stop()


def _tariff(party_id: str) -> Tariff:
    put = prices()
    return Tariff(
        party_id=party_id,
        tariff_id=TARIFF_ID,
        version=1,
        valid_from=put.valid_from,
        periods=put.periods,
    )


def _drain(
    bench: Bench, site: Site, figure: str, made: tuple[int, int], server: str, stored: Callable[[], int]
) -> None:
    """Start the agent and watch what the gateway has stored, from its first batch to the last item."""
    bench.step(f"drain: to the {server}")
    items, until = sum(made), time.monotonic() + PATIENCE_S
    site.start_agent()
    pids = [bench.processes.pid(name) for name in (site.agent, server)]
    first = _until(lambda: stored() > 0, until, "the first batch")
    spent, begun = [cpu_s(pid) for pid in pids], stored()
    last = _until(lambda: stored() >= items, until, f"all of {items} items")
    rate = (items - begun) / (last - first)
    us = [round(1e6 * (cpu_s(pid) - before) / (items - begun)) for pid, before in zip(pids, spent, strict=True)]
    bench.found(figure, round(rate, 1))
    bench.rounds[figure.removesuffix("_per_s")] = [
        {"items": items, "agent_cpu_us": us[0], "gateway_cpu_us": us[1], "load": load_average()}
    ]
    _until(lambda: _waiting(site.spool) == 0, time.monotonic() + SETTLED_S, "an empty spool")


def _until(is_so: Callable[[], bool], until: float, what: str) -> float:
    while not is_so():
        if time.monotonic() > until:
            raise BenchError(f"the drain did not come to {what}")
        time.sleep(LOOK_S)
    return time.monotonic()


def _waiting(spool: Path) -> int:
    """Updates and bills that the agent still keeps to deliver."""
    query = "select count(*) from spool where kind in ('update', 'bill') and is_delivered = 0"
    with closing(sqlite3.connect(spool)) as db:
        return int(db.execute(query).fetchone()[0])


def _expect(where: str, made: tuple[int, int], kept: tuple[int, ...]) -> None:
    if made != kept:
        raise BenchError(f"made {made} updates and bills, {kept} are {where}")
