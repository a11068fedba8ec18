"""The hosted home's side of a charge: hold, release, pay; each once, whatever is lost or repeated."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.ledger.model import Balance
from hub.parties.scope import HUB
from operator_sdk.contract.codes import AuthorizationState, TokenKind
from operator_sdk.contract.messages.admin import Customer
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod
from operator_sdk.contract.messages.records import HomeRecord, SettlementRecord
from operator_sdk.contract.messages.roaming import HomeAuthorization, HomeAuthorizeRequest
from operator_sdk.contract.public_codes import Code
from tests.integration.accounts_of import HOME, HOST, OTHER, Hosted, hosted_on

CARD = Token(kind=TokenKind.CARD, ref="6200123456789")
GRANTED, REFUSED = AuthorizationState.GRANTED, AuthorizationState.REFUSED


class Driver:
    """One customer with 50.00 yuan and a card, and the messages of one charge."""

    def __init__(self, hosted: Hosted, customer: Customer, tariff: Tariff) -> None:
        self.hosted, self.customer, self.tariff = hosted, customer, tariff
        self.charging, self.accounts = hosted.charging, hosted.accounts

    def request(self, n: int, hold_fen: int, token: Token = CARD) -> HomeAuthorizeRequest:
        return HomeAuthorizeRequest(
            authorization_id=f"aut_{n}",
            session_id=f"ses_{n}",
            token=token,
            host_party_id=HOST,
            connector=f"1.{HOST}",
            tariff=self.tariff,
            target=Target(),
            hold_fen=hold_fen,
        )

    async def authorize(self, n: int, hold_fen: int = 3000, token: Token = CARD) -> HomeAuthorization:
        return await self.charging.authorize(HOME, self.request(n, hold_fen, token))

    async def settle(self, n: int, owed_fen: int, **changed: object) -> SettlementRecord:
        at = self.hosted.clock.now
        record = HomeRecord(
            record_id=f"rec_{n}",
            session_id=f"ses_{n}",
            authorization_id=f"aut_{n}",
            home_ref=None,
            host_party_id=HOST,
            connector=f"1.{HOST}",
            started_at=at - timedelta(hours=1),
            ended_at=at,
            meter_start_wh=0,
            meter_end_wh=1000,
            energy_wh=1000,
            lines=[],
            electricity_fen=owed_fen,
            service_fen=0,
            amount_fen=owed_fen,
            owed_fen=owed_fen,
            tariff_id="t",
            tariff_version=1,
            stop_reason="driver_remote",
        )
        return await self.charging.settle(HOME, msgspec.structs.replace(record, **changed))

    async def wallet(self) -> tuple[int, int, int]:
        seen = await self.accounts.customer(HUB, self.customer.customer_id)
        return seen.balance_fen, seen.held_fen, seen.debt_fen

    async def owed_to(self, kind: str, subject: str = "") -> int:
        async with self.hosted.database.reading() as unit:
            balance: Balance = await self.hosted.ledger.balances(unit, HOME, kind, subject)
        return balance.balance_fen


@pytest.fixture
async def driver(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Driver]:
    tariff = Tariff(
        party_id=HOST,
        tariff_id="t",
        version=1,
        valid_from=clock.now,
        periods=[
            TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=800_000, service_micro=400_000)
        ],
    )
    async with hosted_on(database, clock, tmp_path / "codes") as hosted:
        customer = await hosted.add()
        await hosted.accounts.add_token(customer.customer_id, CARD)
        await hosted.top_up(customer, "t0", 5000)
        yield Driver(hosted, customer, tariff)


async def test_a_grant_holds_the_money(driver: Driver) -> None:
    answer = await driver.authorize(1)
    assert (answer.state, answer.limit_fen, answer.refusal) == (GRANTED, 3000, None)
    assert await driver.wallet() == (5000, 3000, 0)


async def test_the_same_question_twice_has_one_answer_and_one_hold(driver: Driver) -> None:
    assert await driver.authorize(1) == await driver.authorize(1)
    assert await driver.wallet() == (5000, 3000, 0)


async def test_another_question_under_a_known_id_is_refused(driver: Driver) -> None:
    await driver.authorize(1)
    with pytest.raises(HubError) as refused:
        await driver.authorize(1, 2999)
    assert refused.value.code is Code.ID_REUSED
    assert await driver.wallet() == (5000, 3000, 0)


async def test_too_little_money_is_refused_for_ever_under_that_id(driver: Driver) -> None:
    await driver.authorize(1)
    assert (await driver.authorize(2)).refusal == Code.INSUFFICIENT_FUNDS
    await driver.hosted.top_up(driver.customer, "t1", 90000)
    assert (await driver.authorize(2)).state is REFUSED
    assert (await driver.authorize(3)).state is GRANTED


@pytest.mark.parametrize(
    ("token", "refusal"),
    [
        (Token(kind=TokenKind.CARD, ref="0000"), Code.TOKEN_UNKNOWN),
        (Token(kind=TokenKind.PLATE, ref=CARD.ref), Code.TOKEN_UNKNOWN),
        (Token(kind=TokenKind.APP_USER, ref="nobody"), Code.TOKEN_UNKNOWN),
    ],
)
async def test_an_unknown_token_is_refused(driver: Driver, token: Token, refusal: Code) -> None:
    answer = await driver.authorize(1, token=token)
    assert (answer.state, answer.refusal) == (REFUSED, refusal)


async def test_the_app_user_of_a_customer_is_granted(driver: Driver) -> None:
    token = Token(kind=TokenKind.APP_USER, ref=driver.customer.customer_id)
    assert (await driver.authorize(1, token=token)).state is GRANTED


async def test_a_blocked_token_is_refused_until_it_is_unblocked(driver: Driver) -> None:
    await driver.accounts.block_token(driver.customer.customer_id, CARD)
    assert (await driver.authorize(1)).refusal == Code.TOKEN_BLOCKED
    await driver.accounts.block_token(driver.customer.customer_id, CARD, blocked=False)
    assert (await driver.authorize(1)).refusal == Code.TOKEN_BLOCKED
    assert (await driver.authorize(2)).state is GRANTED


async def test_an_expired_token_is_refused(driver: Driver) -> None:
    plate = Token(kind=TokenKind.PLATE, ref="粤B12345")
    end = driver.hosted.clock.now + timedelta(days=1)
    await driver.accounts.add_token(driver.customer.customer_id, plate, expires_at=end)
    assert (await driver.authorize(1, 100, plate)).state is GRANTED
    driver.hosted.clock.advance(days=1)
    assert (await driver.authorize(2, 100, plate)).refusal == Code.TOKEN_EXPIRED


async def test_a_release_gives_the_hold_back_once(driver: Driver) -> None:
    await driver.authorize(1)
    for _ in range(2):
        assert await driver.charging.release(HOME, "aut_1") == "released"
    assert await driver.wallet() == (5000, 0, 0)
    assert (await driver.authorize(1)).refusal == Code.RELEASED


async def test_a_release_before_the_question_burns_it(driver: Driver) -> None:
    assert await driver.charging.release(HOME, "aut_1") == "released"
    assert (await driver.authorize(1)).refusal == Code.RELEASED
    assert await driver.wallet() == (5000, 0, 0)


async def test_question_and_release_at_once_never_leave_a_hold(driver: Driver) -> None:
    for n in range(8):
        both = [driver.authorize(n), driver.charging.release(HOME, f"aut_{n}")]
        await asyncio.gather(*(both if n % 2 else both[::-1]))
        assert await driver.wallet() == (5000, 0, 0)


async def test_another_home_has_no_hand_on_an_authorization(driver: Driver) -> None:
    await driver.authorize(1)
    with pytest.raises(NotFoundError):
        await driver.charging.release(OTHER, "aut_1")
    with pytest.raises(NotFoundError):
        await driver.charging.authorize(OTHER, driver.request(1, 3000))
    assert await driver.wallet() == (5000, 3000, 0)


async def test_a_record_is_paid_from_the_hold_and_the_rest_is_released(driver: Driver) -> None:
    await driver.authorize(1)
    paid = await driver.settle(1, 1200)
    assert (paid.captured_fen, paid.released_fen, paid.driver_amount_fen) == (1200, 1800, 1200)
    assert await driver.wallet() == (3800, 0, 0)
    assert await driver.owed_to("payable", HOST) == 1200


async def test_a_record_repeated_is_answered_and_paid_once(driver: Driver) -> None:
    await driver.authorize(1)
    first = await driver.settle(1, 1200)
    driver.hosted.clock.advance(hours=1)
    assert await driver.settle(1, 1200) == first
    assert await driver.charging.release(HOME, "aut_1") == "consumed"
    with pytest.raises(HubError) as refused:
        await driver.settle(1, 1201)
    assert refused.value.code is Code.ID_REUSED
    assert await driver.wallet() == (3800, 0, 0)


async def test_many_deliveries_of_one_record_pay_it_once(driver: Driver) -> None:
    await driver.authorize(1)
    paid = await asyncio.gather(*(driver.settle(1, 1200) for _ in range(6)))
    assert all(one == paid[0] for one in paid)
    assert await driver.wallet() == (3800, 0, 0)


async def test_above_the_hold_the_wallet_pays_and_then_the_driver_owes(driver: Driver) -> None:
    await driver.authorize(1, 3000)
    await driver.authorize(2, 1500)
    paid = await driver.settle(1, 3700)
    assert (paid.captured_fen, paid.released_fen, paid.driver_amount_fen) == (3000, 0, 3700)
    assert await driver.wallet() == (1500, 1500, 200)
    assert await driver.owed_to("payable", HOST) == 3700
    assert await driver.owed_to("customer_debt", driver.customer.customer_id) == 200


async def test_a_top_up_pays_debt_first(driver: Driver) -> None:
    await driver.authorize(1, 5000)
    await driver.settle(1, 5250)
    assert await driver.wallet() == (0, 0, 250)
    after = await driver.hosted.top_up(driver.customer, "t1", 100)
    assert (after.balance_fen, after.debt_fen) == (0, 150)
    for _ in range(2):
        after = await driver.hosted.top_up(driver.customer, "t2", 400)
        assert (after.balance_fen, after.debt_fen) == (250, 0)


async def test_old_debt_is_paid_before_a_new_charge_is_granted(driver: Driver) -> None:
    await driver.authorize(1, 2000)
    await driver.authorize(2, 3000)
    await driver.settle(1, 2100)
    await driver.charging.release(HOME, "aut_2")
    assert await driver.wallet() == (3000, 0, 100)
    assert (await driver.authorize(3, 3000)).refusal == Code.INSUFFICIENT_FUNDS
    assert (await driver.authorize(4, 2900)).state is GRANTED
    assert await driver.wallet() == (2900, 2900, 0)


async def test_a_free_charge_releases_everything(driver: Driver) -> None:
    await driver.authorize(1)
    paid = await driver.settle(1, 0)
    assert (paid.captured_fen, paid.released_fen, paid.driver_amount_fen) == (0, 3000, 0)
    assert await driver.wallet() == (5000, 0, 0)


async def test_a_record_after_the_release_is_paid_without_the_hold(driver: Driver) -> None:
    await driver.authorize(1)
    await driver.charging.release(HOME, "aut_1")
    paid = await driver.settle(1, 1200)
    assert (paid.captured_fen, paid.released_fen, paid.driver_amount_fen) == (0, 3000, 1200)
    assert await driver.wallet() == (3800, 0, 0)


async def test_a_charge_at_an_own_pile_is_a_sale_and_no_obligation(driver: Driver) -> None:
    await driver.authorize(1)
    await driver.settle(1, 1200, host_party_id=HOME)
    assert await driver.owed_to("charging_sales") == 1200
    assert await driver.owed_to("payable", HOST) == 0


async def test_a_record_nobody_authorized_is_not_paid(driver: Driver) -> None:
    with pytest.raises(NotFoundError):
        await driver.settle(1, 1200)
    await driver.charging.release(HOME, "aut_2")
    await driver.authorize(3, 99999)
    for n in (2, 3):
        with pytest.raises(HubError) as refused:
            await driver.settle(n, 1200)
        assert refused.value.code is Code.STATE_CONFLICT
    assert await driver.wallet() == (5000, 0, 0)


async def test_racing_questions_never_hold_more_than_the_wallet(driver: Driver) -> None:
    answers = await asyncio.gather(*(driver.authorize(n, 900) for n in range(12)))
    assert [answer.state for answer in answers].count(GRANTED) == 5
    assert await driver.wallet() == (5000, 4500, 0)


# Credits.


async def give_back(driver: Driver, n: int, owed_fen: int, **changed: object) -> SettlementRecord:
    credit = {"record_id": f"rec_c{n}", "kind": "credit", "credit_of": f"rec_{n}"}
    return await driver.settle(n, owed_fen, **(credit | changed))


async def test_a_credit_gives_back_into_the_wallet_what_its_record_took_and_once(driver: Driver) -> None:
    await driver.authorize(1)
    await driver.settle(1, 3500)
    assert await driver.wallet() == (1500, 0, 0)
    told = [await give_back(driver, 1, 3500) for _ in range(2)]
    assert told[0] == told[1]
    assert (told[0].driver_amount_fen, told[0].captured_fen, told[0].released_fen) == (3500, 0, 0)
    assert await driver.wallet() == (5000, 0, 0)
    assert await driver.owed_to("payable", HOST) == 0
    with pytest.raises(HubError) as refused:
        await give_back(driver, 1, 3499)
    assert refused.value.code is Code.ID_REUSED


async def test_a_credit_takes_off_the_debt_first_as_far_as_it_still_stands(driver: Driver) -> None:
    await driver.authorize(1)
    await driver.settle(1, 6000)
    assert await driver.wallet() == (0, 0, 1000)
    await driver.hosted.top_up(driver.customer, "t1", 400)
    await driver.authorize(2, 100)
    assert await driver.wallet() == (0, 0, 600), "old debt came first"
    await give_back(driver, 1, 6000)
    assert await driver.wallet() == (5400, 0, 0)
    assert await driver.owed_to("payable", HOST) == 0


async def test_a_record_behind_its_credit_takes_nothing_and_lets_the_hold_go(driver: Driver) -> None:
    await driver.authorize(1)
    early = await give_back(driver, 1, 3000)
    assert early.driver_amount_fen == 0
    assert await driver.wallet() == (5000, 3000, 0)
    late = await driver.settle(1, 3000)
    assert (late.driver_amount_fen, late.captured_fen, late.released_fen) == (0, 0, 3000)
    assert await driver.wallet() == (5000, 0, 0)


async def test_a_credit_of_what_was_never_granted_gives_nothing_back(driver: Driver) -> None:
    await driver.authorize(1, 99_999)
    await driver.authorize(2, token=Token(kind=TokenKind.CARD, ref="nobody's"))
    for n in (1, 2, 3):
        told = [await give_back(driver, n, 3000) for _ in range(2)]
        assert told[0] == told[1]
        assert (told[0].driver_amount_fen, told[0].captured_fen, told[0].released_fen) == (0, 0, 0)
    assert await driver.wallet() == (5000, 0, 0)
    assert await driver.owed_to("payable", HOST) == 0


async def test_a_record_of_a_charge_unknown_here_finds_nobody(driver: Driver) -> None:
    with pytest.raises(NotFoundError):
        await driver.settle(1, 3000, session_id=None, authorization_id=None)
