"""A driver's whole charge in the browser, and what goes wrong between phone and service."""

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta

import pytest
from msgspec.structs import replace
from playwright.async_api import Page, expect

from operator_sdk.contract.codes import Band, SessionState, StopReason
from operator_sdk.contract.messages.directory import TariffPeriod, TariffPut, TimeFee
from operator_sdk.contract.pricing import fee_lines
from tests.browser.conftest import Screen, Screens, line_to
from tests.browser.steps import (
    billed,
    driver_of,
    ended_there,
    fees,
    finish,
    is_renewal,
    points,
    rows,
    scanned,
    shows_the_bill_of,
    started,
    value,
)
from tests.browser.world import STATION, TARIFF, World
from tests.rig import HOLD_FEN, PHONE, A, B, C
from tests.rig_charges import begin_by_home

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODE_FORGED = {"zh-CN": "二维码校验失败", "en-GB": "The code's check value is wrong."}


@dataclass(frozen=True)
class Words:
    """What a driver reads on his way."""

    sign_in: str
    send_code: str
    charging: str
    stop: str
    stop_yes: str
    lines: str
    reason: str
    from_operator: str
    amount: str


WORDS = {
    "zh-CN": Words(
        "登录", "获取验证码", "充电中", "停止充电", "停止", "明细", "您在手机上停止", "运营商凭证", "金额",
    ),
    "en-GB": Words(
        "Sign in", "Send code", "Charging", "Stop charging", "Stop", "Details",
        "You stopped it here", "From your operator", "Amount",
    ),
}  # fmt: skip


async def stopped(world: World, page: Page, words: Words) -> None:
    """Stop, and yes; the host hears of it."""
    await page.get_by_role("button", name=words.stop, exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name=words.stop_yes, exact=True).click()
    before = len(world.rig.a.stops)
    async with asyncio.timeout(20):
        while len(world.rig.a.stops) == before:
            await world.rig.work()
            await asyncio.sleep(0.02)


async def sign_in(world: World, page: Page, language: str) -> None:
    """By phone and one-time code, or with what B has signed."""
    words = WORDS[language]
    if language == "en-GB":
        await page.get_by_role("button", name=words.from_operator).click()
        await page.locator("textarea[name=assertion]").fill(world.assertion())
    else:
        await page.get_by_label("归属运营商").select_option(label=f"Operator {C}")
        await page.locator("input[name=phone]").fill(f"{PHONE[:3]} {PHONE[3:]}")
        await page.get_by_role("button", name=words.send_code).click()
        await expect(page.locator(".note")).to_be_visible()
        await page.locator("input[name=code]").fill(world.one_time_code())
    await page.locator("form .primary").click()


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
async def test_from_the_printed_code_to_the_bill(world: World, screens: Screens, language: str) -> None:
    words = WORDS[language]
    screen = await screens.open(language, pictures=f"charge-{language[:2]}")
    page = screen.page
    await page.goto(world.landing())
    assert "#/scan?code=" in page.url, "a phone's own camera leads to the page"
    await page.get_by_role("link", name=words.sign_in).click()
    await screen.picture("1-sign-in")
    await sign_in(world, page, language)

    await sees_the_offer(screen, words)
    session_id = await started(screen)
    row = await world.rig.session(session_id)
    assert (row.target_kind, row.target_value) == ("amount", 3_050)
    charge = await world.begins(session_id)
    await charge.runs(5, 12, 20)
    await sees_it_live(world, screen, words, session_id)

    stops = len(world.rig.a.stops)
    await page.get_by_role("button", name=words.stop, exact=True).click()
    await screen.picture("4-stop")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await world.rig.work()
    assert len(world.rig.a.stops) == stops, "what was not confirmed is not done"
    await stopped(world, page, words)
    assert len(world.rig.a.stops) == stops + 1
    await world.ends(charge)
    await sees_the_bill(world, screen, words, session_id)


async def sees_the_offer(screen: Screen, words: Words) -> None:
    """Place, price now and hold before anything starts; he wants 30.50 yuan's worth."""
    page = screen.page
    await expect(page.get_by_role("heading", name=STATION)).to_be_visible()
    await expect(page.locator(".hold")).to_contain_text("¥50.00")
    await expect(page.locator(".prices rect.now")).to_have_count(1)
    await page.get_by_role("group").get_by_role("button", name=words.amount).click()
    await page.get_by_label(words.amount, exact=True).last.fill("30.5")
    await screen.picture("2-offer")


