"""The tariff that applies to a driver's home is the same whoever begins the charge, and holds to its end."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from hub.directory.tables_tariffs import TariffAssignmentRow
from operator_sdk import ApiError, AsyncHubClient
from operator_sdk.contract.codes import Band
from operator_sdk.contract.messages.directory import (
    TariffAssignment,
    TariffAssignmentPut,
    TariffPeriod,
    TariffPut,
    TimeFee,
)
from operator_sdk.contract.messages.places import StationQuery
from operator_sdk.contract.messages.roaming import ScanRequest, StartChargingRequest
from tests.rig import SERVICE, A, B, C, D, Rig, flat, open_rig
from tests.rig_charges import CONNECTOR, begin, begin_by_home, charge_of

pytestmark = pytest.mark.integration

AGREED, LATER = 700_000, 900_000


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


async def publish(rig: Rig, tariff_id: str, electricity: int) -> None:
    await rig.client(A).put_tariff(tariff_id, 1, flat(rig.hub, electricity))


async def assign(rig: Rig, tariff_id: str, home: str | None = None) -> TariffAssignment:
    put = TariffAssignmentPut(tariff_id=tariff_id, valid_from=rig.hub.clock.business(), home_party_id=home)
    return await rig.client(A).assign_tariff(put)


async def shown(reader: AsyncHubClient) -> tuple[str, str, int | None]:
    """What a reader is told of A1's price: by the connector, by the page, by the map."""
    info = await reader.get_connector(CONNECTOR)
    detail = await reader.get_station_detail(A, "S1")
    (hit,) = (await reader.search_stations(StationQuery(text="一站"))).items
    assert info.tariff is not None
    assert detail.tariff is not None
    return info.tariff.tariff_id, detail.tariff.tariff_id, hit.price_now_micro


async def test_however_a_charge_begins_its_homes_tariff_prices_it(rig: Rig) -> None:
    for tariff_id, home in (("for-b", B), ("for-c", C)):
        await publish(rig, tariff_id, AGREED)
        await assign(rig, tariff_id, home)
    for mode in ("home", "host", "hub"):
        begun = await begin(rig, mode)
        session = await rig.session(begun.session_id)
        assert (session.tariff_id, session.tariff_version) == ({B: "for-b", C: "for-c"}[begun.home], 1), mode
    assert [start.tariff_id for start in rig.a.starts] == ["for-b", "for-c"]
    assert [ask.tariff.tariff_id for ask in rig.b.authorizations] == ["for-b"]


async def test_everybody_is_shown_the_price_that_a_charge_would_have(rig: Rig) -> None:
    await publish(rig, "for-b", AGREED)
    general, agreed = 1_000_000 + SERVICE, AGREED + SERVICE
    made = await assign(rig, "for-b", B)
    assert await shown(rig.client(B)) == ("for-b", "for-b", agreed)
    assert await shown(rig.driver(B, "u-1")) == ("for-b", "for-b", agreed)
    for other in (rig.driver(), rig.client(A), rig.client(D)):
        assert await shown(other) == ("t", "t", general)
    scan = await rig.driver(B, "u-1").scan(ScanRequest(code=CONNECTOR))
    assert scan.tariff.tariff_id == "for-b"
    assert (await rig.client(A).list_tariff_assignments()).items == [made]
    assert (await rig.client(B).list_tariff_assignments()).items == [made]
    assert (await rig.client(D).list_tariff_assignments()).items == []


async def test_a_tariff_that_applies_since_the_scan_is_shown_first(rig: Rig) -> None:
    driver = rig.driver()
    scan = await driver.scan(ScanRequest(code=CONNECTOR))
    await publish(rig, "for-c", AGREED)
    await assign(rig, "for-c", C)
    with pytest.raises(ApiError) as problem:
        await driver.start_charging(StartChargingRequest(request_ref="r-1", scan_id=scan.scan_id))
    assert problem.value.code == "price_changed"
    assert rig.a.starts == []


async def test_what_is_published_or_assigned_meanwhile_does_not_price_a_running_charge(rig: Rig) -> None:
    await publish(rig, "for-b", AGREED)
    await assign(rig, "for-b", B)
    old, new = [(await begin_by_home(rig)).session_id for _ in range(2)]
    await rig.client(A).put_tariff("for-b", 2, flat(rig.hub, LATER))
    await publish(rig, "other", LATER)
    await assign(rig, "other", B)
    replies = {}
    for session_id, electricity in ((old, AGREED), (new, LATER)):
        charge = await charge_of(rig, session_id)
        assert (charge.tariff.tariff_id, charge.tariff.version) == ("for-b", 1)
        charge.tariff.periods[0] = flat(rig.hub, electricity).periods[0]
        replies[session_id] = await charge.whole()
    assert (replies[old].state, replies[new].state) == ("accepted", "suspended")
    # 40 minutes at 10 kW are 6,666 Wh: 0.70 and 0.50 yuan a kWh.
    assert replies[old].owed_fen == 467 + 333


async def test_an_assignment_is_refused_with_its_reason_and_nothing_is_written(rig: Rig) -> None:
    now = rig.hub.clock.business()
    cases = {
        "tariff_unknown": TariffAssignmentPut(tariff_id="never", valid_from=now),
        "no_agreement": TariffAssignmentPut(tariff_id="t", valid_from=now, home_party_id=D),
        "rule_violated": TariffAssignmentPut(tariff_id="t", valid_from=now - timedelta(minutes=6)),
    }
    for code, put in cases.items():
        with pytest.raises(ApiError) as problem:
            await rig.client(A).assign_tariff(put)
        assert problem.value.code == code
    with pytest.raises(ApiError) as problem:
        await rig.client(B).assign_tariff(cases["rule_violated"])
    assert problem.value.code == "forbidden"
    assert await rig.rows(TariffAssignmentRow) == []


async def test_a_version_published_over_the_api_keeps_its_fees(rig: Rig) -> None:
    fee = TimeFee(price_micro_per_hour=5_000_000, free_minutes=30, cap_fen=2_000)
    day = TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=1, service_micro=1, band=Band.SHARP)
    put = TariffPut(valid_from=rig.hub.clock.business(), periods=[day], parking=fee, idle=fee)
    published = await rig.client(A).put_tariff("t", 2, put)
    shown = (await rig.client(B).get_connector(CONNECTOR)).tariff
    assert shown == published
    assert (published.parking, published.idle, published.periods) == (fee, fee, [day])
    assert await rig.client(A).put_tariff("t", 2, put) == published
