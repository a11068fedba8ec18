"""Sessions, their progress and their bills as the phone reads them."""

from datetime import datetime

import strawberry

from mobile_bff.graph.context import Info
from mobile_bff.graph.places import ConnectorPlace
from mobile_bff.graph.scalars import (
    Fen,
    RecordState,
    SessionState,
    StartMode,
    StopReason,
    TargetKind,
    Wh,
    known,
)
from mobile_bff.words import word_of
from operator_sdk.contract.messages import common, records, roaming


@strawberry.input(
    one_of=True, description="Where a charge is meant to end; leave the target out for a full battery."
)
class TargetInput:
    energy: strawberry.Maybe[Wh]
    amount: strawberry.Maybe[Fen]
    seconds: strawberry.Maybe[int]


@strawberry.type(description="Where a charge is meant to end: one of the three is set, none for full.")
class Target:
    kind: TargetKind | None
    kind_text: str
    energy: Wh | None
    amount: Fen | None
    seconds: int | None


@strawberry.type(description="A charge while it runs, and afterwards.")
class ChargingSession:
    id: strawberry.ID
    start_mode: StartMode | None
    state: SessionState | None
    state_text: str
    home_party_id: strawberry.ID
    host_party_id: strawberry.ID
    connector: strawberry.ID
    target: Target
    energy: Wh
    amount: Fen
    power_w: int
    limit: Fen | None
    percent: int | None
    seconds_left: int | None
    last_number: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    stop_reason: StopReason | None
    stop_reason_text: str | None
    refusal: str | None

    @strawberry.field(description="Why it was refused, in the caller's language.")
    def refusal_message(self, info: Info) -> str | None:
        return None if self.refusal is None else word_of(self.refusal, info.context.locale)

    @strawberry.field(description="Where it is; null when the connector is no longer known.")
    async def place(self, info: Info) -> ConnectorPlace | None:
        return await info.context.places.load(self.connector)


@strawberry.type(description="An update of a running charge. The numbers of a session go up by one.")
class ChargingProgress:
    session_id: strawberry.ID
    number: int
    at: datetime
    state: SessionState | None
    state_text: str
    energy: Wh
    amount: Fen
    power_w: int
    percent: int | None
    seconds_left: int | None
    soc_percent: int | None
    stop_reason: StopReason | None
    stop_reason_text: str | None

    @strawberry.field(description="The whole charge as it is now; costs a call to the hub for every update.")
    async def session(self, info: Info) -> ChargingSession:
        return session_of(await info.context.sessions.load(self.session_id))


@strawberry.type(description="One stretch of one tariff period of a bill.")
class BillLine:
    start: datetime
    end: datetime
    energy: Wh
    electricity_micro: int
    service_micro: int
    electricity: Fen
    service: Fen


@strawberry.type(description="Money for time on a bill: `parking` or `idle`, from the end of the free minutes.")
class FeeLine:
    kind: str
    start: datetime
    end: datetime
    price_micro_per_hour: int
    amount: Fen


@strawberry.type(description="What the driver was charged: captured and released make up what was held.")
class Settlement:
    driver_amount: Fen
    captured: Fen
    released: Fen
    settled_at: datetime


@strawberry.type(
    description="The final bill of a charge. Not `metered`: the operator tells no meter readings; then"
    " `meterStart` and `meterEnd` were read from no meter, and are not to be shown."
)
class ChargeRecord:
    id: strawberry.ID
    session_id: strawberry.ID
    state: RecordState | None
    state_text: str
    home_party_id: strawberry.ID
    host_party_id: strawberry.ID
    connector: strawberry.ID
    started_at: datetime
    ended_at: datetime
    meter_start: Wh
    meter_end: Wh
    metered: bool
    energy: Wh
    electricity: Fen
    service: Fen
    parking: Fen
    idle: Fen
    amount: Fen
    currency: str
    lines: list[BillLine]
    fees: list[FeeLine]
    stop_reason: StopReason | None
    stop_reason_text: str
    settlement: Settlement | None
    updated_at: datetime

    @strawberry.field(description="Where it was; null when the connector is no longer known.")
    async def place(self, info: Info) -> ConnectorPlace | None:
        return await info.context.places.load(self.connector)


@strawberry.type(description="The stop is on its way; ENDED says that no energy flows any more.")
class ChargingStop:
    session_id: strawberry.ID
    state: SessionState | None
    state_text: str


