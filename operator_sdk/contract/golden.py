"""One example of every message that crosses between parties, the same in every language: `schema/golden/`."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from operator_sdk.contract.codes import (
    AuthorizationState,
    Band,
    ConnectorState,
    DisputeState,
    FaultKind,
    SessionState,
    TargetKind,
    TokenKind,
)
from operator_sdk.contract.messages.checks import (
    CheckTotals,
    ListedRecord,
    RecordCheck,
    RecordDifference,
    RecordListPart,
    RecordListReply,
)
from operator_sdk.contract.messages.clearing import Obligation
from operator_sdk.contract.messages.common import ErrorBody, FeeLine, Message, Target, Token
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorDetails,
    ConnectorStatus,
    Pile,
    PileDetails,
    StationDetails,
    StationPut,
    StatusPush,
    Tariff,
    TariffAssignmentPut,
    TariffPeriod,
    TariffPut,
    TimeFee,
)
from operator_sdk.contract.messages.disputes import Dispute, DisputeAnswer, DisputeEvidence, DisputeRaise
from operator_sdk.contract.messages.records import (
    ChargeRecord,
    CreditRecord,
    HomeRecord,
    RecordAnswer,
    RecordReply,
    SettlementRecord,
    UnmatchedRecord,
)
from operator_sdk.contract.messages.roaming import (
    Authorization,
    AuthorizeRequest,
    HomeAuthorization,
    HomeAuthorizeRequest,
    HostStartReply,
    HostStartRequest,
    ReleaseRequest,
    SessionProgress,
    SessionUpdate,
    StartRequest,
    StopRequest,
)
from operator_sdk.contract.messages.upkeep import Fault, FaultReport
from operator_sdk.contract.pricing import Reading, price, total_fen

START = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
END = START + timedelta(hours=1)
HOME, HOST = "MA5BBBBB2", "MA5AAAAA1"
SESSION = "ses_019aa000-0000-7000-8000-000000000001"
AUTHORIZATION = "aut_019aa000-0000-7000-8000-000000000002"
RECORD = "rec_019aa000-0000-7000-8000-000000000003"

PERIODS = [
    TariffPeriod(start_minute=0, end_minute=600, electricity_micro=400_000, service_micro=300_000),
    TariffPeriod(start_minute=600, end_minute=1440, electricity_micro=900_000, service_micro=300_000),
]
TARIFF = Tariff(party_id=HOST, tariff_id="tou", version=3, valid_from=START, periods=PERIODS)
PARKED = FeeLine(
    kind="parking",
    start=START + timedelta(minutes=30),
    end=END + timedelta(hours=1),
    price_micro_per_hour=5_000_000,
    amount_fen=750,
)
LINES = price(TARIFF, [Reading(START, 100_000), Reading(END, 130_001)])
AMOUNT = total_fen(LINES)
ELECTRICITY = sum(line.electricity_fen for line in LINES)
CONNECTOR = f"P1C1.{HOST}"
CARD = Token(kind=TokenKind.CARD, ref="B1000001")
TARGET = Target(kind=TargetKind.ENERGY, value=30_000)
SETTLEMENT = SettlementRecord(
    settlement_ref="stl-1",
    record_id=RECORD,
    session_id=SESSION,
    driver_amount_fen=AMOUNT,
    captured_fen=AMOUNT,
    released_fen=10_000 - AMOUNT,
    settled_at=END,
)

LISTED = CheckTotals(records=2, amount_fen=0, energy_wh=0)
NOT_LISTED = RecordDifference(
    record="c-1",
    kind="missing_there",
    here_fen=-AMOUNT,
    there_fen=None,
    here_wh=-30_001,
    there_wh=None,
    at_risk_fen=AMOUNT,
)

GOLDEN: list[Message] = [
    ErrorBody(code="id_reused", message="This id was used for another request.", request_id="req-1"),
    TariffPut(
        valid_from=START,
        periods=[replace(one, band=band) for one, band in zip(PERIODS, (Band.VALLEY, Band.PEAK), strict=True)],
        parking=TimeFee(price_micro_per_hour=5_000_000, free_minutes=30, cap_fen=2_000),
        idle=TimeFee(price_micro_per_hour=30_000_000, free_minutes=15),
    ),
    TariffAssignmentPut(tariff_id="tou", valid_from=START, kind="dc", home_party_id=HOME),
    TARIFF,
    StationPut(
        name="示例充电站",
        latitude_e6=22_543_096,
        longitude_e6=114_057_865,
        tariff_id="tou",
        piles=[
            Pile(
                pile_id="P1",
                kind="dc",
                rated_power_w=60_000,
                connectors=[Connector(connector_id="P1C1", details=ConnectorDetails(connector_type="dc_gun"))],
                details=PileDetails(manufacturer_name="示例设备厂", latitude_e6=22_543_100),
            )
        ],
        details=StationDetails(
            country_code="CN", area_code="440305", station_type="public", park_spaces=6, support_order=False
        ),
    ),
    StatusPush(statuses=[ConnectorStatus(connector_id="P1C1", state=ConnectorState.AVAILABLE, at=START)]),
    AuthorizeRequest(authorization_ref="a-1", token=CARD, connector_id="P1C1", target=TARGET),
    Authorization(
        authorization_id=AUTHORIZATION,
        authorization_ref="a-1",
        state=AuthorizationState.GRANTED,
        session_id=SESSION,
        limit_fen=10_000,
        token_ref="pGh2m0Xo3J9bq1Zc4Rk5Tw",
        tariff=TARIFF,
    ),
    HomeAuthorizeRequest(
        authorization_id=AUTHORIZATION,
        session_id=SESSION,
        token=CARD,
        host_party_id=HOST,
        connector=CONNECTOR,
        tariff=TARIFF,
        target=TARGET,
        hold_fen=10_000,
    ),
    HomeAuthorization(state=AuthorizationState.GRANTED, limit_fen=10_000, home_ref="b-1"),
    ReleaseRequest(authorization_id=AUTHORIZATION, reason="home_unavailable"),
    StartRequest(start_ref="s-1", token=CARD, connector=CONNECTOR, limit_fen=10_000, target=TARGET),
    HostStartRequest(
        session_id=SESSION,
        authorization_id=AUTHORIZATION,
        connector_id="P1C1",
        home_party_id=HOME,
        token_ref="pGh2m0Xo3J9bq1Zc4Rk5Tw",
        start_mode="home",
        tariff_id="tou",
        tariff_version=3,
        limit_fen=10_000,
        target=TARGET,
    ),
    HostStartReply(accepted=True, host_ref="h-1"),
    StopRequest(stop_ref="x-1"),
    SessionUpdate(
        number=7,
        at=START + timedelta(minutes=20),
        state=SessionState.CHARGING,
        meter_wh=110_000,
        energy_wh=10_000,
        amount_fen=700,
        power_w=30_000,
        soc_percent=41,
    ),
    SessionProgress(
        session_id=SESSION,
        number=7,
        at=START + timedelta(minutes=20),
        state=SessionState.CHARGING,
        energy_wh=10_000,
        amount_fen=700,
        power_w=30_000,
        percent=33,
        seconds_left=2_400,
        soc_percent=41,
    ),
    ChargeRecord(
        record_ref="r-1",
        session_id=SESSION,
        connector_id="P1C1",
        started_at=START,
        ended_at=END,
        meter_start_wh=100_000,
        meter_end_wh=130_001,
        energy_wh=30_001,
        lines=LINES,
        electricity_fen=ELECTRICITY,
        service_fen=AMOUNT - ELECTRICITY,
        amount_fen=AMOUNT,
        tariff_id="tou",
        tariff_version=3,
        stop_reason="target_energy",
    ),
    UnmatchedRecord(
        record_ref="r-2",
        session_ref="offline-7",
        home_party_id=HOME,
        token_kind=TokenKind.CARD,
        token_digest="0123456789abcdef0123456789abcdef",
        connector_id="P1C1",
        started_at=START,
        ended_at=END,
        left_at=END + timedelta(hours=1),
        meter_start_wh=130_001,
        meter_end_wh=160_002,
        energy_wh=30_001,
        lines=LINES,
        fees=[PARKED],
        electricity_fen=ELECTRICITY,
        service_fen=AMOUNT - ELECTRICITY,
        parking_fen=PARKED.amount_fen,
        amount_fen=AMOUNT + PARKED.amount_fen,
        tariff_id="tou",
        tariff_version=3,
        stop_reason="card",
    ),
    CreditRecord(record_ref="c-1", record_id=RECORD, amount_fen=AMOUNT, reason="billed twice"),
    RecordReply(record_id=RECORD, record_ref="r-1", state="accepted", owed_fen=AMOUNT),
    HomeRecord(
        record_id=RECORD,
        session_id=SESSION,
        authorization_id=AUTHORIZATION,
        home_ref="s-1",
        host_party_id=HOST,
        connector=CONNECTOR,
        started_at=START,
        ended_at=END,
        meter_start_wh=100_000,
        meter_end_wh=130_001,
        energy_wh=30_001,
        lines=LINES,
        electricity_fen=ELECTRICITY,
        service_fen=AMOUNT - ELECTRICITY,
        amount_fen=AMOUNT,
        owed_fen=AMOUNT,
        tariff_id="tou",
        tariff_version=3,
        stop_reason="target_energy",
    ),
    SETTLEMENT,
    RecordAnswer(state="settled", settlement=SETTLEMENT),
    RecordListPart(
        check_ref="day-1",
        role="host",
        day="2026-11-20",
        part=2,
        parts=2,
        lines=[
            ListedRecord(record="r-1", amount_fen=AMOUNT, energy_wh=30_001),
            ListedRecord(record="c-1", amount_fen=AMOUNT, energy_wh=30_001, credit=True),
        ],
    ),
    RecordListReply(
        state="compared",
        here=LISTED,
        there=CheckTotals(records=1, amount_fen=AMOUNT, energy_wh=30_001),
        differences=[NOT_LISTED],
        differences_count=1,
    ),
    RecordCheck(
        check_id="chk_019aa000-0000-7000-8000-000000000006",
        party_id=HOST,
        role="host",
        day="2026-11-20",
        source="partner",
        check_ref="day-1",
        state="compared",
        parts=2,
        parts_done=2,
        created_at=END,
        updated_at=END,
        here=LISTED,
        there=CheckTotals(records=1, amount_fen=AMOUNT, energy_wh=30_001),
        differences_count=1,
        at_risk_fen=AMOUNT,
        differences=[replace(NOT_LISTED, record_id=RECORD)],
        compared_at=END,
    ),
    DisputeRaise(
        dispute_ref="d-1",
        record_id=RECORD,
        reason="司机当时不在现场",
        evidence=[DisputeEvidence(name="app log", text="09:30 start failed")],
    ),
    DisputeAnswer(
        answer="contest",
        reason="meter and camera say otherwise",
        evidence=[
            DisputeEvidence(name="photo", link="https://evidence.example/1.jpg", sha256="0a" * 32),
        ],
    ),
    Dispute(
        dispute_id="dsp_019aa000-0000-7000-8000-000000000007",
        record_id=RECORD,
        home_party_id=HOME,
        host_party_id=HOST,
        raised_by=HOME,
        state=DisputeState.RAISED.value,
        in_time=True,
        amount_fen=AMOUNT,
        currency="CNY",
        reason="司机当时不在现场",
        evidence=[DisputeEvidence(name="app log", text="09:30 start failed")],
        raised_at=END,
        due_at=END + timedelta(hours=72),
        updated_at=END,
    ),
    Obligation(
        obligation_id="obl_019aa000-0000-7000-8000-000000000004",
        kind="charge",
        debtor=HOME,
        creditor=HOST,
        amount_fen=AMOUNT,
        booked_day="2026-11-20",
        state="open",
        record_id=RECORD,
    ),
    FaultReport(
        request_ref="f-1",
        connector=CONNECTOR,
        kind=FaultKind.CABLE_STUCK,
        text="枪拔不出来",
        photos=["https://photos.example/1.jpg"],
        session_id=SESSION,
    ),
    Fault(
        fault_id="flt_019aa000-0000-7000-8000-000000000005",
        request_ref="f-1",
        connector=CONNECTOR,
        station_name="示例充电站",
        kind="cable_stuck",
        text="枪拔不出来",
        photos=["https://photos.example/1.jpg"],
        session_id=SESSION,
        state="resolved",
        order_state="confirmed",
        outcome="已更换枪锁",
        reported_at=START,
        updated_at=END,
    ),
]
