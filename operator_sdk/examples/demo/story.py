"""What is played, in order: set up, three ways to charge, refusals, an outage, the end of the day."""

import asyncio
import contextlib
import shlex
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from operator_sdk.client import AsyncHubClient, OperatorCredentials
from operator_sdk.clock import machine_now
from operator_sdk.contract.messages.directory import Station
from operator_sdk.examples.demo import city, closing, refusals
from operator_sdk.examples.demo.administrator import A, Administrator, C
from operator_sdk.examples.demo.bills import show_bills
from operator_sdk.examples.demo.charges import Charges
from operator_sdk.examples.demo.closing import Closed
from operator_sdk.examples.demo.databases import fresh_database, fresh_folder
from operator_sdk.examples.demo.network import Network, check_servers, network
from operator_sdk.examples.demo.options import Options
from operator_sdk.examples.demo.people import HostedDriver, People, people
from operator_sdk.examples.demo.report import (
    LedgerState,
    Outage,
    Owed,
    Refusal,
    Report,
    charge_of,
    problems,
)
from operator_sdk.examples.demo.screen import Screen
from operator_sdk.examples.demo.trouble import Trouble
from operator_sdk.examples.host.site import Site

RICH, POOR = "13800000001", "13800000002"
CONNECTORS_NEEDED = 7
STATIONS_TAKEN = 3
PATIENCE_S = 180


@dataclass(frozen=True, slots=True)
class Stage:
    """Set up, ready to be played on."""

    site: Site
    edge: datetime
    rich: HostedDriver
    poor: HostedDriver


async def perform(options: Options) -> None:
    """Everything, from an empty folder to the report.

    Raises:
        Trouble: something does not hold, or takes too long.
    """
    if options.production:
        check_servers()
    with fresh_folder(options.folder):
        screen = Screen()
        _welcome(screen, options)
        addresses = await asyncio.to_thread(fresh_database, options)
        screen.tick("全新数据库", "a fresh database", addresses.kind)
        async with network(options, addresses, machine_now()) as made:
            with screen:
                cycle_id = await _watched(made, _play(made, screen))
            if not options.once:
                with contextlib.suppress(asyncio.CancelledError):  # told to stop: a good end
                    await _stay_open(made, screen, cycle_id)


