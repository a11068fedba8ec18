"""Stations on map and list, and the rest of the page: reports, languages, small screens, a line that is cut."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, Route, expect

from hub.upkeep.tables_faults import FaultRow
from tests.browser.conftest import DESK, HERE, Screen, Screens, line_to
from tests.browser.world import HOSTILE, STATION, World
from tests.rig import PHONE, A, B, C, D

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class SignIn:
    """What a driver reads where he signs in."""

    home: str
    choose: str
    other: str
    send_code: str
    by_assertion: str
    assertion: str


TAP = "(document.querySelector('.pin:not(.cluster)') ?? document.querySelector('.pin.cluster'))?.click()"
"""A station's pin; where only clusters are in sight one of them, which then opens."""

PLACE = """() => {
    const pin = document.querySelector('.pin:not(.cluster)')?.getBoundingClientRect();
    return pin?.width ? { x: pin.x, y: pin.y } : null;
}"""
"""Of a station's pin, found and measured in one go: what the search finds meanwhile makes all pins anew."""

MORE_STATIONS = 24
"""Two pages of the list, and one that goes over."""


async def near(screens: Screens, **more: object) -> Screen:
    """A phone in the city that may say where it is."""
    return await screens.open(geolocation=HERE, permissions=["geolocation"], **more)  # type: ignore[arg-type]


def driver(world: World) -> str:
    """C's driver's token."""
    return world.rig.token(C, world.rig.customer.customer_id)


async def place_of_a_pin(page: Page) -> dict[str, float]:
    """Where a station's pin is, in pixels, once there is one."""
    place: dict[str, float] = await (await page.wait_for_function(PLACE)).json_value()
    return place


async def test_the_list_begins_nearest_and_goes_on_to_the_last_station(world: World, screens: Screens) -> None:
    screen = await near(screens, language="zh-CN", pictures="stations-zh")
    page = screen.page
    await screen.go("/stations")
    first = page.locator(".item").first
    await expect(first).to_contain_text(STATION)
    await expect(first).to_contain_text("m")
    await screen.picture("1-list")
    async with asyncio.timeout(20):
        while await page.locator(".item").count() <= MORE_STATIONS:
            await page.mouse.move(200, 700)
            await page.mouse.wheel(0, 4000)
            await asyncio.sleep(0.05)
    links = await page.locator(".item").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    assert len(links) == len(set(links)) == MORE_STATIONS + 1, "every station once"
    far = await page.locator(".item .item-side .muted").all_inner_texts()
    metres = [float(text.split()[0]) * (1000 if text.endswith("km") else 1) for text in far]
    assert metres == sorted(metres)


async def test_a_name_that_means_harm_is_only_a_name(world: World, screens: Screens) -> None:
    screen = await near(screens)
    page = screen.page
    await screen.go("/stations")
    await page.get_by_role("searchbox").fill("onerror")
    await expect(page.locator(".item")).to_have_count(1)
    await expect(page.locator(".item strong")).to_have_text(HOSTILE)
    await page.locator(".item").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    await expect(page.locator(".plugs > li").first).to_be_visible()
    assert await page.locator("main img, main script").count() == 0
    assert await page.locator("[onerror]").count() == 0
    assert await page.title() == "Stations · Interpile"
    way = await page.get_by_role("link", name="Directions").get_attribute("href")
    assert way is not None
    assert re.fullmatch(r"geo:22\.\d{6},11[34]\.\d{6}\?q=22\.\d{6},11[34]\.\d{6}\([\w%.'()*~!-]+\)", way), way


async def test_the_map_opens_clusters_and_offers_to_search_where_it_was_dragged(
    world: World, screens: Screens
) -> None:
    screen = await near(screens, size=DESK, pictures="map-en")
    page = screen.page
    await screen.go("/stations")
    await page.locator(".pin").first.wait_for()
    await page.locator(".map-surface").focus()
    for _ in range(4):
        await page.keyboard.press("-")
    cluster = page.locator(".pin.cluster").first
    await expect(cluster).to_be_visible()
    await screen.picture("1-clusters")
    before = await page.locator(".pin").count()
    await cluster.click()
    await expect(page.locator(".pin")).not_to_have_count(before)
    box = await place_of_a_pin(page)
    await page.mouse.move(box["x"] + 20, box["y"] + 15)
    await page.mouse.down()
    await page.mouse.move(500, 200, steps=4)
    await page.mouse.up()
    assert page.url.endswith("#/stations"), "what was dragged was not meant to be opened"
    await page.get_by_role("button", name="Search here").click()
    await expect(page.get_by_role("heading", name="Near the map's centre")).to_be_visible()
    async with asyncio.timeout(20):
        while "#/station/" not in page.url:  # what was found meanwhile takes the place of a pin that was tapped
            await page.evaluate(TAP)
            await asyncio.sleep(0.1)
    await expect(page.locator(".pin.selected")).to_have_count(1)
    await screen.picture("2-station")


