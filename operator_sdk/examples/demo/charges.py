"""Four charges: by the home's app, through the hub, by card at the pile, and one with the host cut off."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from operator_sdk.client import AsyncHubClient
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.records import Record
from operator_sdk.contract.messages.roaming import SessionProgress
from operator_sdk.examples.demo.administrator import A
from operator_sdk.examples.demo.network import Network
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.people import HostedDriver, People
from operator_sdk.examples.demo.proxy import tell_proxy
from operator_sdk.examples.demo.report import Outage
from operator_sdk.examples.demo.screen import Row, Screen
from operator_sdk.examples.demo.trouble import Trouble

LIMIT_FEN, LIMIT_FEN_OUTAGE = 4_000, 5_000
HOME_TARGET_WH = 12_000
CARD_STOPS_AT_WH = 8_000
BEFORE_EDGE = timedelta(minutes=10)
AFTER_EDGE = timedelta(minutes=4)
CUT_AT_WH = 3_000
AFTER_CUT_WH = 5_000
# The pile gives a kWh a business minute; the battery and the limit bound how long a cut can be.
OUTAGE_BUSINESS_S, OUTAGE_WALL_S_MOST = 18 * 60, 6
CHARGE_BUSINESS_S, PATIENCE_WALL_S = 45 * 60, 60
SETTLE_S = 20

Step = Callable[[SessionProgress], Awaitable[None]]


@dataclass(slots=True)
class Played:
    """What has been played: by session, everything its subscriber received."""

    received: dict[str, list[SessionProgress]] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)


class Charges:
    """Plays charges, and follows each of them live."""

    def __init__(self, network: Network, people: People, screen: Screen) -> None:
        self._network, self._people, self._screen = network, people, screen
        self.played = Played()
        self.patience_s = PATIENCE_WALL_S + CHARGE_BUSINESS_S // network.options.speed

    async def by_home(self) -> None:
        """A driver of B in B's own app; it ends at the energy asked for."""
        target = {"kind": "energy", "value": HOME_TARGET_WH}
        session_id = await self._start_in_app("B-0001", self._people.connectors[0], target)
        row = self._row("陈晓 Chen Xiao", "应用 home", self._people.connectors[0])
        await self._follow(row, self._people.b_office, session_id)

    async def by_hub(self, driver: HostedDriver, edge: datetime) -> None:
        """A driver of C through the hub; across a tariff edge, stopped by hand."""
        wait = edge - BEFORE_EDGE - self._network.clock.business()
        await asyncio.sleep(max(0, wait.total_seconds()) / self._network.options.speed)
        connector = self._people.connectors[1]
        session = await driver.start(connector)
        _expect_started(session.state, session.refusal)
        stopped = False

        async def stop_after_edge(update: SessionProgress) -> None:
            nonlocal stopped
            if not stopped and update.at >= edge + AFTER_EDGE:
                stopped = True
                await driver.stop(session.session_id)

        row = self._row("周杰 Zhou Jie", "扫码 hub", connector)
        await self._follow(row, driver.client, session.session_id, stop_after_edge)

    async def by_host(self) -> None:
        """B's card at A's pile; the card also ends it."""
        connector, card = self._people.connectors[2], "B2000002"
        tap = f"/local/connectors/{connector}/tap"
        begun = await self._people.a_piles.post(tap, card=card)
        _expect_started(begun["outcome"], begun["refusal"])
        stopped = False

        async def tap_again(update: SessionProgress) -> None:
            nonlocal stopped
            if not stopped and update.energy_wh >= CARD_STOPS_AT_WH:
                stopped = True
                await self._people.a_piles.post(tap, card=card)

        row = self._row("李雷 Li Lei", "刷卡 host", connector)
        await self._follow(row, self._people.b_office, begun["session_id"], tap_again)

    async def with_outage(self) -> Outage:
        """A driver of B; the host is cut off in mid-charge and comes back."""
        speed = self._network.options.speed
        outage_s = max(2, min(OUTAGE_WALL_S_MOST, OUTAGE_BUSINESS_S // speed))
        # A comes back a few seconds after the cut: it looks again at growing intervals.
        target_wh = CUT_AT_WH + (outage_s + 3) * speed * 1000 // 60 + AFTER_CUT_WH
        target = {"kind": "energy", "value": min(target_wh, 30_000)}
        connector = self._people.connectors[3]
        session_id = await self._start_in_app("B-0003", connector, target, limit_fen=LIMIT_FEN_OUTAGE)
        row = self._row("韩梅 Han Mei", "断网 outage", connector)
        mid_charge = asyncio.Event()

        async def reached(update: SessionProgress) -> None:
            if update.energy_wh >= CUT_AT_WH:
                mid_charge.set()

        async with asyncio.TaskGroup() as both:
            both.create_task(self._follow(row, self._people.b_office, session_id, reached))
            cut = both.create_task(self._cut(mid_charge, session_id, outage_s))
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
        """Every record of A, the only host."""
        return (await self._people.a_office.list_records(limit=200)).items

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

    async def _follow(
        self, row: Row, client: AsyncHubClient, session_id: str, step: Step | None = None
    ) -> None:
        """Everything a subscriber receives, until the charge has ended and is settled."""
        self.played.received[session_id] = row.updates
        try:
            async with asyncio.timeout(self.patience_s):
                async for update in client.session_events(session_id):
                    self._screen.take(row, update)
                    if step is not None:
                        await step(update)
        except TimeoutError as late:
            raise Trouble(f"the charge {row.way} did not end within {self.patience_s} s") from late
        if row.state == "start_failed":
            raise Trouble(f"the charge {row.way} did not start")
        self.played.records[session_id] = await self.settled(session_id)
        row.state = "settled"

    async def _cut(self, when: asyncio.Event, session_id: str, outage_s: int) -> int:
        await when.wait()
        began = monotonic()
        await tell_proxy(self._network.control, "cut")
        try:
            async with self._screen.step("代理切断 A 与枢纽", "the proxy cuts A off from the hub") as detail:
                await asyncio.sleep(outage_s)
                waiting = await self._waiting(session_id)
                detail.append(f"A 积压 {waiting} 条 updates queued at A")
        finally:
            await tell_proxy(self._network.control, "restore")
        if waiting == 0:
            raise Trouble("nothing was queued at A during the cut")
        return int(monotonic() - began)

    async def _waiting(self, session_id: str) -> int:
        numbers = (await self._people.a_piles.get(f"/local/sessions/{session_id}"))["numbers"]
        return len(numbers["made"]) - len(numbers["acknowledged"])

    async def _count(self, session_id: str, outage_s: int) -> Outage:
        """What A made against what the hub has stored: its rows, read through a new subscription from 0."""
        made = (await self._people.a_piles.get(f"/local/sessions/{session_id}"))["numbers"]["made"]
        stored = [one.number async for one in self._people.b_office.session_events(session_id, after=0)]
        if stored != made:
            raise Trouble(f"A made the updates {made}, the hub stored {stored}")
        records = [one for one in await self.records() if one.session_id == session_id]
        return Outage(
            session_id=session_id,
            outage_s=outage_s,
            updates_made=len(made),
            updates_stored=len(stored),
            charge_records=len(records),
        )


def _expect_started(state: str, refusal: str | None) -> None:
    if refusal is not None or state in {"refused", "start_failed", "requested"}:
        raise Trouble(f"a charge that should have started did not: {state} {refusal or ''}")
