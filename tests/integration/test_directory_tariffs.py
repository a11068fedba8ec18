"""Tariff versions on both engines: immutable, in order, never changing the prices of the past."""

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.directory.service import DirectoryService
from hub.parties.tables import PartyRow
from operator_sdk.contract.codes import Band
from operator_sdk.contract.messages.directory import TariffPeriod, TariffPut, TimeFee
from operator_sdk.contract.public_codes import Code

HOST = "MA5AAAAA1"
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)


def put(valid_from: datetime, price: int = 800_000, *, end: int = 1440) -> TariffPut:
    periods = [
        TariffPeriod(start_minute=0, end_minute=480, electricity_micro=price, service_micro=0),
        TariffPeriod(start_minute=480, end_minute=end, electricity_micro=price * 2, service_micro=0),
    ]
    return TariffPut(valid_from=valid_from, periods=periods)


@pytest.fixture
async def directory(database: Database, clock: ManualClock) -> DirectoryService:
    async with database.unit() as unit:
        unit.session.add(
            PartyRow(party_id=HOST, name="A", roles="host", protocol="native", created_at=clock.wall())
        )
    return DirectoryService(database, clock)


async def refused(directory: DirectoryService, version: int, body: TariffPut) -> Code:
    with pytest.raises(HubError) as refusal:
        await directory.put_tariff(HOST, "t1", version, body)
    return refusal.value.code


async def version_at(directory: DirectoryService, at: datetime, tariff_id: str = "t1") -> int | None:
    async with directory._database.reading() as unit:
        tariff = await directory.tariff_at(unit, HOST, tariff_id, at)
    return tariff.version if tariff else None


async def test_a_published_version_never_changes(directory: DirectoryService, clock: ManualClock) -> None:
    first = await directory.put_tariff(HOST, "t1", 1, put(clock.business()))
    clock.advance(days=1)
    assert await directory.put_tariff(HOST, "t1", 1, put(first.valid_from)) == first
    assert await refused(directory, 1, put(first.valid_from, 900_000)) is Code.ID_REUSED
    assert await refused(directory, 1, put(clock.business())) is Code.ID_REUSED
    async with directory._database.reading() as unit:
        assert await directory.tariff_version(unit, HOST, "t1", 1) == first


async def test_the_database_itself_refuses_to_change_a_version(directory: DirectoryService) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    await directory.put_tariff(HOST, "t1", 1, put(NOW))
    for statement in ("UPDATE tariff_version SET version = 2", "DELETE FROM tariff_version"):
        with pytest.raises(DBAPIError, match="only grows"):
            async with directory._database.unit() as unit:
                await (await unit.session.connection()).execute(text(statement))


async def test_versions_only_go_up(directory: DirectoryService, clock: ManualClock) -> None:
    await directory.put_tariff(HOST, "t1", 5, put(clock.business()))
    assert await refused(directory, 4, put(clock.business(), 1)) is Code.RULE_VIOLATED
    assert (await directory.put_tariff(HOST, "t1", 9, put(clock.business(), 1))).version == 9


async def test_a_later_version_may_not_begin_in_the_past(
    directory: DirectoryService, clock: ManualClock
) -> None:
    await directory.put_tariff(HOST, "t1", 1, put(clock.business() - timedelta(days=30)))
    late = clock.business() - timedelta(minutes=5, milliseconds=1)
    assert await refused(directory, 2, put(late, 1)) is Code.RULE_VIOLATED
    assert (await directory.put_tariff(HOST, "t1", 2, put(late + timedelta(milliseconds=1), 1))).version == 2


