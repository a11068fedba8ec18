"""The simulated home: its drivers scan, it starts and stops at the host, follows, and judges orders."""

import asyncio
from datetime import datetime
from decimal import Decimal

import msgspec

from operator_sdk.chance import fresh_id
from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.messages import (
    CheckChargeOrders,
    CheckChargeOrdersReply,
    NotificationChargeOrderInfo,
    NotificationChargeOrderInfoReply,
    NotificationEquipChargeStatus,
    NotificationEquipChargeStatusReply,
    NotificationStartChargeResult,
    NotificationStartChargeResultReply,
    NotificationStationStatus,
    NotificationStationStatusReply,
    NotificationStopChargeResult,
    NotificationStopChargeResultReply,
    PolicyInfo,
    QueryEquipAuth,
    QueryEquipBusinessPolicy,
    QueryEquipChargeStatus,
    QueryStartCharge,
    QueryStationsInfo,
    QueryStationStatus,
    QueryStopCharge,
    QueryStopChargeReply,
    StationInfo,
)
from operator_sdk.contract.tcec102.sequences import make_seq, parse_qr
from operator_sdk.contract.tcec102.values import yuan_of
from operator_sdk.errors import InterpileError
from operator_sdk.tcec102.handlers import Caller
from operator_sdk.tcec102.sim.calls import SimulatedClient
from operator_sdk.tcec102.sim.charges import CHARGING, ENDED, STARTING, STOPPING, UNKNOWN
from operator_sdk.tcec102.sim.judging import disputes_of, objection
from operator_sdk.tcec102.sim.store import Store
from operator_sdk.tcec102.sim.tasks import Tasks

KIND = "home_charge"
_PAGE, _IDS = 50, 50
_QUERIES = 3
_RANK = {STARTING: 1, UNKNOWN: 1, CHARGING: 2, STOPPING: 3, ENDED: 4}


class HomeCharge(msgspec.Struct, kw_only=True):
    """A driver's charge as the home knows it. `stat` never goes back; `last` is the newest status."""

    seq: str
    connector_id: str
    asked_at: datetime
    stat: int = STARTING
    accepted: bool | None = None
    fail_reason: int = 0
    ident_code: str | None = None
    policy: list[PolicyInfo] = msgspec.field(default_factory=list)
    statuses: int = 0
    last: NotificationEquipChargeStatus | None = None
    order: NotificationChargeOrderInfo | None = None
    orders: int = 0
    confirm_result: int | None = None
    objection: str | None = None


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan came to: `step` is the last interface called, `reason` its FailReason or the error's word."""

    accepted: bool
    step: str
    reason: str = ""
    start_charge_seq: str | None = None


