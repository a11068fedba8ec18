"""What the tests of T/CEC 102 homes share: profiles, and stations that such a home can be told of."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from hub.roaming.tables import SessionRow
from operator_sdk.clock import Clock
from operator_sdk.contract.messages.admin import AgreementAdd
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorDetails,
    Pile,
    PileDetails,
    Station,
    StationDetails,
    StationPut,
)
from operator_sdk.contract.tcec102.messages import (
    CheckChargeOrders,
    CheckChargeOrdersReply,
    DisputeOrder,
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
    QueryStartCharge,
    QueryStartChargeReply,
    QueryStationsInfo,
    StationInfo,
)
from operator_sdk.contract.tcec102.profile import Profile, Stations, read_profile
from operator_sdk.contract.tcec102.sequences import make_seq
from operator_sdk.contract.tcec102.wire import Ret, WireProblem
from operator_sdk.tcec102 import Caller, Tcec102Client, Tcec102Server
from tests.rig import EXPOSURE_FEN, HOLD_FEN, HUB, A, Rig, open_rig
from tests.rig_partners import listen, serving
from tests.tcec_partner import Pair

HOST, HOME = "MA5AAAAA1", "MA5TCEC02"
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)

STATION_SAID = StationDetails(
    country_code="CN",
    area_code="440305",
    operator_phone="0755-1234567",
    station_type="public",
    status="in_service",
    construction="car_park",
    park_spaces=12,
    business_hours="00:00-24:00",
)
CONNECTOR_SAID = ConnectorDetails(
    connector_type="dc_gun",
    voltage_lower_v=200,
    voltage_upper_v=750,
    current_a=250,
    national_standard="gb_2015",
)


def profile(url: str = "http://partner.test", *, party_id: str = HOME, **other: Any) -> Profile:
    """A home's profile."""
    return Profile(operator_id=party_id, name="Home", roles=["home"], base_url=url, **other)


def renamed(**stations: Any) -> Stations:
    """The part of a profile about stations."""
    return Stations(**stations)


def piles(*plugs: str, pile_id: str = "P1", said: ConnectorDetails | None = CONNECTOR_SAID) -> list[Pile]:
    """One 120 kW pile with these connectors."""
    connectors = [Connector(connector_id=name, details=said) for name in plugs]
    return [
        Pile(pile_id=pile_id, kind="dc", rated_power_w=120_000, connectors=connectors, details=PileDetails())
    ]


def station(**changes: Any) -> Station:
    """A station with everything that the standard requires."""
    said = Station(
        party_id=HOST,
        station_id="S1",
        name="一站",
        address="深南大道1号",
        latitude_e6=22_540_000,
        longitude_e6=114_050_000,
        tariff_id="t",
        piles=piles("A1", "A2"),
        updated_at=NOON,
        details=STATION_SAID,
    )
    return msgspec.structs.replace(said, **changes)


def described(**changes: Any) -> StationPut:
    """The same as a host describes it."""
    said = StationPut(
        name="一站",
        address="深南大道1号",
        latitude_e6=22_540_000,
        longitude_e6=114_050_000,
        tariff_id="t",
        piles=piles("A1", "A2"),
        details=STATION_SAID,
    )
    return msgspec.structs.replace(said, **changes)


