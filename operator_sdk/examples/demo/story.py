"""What is played, in order: set up, three ways to charge, refusals, an outage, the end of the day."""

import asyncio
import contextlib
import shlex
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from operator_sdk.client import AsyncHubClient, OperatorCredentials
from operator_sdk.clock import machine_now
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.directory import Station
from operator_sdk.examples.demo import city, closing, refusals, repairs
from operator_sdk.examples.demo.administrator import A, Administrator, C
from operator_sdk.examples.demo.bills import show_bills
from operator_sdk.examples.demo.charges import Charges
from operator_sdk.examples.demo.city import Place
from operator_sdk.examples.demo.closing import Closed
from operator_sdk.examples.demo.databases import fresh_database, fresh_folder
from operator_sdk.examples.demo.network import Network, check_servers, network
from operator_sdk.examples.demo.options import Options
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.people import POOR, RICH, People, people
from operator_sdk.examples.demo.report import (
    Frames,
    LedgerState,
    Outage,
    Owed,
    Refusal,
    Repair,
    Report,
    charge_of,
    problems,
)
from operator_sdk.examples.demo.screen import Screen
from operator_sdk.examples.demo.sites import Bus, Site, Sites
from operator_sdk.examples.demo.trouble import Trouble

PATIENCE_S = 400
ON_LINE_S = 30
UPDATE_EVERY_S = 20


@dataclass(frozen=True, slots=True)
class Stage:
    """Set up, ready to be played on."""

    place: Place
    a_site: Site
    c_site: Site


@dataclass(frozen=True, slots=True)
class Seen:
    """What was played beside the charges themselves."""

    refused: list[Refusal]
    outage: Outage
    repair: Repair


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
    stage = await _set_up(made, administrator, screen)
    async with people(made) as everybody:
        screen.tick(
            "司机登录手机, 员工登录",
            "drivers and staff are signed in",
            f"{len(everybody.phones)} 部手机 phones",
        )
        charges = Charges(made, everybody, stage.place, stage.a_site, screen)
        refused = await _ways_to_start(charges, stage, everybody, screen)
        outage = await _outage(charges, screen)
        screen.heading("运维", "Upkeep")
        repair = await repairs.play(everybody, everybody.phones[RICH], stage.place.ac_card, screen)
        screen.heading("账单", "Bills")
        show_bills(screen, list(charges.played.records.values()))
        screen.heading("清分", "Clearing")
        closed = await closing.close(made, administrator, everybody, screen)
        report = await _report(made, charges, everybody, stage, Seen(refused, outage, repair), closed)
    _conclude(made, report, screen, monotonic() - began)
    return closed.result.cycle.cycle_id


async def _set_up(made: Network, administrator: Administrator, screen: Screen) -> Stage:
    sites = Sites(made.processes, made.options.folder / "sites")
    async with screen.step("迁移数据库, 生成密钥", "database migrated, keys made"):
        await asyncio.gather(made.migrate(), administrator.make_secrets())
    async with screen.step("枢纽上线", "the hub serves") as detail:
        probing = asyncio.create_task(sites.probe())
        await made.start_hub()
        bus = await probing
        detail.append(", ".join(made.processes.names))
    screen.say(f"  [dim]{bus.words[0]} {bus.words[1]}[/]")
    async with screen.step("运营商 A、B、C, 手机端, 密钥与协议", "operators, keys, agreements"):
        await administrator.add_operators(made.a_url, made.b_url)
    stations = await _import(made, administrator, screen) if made.options.stations else []
    async with asyncio.TaskGroup() as together:
        together.create_task(_set_up_drivers(made, administrator, screen))
        building = together.create_task(_set_up_c(made, administrator, sites, bus, screen))
    # A's prices are made last, or a slow machine would reach their edge before the first charge.
    edge = city.next_edge(made.clock.business(), made.options.speed)
    place = city.imported_place(edge, stations) if stations else city.own_place(edge)
    a_site, c_site = await _set_up_a(made, place, sites, bus, screen), building.result()
    async with screen.step("站点上线", "the sites are on line"):
        await _until_charging_is_possible(made, place)
    return Stage(place, a_site, c_site)


async def _set_up_drivers(made: Network, administrator: Administrator, screen: Screen) -> None:
    async with screen.step("C 的司机与钱包, B 的平台", "C's drivers and wallets, B's platform"):
        await asyncio.gather(
            administrator.add_customer("C-0001", "周杰", RICH, card="C3000001", balance_fen=15_000),
            administrator.add_customer("C-0002", "吴迪", POOR, card="C3000002", balance_fen=300),
            made.start_b(),
        )


