"""A connector's prices as its host tells them, as a tariff (T/CEC 102.3-2016, 6.3); estimates without them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from operator_sdk.contract.codes import Band
from operator_sdk.contract.messages.directory import TariffPeriod, TariffPut
from operator_sdk.contract.pricing import DAY_MINUTES
from operator_sdk.contract.tcec102.messages import PolicyInfo
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.values import micro_of, parse_clock, zone_of

PERIODS_MOST, PRICE_MOST_MICRO = 32, 1_000_000_000
BANDS = {0: Band.SHARP, 1: Band.PEAK, 2: Band.FLAT, 3: Band.VALLEY}
"""PriceType, an extension."""


class PolicyProblem(ValueError):
    """Prices that make no tariff; `field` is the standard's name of what is wrong."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: {expected}")
        self.field = field


@dataclass(frozen=True, slots=True)
class _Begun:
    minute: int
    electricity_micro: int
    service_micro: int
    band: str | None


def tariff_of_policy(infos: Sequence[PolicyInfo], profile: Profile, now: datetime) -> TariffPut:
    """A policy as a tariff from now on. A period lasts until the next one's start, the last into the next day.

    Raises:
        PolicyProblem: no periods or too many, a start that is no time or comes twice, a price that is none.
    """
    if not infos:
        raise PolicyProblem("PolicyInfos", "at least one period")
    begun = sorted((_begun(info) for info in infos), key=lambda one: one.minute)
    if any(one.minute == other.minute for one, other in pairwise(begun)):
        raise PolicyProblem("StartTime", "every period starts at a time of its own")
    if begun[0].minute:
        last = begun[-1]
        begun.insert(0, _Begun(0, last.electricity_micro, last.service_micro, last.band))
    if len(begun) > PERIODS_MOST:
        raise PolicyProblem("PolicyInfos", f"at most {PERIODS_MOST} periods of the day")
    ends = [*(one.minute for one in begun[1:]), DAY_MINUTES]
    periods = [
        TariffPeriod(
            start_minute=one.minute,
            end_minute=end,
            electricity_micro=one.electricity_micro,
            service_micro=one.service_micro,
            band=one.band,
        )
        for one, end in zip(begun, ends, strict=True)
    ]
    return TariffPut(valid_from=now, periods=periods, utc_offset_minutes=_offset_minutes(profile, now))


def estimated_tariff(profile: Profile, now: datetime) -> TariffPut | None:
    """What the profile estimates for a host that does not tell its prices; nobody is bound by it."""
    electricity, service = profile.pricing.estimate_electricity, profile.pricing.estimate_service
    if electricity is None or service is None:
        return None
    period = TariffPeriod(
        start_minute=0,
        end_minute=DAY_MINUTES,
        electricity_micro=_micro(Decimal(electricity), "estimate_electricity"),
        service_micro=_micro(Decimal(service), "estimate_service"),
    )
    offset = _offset_minutes(profile, now)
    return TariffPut(valid_from=now, periods=[period], utc_offset_minutes=offset, binding=False)


def _begun(info: PolicyInfo) -> _Begun:
    return _Begun(
        minute=_minute(info.start_time),
        electricity_micro=_micro(info.elec_price, "ElecPrice"),
        service_micro=_micro(info.service_price, "SevicePrice"),
        band=BANDS.get(info.price_type) if info.price_type is not None else None,
    )


def _minute(text: str) -> int:
    try:
        minute, second = divmod(parse_clock(text), 60)
    except ValueError as problem:
        raise PolicyProblem("StartTime", "HHmmss") from problem
    if second or minute >= DAY_MINUTES:
        raise PolicyProblem("StartTime", "a whole minute before 24:00")
    return minute


def _micro(price: Decimal, field: str) -> int:
    micro = micro_of(price)
    if not 0 <= micro <= PRICE_MOST_MICRO:
        raise PolicyProblem(field, "a price in yuan per kWh from 0 to 1000")
    return micro


def _offset_minutes(profile: Profile, now: datetime) -> int:
    offset = now.astimezone(zone_of(profile.time.zone)).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) // 60
