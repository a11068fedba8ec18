"""Ten wrong codes a minute and driver are enough, however many processes a driver asks at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from hub.core.errors import HubError, TooManyError
from hub.roaming.tables import ScanRow, SessionRow
from hub.roaming.tables_scans import ScanFailureRow
from hub.wiring import open_hub
from operator_sdk import ApiError, TooManyRequests
from operator_sdk.contract.messages.roaming import ScanRequest
from tests.rig import A, B, C, Rig, open_rig

FORGED, UNKNOWN, GOOD = "/c/A1.MA5AAAAA1?k=1&m=AAAAAAAAAAAA", f"A9.{A}", f"A1.{A}"


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


async def scan(rig: Rig, code: str, subject: str = "d1", home: str = C) -> str:
    """What is said to a driver of this code: a public code, or ok."""
    try:
        await rig.driver(home, subject).scan(ScanRequest(code=code))
    except ApiError as problem:
        return problem.code
    return "ok"


async def age(rig: Rig, seconds: int) -> None:
    """All failures were so much earlier."""
    async with rig.hub.database.unit() as unit:
        for row in await rig.rows(ScanFailureRow):
            stored = await unit.session.get(ScanFailureRow, (row.home_party_id, row.driver_ref))
            assert stored is not None
            instants = [int(ms) - seconds * 1000 for ms in stored.failed_at.strip("[]").split(",")]
            stored.failed_at, stored.last_at = str(instants), stored.last_at - timedelta(seconds=seconds)


async def test_the_eleventh_wrong_code_is_not_even_looked_at(rig: Rig) -> None:
    answers = [await scan(rig, code) for code in (rig.url + FORGED, UNKNOWN) * 5]
    assert answers == ["code_forged", "code_unknown"] * 5
    for code in (rig.url + FORGED, UNKNOWN, GOOD):
        with pytest.raises(TooManyRequests) as problem:
            await rig.driver(C, "d1").scan(ScanRequest(code=code))
        assert problem.value.status == 429
        assert problem.value.retry_after_s is not None
        assert 1 <= problem.value.retry_after_s <= 60
    assert await rig.rows(ScanRow) == []
    assert await rig.rows(SessionRow) == []


async def test_the_limit_is_one_drivers_own(rig: Rig) -> None:
    for _ in range(10):
        assert await scan(rig, UNKNOWN) == "code_unknown"
    assert await scan(rig, GOOD) == "too_many_requests"
    assert await scan(rig, GOOD, "d2") == "ok"
    assert await scan(rig, GOOD, "d1", home=B) == "ok", "the same name at another home is somebody else"


async def test_good_codes_and_good_codes_that_cannot_be_used_count_for_nothing(rig: Rig) -> None:
    for _ in range(12):
        assert await scan(rig, GOOD) == "ok"
        assert await scan(rig, GOOD, home="MA5DDDDD4") == "no_agreement"
    assert await rig.rows(ScanFailureRow) == []
    assert await scan(rig, UNKNOWN) == "code_unknown"


async def test_after_a_minute_he_may_be_wrong_again_as_often_as_time_has_passed(rig: Rig) -> None:
    for _ in range(4):
        await scan(rig, UNKNOWN)
    await age(rig, 40)
    for _ in range(6):
        await scan(rig, UNKNOWN)
    assert await scan(rig, GOOD) == "too_many_requests"
    await age(rig, 21)
    assert await scan(rig, GOOD) == "ok"
    assert [await scan(rig, UNKNOWN) for _ in range(5)] == ["code_unknown"] * 4 + ["too_many_requests"]


async def test_many_at_once_at_two_processes_get_ten_answers(rig: Rig) -> None:
    async with open_hub(rig.hub.settings, warn=False) as second:
        hubs = [rig.hub, second]

        async def guess(number: int) -> str:
            try:
                await hubs[number % 2].roaming.scans.resolve(C, "d1", f"X{number}.{A}")
            except TooManyError as problem:
                return f"wait {1 <= problem.retry_after_s <= 60}"
            except HubError as problem:
                return problem.code
            return "ok"

        answers = await asyncio.gather(*(guess(number) for number in range(40)))
        assert sorted(answers) == ["code_unknown"] * 10 + ["wait True"] * 30
        assert await guess(40) == await guess(41) == "wait True"


async def test_what_lies_more_than_a_minute_back_is_forgotten(rig: Rig) -> None:
    await scan(rig, UNKNOWN)
    await rig.hub.tidy()
    assert len(await rig.rows(ScanFailureRow)) == 1
    await age(rig, 61)
    await rig.hub.tidy()
    assert await rig.rows(ScanFailureRow) == []
