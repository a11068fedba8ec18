"""One example of every T/CEC 102 message, plain and sealed: published in `schema/examples/tcec102/`.

The two platforms are made up, and the keys are those of the standard's own example, so that anybody can check
an implementation of theirs against the files. One charge runs through all of them.
"""

from decimal import Decimal
from typing import Any

import msgspec

from operator_sdk.contract.tcec102 import messages as m
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.messages_base import Part
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.sequences import make_seq
from operator_sdk.contract.tcec102.wire import seal_answer, seal_request
from operator_sdk.contract.tcec102.writing import write

HOME_ID, HOST_ID = "123456789", "987654321"
PUBLISHED_SECRET = "1234567890abcdef"
GOLDEN_KEYS = KeySet(
    operator_secret=PUBLISHED_SECRET,
    data_secret=PUBLISHED_SECRET,
    data_secret_iv=PUBLISHED_SECRET,
    sig_secret=PUBLISHED_SECRET,
)
GOLDEN_PROFILE = Profile(
    operator_id=HOST_ID, name="An example", roles=["host", "home"], base_url="https://partner.example"
)
"""The standard's defaults."""

EXAMPLE_TOKEN = "an-example-token"
STAMP, SEQ = "20260801100000", "0001"

_CHARGE = make_seq(HOME_ID, "golden charge")
_STATION, _PILE, _CONNECTOR = "310115001", "31011500101", "3101150010101"
_START, _SAMPLE, _END = "2026-08-01 10:00:05", "2026-08-01 10:30:05", "2026-08-01 10:59:50"

_CONNECTOR_INFO = m.ConnectorInfo(
    connector_id=_CONNECTOR,
    connector_name="1号枪",
    connector_type=4,
    voltage_upper_limits=750,
    voltage_lower_limits=200,
    current=160,
    power=Decimal("120.0"),
    park_no="A01",
    national_standard=2,
)
_STATION_INFO = m.StationInfo(
    station_id=_STATION,
    operator_id=HOST_ID,
    equipment_owner_id=HOST_ID,
    station_name="上海示例充电站",
    country_code="CN",
    area_code="310115",
    address="上海市浦东新区示例路1号",
    service_tel="4000000000",
    station_type=1,
    station_status=50,
    park_nums=20,
    station_lng=Decimal("121.544379"),
    station_lat=Decimal("31.221461"),
    construction=9,
    business_hours="00:00-24:00",
    electricity_fee="00:00-24:00 0.8500元/度",
    service_fee="0.4000元/度",
    payment="线上",
    support_order=0,
    equipment_infos=[
        m.EquipmentInfo(
            equipment_id=_PILE,
            manufacturer_name="示例制造",
            equipment_model="DC120",
            production_date="2025-03-01",
            equipment_type=1,
            power=Decimal("120.0"),
            connector_infos=[_CONNECTOR_INFO],
        )
    ],
)
_STATUS_INFO = m.ConnectorStatusInfo(connector_id=_CONNECTOR, status=3, park_status=50, lock_status=0)
_DETAIL = m.ChargeDetail(
    detail_start_time=_START,
    detail_end_time=_SAMPLE,
    elec_price=Decimal("0.8500"),
    service_price=Decimal("0.4000"),
    detail_power=Decimal("24.50"),
    detail_elec_money=Decimal("20.83"),
    detail_service_money=Decimal("9.80"),
)
_LAST_DETAIL = msgspec.structs.replace(
    _DETAIL,
    detail_end_time=_END,
    detail_power=Decimal("40.00"),
    detail_elec_money=Decimal("34.00"),
    detail_service_money=Decimal("16.00"),
)
_CHARGE_STATUS = m.NotificationEquipChargeStatus(
    start_charge_seq=_CHARGE,
    start_charge_seq_stat=2,
    connector_id=_CONNECTOR,
    connector_status=3,
    current_a=Decimal("122.50"),
    voltage_a=Decimal("400.00"),
    soc=Decimal("56.00"),
    start_time=_START,
    end_time=_SAMPLE,
    total_power=Decimal("24.50"),
    elec_money=Decimal("20.83"),
    service_money=Decimal("9.80"),
    total_money=Decimal("30.63"),
    sum_period=1,
    charge_details=[_DETAIL],
)
_CHECK = make_seq(HOST_ID, "golden check")
_ORDER = m.ChargeOrder(start_charge_seq=_CHARGE, total_power=Decimal("40.00"), total_money=Decimal("50.00"))