async def test_a_key_opens_a_station_after_a_drag_that_no_click_followed(
    world: World, screens: Screens
) -> None:
    screen = await near(screens, size=DESK)
    page = screen.page
    await screen.go("/stations")
    box = await place_of_a_pin(page)
    await page.mouse.move(box["x"] + 20, box["y"] + 15)
    await page.mouse.down()
    # New results make pins anew, and a click is of a node that was there from its beginning to its end.
    await page.evaluate("document.querySelector('.pin:not(.cluster)').remove()")
    await page.mouse.move(box["x"] + 60, box["y"] + 30, steps=4)
    await page.mouse.up()
    assert page.url.endswith("#/stations")
    await page.locator(".pin:not(.cluster)").first.press("Enter")
    await expect(page).to_have_url(re.compile("#/station/"))


async def test_without_the_service_the_page_says_so_and_goes_on_by_itself(
    world: World, screens: Screens
) -> None:
    async with line_to(world.bff.url) as (url, line):
        screen = await screens.open("zh-CN", url=url, pictures="offline-zh")
        page = screen.page
        await screen.go("/me")
        line.obey("cut")
        await screen.go("/stations")
        await expect(page.locator(".banner.offline")).to_contain_text("网络不通")
        await screen.picture("1")
        line.obey("pass")
        await expect(page.locator(".item").first).to_be_visible()
        await expect(page.locator(".banner.offline")).to_be_hidden()


async def test_a_driver_reports_a_fault_once_and_sees_what_comes_of_it(world: World, screens: Screens) -> None:
    async with line_to(world.bff.url) as (url, line):
        screen = await screens.open(url=url, token=driver(world), pictures="report-en")
        page = screen.page
        await screen.go(f"/report?connector=A1.{A}")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_text("Choose what is wrong")).to_be_visible()
        await page.get_by_role("radio", name="Damaged").check()
        await page.locator("textarea[name=text]").fill("<b>屏幕碎了</b>")
        await page.locator("textarea[name=photos]").fill("http://insecure.example/1.jpg")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".field.wrong")).to_have_count(1)
        await page.locator("textarea[name=photos]").fill(
            "https://photos.example/1.jpg\nhttps://photos.example/2.jpg"
        )
        line.obey("drop_answers")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_role("alert").last).to_be_visible()
        line.obey("pass")
        await page.get_by_role("button", name="Send").click()
        await page.wait_for_url(re.compile("#/reports"))
        await expect(page.locator("article.report")).to_have_count(1)
    await expect(page.locator("article.report")).to_contain_text("<b>屏幕碎了</b>")
    await expect(page.locator("article.report a")).to_have_count(2)
    await screen.picture("1")
    (fault,) = await world.rig.rows(FaultRow)
    assert fault.connector_id == "A1", "the answer that was lost did not make a second report"


async def test_the_language_follows_the_phone_and_is_switched_by_a_tap(world: World, screens: Screens) -> None:
    screen = await screens.open("zh-TW", token=driver(world))
    page = screen.page
    await screen.go("/scan?code=nonsense%21")
    await expect(page.get_by_role("alert")).to_contain_text("无法识别的二维码")
    assert await page.evaluate("document.documentElement.lang") == "zh-CN"
    await page.get_by_role("button", name="Switch to English").click()
    await expect(page.get_by_role("alert")).to_contain_text("names no connector known here")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Scan to charge")
    assert await page.evaluate("document.documentElement.lang") == "en"
    await page.reload()
    await expect(page.get_by_role("navigation", name="Main menu")).to_contain_text("Stations")


async def test_a_code_that_is_too_long_is_refused_and_not_cut_for_the_host_needs_it_whole(
    world: World, screens: Screens
) -> None:
    screen = await screens.open("en-GB", token=driver(world))
    await screen.go(f"/scan?code=hlht://A2.{A}/{'7' * 500}")
    await expect(screen.page.get_by_role("alert")).to_be_visible()
    await expect(screen.page.locator(".hold")).to_have_count(0)