async def _watched(made: Network, play: Coroutine[Any, Any, str]) -> str:
    """Play within the time there is, while all processes live."""
    playing = asyncio.create_task(play)
    try:
        async with asyncio.timeout(PATIENCE_S * max(1, 60 // made.options.speed)):
            while not playing.done():
                await asyncio.wait({playing}, timeout=1)
                if not playing.done():
                    made.processes.check()
        return await playing
    except TimeoutError as late:
        raise Trouble(f"the demonstration took more than {PATIENCE_S} s") from late
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        if not playing.cancelled() and playing.exception() is not None:
            made.processes.check()  # what failed may have failed because of this


async def _play(made: Network, screen: Screen) -> str:
    """From the first command to the report; returns the closed cycle."""
    began = monotonic()
    administrator = Administrator(made.processes, secret_file=made.secret_file, key_files=made.key_files)
    screen.heading("搭建", "Setting up")
    site, edge = await _set_up(made, administrator, screen)
    async with people(made, city.fast_connectors(site)) as everybody:
        stage = await _sign_in(made, site, edge, everybody, screen)
        charges = Charges(made, everybody, screen)
        refused = await _three_ways(charges, stage, everybody, screen)
        outage = await _outage(charges, screen)
        screen.heading("账单", "Bills")
        show_bills(screen, list(charges.played.records.values()))
        screen.heading("清分", "Clearing")
        closed = await closing.close(made, administrator, everybody, screen)
        report = await _report(made, charges, everybody, refused, outage, closed)
    _conclude(made, report, screen, monotonic() - began)
    return closed.result.cycle.cycle_id


async def _set_up(made: Network, administrator: Administrator, screen: Screen) -> tuple[Site, datetime]:
    async with screen.step("迁移数据库, 生成密钥", "database migrated, keys made"):
        await asyncio.gather(made.migrate(), administrator.make_secrets())
    async with screen.step("枢纽上线", "the hub serves") as detail:
        await made.start_proxy()
        await made.start_hub()
        detail.append(", ".join(made.processes.names))
    async with screen.step("运营商 A、B、C, 密钥与协议", "operators, keys, agreements"):
        await administrator.add_operators(made.a_url_for_hub, made.b_url)
    async with screen.step("C 的司机与钱包, B 的平台", "C's drivers and wallets, B's platform"):
        await asyncio.gather(
            administrator.add_customer("C-0001", "周杰", RICH, card="C3000001", balance_fen=15_000),
            administrator.add_customer("C-0002", "吴迪", POOR, card="C3000002", balance_fen=300),
            made.start_b(),
        )
    stations = await _import(made, administrator, screen) if made.options.stations else []
    edge = city.next_edge(made.clock.business(), made.options.speed)
    site = city.imported(edge, stations) if stations else city.generated(edge)
    async with screen.step("A 的平台发布电价与电站", "A publishes") as detail:
        await made.start_a(site)
        detail.append(f"{len(site.stations)} 站 stations, {len(city.fast_connectors(site))} 快充 fast")
        detail.append(f"峰 peak {edge.astimezone(city.ZONE):%H:%M}")
    return site, edge


async def _import(made: Network, administrator: Administrator, screen: Screen) -> list[Station]:
    """Staff import the file for A; A then runs the first stations of it that have fast piles."""
    assert made.options.stations is not None
    async with screen.step("导入电站", "stations imported") as detail:
        done = await administrator.import_stations(made.options.stations)
        detail.append(f"{done['stations']:,} 站 stations, {done['connectors']:,} 枪 connectors")
        async with AsyncHubClient(made.hub_url, OperatorCredentials(A, made.keys[A]), clock=made.clock) as hub:
            page = await hub.list_stations(limit=200)
    fast = [one for one in page.items if not one.removed and any(pile.kind == "dc" for pile in one.piles)]
    taken = sorted(fast, key=lambda one: (len(one.piles), one.station_id))[-STATIONS_TAKEN:]
    if not taken:
        raise Trouble("STATIONS names a file without fast piles")
    return taken


async def _sign_in(made: Network, site: Site, edge: datetime, everybody: People, screen: Screen) -> Stage:
    if len(everybody.connectors) < CONNECTORS_NEEDED:
        raise Trouble(f"A has {len(everybody.connectors)} fast connectors; {CONNECTORS_NEEDED} are needed")
    async with screen.step("C 的司机用手机验证码登录", "C's drivers sign in with phone and code"):
        rich, poor = [
            await HostedDriver.sign_in(everybody.public, phone, made.code_file) for phone in (RICH, POOR)
        ]
    return Stage(site, edge, rich, poor)


async def _three_ways(charges: Charges, stage: Stage, everybody: People, screen: Screen) -> list[Refusal]:
    screen.heading("三种启动, 四种拒绝", "Three ways to start, four to be refused")
    async with asyncio.TaskGroup() as together:
        for way in (charges.by_home(), charges.by_hub(stage.rich, stage.edge), charges.by_host()):
            together.create_task(way)
        refusing = together.create_task(_refuse(everybody, stage.poor, screen))
    screen.keep_table()
    return refusing.result()


async def _refuse(everybody: People, poor: HostedDriver, screen: Screen) -> list[Refusal]:
    refused = await refusals.play(everybody, poor)
    for one in refused:
        screen.tick("拒绝", "refused", f"{one.reason}, 仍预扣 still held {one.held_fen_after} 分 fen")
    return refused


async def _outage(charges: Charges, screen: Screen) -> Outage:
    screen.heading("断网", "The host is cut off in mid-charge")
    outage = await charges.with_outage()
    screen.keep_table()
    screen.tick(
        "一条不丢", "nothing is lost",
        f"A 编号 made {outage.updates_made}, 枢纽存 stored {outage.updates_stored}, "
        f"充电订单 records {outage.charge_records}",
    )  # fmt: skip
    return outage


async def _report(
    made: Network,
    charges: Charges,
    everybody: People,
    refused: list[Refusal],
    outage: Outage,
    closed: Closed,
) -> Report:
    records = await charges.records()
    return Report(
        sessions=[
            charge_of(
                record,
                await everybody.a_office.get_session(record.session_id),
                charges.played.received.get(record.session_id, []),
            )
            for record in records
        ],
        refusals=refused,
        outage=outage,
        obligations=[Owed(one.debtor, one.creditor, one.amount_fen) for one in closed.result.obligations],
        positions=closed.positions,
        ledger=LedgerState(closed.ledger["verified"], closed.ledger["postings"]),
        database=(await made.readiness()).database,
    )


def _conclude(made: Network, report: Report, screen: Screen, took_s: float) -> None:
    if made.options.report is not None:
        _write(made.options.report, report)
    found = problems(report)
    if report.database != made.addresses.kind:
        found.append(f"the hub runs on {report.database}, not on {made.addresses.kind}")
    if found:
        raise Trouble("\n  ".join(["the run does not hold:", *found]))
    screen.say()
    screen.tick("全部成立", "everything holds", f"{took_s:.0f} s, {report.database}")


def _write(file: Path, report: Report) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


def _welcome(screen: Screen, options: Options) -> None:
    screen.say("[bold]互桩 Interpile[/]: 跨运营商充电, 从扫码到清分 · one charge across operators, end to end")
    screen.say(
        f"[dim]SPEED {options.speed}: 一秒走业务时间 {options.speed} 秒 · business seconds per second[/]"
    )


async def _stay_open(made: Network, screen: Screen, cycle_id: str) -> None:
    file = made.options.folder / "env.sh"
    file.touch(mode=0o600)
    exported = (f"export {name}={shlex.quote(value)}\n" for name, value in made.own_environment.items())
    file.write_text("".join(exported))
    interpile = _near(Path(sys.executable).with_name("interpile"))
    screen.facts(
        "保持开放 Open to explore",
        (
            ("枢纽 hub", f"{made.hub_url}/readyz  {made.hub_url}/metrics"),
            ("A 的桩 A's piles", made.a_url),
            ("B 的应用 B's app", made.b_url),
            ("命令行 command line", f". {_near(file)}"),
            ("周期 cycles", f"{interpile} cycle list"),
            ("对账单 statement", f"{interpile} cycle statement {cycle_id} {C} --out statement.html"),
            ("账本 ledger", f"{interpile} ledger verify"),
            ("日志 logs", str(_near(made.options.folder / "logs"))),
        ),
    )
    screen.say("Ctrl-C 结束 · ends it")
    while True:
        await asyncio.sleep(1)
        made.processes.check()


def _near(path: Path) -> Path:
    """As short as it can be said from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