async def sees_it_live(world: World, screen: Screen, words: Words, session_id: str) -> None:
    """The newest figures, and a curve of every update."""
    page = screen.page
    await value(page, "energy", "3.33")
    await value(page, "power_now", "10.0")
    percent = (await world.rig.session(session_id)).percent
    assert percent
    await expect(page.locator(".ring-figure")).to_have_text(f"{percent}%")
    await expect(page.locator(".ring-state")).to_have_text(words.charging)
    await points(page, 4)
    await screen.picture("3-live")


async def sees_the_bill(world: World, screen: Screen, words: Words, session_id: str) -> None:
    """To the fen what the hub has accepted, and the rest of the hold comes back."""
    page = screen.page
    await page.wait_for_url(re.compile("#/bill/"))
    fen = (await world.rig.record(session_id)).amount_fen
    await expect(page.locator(".bill-amount")).to_have_text(f"¥{fen // 100}.{fen % 100:02d}")
    await expect(page.locator(".lines > li")).to_have_count(2)
    assert await fees(page) == fen, "the lines make up the bill"
    rest = HOLD_FEN - fen
    await expect(page.locator(".settled")).to_contain_text(f"¥{rest // 100}.{rest % 100:02d}")
    await expect(page.get_by_text(words.reason)).to_be_visible()
    await expect(page.get_by_role("heading", name=words.lines)).to_be_visible()
    await screen.picture("5-bill")


async def test_the_live_view_comes_back_after_the_line_was_cut_or_fell_silent_and_misses_nothing(
    world: World, screens: Screens
) -> None:
    async with line_to(world.bff.url) as (url, line):
        screen = await driver_of(world, screens, url=url)
        page, link = screen.page, screen.page.locator(".link-state")
        await page.clock.install()
        await scanned(screen, world.code())
        charge = await world.begins(await started(screen))
        await charge.runs(6)
        await value(page, "energy", "1.00")
        line.obey("cut")
        await expect(link).to_have_text("Reconnecting…")
        await screen.picture("reconnecting")
        await charge.runs(12, 18)
        line.obey("pass")
        await value(page, "energy", "3.00")
        await expect(link).to_have_text("Live")
        await points(page, 4)  # what came while the line was cut came after all, and nothing twice
        line.delay_ms = 3_600_000
        await charge.runs(24)
        await page.clock.fast_forward(16_000)
        await page.clock.fast_forward(11_000)
        await expect(link).to_have_text("Reconnecting…")
        line.obey("cut")
        line.obey("pass")
        await value(page, "energy", "4.00")
        await world.ends(charge)
        await page.wait_for_url(re.compile("#/bill/"))


async def test_the_live_view_goes_on_when_the_token_ends_in_the_middle(world: World, screens: Screens) -> None:
    screen = await screens.open()
    page = screen.page
    await screen.go(f"/signin?assertion={world.assertion()}")
    await expect(page.locator(".wallet")).to_be_visible()
    short = f"accessToken: '{world.rig.token(B, 'u-1', life_s=3)}', endsAt: 9e15, renewAt: 9e15"
    kept = "JSON.parse(sessionStorage.getItem('interpile.account'))"
    await page.evaluate(f"sessionStorage.setItem('interpile.account', JSON.stringify({{...{kept}, {short}}}))")
    await page.goto("about:blank")
    async with page.expect_request(is_renewal):
        await scanned(screen, world.code())
        charge = await world.begins(await started(screen))
        await charge.runs(6)
        await value(page, "energy", "1.00")
    await charge.runs(12)
    await value(page, "energy", "2.00")
    await expect(page.locator(".link-state")).to_have_text("Live")
    await world.ends(charge)
    await page.wait_for_url(re.compile("#/bill/"))


