"""Token, stations, status and statistics: T/CEC 102.4 annex A and T/CEC 102.2."""

import msgspec

from operator_sdk.contract.tcec102.messages_base import (
    Count,
    Degrees,
    Lasting,
    Part,
    Tenths,
    Text,
    Time,
    Whole,
    WireId,
)


class QueryToken(Part, frozen=True, kw_only=True):
    """A caller signs in (102.4 annex A). `operator_secret` was issued by the callee."""

    operator_id: WireId
    operator_secret: Text


class QueryTokenReply(Part, frozen=True, kw_only=True):
    """`succ_stat` 0 ok, 1 failed; the life is in seconds; `fail_reason` 1 no such operator, 2 wrong secret."""

    operator_id: WireId
    succ_stat: Whole
    access_token: Text = ""
    token_available_time: Lasting = 0
    fail_reason: Whole = 0


class OperatorInfo(Part, frozen=True, kw_only=True):
    """An operator; the standard defines the object and no query of it."""

    operator_id: WireId
    operator_name: Text
    operator_tel1: Text
    operator_tel2: Text | None = None
    operator_reg_address: Text | None = None
    operator_note: Text | None = None


class ConnectorInfo(Part, frozen=True, kw_only=True):
    """A connector. Volts and amperes are whole numbers, `power` is kW."""

    connector_id: WireId
    connector_type: Whole
    voltage_upper_limits: Whole
    voltage_lower_limits: Whole
    current: Whole
    power: Tenths
    national_standard: Whole
    connector_name: Text | None = None
    park_no: Text | None = None


class EquipmentInfo(Part, frozen=True, kw_only=True):
    """A pile. `equipment_type` 1 DC, 2 AC, 3 both, 4 wireless, 5 other; `power` is kW."""

    equipment_id: WireId
    equipment_type: Whole
    power: Tenths
    connector_infos: list[ConnectorInfo]
    manufacturer_id: Text | None = None
    manufacturer_name: Text | None = None
    equipment_model: Text | None = None
    production_date: Text | None = None
    equipment_lng: Degrees | None = None
    equipment_lat: Degrees | None = None
    equipment_name: Text | None = None


class StationInfo(Part, frozen=True, kw_only=True):
    """A station with its piles (102.2). Coordinates are GCJ-02 unless the profile says otherwise."""

    station_id: WireId
    operator_id: WireId
    equipment_owner_id: WireId
    station_name: Text
    country_code: Text
    area_code: Text
    address: Text
    service_tel: Text
    station_type: Whole
    station_status: Whole
    park_nums: Whole
    station_lng: Degrees
    station_lat: Degrees
    construction: Whole
    equipment_infos: list[EquipmentInfo]
    station_tel: Text | None = None
    site_guide: Text | None = None
    pictures: list[Text] = msgspec.field(default_factory=list)
    match_cars: Text | None = None
    park_info: Text | None = None
    business_hours: Text | None = None
    electricity_fee: Text | None = None
    service_fee: Text | None = None
    park_fee: Text | None = None
    payment: Text | None = None
    support_order: Whole | None = None
    remark: Text | None = None


class QueryStationsInfo(Part, frozen=True, kw_only=True):
    """Stations that changed since `last_query_time`; empty or absent asks for all."""

    last_query_time: Time | None = None
    page_no: Count = 1
    page_size: Count = 10


class QueryStationsInfoReply(Part, frozen=True, kw_only=True):
    """One page; past the last page the list is empty."""

    page_no: Count
    page_count: Count
    item_size: Count
    station_infos: list[StationInfo]


class ConnectorStatusInfo(Part, frozen=True, kw_only=True):
    """`status` 0 offline, 1 idle, 2 occupied, 3 charging, 4 reserved, 255 fault."""

    connector_id: WireId
    status: Whole
    park_status: Whole | None = None
    lock_status: Whole | None = None


class NotificationStationStatus(Part, frozen=True, kw_only=True):
    """A connector's status has changed."""

    connector_status_info: ConnectorStatusInfo


class NotificationStationStatusReply(Part, frozen=True, kw_only=True):
    """`status` 0 accepted, 1 dropped: do not send it again."""

    status: Whole


class StationStatusInfo(Part, frozen=True, kw_only=True):
    """The connectors of one station with their status."""

    station_id: WireId
    connector_status_infos: list[ConnectorStatusInfo]


class QueryStationStatus(Part, frozen=True, kw_only=True):
    """At most 50 station ids."""

    station_ids: list[WireId]


class QueryStationStatusReply(Part, frozen=True, kw_only=True):
    """`total` counts the stations in the list."""

    total: Count
    station_status_infos: list[StationStatusInfo]


class ConnectorStatsInfo(Part, frozen=True, kw_only=True):
    """kWh of one connector in the period, one decimal."""

    connector_id: WireId
    connector_electricity: Tenths


class EquipmentStatsInfo(Part, frozen=True, kw_only=True):
    """kWh of one pile in the period, one decimal."""

    equipment_id: WireId
    equipment_electricity: Tenths
    connector_stats_infos: list[ConnectorStatsInfo]


class StationStatsInfo(Part, frozen=True, kw_only=True):
    """kWh of one station from the day `start_time` to the day `end_time` (yyyy-MM-dd), one decimal."""

    station_id: WireId
    start_time: Time
    end_time: Time
    station_electricity: Tenths
    equipment_stats_infos: list[EquipmentStatsInfo]


class QueryStationStats(Part, frozen=True, kw_only=True):
    """One station; days as yyyy-MM-dd."""

    station_id: WireId
    start_time: Time
    end_time: Time


class QueryStationStatsReply(Part, frozen=True, kw_only=True):
    """The statistics of the station that was asked for."""

    station_stats: StationStatsInfo