def session_of(message: roaming.Session) -> ChargingSession:
    """A session."""
    return ChargingSession(
        id=strawberry.ID(message.session_id),
        start_mode=known(StartMode, message.start_mode),
        state=known(SessionState, message.state),
        state_text=message.state,
        home_party_id=strawberry.ID(message.home_party_id),
        host_party_id=strawberry.ID(message.host_party_id),
        connector=strawberry.ID(message.connector),
        target=_target_of(message.target),
        energy=Wh(message.energy_wh),
        amount=Fen(message.amount_fen),
        power_w=message.power_w,
        limit=None if message.limit_fen is None else Fen(message.limit_fen),
        percent=message.percent,
        seconds_left=message.seconds_left,
        last_number=message.last_number,
        created_at=message.created_at,
        updated_at=message.updated_at,
        started_at=message.started_at,
        ended_at=message.ended_at,
        stop_reason=known(StopReason, message.stop_reason),
        stop_reason_text=message.stop_reason,
        refusal=message.refusal,
    )


def _target_of(message: common.Target) -> Target:
    value = message.value
    return Target(
        kind=message.kind,
        kind_text=message.kind.value,
        energy=Wh(value) if message.kind is TargetKind.ENERGY else None,
        amount=Fen(value) if message.kind is TargetKind.AMOUNT else None,
        seconds=value if message.kind is TargetKind.TIME else None,
    )


def progress_of(message: roaming.SessionProgress) -> ChargingProgress:
    """An update."""
    return ChargingProgress(
        session_id=strawberry.ID(message.session_id),
        number=message.number,
        at=message.at,
        state=known(SessionState, message.state),
        state_text=message.state,
        energy=Wh(message.energy_wh),
        amount=Fen(message.amount_fen),
        power_w=message.power_w,
        percent=message.percent,
        seconds_left=message.seconds_left,
        soc_percent=message.soc_percent,
        stop_reason=known(StopReason, message.stop_reason),
        stop_reason_text=message.stop_reason,
    )


def stop_of(message: roaming.StopReply) -> ChargingStop:
    """A stop."""
    return ChargingStop(
        session_id=strawberry.ID(message.session_id),
        state=known(SessionState, message.state),
        state_text=message.state,
    )


def record_of(message: records.Record) -> ChargeRecord:
    """A bill."""
    return ChargeRecord(
        id=strawberry.ID(message.record_id),
        session_id=strawberry.ID(message.session_id or ""),
        state=known(RecordState, message.state),
        state_text=message.state,
        home_party_id=strawberry.ID(message.home_party_id or ""),
        host_party_id=strawberry.ID(message.host_party_id),
        connector=strawberry.ID(message.connector),
        started_at=message.started_at,
        ended_at=message.ended_at,
        meter_start=Wh(message.meter_start_wh),
        meter_end=Wh(message.meter_end_wh),
        metered=message.metered,
        energy=Wh(message.energy_wh),
        electricity=Fen(message.electricity_fen),
        service=Fen(message.service_fen),
        parking=Fen(message.parking_fen),
        idle=Fen(message.idle_fen),
        amount=Fen(message.amount_fen),
        currency=message.currency,
        lines=[_line_of(line) for line in message.lines],
        fees=[_fee_of(fee) for fee in message.fees],
        stop_reason=known(StopReason, message.stop_reason),
        stop_reason_text=message.stop_reason,
        settlement=None if message.settlement is None else _settlement_of(message.settlement),
        updated_at=message.updated_at,
    )


def _line_of(message: common.BillLine) -> BillLine:
    return BillLine(
        start=message.start,
        end=message.end,
        energy=Wh(message.energy_wh),
        electricity_micro=message.electricity_micro,
        service_micro=message.service_micro,
        electricity=Fen(message.electricity_fen),
        service=Fen(message.service_fen),
    )


def _fee_of(message: common.FeeLine) -> FeeLine:
    return FeeLine(
        kind=message.kind,
        start=message.start,
        end=message.end,
        price_micro_per_hour=message.price_micro_per_hour,
        amount=Fen(message.amount_fen),
    )


def _settlement_of(message: records.SettlementRecord) -> Settlement:
    return Settlement(
        driver_amount=Fen(message.driver_amount_fen),
        captured=Fen(message.captured_fen),
        released=Fen(message.released_fen),
        settled_at=message.settled_at,
    )