async def test_a_double_tap_starts_one_charge_and_it_is_found_when_the_page_opens_again(
    world: World, screens: Screens
) -> None:
    before = len(await rows(world))
    screen = await driver_of(world, screens)
    await scanned(screen, world.code())
    await screen.page.locator(".deck .primary").dblclick()
    await screen.page.evaluate("document.querySelector('.deck .primary')?.click()")
    await screen.page.wait_for_url(re.compile("#/charge/"))
    assert len(await rows(world)) == before + 1
    charge = await world.begins(screen.page.url.rpartition("/")[2])
    await charge.runs(12)
    again = await driver_of(world, screens)
    await again.go("/me")
    banner = again.page.locator(".banner.running")
    await expect(banner).to_contain_text("2.00 kWh")
    await banner.click()
    await value(again.page, "energy", "2.00")
    await expect(banner).to_have_count(0)
    await world.ends(charge)
    await again.page.wait_for_url(re.compile("#/bill/"))


async def test_a_start_whose_answer_was_lost_is_the_same_start_when_tapped_again(
    world: World, screens: Screens
) -> None:
    before = len(await rows(world))
    async with line_to(world.bff.url) as (url, line):
        screen = await driver_of(world, screens, url=url)
        page = screen.page
        await scanned(screen, world.code())
        await expect(page.locator(".deck .primary")).to_be_visible()
        line.obey("drop_answers")
        await page.locator(".deck .primary").click()
        await expect(page.locator(".deck .bad")).to_contain_text("will not start it twice")
        assert len(await rows(world)) == before + 1, "the first tap did arrive"
        line.obey("pass")
        session_id = await started(screen)
    assert len(await rows(world)) == before + 1
    await finish(world, session_id)


async def test_a_price_that_has_changed_is_shown_before_anything_starts(world: World, screens: Screens) -> None:
    before = len(await rows(world))
    screen = await driver_of(world, screens)
    page = screen.page
    await scanned(screen, world.code())
    await expect(page.locator(".prices-now .price")).to_have_text(re.compile(r"¥1\.(05|45)/kWh"))
    await expect(page.locator(".fee-parking, .fee-idle")).to_have_count(0)
    period = TariffPeriod(
        start_minute=0, end_minute=1440, electricity_micro=1_600_000, service_micro=400_000, band=Band.SHARP
    )
    parking = TimeFee(price_micro_per_hour=5_000_000, free_minutes=30, cap_fen=2_000)
    idle = TimeFee(price_micro_per_hour=12_500_000)
    put = TariffPut(valid_from=world.rig.hub.clock.business(), periods=[period], parking=parking, idle=idle)
    world.tariff = await world.rig.hub.directory.put_tariff(A, TARIFF, 2, put)
    await page.locator(".deck .primary").click()
    await expect(page.locator(".note.warn")).to_contain_text("The price has changed")
    await expect(page.locator(".prices-now .price")).to_have_text("¥2.00/kWh")
    await expect(page.locator(".fee-parking")).to_have_text(
        "Parking ¥5.00/hour · first 30 minutes free · at most ¥20.00"
    )
    await expect(page.locator(".fee-idle")).to_have_text("Idle fee after the charge ¥12.50/hour")
    await expect(page.locator(".periods .band")).to_have_text(" sharp")
    await screen.picture("price-changed")
    assert len(await rows(world)) == before
    session_id = await started(screen)
    await ends_and_stands_there(world, session_id)
    await page.wait_for_url(re.compile("#/bill/"))
    await expect(page.locator(".lines .fee-parking .line-fee")).to_have_text("¥5.00/hour¥0.50")
    await expect(page.locator(".lines .fee-idle .line-fee")).to_have_text("¥12.50/hour¥6.25")
    assert await fees(page) == (await world.rig.record(session_id)).amount_fen
    await screen.picture("bill-with-fees")


async def ends_and_stands_there(world: World, session_id: str) -> None:
    """Six minutes of charging, thirty more in the way: the bill comes when the vehicle has left."""
    charge = await world.begins(session_id)
    await charge.push(charge.update(6, SessionState.ENDED, reason=StopReason.VEHICLE_FULL))
    bill = charge.record(stop_reason=StopReason.VEHICLE_FULL, left_at=charge.at(36))
    lines = fee_lines(world.tariff, started_at=bill.started_at, ended_at=bill.ended_at, left_at=bill.left_at)
    parking, idle = (line.amount_fen for line in lines)
    whole = replace(
        bill, fees=lines, parking_fen=parking, idle_fen=idle, amount_fen=bill.amount_fen + parking + idle
    )
    reply = await world.rig.client(A).push_record(whole)
    assert (reply.state, reply.findings) == ("accepted", [])
    await world.rig.work()


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
async def test_a_forged_code_is_refused_in_the_drivers_words(
    world: World, screens: Screens, language: str
) -> None:
    before = len(await rows(world))
    screen = await screens.open(language, token=world.rig.token(B, "forger"), pictures=f"forged-{language[:2]}")
    await scanned(screen, world.code()[:-4] + "AAAA")
    await expect(screen.page.get_by_role("alert")).to_contain_text(CODE_FORGED[language])
    await expect(screen.page.locator(".deck")).to_have_count(0)
    await screen.picture("1")
    assert len(await rows(world)) == before


