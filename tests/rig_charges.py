"""Charges on a rig: begun in each of the three ways, driven to their bill, step by step or at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
import pytest

from hub.directory.tables import ConnectorRow
from hub.protocols.native.link import NativeLink
from hub.roaming.tables import AuthorizationRow, SessionRow
from operator_sdk.contract.codes import SessionState, StopReason, TokenKind
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import ChargeRecord, RecordReply
from operator_sdk.contract.messages.roaming import (
    Authorization,
    AuthorizeRequest,
    ScanRequest,
    Session,
    SessionUpdate,
    StartChargingRequest,
    StartRequest,
    UpdateReply,
)
from operator_sdk.contract.pricing import Reading, price, total_fen
from tests.rig import HOLD_FEN, A, B, Rig, flat, open_rig

CONNECTOR = f"A1.{A}"
METER_WH = 1_000_000
POWER_W = 10_000
TURN_MINUTES, TURN_WH = 65, 11_000
FULL = Target()
MARGIN_FEN = 303
"""How far before its limit the hub stops a charge in its host's place: two minutes of 60 kW at 1.50 yuan a kWh,
and what rounding may add. Charges draw 10 kW: 25 fen a minute."""


@asynccontextmanager
async def open_rig_without_limits(kind: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """A rig whose native links carry no limits; A reports every 60 s."""
    monkeypatch.setattr(NativeLink, "carries_limits", False)
    async with open_rig(kind) as rig:
        yield rig


async def begin_by_home(
    rig: Rig,
    *,
    limit_fen: int | None = HOLD_FEN,
    ref: str = "",
    target: Target = FULL,
    connector: str = CONNECTOR,
) -> Session:
    """B's driver begins in B's app."""
    request = StartRequest(
        start_ref=ref or rig.ref("start"),
        token=Token(kind=TokenKind.APP_USER, ref="u-1"),
        connector=connector,
        limit_fen=limit_fen,
        target=target,
    )
    session = await rig.client(B).start_session(request)
    rig.b.limits[session.session_id] = limit_fen
    return session


async def begin_by_host(
    rig: Rig, card: str = "BB-1", *, ref: str = "", connector_id: str = "A1", target: Target = FULL
) -> Authorization:
    """A card is shown at A's pile."""
    request = AuthorizeRequest(
        authorization_ref=ref or rig.ref("auth"),
        token=Token(kind=TokenKind.CARD, ref=card),
        connector_id=connector_id,
        target=target,
    )
    return await rig.client(A).authorize(request)


async def begin_by_driver(rig: Rig, *, target: Target = FULL, code: str = CONNECTOR) -> Session:
    """C's driver scans and starts in the hub's app."""
    driver = rig.driver()
    scan = await driver.scan(ScanRequest(code=code))
    return await driver.start_charging(
        StartChargingRequest(request_ref=rig.ref("drv"), scan_id=scan.scan_id, target=target)
    )


