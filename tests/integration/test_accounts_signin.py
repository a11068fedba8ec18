"""Sign-in of hosted drivers: codes that are good once, and refresh tokens that are spent when used."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.accounts.jobs import AccountsJobs
from hub.accounts.service_signin import FileCodeSender
from hub.accounts.tables_signin import DriverSession, OneTimeCode
from hub.core.clock import ManualClock
from hub.core.database import Database, refuse_inside_unit
from hub.core.errors import HubError, TooManyError
from hub.core.tables import table_of
from operator_sdk.contract.public_codes import Code
from tests.integration.accounts_of import HOME, OTHER, PHONE, Hosted, hosted_on


@pytest.fixture
async def hosted(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Hosted]:
    async with hosted_on(database, clock, tmp_path / "codes") as hosted:
        await hosted.add()
        yield hosted


async def code_for(hosted: Hosted, phone: str = PHONE) -> str:
    await hosted.signin.send_code(HOME, phone)
    return str(json.loads(hosted.codes.read_text().splitlines()[-1])["code"])


async def fails(hosted: Hosted, code: str, phone: str = PHONE, home: str = HOME) -> None:
    with pytest.raises(HubError) as refused:
        await hosted.signin.check_code(home, phone, code)
    assert refused.value.code is Code.SIGN_IN_FAILED


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_the_right_code_signs_in_once(hosted: Hosted) -> None:
    code = await code_for(hosted)
    customer = await hosted.add()
    assert await hosted.signin.check_code(HOME, "+86" + PHONE, code) == customer.customer_id
    await fails(hosted, code)


async def test_a_code_of_one_home_or_phone_opens_no_other(hosted: Hosted) -> None:
    await hosted.add(home=OTHER)
    await hosted.add("c2", "13800000002")
    code = await code_for(hosted)
    await fails(hosted, code, home=OTHER)
    await fails(hosted, code, phone="13800000002")


async def test_an_unknown_phone_gets_the_same_answer_and_no_code(hosted: Hosted) -> None:
    known = await hosted.signin.send_code(HOME, PHONE)
    assert await hosted.signin.send_code(HOME, "13999999999") == known
    assert "13999999999" not in hosted.codes.read_text()
    for phone in (PHONE, "13999999999"):
        with pytest.raises(TooManyError) as limited:
            await hosted.signin.send_code(HOME, phone)
        assert limited.value.retry_after_s == 60


async def test_a_code_dies_after_five_minutes(hosted: Hosted) -> None:
    code = await code_for(hosted)
    hosted.clock.advance(minutes=5)
    await fails(hosted, code)


async def test_a_code_dies_after_five_wrong_attempts(hosted: Hosted) -> None:
    code = await code_for(hosted)
    for _ in range(5):
        await fails(hosted, wrong(code))
    await fails(hosted, code)


async def test_the_fifth_attempt_still_counts(hosted: Hosted) -> None:
    code = await code_for(hosted)
    for _ in range(4):
        await fails(hosted, wrong(code))
    assert await hosted.signin.check_code(HOME, PHONE, code)


async def test_attempts_made_at_once_are_all_counted(hosted: Hosted) -> None:
    code = await code_for(hosted)
    await asyncio.gather(*(fails(hosted, wrong(code)) for _ in range(5)))
    await fails(hosted, code)


async def test_a_new_code_replaces_the_old(hosted: Hosted) -> None:
    old = await code_for(hosted)
    hosted.clock.advance(seconds=60)
    new = await code_for(hosted)
    await fails(hosted, old)
    assert await hosted.signin.check_code(HOME, PHONE, new)


async def test_five_codes_an_hour_and_no_more(hosted: Hosted) -> None:
    for _ in range(5):
        await hosted.signin.send_code(HOME, PHONE)
        hosted.clock.advance(minutes=2)
    with pytest.raises(TooManyError) as limited:
        await hosted.signin.send_code(HOME, PHONE)
    assert limited.value.retry_after_s == 50 * 60
    hosted.clock.advance(minutes=50)
    await hosted.signin.send_code(HOME, PHONE)


async def test_codes_asked_for_at_once_are_one(hosted: Hosted) -> None:
    asked = await asyncio.gather(
        *(hosted.signin.send_code(HOME, PHONE) for _ in range(5)), return_exceptions=True
    )
    assert len([one for one in asked if isinstance(one, TooManyError)]) == 4
    assert len(hosted.codes.read_text().splitlines()) == 1


async def test_a_sender_that_fails_changes_no_answer(hosted: Hosted, caplog: pytest.LogCaptureFixture) -> None:
    hosted.codes.mkdir()
    assert await hosted.signin.send_code(HOME, PHONE) == 300
    await hosted.signin.close()
    assert "IsADirectoryError" in caplog.text
    assert PHONE not in caplog.text


async def test_codes_are_sent_after_the_commit(hosted: Hosted) -> None:
    class Sender:
        async def send(self, phone: str, code: str) -> None:
            refuse_inside_unit("sending a code")
            sent.append(phone)

    sent: list[str] = []
    hosted.signin._sender = Sender()
    await hosted.signin.send_code(HOME, PHONE)
    await hosted.signin.close()
    assert sent == [PHONE]


@pytest.mark.parametrize("env", ["production", "", "Demo"])
def test_codes_never_go_to_a_file_in_production(tmp_path: Path, env: str) -> None:
    with pytest.raises(ValueError, match="demo or a test"):
        FileCodeSender(tmp_path / "codes", env=env)


async def refused(hosted: Hosted, token: str) -> None:
    with pytest.raises(HubError) as failed:
        await hosted.signin.refresh(token)
    assert failed.value.code is Code.SIGN_IN_FAILED


async def test_a_refresh_token_is_spent_for_the_next(hosted: Hosted) -> None:
    first = await hosted.signin.open_session(HOME, "cus_1")
    second = await hosted.signin.refresh(first)
    assert (second.home_party_id, second.subject) == (HOME, "cus_1")
    assert (await hosted.signin.refresh(second.refresh_token)).subject == "cus_1"


async def test_reusing_a_spent_token_ends_the_family_and_no_other(hosted: Hosted) -> None:
    first, other = [await hosted.signin.open_session(HOME, "cus_1") for _ in range(2)]
    second = await hosted.signin.refresh(first)
    await refused(hosted, first)
    await refused(hosted, second.refresh_token)
    assert (await hosted.signin.refresh(other)).subject == "cus_1"


async def test_one_token_spent_by_two_at_once_is_spent_once(hosted: Hosted) -> None:
    first = await hosted.signin.open_session(HOME, "cus_1")
    done = await asyncio.gather(*(hosted.signin.refresh(first) for _ in range(4)), return_exceptions=True)
    assert len([one for one in done if isinstance(one, HubError)]) == 3


async def test_unknown_and_expired_tokens_are_refused(hosted: Hosted) -> None:
    first = await hosted.signin.open_session(HOME, "cus_1")
    await refused(hosted, "unknown")
    hosted.clock.advance(days=30)
    await refused(hosted, first)


async def test_old_sign_in_rows_are_forgotten_when_they_mean_nothing(hosted: Hosted) -> None:
    jobs = AccountsJobs(hosted.database, hosted.clock)
    await code_for(hosted)
    await hosted.signin.open_session(HOME, "cus_1")
    for days, codes, sessions in ((0, 1, 1), (1, 0, 1), (60, 0, 0)):
        hosted.clock.advance(days=days)
        await jobs.purge()
        assert await count(hosted.database, OneTimeCode) == codes
        assert await count(hosted.database, DriverSession) == sessions


async def count(database: Database, model: type) -> int:
    async with database.reading() as unit:
        connection = await unit.session.connection()
        return len((await connection.execute(table_of(model).select())).all())