GOLDEN: dict[str, tuple[Part, Part]] = {
    "query_token": (
        m.QueryToken(operator_id=HOME_ID, operator_secret=PUBLISHED_SECRET),
        m.QueryTokenReply(
            operator_id=HOST_ID, succ_stat=0, access_token=EXAMPLE_TOKEN, token_available_time=7200
        ),
    ),
    "query_stations_info": (
        m.QueryStationsInfo(last_query_time="2026-07-31 02:00:00", page_no=1, page_size=50),
        m.QueryStationsInfoReply(page_no=1, page_count=1, item_size=1, station_infos=[_STATION_INFO]),
    ),
    "notification_stationStatus": (
        m.NotificationStationStatus(connector_status_info=_STATUS_INFO),
        m.NotificationStationStatusReply(status=0),
    ),
    "query_station_status": (
        m.QueryStationStatus(station_ids=[_STATION]),
        m.QueryStationStatusReply(
            total=1,
            station_status_infos=[
                m.StationStatusInfo(station_id=_STATION, connector_status_infos=[_STATUS_INFO])
            ],
        ),
    ),
    "query_station_stats": (
        m.QueryStationStats(station_id=_STATION, start_time="2026-08-01", end_time="2026-08-01"),
        m.QueryStationStatsReply(
            station_stats=m.StationStatsInfo(
                station_id=_STATION,
                start_time="2026-08-01",
                end_time="2026-08-01",
                station_electricity=Decimal("40.0"),
                equipment_stats_infos=[
                    m.EquipmentStatsInfo(
                        equipment_id=_PILE,
                        equipment_electricity=Decimal("40.0"),
                        connector_stats_infos=[
                            m.ConnectorStatsInfo(connector_id=_CONNECTOR, connector_electricity=Decimal("40.0"))
                        ],
                    )
                ],
            )
        ),
    ),
    "query_equip_auth": (
        m.QueryEquipAuth(equip_auth_seq=make_seq(HOME_ID, "golden auth"), connector_id=_CONNECTOR),
        m.QueryEquipAuthReply(
            equip_auth_seq=make_seq(HOME_ID, "golden auth"), connector_id=_CONNECTOR, succ_stat=0
        ),
    ),
    "query_equip_business_policy": (
        m.QueryEquipBusinessPolicy(equip_biz_seq=make_seq(HOME_ID, "golden policy"), connector_id=_CONNECTOR),
        m.QueryEquipBusinessPolicyReply(
            equip_biz_seq=make_seq(HOME_ID, "golden policy"),
            connector_id=_CONNECTOR,
            succ_stat=0,
            sum_period=1,
            policy_infos=[
                m.PolicyInfo(start_time="000000", elec_price=Decimal("0.8500"), service_price=Decimal("0.4000"))
            ],
        ),
    ),
    "query_start_charge": (
        m.QueryStartCharge(start_charge_seq=_CHARGE, connector_id=_CONNECTOR, qr_code=""),
        m.QueryStartChargeReply(
            start_charge_seq=_CHARGE, start_charge_seq_stat=1, connector_id=_CONNECTOR, succ_stat=0
        ),
    ),
    "notification_start_charge_result": (
        m.NotificationStartChargeResult(
            start_charge_seq=_CHARGE,
            start_charge_seq_stat=2,
            connector_id=_CONNECTOR,
            start_time=_START,
            ident_code="4711",
        ),
        m.NotificationStartChargeResultReply(start_charge_seq=_CHARGE, succ_stat=0),
    ),
    "query_equip_charge_status": (
        m.QueryEquipChargeStatus(start_charge_seq=_CHARGE),
        m.QueryEquipChargeStatusReply(**msgspec.structs.asdict(_CHARGE_STATUS)),
    ),
    "notification_equip_charge_status": (
        _CHARGE_STATUS,
        m.NotificationEquipChargeStatusReply(start_charge_seq=_CHARGE, succ_stat=0),
    ),
    "query_stop_charge": (
        m.QueryStopCharge(start_charge_seq=_CHARGE, connector_id=_CONNECTOR),
        m.QueryStopChargeReply(start_charge_seq=_CHARGE, start_charge_seq_stat=3, succ_stat=0),
    ),
    "notification_stop_charge_result": (
        m.NotificationStopChargeResult(
            start_charge_seq=_CHARGE, start_charge_seq_stat=4, connector_id=_CONNECTOR, succ_stat=0
        ),
        m.NotificationStopChargeResultReply(start_charge_seq=_CHARGE, succ_stat=0),
    ),
    "notification_charge_order_info": (
        m.NotificationChargeOrderInfo(
            start_charge_seq=_CHARGE,
            connector_id=_CONNECTOR,
            start_time=_START,
            end_time=_END,
            total_power=Decimal("40.00"),
            total_elec_money=Decimal("34.00"),
            total_service_money=Decimal("16.00"),
            total_money=Decimal("50.00"),
            stop_reason=1,
            sum_period=1,
            charge_details=[_LAST_DETAIL],
        ),
        m.NotificationChargeOrderInfoReply(start_charge_seq=_CHARGE, connector_id=_CONNECTOR, confirm_result=0),
    ),
    "check_charge_orders": (
        m.CheckChargeOrders(
            check_order_seq=_CHECK,
            start_time="2026-08-01 00:00:00",
            end_time="2026-08-02 00:00:00",
            order_count=1,
            total_order_power=Decimal("40.00"),
            total_order_money=Decimal("50.00"),
            charge_orders=[_ORDER],
        ),
        m.CheckChargeOrdersReply(
            check_order_seq=_CHECK,
            start_time="2026-08-01 00:00:00",
            end_time="2026-08-02 00:00:00",
            total_dispute_order=0,
            total_dispute_power=Decimal("0.00"),
            total_dispute_money=Decimal("0.00"),
            dispute_orders=[],
        ),
    ),
}


