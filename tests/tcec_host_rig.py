"""A hub in this process with one T/CEC 102 host that a test scripts, and a native home that starts charges."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlmodel import select

from hub.core.runner import JobsRunner
from hub.roaming.tables import SessionRow
from hub.roaming.tables_records import RecordRow
from hub.wiring import Hub
from operator_sdk.contract.codes import Role, TokenKind
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.admin import AgreementAdd, PartyAdd
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.roaming import StartRequest
from operator_sdk.contract.tcec102 import messages
from operator_sdk.contract.tcec102.values import format_time
from tests.tcec102_gate import HOST, Partner, World, open_world, profile_text

HOME, ZONE = "MA5BBBBB2", "Asia/Shanghai"
Answer = Callable[[Any], Any]


def station(connectors: int) -> messages.StationInfo:
    """A station of dc piles of 60 kW, named S1, with connectors CONN1, CONN2 and so on."""
    piles = [
        messages.EquipmentInfo(
            equipment_id=f"PILE{number}",
            equipment_type=1,
            power=Decimal(60),
            connector_infos=[
                messages.ConnectorInfo(
                    connector_id=f"CONN{number}",
                    connector_type=4,
                    voltage_upper_limits=750,
                    voltage_lower_limits=200,
                    current=100,
                    power=Decimal(60),
                    national_standard=2,
                )
            ],
        )
        for number in range(1, connectors + 1)
    ]
    return messages.StationInfo(
        station_id="S1",
        operator_id=HOST,
        equipment_owner_id=HOST,
        station_name="示例站",
        country_code="CN",
        area_code="310000",
        address="Road 1",
        service_tel="400-1",
        station_type=1,
        station_status=50,
        park_nums=0,
        station_lng=Decimal("121.473701"),
        station_lat=Decimal("31.230416"),
        construction=9,
        equipment_infos=piles,
    )


@dataclass
class Scripted:
    """A host that takes everything up, unless a test says otherwise: an answer, or an error, by interface."""

    connectors: int = 1
    answers: dict[str, Answer | Exception] = field(default_factory=dict)
    heard: list[tuple[str, Any]] = field(default_factory=list)

    async def call(self, party_id: str, interface: str, message: Any, *, timeout_s: int = 10) -> Any:
        """In the place of a call over the network."""
        assert party_id == HOST
        self.heard.append((interface, message))
        answer = self.answers.get(interface) or getattr(self, interface)
        if isinstance(answer, Exception):
            raise answer
        return answer(message)

    def names(self) -> list[str]:
        """What it was asked, in order."""
        return [name for name, _ in self.heard]

    def query_stations_info(self, asked: messages.QueryStationsInfo) -> messages.QueryStationsInfoReply:
        """One station."""
        return messages.QueryStationsInfoReply(
            page_no=asked.page_no, page_count=1, item_size=1, station_infos=[station(self.connectors)]
        )

    def query_station_status(self, asked: messages.QueryStationStatus) -> messages.QueryStationStatusReply:
        """All plugged in, none charging."""
        plugs = [
            messages.ConnectorStatusInfo(connector_id=f"CONN{number}", status=2)
            for number in range(1, self.connectors + 1)
        ]
        told = [
            messages.StationStatusInfo(station_id=one, connector_status_infos=plugs)
            for one in asked.station_ids
        ]
        return messages.QueryStationStatusReply(total=len(told), station_status_infos=told)

    def query_equip_auth(self, asked: messages.QueryEquipAuth) -> messages.QueryEquipAuthReply:
        """Ready."""
        return messages.QueryEquipAuthReply(
            equip_auth_seq=asked.equip_auth_seq, connector_id=asked.connector_id, succ_stat=0
        )

    def query_equip_business_policy(
        self, asked: messages.QueryEquipBusinessPolicy
    ) -> messages.QueryEquipBusinessPolicyReply:
        """1.00 + 0.50 yuan a kWh."""
        period = messages.PolicyInfo(
            start_time="000000", elec_price=Decimal("1.0000"), service_price=Decimal("0.5000")
        )
        return messages.QueryEquipBusinessPolicyReply(
            equip_biz_seq=asked.equip_biz_seq,
            connector_id=asked.connector_id,
            succ_stat=0,
            sum_period=1,
            policy_infos=[period],
        )

    def query_start_charge(self, asked: messages.QueryStartCharge) -> messages.QueryStartChargeReply:
        """Taken up."""
        return messages.QueryStartChargeReply(
            start_charge_seq=asked.start_charge_seq,
            start_charge_seq_stat=1,
            connector_id=asked.connector_id,
            succ_stat=0,
        )

    def query_stop_charge(self, asked: messages.QueryStopCharge) -> messages.QueryStopChargeReply:
        """On its way."""
        return messages.QueryStopChargeReply(
            start_charge_seq=asked.start_charge_seq, start_charge_seq_stat=3, succ_stat=0
        )


@dataclass
class HostRig:
    """The hub, the host as it calls and as it is called, and the charges of a home's drivers."""

    world: World
    host: Scripted
    partner: Partner
    started: int = 0

    @property
    def hub(self) -> Hub:
        """The hub."""
        return self.world.hub

    async def start(
        self,
        connector_id: str = "CONN1",
        limit_fen: int | None = None,
        *,
        home: str = HOME,
        qr_tail: str | None = None,
    ) -> SessionRow:
        """A driver of the home starts at the host."""
        self.started += 1
        request = StartRequest(
            start_ref=f"start-{self.started}",
            token=Token(kind=TokenKind.APP_USER, ref=f"driver-{self.started}"),
            connector=connector_ref(HOST, connector_id),
            limit_fen=limit_fen,
            qr_tail=qr_tail,
        )
        return await self.hub.roaming.starting.for_home(home, request)

    async def say(self, interface: str, message: dict[str, Any]) -> dict[str, Any]:
        """The host tells the hub something; the business answer."""
        ret, said = await self.partner.say(interface, message)
        assert ret == 0, (ret, said)
        return said

    async def session(self, session_id: str) -> SessionRow:
        """A session's row."""
        async with self.hub.database.reading() as unit:
            return (
                await unit.session.exec(select(SessionRow).where(SessionRow.session_id == session_id))
            ).one()

    async def records(self) -> list[RecordRow]:
        """All records, in order."""
        async with self.hub.database.reading() as unit:
            return list((await unit.session.exec(select(RecordRow).order_by(RecordRow.record_id))).all())

    async def work(self) -> None:
        """Do everything that is due."""
        await JobsRunner(self.hub.outbox, self.hub.local_doorbell).run_until_idle()

    def local(self, at: datetime) -> str:
        """An instant as the host writes it: whole seconds, and none before it."""
        return format_time(at + timedelta(seconds=1), ZONE)

    def result(self, session: SessionRow, stat: int = 2) -> dict[str, Any]:
        """notification_start_charge_result."""
        return {
            "StartChargeSeq": session.host_ref,
            "StartChargeSeqStat": stat,
            "ConnectorID": session.connector_id,
            "StartTime": self.local(session.created_at),
        }

    def status(self, session: SessionRow, after_s: int, kwh: str, stat: int = 2) -> dict[str, Any]:
        """notification_equip_charge_status."""
        return {
            "StartChargeSeq": session.host_ref,
            "StartChargeSeqStat": stat,
            "ConnectorID": session.connector_id,
            "ConnectorStatus": 3,
            "CurrentA": 75,
            "VoltageA": 400,
            "Soc": 50,
            "StartTime": self.local(session.created_at),
            "EndTime": self.local(session.created_at + timedelta(seconds=after_s)),
            "TotalPower": float(kwh),
        }

    def stopped(self, session: SessionRow) -> dict[str, Any]:
        """notification_stop_charge_result."""
        return {
            "StartChargeSeq": session.host_ref,
            "StartChargeSeqStat": 4,
            "ConnectorID": session.connector_id,
            "SuccStat": 0,
            "FailReason": 0,
        }

    def order(self, session: SessionRow, **changes: Any) -> dict[str, Any]:
        """notification_charge_order_info: 1 kWh in two minutes, 1.50 yuan."""
        return {
            "StartChargeSeq": session.host_ref,
            "ConnectorID": session.connector_id,
            "StartTime": self.local(session.created_at),
            "EndTime": self.local(session.created_at + timedelta(seconds=120)),
            "TotalPower": 1.0,
            "TotalElecMoney": 1.0,
            "TotalSeviceMoney": 0.5,
            "TotalMoney": 1.5,
            "StopReason": 1,
            **changes,
        }


async def _home(hub: Hub) -> None:
    add = PartyAdd(
        party_id=HOME,
        name="Home",
        roles=[Role.HOME],
        protocol="native",
        base_url="http://home.test",
        deposit_fen=1_000_000,
        exposure_limit_fen=1_000_000,
    )
    await hub.parties.add_party(add, actor="test")
    terms = AgreementAdd(home_party_id=HOME, host_party_id=HOST)
    await hub.parties.add_agreement(terms, actor="test")


@asynccontextmanager
async def open_host_rig(
    kind: str = "sqlite", *, connectors: int = 1, rest: str = "", **settings: Any
) -> AsyncIterator[HostRig]:
    """Everything up, the host's stations pulled; `rest` are further lines of its profile."""
    async with open_world(kind, **settings) as world:
        partner = await world.partner(profile_text(rest=rest))
        host = Scripted(connectors)
        world.hub.tcec102.caller.call = host.call  # type: ignore[method-assign]
        await _home(world.hub)
        await world.hub.station_pulls.advance()
        host.heard.clear()
        yield HostRig(world, host, partner)