class Platform:
    """A T/CEC 102 home's own platform: remembers what it is told and answers as its attributes say."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.asked: list[str] = []
        """Interfaces in the order in which they were called, broken ones too."""
        self.confirm_result = 0
        self.succ_stat = 0
        self.disputes: list[DisputeOrder] = []
        self.broken: set[str] = set()

    def heard(self, interface: str) -> list[Any]:
        """The messages of one interface, in order."""
        return [message for name, message in self.told if name == interface]

    def _note(self, interface: str, message: Any) -> None:
        self.asked.append(interface)
        if interface in self.broken:
            raise WireProblem(Ret.BUSY, "come later", "busy")
        self.told.append((interface, message))

    async def notification_stationStatus(  # noqa: N802 - the standard's name
        self, message: NotificationStationStatus, _: Caller
    ) -> NotificationStationStatusReply:
        self._note("notification_stationStatus", message)
        return NotificationStationStatusReply(status=0)

    async def notification_start_charge_result(
        self, message: NotificationStartChargeResult, _: Caller
    ) -> NotificationStartChargeResultReply:
        self._note("notification_start_charge_result", message)
        return NotificationStartChargeResultReply(
            start_charge_seq=message.start_charge_seq, succ_stat=self.succ_stat
        )

    async def notification_equip_charge_status(
        self, message: NotificationEquipChargeStatus, _: Caller
    ) -> NotificationEquipChargeStatusReply:
        self._note("notification_equip_charge_status", message)
        return NotificationEquipChargeStatusReply(
            start_charge_seq=message.start_charge_seq, succ_stat=self.succ_stat
        )

    async def notification_stop_charge_result(
        self, message: NotificationStopChargeResult, _: Caller
    ) -> NotificationStopChargeResultReply:
        self._note("notification_stop_charge_result", message)
        return NotificationStopChargeResultReply(
            start_charge_seq=message.start_charge_seq, succ_stat=self.succ_stat
        )

    async def notification_charge_order_info(
        self, message: NotificationChargeOrderInfo, _: Caller
    ) -> NotificationChargeOrderInfoReply:
        self._note("notification_charge_order_info", message)
        return NotificationChargeOrderInfoReply(
            start_charge_seq=message.start_charge_seq,
            connector_id=message.connector_id,
            confirm_result=self.confirm_result,
        )

    async def check_charge_orders(self, message: CheckChargeOrders, _: Caller) -> CheckChargeOrdersReply:
        self._note("check_charge_orders", message)
        return CheckChargeOrdersReply(
            check_order_seq=message.check_order_seq,
            start_time=message.start_time,
            end_time=message.end_time,
            total_dispute_order=len(self.disputes),
            total_dispute_power=sum((one.total_power for one in self.disputes), Decimal(0)),
            total_dispute_money=sum((one.total_money for one in self.disputes), Decimal(0)),
            dispute_orders=self.disputes,
        )


@dataclass
class HomeWorld:
    """A rig, and beside its operators a T/CEC 102 home: its platform and how it calls the hub."""

    rig: Rig
    home: Platform
    hub: Tcec102Client
    seqs: Any = field(default_factory=lambda: itertools.count(1))

    def seq(self) -> str:
        """A number of the home's that was not used before."""
        return make_seq(HOME, str(next(self.seqs)))

    async def start(self, connector_id: str = "A1", seq: str = "", **more: Any) -> QueryStartChargeReply:
        """The home's driver starts."""
        message = QueryStartCharge(
            start_charge_seq=seq or self.seq(), connector_id=connector_id, qr_code="", **more
        )
        return await self.hub.query_start_charge(message)

    async def session_of(self, seq: str) -> SessionRow:
        """The session that the home knows by a number."""
        (row,) = await self.rig.rows(SessionRow, home_ref=seq)
        assert isinstance(row, SessionRow)
        return row

    async def listed(self) -> list[StationInfo]:
        """All stations, as the home reads them."""
        return (await self.hub.query_stations_info(QueryStationsInfo(page_size=50))).station_infos


@asynccontextmanager
async def open_homes(kind: str, *, profile_more: str = "") -> AsyncIterator[HomeWorld]:
    """A hub with host A, whose station S1 can be told whole, and the home at its own port."""
    async with open_rig(kind) as rig:
        pair, port = Pair(sim_id=HOME, hub_id=HUB), listen()
        text = pair.hub_profile(port.url, roles=["home"], more=profile_more)
        await rig.hub.tcec102.profiles.add(text, "test", deposit_fen=EXPOSURE_FEN, limit_fen=EXPOSURE_FEN)
        terms = AgreementAdd(home_party_id=HOME, host_party_id=A, commission_ppm=0, hold_fen=HOLD_FEN)
        await rig.hub.parties.add_agreement(terms, actor="test")
        # The rig's first states were told to nobody, and who is told is remembered for seconds.
        rig.hub.directory._relay._agreements._agreed.forget("all")  # type: ignore[union-attr]
        await rig.hub.directory.put_station(A, "S1", described())
        home, clock = Platform(), Clock()
        profile, secrets = read_profile(pair.sim_profile(rig.url, roles=["host"]))
        app = Tcec102Server([(profile, secrets)], operator_id=HOME, clock=clock, customer=home)
        async with serving((app, port)), Tcec102Client(profile, secrets, operator_id=HOME, clock=clock) as hub:
            yield HomeWorld(rig, home, hub)
