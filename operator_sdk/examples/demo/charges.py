"""Five charges: by the home's app, by two scans, by card at the pile, and one with the site cut off."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.records import Record
from operator_sdk.contract.messages.roaming import SessionProgress
from operator_sdk.examples.demo.administrator import A, C
from operator_sdk.examples.demo.city import C_PLUG, Place
from operator_sdk.examples.demo.network import Network
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.people import RICH, People
from operator_sdk.examples.demo.phone import Phone
from operator_sdk.examples.demo.proxy import tell_proxy
from operator_sdk.examples.demo.report import Outage
from operator_sdk.examples.demo.screen import Row, Screen
from operator_sdk.examples.demo.sites import Site
from operator_sdk.examples.demo.trouble import Trouble

LIMIT_FEN, LIMIT_FEN_OUTAGE = 4_000, 5_000
HOME_TARGET_WH, SCAN_TARGET_WH = 4_000, 8_000
CARD_STOPS_AT_WH = 1_200
BEFORE_EDGE = timedelta(minutes=8)
AFTER_EDGE = timedelta(minutes=4)
CUT_AT_WH = 3_000
AFTER_CUT_WH = 5_000
# The pile gives a kWh a business minute; the battery and the limit bound how long a cut can be.
OUTAGE_BUSINESS_S, OUTAGE_WALL_S_MOST = 18 * 60, 6
CHARGE_BUSINESS_S, PATIENCE_WALL_S = 45 * 60, 60
SETTLE_S, SEEN_S = 20, 20

Step = Callable[[SessionProgress], Awaitable[None]]


@dataclass(slots=True)
class Played:
    """What has been played: by session, everything the driver's phone received."""

    received: dict[str, list[SessionProgress]] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)


