"""What the examples' stations say of themselves: all that T/CEC 102.2 requires, and some more."""

from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorDetails,
    Pile,
    PileDetails,
    StationDetails,
)
from operator_sdk.contract.station_details import (
    ConnectorType,
    Construction,
    NationalStandard,
    StationStatus,
    StationType,
)

NANSHAN = "440305"
"""The district's code in GB/T 2260."""

DC_VOLT, AC_VOLT = (200, 1_000), (220, 220)


def public_station(area_code: str = NANSHAN, *, park_spaces: int = 6) -> StationDetails:
    """A public station that is open day and night."""
    return StationDetails(
        country_code="CN",
        area_code=area_code,
        operator_phone="400-000-0000",
        station_type=StationType.PUBLIC,
        status=StationStatus.IN_SERVICE,
        construction=Construction.CAR_PARK,
        park_spaces=park_spaces,
        business_hours="00:00-24:00",
        site_guide="地面停车场入口右侧",
        park_fee="充电限时免费停车",
        payment="线上",
        support_order=False,
    )


def described_pile(pile_id: str, kind: str, power_w: int, *connector_ids: str) -> Pile:
    """A pile with its plugs, each as strong as the pile; without names, one plug of the pile's own."""
    low, high = DC_VOLT if kind == "dc" else AC_VOLT
    plug = ConnectorDetails(
        connector_type=ConnectorType.DC_GUN if kind == "dc" else ConnectorType.AC_SOCKET,
        voltage_lower_v=low,
        voltage_upper_v=high,
        current_a=-(-power_w // high),
        national_standard=NationalStandard.GB_2015,
    )
    return Pile(
        pile_id=pile_id,
        kind=kind,
        rated_power_w=power_w,
        connectors=[Connector(connector_id=name, details=plug) for name in connector_ids or (pile_id,)],
        details=PileDetails(manufacturer_name="示例设备厂", model=f"{kind.upper()}-{power_w // 1000}"),
    )
