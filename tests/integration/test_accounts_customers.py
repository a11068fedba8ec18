"""Hosted customers: who they are, what they carry, what is in the wallet, and what is never kept."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.parties.scope import HUB, of_party
from operator_sdk.contract.codes import TokenKind
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.public_codes import Code
from tests.integration.accounts_of import HOME, HOST, NATIVE, OTHER, PHONE, Hosted, hosted_on

CARD = Token(kind=TokenKind.CARD, ref="6200123456789")


@pytest.fixture
async def hosted(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Hosted]:
    async with hosted_on(database, clock, tmp_path / "codes") as hosted:
        yield hosted


async def test_a_new_customer_has_an_empty_wallet(hosted: Hosted) -> None:
    customer = await hosted.add()
    assert (customer.balance_fen, customer.held_fen, customer.debt_fen) == (0, 0, 0)
    assert await hosted.accounts.customer(HUB, customer.customer_id) == customer


async def test_the_same_customer_twice_is_one_customer(hosted: Hosted) -> None:
    assert await hosted.add() == await hosted.add(phone="+86" + PHONE)


@pytest.mark.parametrize(("ref", "phone"), [("c1", "13800000002"), ("c2", PHONE)])
async def test_a_reference_and_a_phone_belong_to_one_customer(hosted: Hosted, ref: str, phone: str) -> None:
    await hosted.add()
    with pytest.raises(HubError) as refused:
        await hosted.add(ref, phone)
    assert refused.value.code is Code.ID_REUSED


async def test_two_homes_may_have_a_customer_with_one_phone(hosted: Hosted) -> None:
    assert await hosted.add() != await hosted.add(home=OTHER)


@pytest.mark.parametrize("home", [NATIVE, "MA5ZZZZZ9"])
async def test_only_hosted_homes_keep_customers_here(hosted: Hosted, home: str) -> None:
    with pytest.raises(NotFoundError):
        await hosted.add(home=home)


async def test_a_customer_is_seen_by_the_own_home_and_nobody_else(hosted: Hosted) -> None:
    customer = await hosted.add()
    assert await hosted.accounts.customer(of_party(HOME), customer.customer_id) == customer
    for stranger in (OTHER, HOST):
        with pytest.raises(NotFoundError):
            await hosted.accounts.customer(of_party(stranger), customer.customer_id)


async def test_a_token_is_given_once(hosted: Hosted) -> None:
    first, second = await hosted.add(), await hosted.add("c2", "13800000002")
    await hosted.accounts.add_token(first.customer_id, CARD)
    await hosted.accounts.add_token(first.customer_id, CARD)
    with pytest.raises(HubError) as refused:
        await hosted.accounts.add_token(second.customer_id, CARD)
    assert refused.value.code is Code.ID_REUSED


async def test_an_app_user_is_no_token_to_give(hosted: Hosted) -> None:
    customer = await hosted.add()
    with pytest.raises(HubError) as refused:
        await hosted.accounts.add_token(customer.customer_id, Token(kind=TokenKind.APP_USER, ref="x"))
    assert refused.value.code is Code.RULE_VIOLATED


async def test_only_the_own_token_can_be_blocked(hosted: Hosted) -> None:
    first, second = await hosted.add(), await hosted.add("c2", "13800000002")
    await hosted.accounts.add_token(first.customer_id, CARD)
    with pytest.raises(NotFoundError):
        await hosted.accounts.block_token(second.customer_id, CARD)


@pytest.mark.parametrize("by", ["card", "customer_id", "customer_ref"])
async def test_the_driver_account_says_what_the_wallet_holds(hosted: Hosted, by: str) -> None:
    customer = await hosted.add()
    await hosted.accounts.add_token(customer.customer_id, CARD)
    await hosted.top_up(customer, "t1", 700)
    token = {
        "card": Token(kind=TokenKind.CARD, ref=CARD.ref.lower() + " "),
        "customer_id": Token(kind=TokenKind.APP_USER, ref=customer.customer_id),
        "customer_ref": Token(kind=TokenKind.APP_USER, ref="c1"),
    }[by]
    account = await hosted.accounts.driver_account(HOME, token)
    assert (account.balance_fen, account.held_fen, account.debt_fen) == (700, 0, 0)
    assert account.name == "张三"
    with pytest.raises(NotFoundError):
        await hosted.accounts.driver_account(OTHER, token)


async def test_a_top_up_is_booked_once_per_reference(hosted: Hosted) -> None:
    customer = await hosted.add()
    for _ in range(2):
        assert (await hosted.top_up(customer, "t1", 700)).balance_fen == 700
    with pytest.raises(HubError) as refused:
        await hosted.top_up(customer, "t1", 701)
    assert refused.value.code is Code.ID_REUSED
    assert (await hosted.top_up(customer, "t2", 1)).balance_fen == 701


async def test_an_unknown_customer_cannot_be_topped_up(hosted: Hosted) -> None:
    customer = await hosted.add()
    stranger = msgspec.structs.replace(customer, customer_id="cus_unknown")
    with pytest.raises(NotFoundError):
        await hosted.top_up(stranger, "t1", 700)


async def test_no_phone_card_or_code_is_in_any_table(hosted: Hosted) -> None:
    customer = await hosted.add()
    await hosted.accounts.add_token(customer.customer_id, CARD, expires_at=hosted.clock.now + timedelta(days=1))
    await hosted.top_up(customer, "t1", 700)
    await hosted.signin.send_code(HOME, PHONE)
    refresh = await hosted.signin.open_session(HOME, customer.customer_id)
    code = hosted.codes.read_text().split('"code": "')[1][:6]
    await hosted.signin.check_code(HOME, PHONE, code)
    everything = await dump(hosted.database)
    assert customer.customer_id in everything
    for secret in (PHONE, CARD.ref, refresh):
        assert secret not in everything
    codes = await dump(hosted.database, only="one_time_code")
    assert f"'{code}'" not in codes


async def dump(database: Database, only: str | None = None) -> str:
    async with database.reading() as unit:
        connection = await unit.session.connection()
        rows: list[object] = []
        for table in SQLModel.metadata.tables:
            if only in {None, table}:
                rows += (await connection.execute(text(f'SELECT * FROM "{table}"'))).all()
    return "\n".join(map(str, rows))