async def test_nothing_hangs_over_the_edge_of_a_small_phone_and_everything_has_a_name(
    world: World, screens: Screens
) -> None:
    screen = await near(screens, size=(320, 640), token=driver(world), pictures="small-en", color_scheme="dark")
    page = screen.page
    views: dict[str, Callable[[Page], Awaitable[None]]] = {
        "/stations": lambda at: at.locator(".item").first.wait_for(),
        f"/station/S1.{A}": lambda at: at.locator(".prices-bar").wait_for(),
        "/scan": lambda at: at.locator("input[name=code]").wait_for(),
        f"/scan?code=A2.{A}": lambda at: at.locator(".hold").wait_for(),
        "/me": lambda at: at.locator(".wallet").wait_for(),
        "/report": lambda at: at.locator(".choices").wait_for(),
        "/charges": lambda at: at.locator(".segments").wait_for(),
    }
    for number, (view, is_shown) in enumerate(views.items()):
        await screen.go(view)
        await is_shown(page)
        await screen.picture(str(number))
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320, view
        assert await page.evaluate(NAMELESS) == [], view


NAMELESS = """() => [...document.querySelectorAll('button, a, input, select, textarea, [role=img]')]
  .filter((one) => !(one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length))
  .map((one) => one.outerHTML)"""


async def test_who_is_not_signed_in_is_led_to_it_and_back(world: World, screens: Screens) -> None:
    screen = await screens.open("zh-CN")
    page = screen.page
    await screen.go("/charges")
    await page.get_by_role("link", name="登录").click()
    await page.get_by_label("归属运营商").select_option("其他(输入机构代码)")
    await page.get_by_role("button", name="获取验证码").click()
    await expect(page.locator(".field.wrong")).to_contain_text("9 位组织机构代码")
    await page.locator("input[name=home]").fill(C.lower())
    await page.locator("input[name=phone]").fill(PHONE)
    await page.locator("input[name=code]").fill("000000")
    await page.locator("form .primary").click()
    await expect(page.get_by_role("alert")).to_contain_text("登录失败")
    await page.get_by_role("button", name="运营商凭证").click()
    await page.locator("textarea[name=assertion]").fill(world.assertion("u-2"))
    await page.locator("form .primary").click()
    await page.wait_for_url(re.compile("#/charges$"))
    await expect(page.get_by_text("还没有账单")).to_be_visible()


SIGN_IN = {
    "zh-CN": SignIn(
        "归属运营商", "请选择您的运营商", "其他(输入机构代码)", "获取验证码", "运营商凭证", "登录凭证"
    ),
    "en-GB": SignIn(
        "Home operator",
        "Choose your operator",
        "Another (type its code)",
        "Send code",
        "From your operator",
        "Sign-in assertion",
    ),
}


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
async def test_a_driver_chooses_his_home_by_its_name_or_types_its_code(
    world: World, screens: Screens, language: str
) -> None:
    """A sells no home; of the others each shows the way that its drivers sign in."""
    words = SIGN_IN[language]
    screen = await screens.open(language, pictures=f"home-{language[:2]}")
    page = screen.page
    await screen.go("/signin")
    choice = page.get_by_label(words.home)
    names = [f"Operator {home}" for home in (B, C, D)]
    assert await choice.locator("option").all_inner_texts() == [words.choose, *names, words.other]
    await screen.picture("1-before")
    await page.get_by_role("button", name=words.send_code).click()
    await expect(page.locator(".field.wrong")).to_contain_text(words.choose)
    await choice.select_option(f"Operator {B}")
    await expect(page.locator("input[name=phone]")).to_have_count(0)
    await expect(page.locator(".note")).to_contain_text(f"Operator {B}")
    await screen.picture("2-by-assertion")
    await page.locator("form").get_by_role("button", name=words.by_assertion).click()
    await expect(page.get_by_label(words.assertion)).to_be_visible()
    await page.get_by_role("group").get_by_role("button").first.click()
    await choice.select_option(words.other)
    await expect(page.locator("input[name=home]")).to_be_focused()
    await screen.picture("3-typed")
    await choice.select_option(f"Operator {C}")
    await expect(page.locator("input[name=home]")).to_be_hidden()
    await expect(page.locator("input[name=phone]")).to_be_visible()
    await screen.picture("4-by-code")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    assert await page.evaluate(NAMELESS) == []


async def test_a_driver_types_his_homes_code_where_the_list_of_homes_does_not_come(
    world: World, screens: Screens
) -> None:
    screen = await screens.open()
    page = screen.page
    await page.route(
        "**/graphql", lambda route: route.abort() if "Operators" in asked(route) else route.continue_()
    )
    await screen.go("/signin")
    await page.get_by_label("Home operator").fill(C)
    await expect(page.locator("select")).to_have_count(0)
    await page.locator("input[name=phone]").fill("13900000000")
    await page.get_by_role("button", name="Send code").click()
    await expect(page.locator(".note")).to_contain_text("on its way")


def asked(route: Route) -> str:
    """What a request of the page asks for."""
    return route.request.post_data or ""