async def _set_up_a(made: Network, place: Place, sites: Sites, bus: Bus, screen: Screen) -> Site:
    async with screen.step("A 的平台、站点与三根桩", "A's platform, its site and three piles") as detail:
        await made.start_a(place.site, place.plan, sites.plan_key(place.plan.site_id))
        await made.start_proxy()
        detail.append(f"峰 peak {place.edge.astimezone(city.ZONE):%H:%M}")
        return await sites.build(place.plan, made.gateway_of_a, bus, update_every_s=UPDATE_EVERY_S)


async def _set_up_c(
    made: Network, administrator: Administrator, sites: Sites, bus: Bus, screen: Screen
) -> Site:
    async with screen.step("C 的站点, 由枢纽直接接入", "C's site, looked after by the hub"):
        key = sites.plan_key(city.C_SITE.site_id)
        tariff = city.tariff(city.next_edge(made.clock.business(), made.options.speed))
        gateway = await administrator.add_hosted_site(city.C_SITE.site_id, key, city.station_of_c(), tariff)
        return await sites.build(city.C_SITE, gateway, bus, update_every_s=UPDATE_EVERY_S)


async def _until_charging_is_possible(made: Network, place: Place) -> None:
    """Until the hub has heard of every plug that has a pile behind it."""
    plugs = [(A, one) for one in (place.dc, place.ac, place.ac_card)] + [(C, city.C_PLUG)]
    async with AsyncHubClient(made.hub_url, OperatorCredentials(A, made.keys[A]), clock=made.clock) as hub:
        for party_id, connector_id in plugs:
            ref = connector_ref(party_id, connector_id)

            async def known(ref: str = ref) -> bool | None:
                made.processes.check()
                return True if (await hub.get_connector(ref)).state in {"available", "occupied"} else None

            await until(known, within_s=ON_LINE_S, missing=f"the hub did not hear of {ref}")


async def _import(made: Network, administrator: Administrator, screen: Screen) -> list[Station]:
    """Staff import the file for A; A then runs one of its stations."""
    assert made.options.stations is not None
    async with screen.step("导入电站", "stations imported") as detail:
        done = await administrator.import_stations(made.options.stations)
        detail.append(f"{done['stations']:,} 站 stations, {done['connectors']:,} 枪 connectors")
        async with AsyncHubClient(made.hub_url, OperatorCredentials(A, made.keys[A]), clock=made.clock) as hub:
            return (await hub.list_stations(limit=200)).items


async def _ways_to_start(charges: Charges, stage: Stage, everybody: People, screen: Screen) -> list[Refusal]:
    screen.heading("三种启动, 四种拒绝", "Three ways to start, four to be refused")
    async with asyncio.TaskGroup() as together:
        for way in (charges.by_home(), charges.by_scan(stage.place.edge), charges.by_scan_at_c()):
            together.create_task(way)
        refusing = together.create_task(_refuse_then_card(charges, stage, everybody, screen))
    screen.keep_table()
    return refusing.result()


async def _refuse_then_card(charges: Charges, stage: Stage, everybody: People, screen: Screen) -> list[Refusal]:
    """Both at the plug that nobody else uses."""
    refused = await refusals.play(everybody, stage.a_site, stage.place.ac_card)
    for one in refused:
        screen.tick("拒绝", "refused", f"{one.reason}, 仍预扣 still held {one.held_fen_after} 分 fen")
    await charges.by_card()
    return refused


async def _outage(charges: Charges, screen: Screen) -> Outage:
    screen.heading("断网", "The site is cut off in mid-charge")
    outage = await charges.with_outage()
    screen.keep_table()
    screen.tick(
        "一条不丢", "nothing is lost",
        f"站端编号 made {outage.updates_made}, 枢纽存 stored {outage.updates_stored}, "
        f"充电订单 records {outage.charge_records}",
    )  # fmt: skip
    return outage


async def _report(
    made: Network, charges: Charges, everybody: People, stage: Stage, seen: Seen, closed: Closed
) -> Report:
    records = await charges.records()
    sides = {A: everybody.a_office, C: everybody.b_office}
    counted = [await site.frames() for site in (stage.a_site, stage.c_site)]
    return Report(
        sessions=[
            charge_of(
                record,
                await sides[record.host_party_id].get_session(record.session_id or ""),
                charges.played.received.get(record.session_id or "", []),
            )
            for record in records
        ],
        refusals=seen.refused,
        outage=seen.outage,
        obligations=[Owed(one.debtor, one.creditor, one.amount_fen) for one in closed.result.obligations],
        positions=closed.positions,
        ledger=LedgerState(closed.ledger["verified"], closed.ledger["postings"]),
        work_orders=[seen.repair],
        frames=Frames(sum(one.can for one in counted), sum(one.meter for one in counted)),
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
            ("司机网页 driver's page", f"{made.phones_url}/app/"),
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
