"""What a driver does on the page, and what he sees there."""

import re

from playwright.async_api import Page, Request, expect

from hub.roaming.tables import SessionRow
from tests.browser.conftest import Screen, Screens
from tests.browser.world import World
from tests.rig import A, B
from tests.rig_charges import Charge, begin_by_home


async def rows(world: World) -> list[SessionRow]:
    """Every charge there is."""
    return await world.rig.rows(SessionRow)


def is_renewal(asked: Request) -> bool:
    """Whether another token is asked for."""
    return "refreshSignIn" in (asked.post_data or "")


async def scanned(screen: Screen, code: str) -> None:
    """The code is pasted."""
    await screen.go("/scan")
    await screen.page.locator("input[name=code]").fill(code)
    await screen.page.keyboard.press("Enter")


async def started(screen: Screen) -> str:
    """The start button is pressed; the charge's id."""
    await screen.page.locator(".deck .primary").click()
    await screen.page.wait_for_url(re.compile("#/charge/"))
    return screen.page.url.rpartition("/")[2]


async def value(page: Page, name: str, text: str) -> None:
    """A figure of the live view. Waiting looks more often than `expect` does."""
    exactly = re.compile(rf"^\s*{re.escape(text)}\s*$")
    await page.locator(f"[data-value={name}]").filter(has_text=exactly).wait_for()


async def points(page: Page, count: int) -> None:
    """The power curve has so many points."""
    path = re.compile(rf"^M[^L]+(L[^L]+){{{count - 1}}}$")
    await expect(page.locator(".curve-line")).to_have_attribute("d", path)


async def fees(page: Page) -> int:
    """The fees of a bill's lines, in fen."""
    texts = await page.locator(".line-fee > span:last-child").all_inner_texts()
    return sum(int(text.lstrip("¥").replace(".", "")) for text in texts)


async def driver_of(world: World, screens: Screens, *, url: str = "") -> Screen:
    """B's driver, signed in."""
    return await screens.open(token=world.rig.token(B, "u-1"), url=url)


async def finish(world: World, session_id: str) -> Charge:
    """The pile charges for a while and ends."""
    charge = await world.begins(session_id)
    await world.ends(charge, 6)
    return charge


async def billed(world: World, minutes: int, connector_id: str = "A1") -> str:
    """A whole charge of B's driver that his page has no part in; its id."""
    session = await begin_by_home(world.rig, connector=f"{connector_id}.{A}")
    charge = await world.begins(session.session_id)
    await ended_there(world, charge, minutes, connector_id)
    return session.session_id


async def ended_there(world: World, charge: Charge, minutes: int, connector_id: str) -> None:
    """The pile stops and the bill is out."""
    await charge.ends(minutes)
    await charge.bill(connector_id=connector_id)
    await world.rig.work()


async def shows_the_bill_of(world: World, page: Page, session_id: str) -> None:
    """This one and no other."""
    record = await world.rig.record(session_id)
    await page.wait_for_url(re.compile("#/bill/"))
    await expect(page.locator(".facts code")).to_have_text(record.record_id)
    yuan, fen = divmod(record.amount_fen, 100)
    await expect(page.locator(".bill-amount")).to_have_text(f"¥{yuan}.{fen:02d}")
