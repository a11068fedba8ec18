"""Staff on both engines: sign-in, lock-out the same for known and unknown logins, roles to the function."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import select

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, TooManyError
from hub.core.ids import SeededIds
from hub.parties.audit import AuditLog
from hub.parties.model import BUNDLES, FUNCTIONS
from hub.parties.passwords import Cost
from hub.parties.service import PartiesService
from hub.parties.staff import StaffService
from hub.parties.tables import AuditRow, StaffRow, StaffSessionRow
from hub.parties.tables_staff import SignInFailure
from operator_sdk.contract.messages.access import StaffSession, StaffSignIn
from operator_sdk.contract.messages.admin import StaffAdd
from operator_sdk.contract.public_codes import Code

PASSWORD = "correct horse battery"


@pytest.fixture
async def staff(database: Database, clock: ManualClock, ids: SeededIds) -> StaffService:
    service = StaffService(database, clock, ids, audit=AuditLog(clock, ids), cost=Cost(n=16, r=1, p=1))
    await service.add_staff(person("ann", "admin"), "cli:root", alone=True)
    return service


def person(login: str, *roles: str, password: str = PASSWORD) -> StaffAdd:
    return StaffAdd(login=login, password=password, roles=list(roles))


async def sign_in(staff: StaffService, login: str = "ann", password: str = PASSWORD) -> StaffSession:
    return await staff.sign_in(StaffSignIn(login=login, password=password))


async def code_of(refused) -> Code:
    with pytest.raises(HubError) as refusal:
        await refused
    return refusal.value.code


async def test_signing_in_gives_a_token_for_eight_hours(staff: StaffService, clock: ManualClock) -> None:
    session = await sign_in(staff)
    assert session.token.startswith("staff_")
    assert session.expires_at == clock.wall() + timedelta(hours=8)
    assert session.roles == sorted(FUNCTIONS)
    who = await staff.who(session.token)
    assert (who.kind, who.subject, who.party_id, who.roles) == ("staff", "ann", None, FUNCTIONS)
    clock.advance(hours=8)
    assert await code_of(staff.who(session.token)) is Code.TOKEN_INVALID
    for wrong in ("", "staff_", session.token + "x", "\ud800"):
        assert await code_of(staff.who(wrong)) is Code.TOKEN_INVALID


async def test_neither_password_nor_token_is_in_the_database(staff: StaffService, database: Database) -> None:
    session = await sign_in(staff)
    async with database.reading() as unit:
        row = await unit.session.get(StaffRow, "ann")
        tokens = (await unit.session.exec(select(StaffSessionRow.token_digest))).all()
        details = (await unit.session.exec(select(AuditRow))).all()
    assert row is not None
    assert row.password_hash.startswith("scrypt$16$1$1$")
    secrets = (PASSWORD, session.token)
    kept = [row.password_hash, *tokens, *(f"{one.subject}{one.detail}" for one in details)]
    assert not any(secret in text for secret in secrets for text in kept)
    assert sorted((one.actor, one.action) for one in details) == [("ann", "sign_in"), ("cli:root", "add_staff")]


async def test_a_guess_costs_what_it_should_where_no_test_says_otherwise(
    database: Database, clock: ManualClock, ids: SeededIds
) -> None:
    service = StaffService(database, clock, ids, audit=AuditLog(clock, ids))
    await service.add_staff(person("bob", "admin"), "cli:root", alone=True)
    async with database.reading() as unit:
        row = await unit.session.get(StaffRow, "bob")
    assert row is not None
    assert row.password_hash.startswith("scrypt$32768$8$3$")


@pytest.mark.parametrize("login", ["ann", "nobody"])
async def test_five_wrong_passwords_lock_a_login_for_fifteen_minutes_whether_it_exists_or_not(
    staff: StaffService, clock: ManualClock, login: str
) -> None:
    for _ in range(5):
        assert await code_of(sign_in(staff, login, "wrong")) is Code.SIGN_IN_FAILED
    for password in ("wrong", PASSWORD):
        with pytest.raises(TooManyError) as refusal:
            await sign_in(staff, login, password)
        assert (refusal.value.code, refusal.value.retry_after_s) == (Code.LOCKED_OUT, 900)
    clock.advance(minutes=15)
    assert await code_of(sign_in(staff, login, "wrong")) is Code.SIGN_IN_FAILED
    if login == "ann":
        assert (await sign_in(staff)).token


async def test_the_right_password_in_time_starts_the_count_anew(staff: StaffService) -> None:
    for _ in range(3):
        for _ in range(4):
            assert await code_of(sign_in(staff, password="wrong")) is Code.SIGN_IN_FAILED
        await sign_in(staff)


async def test_guessing_all_at_once_is_not_more_than_five_guesses(staff: StaffService) -> None:
    guesses = [sign_in(staff, password=f"wrong {number}") for number in range(12)]
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    codes = [outcome.code for outcome in outcomes if isinstance(outcome, HubError)]
    assert sorted(codes) == [Code.LOCKED_OUT] * 7 + [Code.SIGN_IN_FAILED] * 5


async def test_signing_in_twice_at_once_opens_two_sessions(staff: StaffService) -> None:
    await code_of(sign_in(staff, password="wrong"))
    sessions = await asyncio.gather(*(sign_in(staff) for _ in range(4)))
    assert len({session.token for session in sessions}) == 4


async def test_old_failures_and_sessions_are_forgotten(
    staff: StaffService, database: Database, clock: ManualClock, ids: SeededIds
) -> None:
    await sign_in(staff)
    await code_of(sign_in(staff, "nobody", "wrong"))
    clock.advance(hours=9)
    await code_of(sign_in(staff, "nobody2", "wrong"))
    await PartiesService(database, clock, ids, audit=AuditLog(clock, ids)).purge()
    async with database.reading() as unit:
        assert list((await unit.session.exec(select(SignInFailure.login))).all()) == ["nobody2"]
        assert (await unit.session.exec(select(StaffSessionRow))).all() == []


async def test_a_person_has_the_functions_that_were_granted(staff: StaffService) -> None:
    added = await staff.add_staff(person("bob", "support", "clearing", "support"), "ann")
    assert added.roles == ["clearing", "support"]
    session = await sign_in(staff, "bob")
    assert (await staff.who(session.token)).roles == BUNDLES["support"] | {"clearing"}


async def test_nobody_grants_what_they_may_not_do(staff: StaffService) -> None:
    await staff.add_staff(person("bob", "staff", "ledger"), "ann")
    assert await code_of(staff.add_staff(person("eve", "admin"), "bob")) is Code.FORBIDDEN
    assert await code_of(staff.add_staff(person("eve", "keys"), "bob")) is Code.FORBIDDEN
    assert await code_of(staff.add_staff(person("eve", "ledger"), "stranger")) is Code.FORBIDDEN
    assert (await staff.add_staff(person("eve", "ledger"), "bob")).roles == ["ledger"]


async def test_a_login_is_one_persons_and_roles_exist(staff: StaffService) -> None:
    again = person("ann", "onlooker", password="another password")
    assert await code_of(staff.add_staff(again, "cli:root", alone=True)) is Code.ID_REUSED
    assert (await sign_in(staff)).roles == sorted(FUNCTIONS)
    assert await code_of(staff.add_staff(person("eve", "emperor"), "ann")) is Code.RULE_VIOLATED