async def test_a_refusal_of_the_home_is_told_and_nothing_is_held(world: World, screens: Screens) -> None:
    before = await world.rig.exposure()
    screen = await screens.open("zh-CN", token=world.rig.token(B, "nobody"))
    await scanned(screen, world.code())
    await screen.page.locator(".deck .primary").click()
    await expect(screen.page.locator(".deck .bad")).to_contain_text("身份凭证未知")
    assert await world.rig.exposure() == before


@pytest.mark.parametrize("was", ["accessToken: 'refused'", "renewAt: 0"])
async def test_a_token_that_runs_out_is_renewed_once_for_all_who_need_it(
    world: World, screens: Screens, was: str
) -> None:
    """Before it ends, or when it was refused; and signing out forgets everything."""
    screen = await screens.open()
    page = screen.page
    renewals: list[str] = []
    page.on(
        "request", lambda asked: renewals.append("x") if "refreshSignIn" in (asked.post_data or "") else None
    )
    await screen.go(f"/signin?assertion={world.assertion()}")
    await expect(page.locator(".wallet")).to_be_visible()
    assert "assertion" not in page.url
    kept = "JSON.parse(sessionStorage.getItem('interpile.account'))"
    first = await page.evaluate(f"{kept}.accessToken")
    old = f"JSON.stringify({{...{kept}, {was}}})"
    await page.evaluate(f"sessionStorage.setItem('interpile.account', {old})")
    await page.reload()
    await expect(page.locator(".wallet")).to_contain_text("¥1.00")
    assert await page.evaluate(f"{kept}.accessToken") not in {first, "refused"}
    assert len(renewals) == 1
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert await page.evaluate("sessionStorage.length") == 0


async def test_a_price_is_held_for_two_minutes_by_whatever_clock_the_phone_has(
    world: World, screens: Screens
) -> None:
    screen = await driver_of(world, screens)
    wrong = world.rig.hub.clock.wall() + timedelta(hours=7)
    await screen.page.clock.install(time=wrong)
    await scanned(screen, world.code())
    await expect(screen.page.get_by_role("timer")).to_contain_text("Price held for 1:5")
    await screen.page.clock.fast_forward(120_000)
    await expect(screen.page.get_by_role("button", name="Refresh price")).to_be_visible()
    await expect(screen.page.locator(".deck .primary")).to_be_hidden()


async def test_the_bill_that_follows_a_charge_is_its_own_though_others_come_before_and_meanwhile(
    world: World, screens: Screens
) -> None:
    await billed(world, 6)
    screen = await driver_of(world, screens)
    page = screen.page
    await scanned(screen, world.code())
    own = await world.begins(await started(screen))
    other = await world.begins((await begin_by_home(world.rig, connector=f"A2.{A}")).session_id)
    await own.ends(12)
    await expect(page.get_by_text("Your bill is being made")).to_be_visible()
    await ended_there(world, other, 18, "A2")
    async with page.expect_response(lambda answer: "chargeRecords" in (answer.request.post_data or "")):
        pass
    assert f"#/charge/{own.session_id}" in page.url, "somebody else's bill is no bill of this charge"
    await own.bill()
    await world.rig.work()
    await shows_the_bill_of(world, page, own.session_id)


async def test_a_charge_of_the_past_leads_to_its_own_bill_behind_all_that_came_since(
    world: World, screens: Screens
) -> None:
    own = await billed(world, 13)
    for minutes in range(1, 12):
        await billed(world, minutes, "A2")
    screen = await driver_of(world, screens)
    await screen.go(f"/charge/{own}")
    await shows_the_bill_of(world, screen.page, own)