def golden_files() -> dict[str, Any]:
    """The published files by name: the keys, and both directions of every interface, plain and sealed."""
    files: dict[str, Any] = {
        "keys.json": {
            "OperatorSecret": GOLDEN_KEYS.operator_secret,
            "DataSecret": GOLDEN_KEYS.data_secret,
            "DataSecretIV": GOLDEN_KEYS.data_secret_iv,
            "SigSecret": GOLDEN_KEYS.sig_secret,
        }
    }
    for name, (request, reply) in GOLDEN.items():
        caller = HOST_ID if INTERFACES[name].served_by == "customer" else HOME_ID
        asked, answered = write(request, GOLDEN_PROFILE), write(reply, GOLDEN_PROFILE)
        sealed = seal_request(GOLDEN_KEYS, caller, asked, stamp=STAMP, seq=SEQ)
        files[f"{name}.request.json"] = _file(asked, sealed)
        files[f"{name}.reply.json"] = _file(answered, seal_answer(GOLDEN_KEYS, 0, "", answered, GOLDEN_PROFILE))
    return files


def _file(plain: bytes, sealed: bytes) -> dict[str, Any]:
    """`plain` to the byte, and the same as an object for the reader."""
    return {
        "envelope": msgspec.json.decode(sealed),
        "message": msgspec.json.decode(plain),
        "plain": plain.decode(),
    }