@pytest.mark.parametrize("valid_from", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
async def test_instants_of_no_age_are_refused(directory: DirectoryService, valid_from: datetime) -> None:
    assert await refused(directory, 1, put(valid_from)) is Code.RULE_VIOLATED


async def test_periods_must_cover_the_day_and_ids_are_checked(directory: DirectoryService) -> None:
    assert await refused(directory, 1, put(NOW, end=1439)) is Code.RULE_VIOLATED
    assert await refused(directory, 0, put(NOW)) is Code.MALFORMED
    with pytest.raises(HubError):
        await directory.put_tariff(HOST, "a b", 1, put(NOW))
    with pytest.raises(NotFoundError):
        await directory.put_tariff("MA5ZZZZZ9", "t1", 1, put(NOW))


async def test_a_version_replaces_another_that_has_not_begun(
    directory: DirectoryService, clock: ManualClock
) -> None:
    now = clock.business()
    await directory.put_tariff(HOST, "t1", 1, put(now))
    await directory.put_tariff(HOST, "t1", 2, put(now + timedelta(days=2), 1))
    await directory.put_tariff(HOST, "t1", 3, put(now + timedelta(days=1), 2))
    assert await version_at(directory, now - timedelta(milliseconds=1)) is None
    assert await version_at(directory, now) == 1
    assert await version_at(directory, now + timedelta(days=1)) == 3
    assert await version_at(directory, now + timedelta(days=3)) == 3


_numbers = itertools.count()


@pytest.mark.property
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 50), st.integers(0, 200)), min_size=1, max_size=6
    ),
    asked=st.lists(st.integers(-10, 300), min_size=1, max_size=8),
)
async def test_the_version_in_force_is_the_greatest_that_has_begun_and_the_past_never_changes(
    directory: DirectoryService, clock: ManualClock, steps: list[tuple[int, int, int]], asked: list[int]
) -> None:
    clock.now = NOW  # the fixtures serve all examples; each has a tariff of its own
    tariff_id = f"t{next(_numbers)}"
    begins: dict[int, datetime] = {}
    answers: dict[datetime, int | None] = {}
    version = 0
    for up, wait, ahead in steps:
        clock.advance(minutes=wait)
        version += up
        begins[version] = clock.business() + timedelta(minutes=ahead)
        await directory.put_tariff(HOST, tariff_id, version, put(begins[version]))
        for minute in asked:
            at = NOW + timedelta(minutes=minute)
            found = await version_at(directory, at, tariff_id)
            assert found == max((v for v, begun in begins.items() if begun <= at), default=None)
            if at < clock.business():
                assert answers.setdefault(at, found) == found


async def test_bands_parking_and_idle_fees_are_a_part_of_the_version(
    directory: DirectoryService, clock: ManualClock
) -> None:
    whole = replace(
        put(clock.business()),
        periods=[
            replace(one, band=band)
            for one, band in zip(put(NOW).periods, (Band.VALLEY, Band.SHARP), strict=True)
        ],
        parking=TimeFee(price_micro_per_hour=5_000_000, free_minutes=30, cap_fen=2_000),
        idle=TimeFee(price_micro_per_hour=30_000_000, free_minutes=15),
    )
    first = await directory.put_tariff(HOST, "t1", 1, whole)
    assert (first.parking, first.idle, first.periods) == (whole.parking, whole.idle, whole.periods)
    assert await directory.put_tariff(HOST, "t1", 1, whole) == first
    async with directory._database.reading() as unit:
        assert await directory.tariff_version(unit, HOST, "t1", 1) == first
        assert await directory.tariff_at(unit, HOST, "t1", NOW) == first
    for other in (
        replace(whole, parking=None),
        replace(whole, idle=whole.parking),
        replace(whole, periods=put(NOW).periods),
    ):
        assert await refused(directory, 1, other) is Code.ID_REUSED
    unheard_of = replace(whole, periods=[replace(one, band="moonlight") for one in whole.periods])
    assert await refused(directory, 2, unheard_of) is Code.RULE_VIOLATED


async def test_a_day_has_thirty_two_periods_and_no_more(directory: DirectoryService) -> None:
    def body(count: int) -> bytes:
        bounds = [1440 * number // count for number in range(count + 1)]
        periods = [
            {"start_minute": begun, "end_minute": ended, "electricity_micro": 1, "service_micro": 1}
            for begun, ended in itertools.pairwise(bounds)
        ]
        return msgspec.json.encode({"valid_from": NOW, "periods": periods})

    most = msgspec.json.decode(body(32), type=TariffPut)
    assert len((await directory.put_tariff(HOST, "t1", 1, most)).periods) == 32
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body(33), type=TariffPut)