@dataclass
class Charge:
    """A charge as the pile sees it: constant power, at most an hour."""

    rig: Rig
    session_id: str
    tariff: Tariff
    started_at: datetime
    meter_wh: int = METER_WH
    minutes: int = 0
    number: int = 0
    sent: list[SessionUpdate] = field(default_factory=list)

    def wh(self, minutes: int) -> int:
        """Energy after that long."""
        return POWER_W * minutes // 60

    def at(self, minutes: int) -> datetime:
        """The instant that long after the start."""
        return self.started_at + timedelta(minutes=minutes)

    def readings(self, minutes: int) -> list[Reading]:
        """The meter until then."""
        first = Reading(self.started_at, self.meter_wh)
        return [first, Reading(self.at(max(minutes, 1)), self.meter_wh + self.wh(minutes))]

    def update(
        self, minutes: int, state: SessionState = SessionState.CHARGING, *, reason: str | None = None
    ) -> SessionUpdate:
        """The pile's next update."""
        self.number, self.minutes = self.number + 1, minutes
        return SessionUpdate(
            number=self.number,
            at=self.at(minutes),
            state=state,
            meter_wh=self.meter_wh + self.wh(minutes),
            energy_wh=self.wh(minutes),
            amount_fen=total_fen(price(self.tariff, self.readings(minutes))) if minutes else 0,
            power_w=0 if state in {SessionState.ENDED, SessionState.START_FAILED} else POWER_W,
            stop_reason=reason,
        )

    async def push(self, update: SessionUpdate) -> UpdateReply:
        """A sends an update."""
        self.sent.append(update)
        return await self.rig.client(A).push_session(self.session_id, update)

    async def runs(self, *minutes: int) -> None:
        """Updates at these minutes."""
        for minute in minutes:
            await self.push(self.update(minute))

    async def ends(self, minutes: int, reason: StopReason = StopReason.DRIVER_LOCAL) -> None:
        """The last update."""
        await self.push(self.update(minutes, SessionState.ENDED, reason=reason))

    def record(self, ref: str = "", **changes: object) -> ChargeRecord:
        """The bill, with faults on demand."""
        lines = price(self.tariff, self.readings(self.minutes))
        record = ChargeRecord(
            record_ref=ref or self.rig.ref("rec"),
            session_id=self.session_id,
            connector_id="A1",
            started_at=self.started_at,
            ended_at=self.at(self.minutes),
            meter_start_wh=self.meter_wh,
            meter_end_wh=self.meter_wh + self.wh(self.minutes),
            energy_wh=self.wh(self.minutes),
            lines=lines,
            electricity_fen=sum(line.electricity_fen for line in lines),
            service_fen=sum(line.service_fen for line in lines),
            amount_fen=total_fen(lines),
            tariff_id=self.tariff.tariff_id,
            tariff_version=self.tariff.version,
            stop_reason=StopReason.DRIVER_LOCAL,
        )
        return msgspec.structs.replace(record, **changes)

    async def bill(self, ref: str = "", **changes: object) -> RecordReply:
        """A sends the bill."""
        return await self.rig.client(A).push_record(self.record(ref, **changes))

    async def whole(self, minutes: int = 40) -> RecordReply:
        """From the first update to the delivered bill."""
        await self.runs(0, minutes // 2)
        await self.ends(minutes)
        reply = await self.bill()
        await self.rig.work()
        return reply


async def charge_of(rig: Rig, session_id: str | None) -> Charge:
    """A session that begins to charge, an hour ago; the next one of a rig well before that, and so on."""
    row, started_at, meter_wh = await turn_of(rig, session_id)
    put = flat(rig.hub)
    tariff = Tariff(
        party_id=A,
        tariff_id=row.tariff_id,
        version=row.tariff_version,
        valid_from=put.valid_from,
        periods=put.periods,
    )
    return Charge(rig, row.session_id, tariff, started_at, meter_wh)


async def turn_of(rig: Rig, session_id: str | None) -> tuple[SessionRow, datetime, int]:
    """A session, with a start and a meter that no other charge of the rig has.

    What the rig made a moment ago is made older than the charge: its connector and its authorization.
    """
    assert session_id is not None
    row, turn = await rig.session(session_id), next(rig.turns)
    started_at = rig.hub.clock.business() - timedelta(minutes=60 + TURN_MINUTES * turn)
    async with rig.hub.database.unit() as unit:
        authorization = await unit.session.get(AuthorizationRow, row.authorization_id)
        connector = await unit.session.get(ConnectorRow, (row.host_party_id, row.connector_id))
        assert authorization is not None
        authorization.created_at = started_at - timedelta(days=1)
        if connector is not None:
            connector.created_at = None
    return row, started_at, METER_WH - turn * TURN_WH


@dataclass
class Steered:
    """How a test began its charge, and by whom it is paid."""

    session_id: str
    home: str


async def begin(rig: Rig, mode: str) -> Steered:
    """In one of the three ways: home, host, hub."""
    match mode:
        case "home":
            return Steered((await begin_by_home(rig)).session_id, B)
        case "host":
            granted = await begin_by_host(rig)
            assert granted.session_id is not None, granted
            return Steered(granted.session_id, B)
        case _:
            return Steered((await begin_by_driver(rig)).session_id, "MA5CCCCC3")