class Charges:
    """Plays charges; each is followed by its driver's phone, whichever way it began."""

    def __init__(self, network: Network, people: People, place: Place, site: Site, screen: Screen) -> None:
        self._network, self._people, self._screen = network, people, screen
        self._place, self._site = place, site
        self.played = Played()
        self.patience_s = PATIENCE_WALL_S + CHARGE_BUSINESS_S // network.options.speed

    async def by_home(self) -> None:
        """A driver of B in B's own app; it ends at the energy asked for."""
        target = {"kind": "energy", "value": HOME_TARGET_WH}
        session_id = await self._start_in_app("B-0001", self._place.ac, target)
        row = self._row("陈晓 Chen Xiao", "应用 home", self._place.ac)
        await self._follow(row, self._people.phones["B-0001"], session_id)

    async def by_scan(self, edge: datetime) -> None:
        """A driver of C scans at A; across a tariff edge, stopped by hand."""
        wait = edge - BEFORE_EDGE - self._network.clock.business()
        await asyncio.sleep(max(0, wait.total_seconds()) / self._network.options.speed)
        phone = self._people.phones[RICH]
        session_id = await self._scan(phone, await self._network.label(A, self._place.dc))
        stopped = False

        async def stop_after_edge(update: SessionProgress) -> None:
            nonlocal stopped
            if not stopped and update.at >= edge + AFTER_EDGE:
                stopped = True
                await phone.stop(session_id)

        row = self._row("周杰 Zhou Jie", "扫码 hub", self._place.dc)
        await self._follow(row, phone, session_id, stop_after_edge)

    async def by_scan_at_c(self) -> None:
        """A driver of B scans at C's site, which the hub itself looks after."""
        phone = self._people.phones["B-0006"]
        session_id = await self._scan(phone, f"hlht://{connector_ref(C, C_PLUG)}/", {"energy": SCAN_TARGET_WH})
        row = self._row("孙丽 Sun Li", "扫码 hub", C_PLUG)
        await self._follow(row, phone, session_id)

    async def by_card(self) -> None:
        """B's card at A's pile; the card also ends it."""
        plug, phone = self._place.ac_card, self._people.phones["B-0002"]
        await self._site.pile(plug, "tap B2000002")
        session_id = await until(
            phone.newest_session, within_s=SEEN_S, missing="the phone did not see the charge begun by card"
        )
        stopped = False

        async def tap_again(update: SessionProgress) -> None:
            nonlocal stopped
            if not stopped and update.energy_wh >= CARD_STOPS_AT_WH:
                stopped = True
                await self._site.pile(plug, "tap B2000002")

        row = self._row("李雷 Li Lei", "刷卡 host", plug)
        await self._follow(row, phone, session_id, tap_again)

    async def with_outage(self) -> Outage:
        """A driver of B; the site is cut off in mid-charge and comes back."""
        speed = self._network.options.speed
        outage_s = max(2, min(OUTAGE_WALL_S_MOST, OUTAGE_BUSINESS_S // speed))
        # The site comes back a few seconds after the cut: it looks again at growing intervals.
        target_wh = CUT_AT_WH + (outage_s + 3) * speed * 1000 // 60 + AFTER_CUT_WH
        target = {"kind": "energy", "value": min(target_wh, 30_000)}
        plug = self._place.dc
        for command in ("unplug", "plug 35"):  # the next vehicle
            await self._site.pile(plug, command)
        session_id = await self._start_in_app("B-0003", plug, target, limit_fen=LIMIT_FEN_OUTAGE)
        row = self._row("韩梅 Han Mei", "断网 outage", plug)
        mid_charge = asyncio.Event()

        async def reached(update: SessionProgress) -> None:
            if update.energy_wh >= CUT_AT_WH:
                mid_charge.set()

        async with asyncio.TaskGroup() as both:
            both.create_task(self._follow(row, self._people.phones["B-0003"], session_id, reached))
            cut = both.create_task(self._cut(mid_charge, outage_s))
        return await self._count(session_id, cut.result())

    async def settled(self, session_id: str) -> Record:
        """The record of a session, once its home has settled it.

        Raises:
            Trouble: that takes too long.
        """

        async def found() -> Record | None:
            mine = (one for one in await self.records() if one.session_id == session_id)
            return next((one for one in mine if one.settlement is not None), None)

        return await until(found, within_s=SETTLE_S, missing=f"the session {session_id} was not settled")

    async def records(self) -> list[Record]:
        """Every record: A's as the host, and those of B's drivers elsewhere."""
        of_a = (await self._people.a_office.list_records(limit=200)).items
        of_b = (await self._people.b_office.list_records(limit=200)).items
        return [*of_a, *(one for one in of_b if one.host_party_id != A)]

    async def _scan(self, phone: Phone, code: str, target: dict[str, int] | None = None) -> str:
        session = await phone.start(code, target)
        if "id" not in session:
            raise Trouble(f"a scan did not start a charge: {session}")
        _expect_started(session["stateText"], session["refusal"])
        return str(session["id"])

    async def _start_in_app(
        self, driver: str, connector: str, target: dict[str, Any], *, limit_fen: int = LIMIT_FEN
    ) -> str:
        begun = await self._people.b_app.post(
            "/app/charges",
            driver=driver,
            connector=connector_ref(A, connector),
            limit_fen=limit_fen,
            target=target,
        )
        _expect_started(begun["state"], begun.get("refusal"))
        return str(begun["session_id"])

    def _row(self, driver: str, way: str, connector: str) -> Row:
        row = Row(driver, way, connector)
        self._screen.follow(row)
        return row

    async def _follow(self, row: Row, phone: Phone, session_id: str, step: Step | None = None) -> None:
        """Everything the phone receives, until the charge has ended and is settled."""
        self.played.received[session_id] = row.updates
        try:
            async with asyncio.timeout(self.patience_s):
                async for update in phone.follow(session_id):
                    self._screen.take(row, update)
                    if step is not None:
                        await step(update)
        except TimeoutError as late:
            raise Trouble(f"the charge {row.way} did not end within {self.patience_s} s") from late
        if row.state == "start_failed":
            raise Trouble(f"the charge {row.way} did not start")
        self.played.records[session_id] = await self.settled(session_id)
        row.state = "settled"

    async def _cut(self, when: asyncio.Event, outage_s: int) -> int:
        await when.wait()
        began = monotonic()
        await tell_proxy(self._network.control, "cut to_site")
        try:
            async with self._screen.step("代理切断站点网络", "the proxy cuts the site off") as detail:
                await asyncio.sleep(outage_s)
                waiting = sum((await self._site.status())["spool"].values())
                detail.append(f"站端积压 {waiting} 条 items spooled on site")
        finally:
            await tell_proxy(self._network.control, "restore to_site")
        if waiting == 0:
            raise Trouble("nothing was spooled on site during the cut")
        return int(monotonic() - began)

    async def _count(self, session_id: str, outage_s: int) -> Outage:
        """What the agent numbered against what the hub stored, read through a new subscription from 0."""
        made = int((await self._site.status(session_id))["session"]["updates_made"])
        stored = [one.number async for one in self._people.b_office.session_events(session_id, after=0)]
        if stored != list(range(1, made + 1)):
            raise Trouble(f"the site made {made} updates, the hub stored {stored}")
        records = [one for one in await self.records() if one.session_id == session_id]
        return Outage(
            session_id=session_id,
            outage_s=outage_s,
            updates_made=made,
            updates_stored=len(stored),
            charge_records=len(records),
        )


def _expect_started(state: str, refusal: str | None) -> None:
    if refusal is not None or state in {"refused", "start_failed", "requested"}:
        raise Trouble(f"a charge that should have started did not: {state} {refusal or ''}")