class SimulatedHome:
    """`Customer`, and what its drivers do."""

    def __init__(
        self,
        *,
        operator_id: str,
        partner_id: str,
        client: SimulatedClient,
        clock: Clock,
        store: Store,
        tasks: Tasks,
        start_timeout_s: int,
    ) -> None:
        self.charges: dict[str, HomeCharge] = {}
        self.stations: dict[str, StationInfo] = {}
        self.statuses: dict[str, int] = {}
        self.disputing: set[str] = set()
        """StartChargeSeqs to dispute whatever they say; `*` for all."""
        self._operator_id, self._partner_id, self._client, self._clock = operator_id, partner_id, client, clock
        self._store, self._tasks, self._start_timeout_s = store, tasks, start_timeout_s
        for charge in store.all(KIND, HomeCharge):
            self.charges[charge.seq] = charge

    # What its drivers do.

    async def scan(self, text: str, balance_fen: int | None = None) -> Scanned:
        """Scan a QR code (or type a ConnectorID): equipment check, price, start."""
        parsed = parse_qr(text)
        connector_id, owner, custom = parsed or (text.strip(), None, "")
        auth = QueryEquipAuth(
            equip_auth_seq=self._new_seq(),
            connector_id=connector_id,
            operator_id=self._owner(owner).get("OperatorID"),
        )
        checked = await self._client.query_equip_auth(auth)
        if checked.succ_stat != 0:
            return Scanned(accepted=False, step="query_equip_auth", reason=str(checked.fail_reason))
        biz = QueryEquipBusinessPolicy(
            equip_biz_seq=self._new_seq(), connector_id=connector_id, extra=self._owner(owner)
        )
        policy = await self._client.query_equip_business_policy(biz)
        charge = HomeCharge(
            seq=self._new_seq(),
            connector_id=connector_id,
            asked_at=self._clock.business(),
            policy=policy.policy_infos,
        )
        self._keep(charge)
        start = QueryStartCharge(
            start_charge_seq=charge.seq,
            connector_id=connector_id,
            qr_code=custom,
            balance=None if balance_fen is None else yuan_of(balance_fen),
            extra=self._owner(owner),
        )
        return await self._start(charge, start)

    def _owner(self, owner: str | None) -> dict[str, str]:
        """The pile's owner as an extension, where it is not the platform that we talk to: behind a hub."""
        return {} if owner in {None, self._partner_id} else {"OperatorID": str(owner)}

    async def _start(self, charge: HomeCharge, message: QueryStartCharge) -> Scanned:
        self._tasks.start(self._ask_after(charge))
        try:
            said = await self._client.query_start_charge(message)
        except InterpileError as problem:
            # Whether it was taken up is not known: notifications or the timer will tell.
            return Scanned(
                accepted=False,
                step="query_start_charge",
                reason=type(problem).__name__,
                start_charge_seq=charge.seq,
            )
        charge.accepted, charge.fail_reason = said.succ_stat == 0, said.fail_reason
        if not charge.accepted:
            charge.stat = ENDED
        self._keep(charge)
        return Scanned(
            accepted=charge.accepted,
            step="query_start_charge",
            reason=str(said.fail_reason) if said.fail_reason else "",
            start_charge_seq=charge.seq,
        )

    async def _ask_after(self, charge: HomeCharge) -> None:
        """No start result in time: ask how the charge is (reference: a start has no time-out of its own)."""
        for _ in range(_QUERIES):
            await asyncio.sleep(self._start_timeout_s)
            if charge.stat != STARTING:
                return
            try:
                await self.query(charge.seq)
            except InterpileError:
                continue

    async def query(self, seq: str) -> HomeCharge:
        """Ask the host how a charge stands."""
        said = await self._client.query_equip_charge_status(QueryEquipChargeStatus(start_charge_seq=seq))
        charge = self.charges[seq]
        self._follow(charge, said)
        return charge

    async def stop(self, seq: str) -> QueryStopChargeReply:
        """Stop a charge."""
        charge = self.charges[seq]
        message = QueryStopCharge(start_charge_seq=seq, connector_id=charge.connector_id)
        reply = await self._client.query_stop_charge(message)
        if reply.succ_stat == 0:
            self._advance(charge, reply.start_charge_seq_stat)
        return reply

    async def sync(self, since: str | None = None) -> int:
        """Fetch the stations, all or those changed since then, and every connector's status."""
        fetched: dict[str, StationInfo] = {}
        page, pages = 1, 1
        while page <= pages:
            message = QueryStationsInfo(last_query_time=since, page_no=page, page_size=_PAGE)
            reply = await self._client.query_stations_info(message)
            fetched.update((one.station_id, one) for one in reply.station_infos)
            pages, page = reply.page_count, page + 1
        self.stations = fetched if since is None else {**self.stations, **fetched}
        names = list(fetched)
        for first in range(0, len(names), _IDS):
            await self._fetch_statuses(names[first : first + _IDS])
        return len(fetched)

    async def _fetch_statuses(self, station_ids: list[str]) -> None:
        reply = await self._client.query_station_status(QueryStationStatus(station_ids=station_ids))
        for station in reply.station_status_infos:
            for one in station.connector_status_infos:
                self.statuses[one.connector_id] = one.status

    # What it is told.

    async def notification_stationStatus(  # noqa: N802 (the standard's name)
        self, message: NotificationStationStatus, caller: Caller
    ) -> NotificationStationStatusReply:
        """Remember it."""
        told = message.connector_status_info
        self.statuses[told.connector_id] = told.status
        return NotificationStationStatusReply(status=0)

    async def notification_start_charge_result(
        self, message: NotificationStartChargeResult, caller: Caller
    ) -> NotificationStartChargeResultReply:
        """2 is a start; 4 and 5 are a failure."""
        charge = self.charges.get(message.start_charge_seq)
        if charge is not None:
            charge.ident_code = message.ident_code
            stat = message.start_charge_seq_stat
            self._advance(charge, ENDED if stat == UNKNOWN else stat)
        return NotificationStartChargeResultReply(
            start_charge_seq=message.start_charge_seq,
            succ_stat=int(charge is None),
            fail_reason=int(charge is None),
        )

    async def notification_equip_charge_status(
        self, message: NotificationEquipChargeStatus, caller: Caller
    ) -> NotificationEquipChargeStatusReply:
        """The charge goes on."""
        charge = self.charges.get(message.start_charge_seq)
        if charge is not None:
            self._follow(charge, message)
        return NotificationEquipChargeStatusReply(
            start_charge_seq=message.start_charge_seq, succ_stat=int(charge is None)
        )

    async def notification_stop_charge_result(
        self, message: NotificationStopChargeResult, caller: Caller
    ) -> NotificationStopChargeResultReply:
        """The charge has ended; the order comes."""
        charge = self.charges.get(message.start_charge_seq)
        if charge is not None and message.succ_stat == 0:
            self._advance(charge, message.start_charge_seq_stat)
        return NotificationStopChargeResultReply(
            start_charge_seq=message.start_charge_seq,
            succ_stat=int(charge is None),
            fail_reason=int(charge is None),
        )

    async def notification_charge_order_info(
        self, message: NotificationChargeOrderInfo, caller: Caller
    ) -> NotificationChargeOrderInfoReply:
        """Confirm the bill, or dispute what does not add up. The first answer stands."""
        charge = self.charges.get(message.start_charge_seq)
        result = 1
        if charge is not None:
            self._judge(charge, message)
            result = 1 if charge.confirm_result is None else charge.confirm_result
        return NotificationChargeOrderInfoReply(
            start_charge_seq=message.start_charge_seq,
            connector_id=message.connector_id,
            confirm_result=result,
        )

    def _judge(self, charge: HomeCharge, order: NotificationChargeOrderInfo) -> None:
        charge.orders += 1
        if charge.order is None or charge.confirm_result == 1:
            disputed = {"*", charge.seq} & self.disputing
            charge.order = order
            charge.objection = "told to" if disputed else objection(order, charge.policy)
            charge.confirm_result = int(charge.objection is not None)
        self._advance(charge, ENDED)

    async def check_charge_orders(self, message: CheckChargeOrders, caller: Caller) -> CheckChargeOrdersReply:
        """Compare the day."""
        found = disputes_of(message, {seq: charge.order for seq, charge in self.charges.items()})
        return CheckChargeOrdersReply(
            check_order_seq=message.check_order_seq,
            start_time=message.start_time,
            end_time=message.end_time,
            total_dispute_order=len(found),
            total_dispute_power=sum((one.total_power for one in found), Decimal(0)),
            total_dispute_money=sum((one.total_money for one in found), Decimal(0)),
            dispute_orders=found,
        )

    def _follow(self, charge: HomeCharge, status: NotificationEquipChargeStatus) -> None:
        charge.statuses += 1
        if charge.last is None or charge.last.end_time <= status.end_time:
            charge.last = status
        self._advance(charge, status.start_charge_seq_stat)

    def _advance(self, charge: HomeCharge, stat: int) -> None:
        """States never go back, whatever comes late."""
        if _RANK.get(stat, 0) > _RANK[charge.stat]:
            charge.stat = stat
        self._keep(charge)

    def _keep(self, charge: HomeCharge) -> None:
        self.charges[charge.seq] = charge
        self._store.save(KIND, charge.seq, charge)

    def _new_seq(self) -> str:
        return make_seq(self._operator_id, fresh_id("seq"))
