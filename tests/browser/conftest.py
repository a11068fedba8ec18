"""A headless Chromium of the machine's own, and pages in it that tell of everything that went wrong on them."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect

from operator_sdk.examples.demo.proxy import Channel
from tests.browser.world import World, open_world
from tests.rig_partners import listen, stop_listening

SHOTS = Path(__file__).resolve().parents[2] / "var" / "screenshots"
PHONE, DESK = (390, 844), (1280, 800)
HERE = {"latitude": 22.543, "longitude": 114.045}
TOKENS = "interpile.account"
WAIT_MS = 20_000
expect.set_options(timeout=WAIT_MS)
# What a cut line makes the browser itself complain of.
_EXPECTED = ("Failed to load resource", "WebSocket connection to")


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        reason = "there is no chromium on this machine; on Debian: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@dataclass
class Screen:
    """A page, what it complained of, and a place for its pictures."""

    url: str
    context: BrowserContext
    page: Page
    problems: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    pictures: str = ""

    def watch(self) -> None:
        """Note whatever it complains of and whomever it asks."""
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda said: self._heard(said.type, said.text))
        self.page.on("request", self._asked)

    def _heard(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not text.startswith(_EXPECTED):
            self.problems.append(text)

    def _asked(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in {"http", "https", "ws", "wss"}:
            self.hosts.add(url.netloc)

    async def go(self, fragment: str) -> None:
        """To a view."""
        await self.page.goto(f"{self.url}/app/#{fragment}")

    async def picture(self, name: str) -> None:
        """Keep how it looks, for a person to judge."""
        if self.pictures:
            SHOTS.mkdir(parents=True, exist_ok=True)
            await self.page.screenshot(path=SHOTS / f"{self.pictures}-{name}.png", animations="disabled")

    async def signed_in(self, token: str) -> None:
        """As a driver who has signed in before in this tab."""
        kept = f"{{accessToken: {token!r}, refreshToken: 'spent', endsAt: 9e15, renewAt: 8e15}}"
        await self.context.add_init_script(
            f"sessionStorage.getItem('{TOKENS}') ?? sessionStorage.setItem('{TOKENS}', JSON.stringify({kept}))"
        )

    async def run(self, module: str, body: str, *given: Any) -> Any:
        """Call into one of the page's own modules, named `it`."""
        script = f"async (given) => {{ const it = await import('/app/js/{module}.js'); {body} }}"
        return await self.page.evaluate(script, list(given))


@dataclass
class Screens:
    """Opens pages; at the end none may have complained, nor asked anybody but the service."""

    browser: Browser
    url: str
    opened: list[Screen] = field(default_factory=list)

    async def open(
        self,
        language: str = "en-GB",
        size: tuple[int, int] = PHONE,
        *,
        url: str = "",
        token: str = "",
        pictures: str = "",
        **more: Any,
    ) -> Screen:
        """A page of its own, on no view yet."""
        context = await self.browser.new_context(
            locale=language,
            viewport={"width": size[0], "height": size[1]},
            timezone_id="America/Lima",  # times are those of the stations, wherever the phone is
            reduced_motion="reduce",  # and a charge looks the same on every picture
            **more,
        )
        context.set_default_timeout(WAIT_MS)
        screen = Screen(url or self.url, context, await context.new_page(), pictures=pictures)
        screen.watch()
        if token:
            await screen.signed_in(token)
        self.opened.append(screen)
        return screen

    async def close(self) -> None:
        """All of them."""
        for screen in self.opened:
            await screen.context.close()
        for screen in self.opened:
            assert screen.problems == []
            assert screen.hosts <= {urlsplit(screen.url).netloc, urlsplit(self.url).netloc}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """With as many more stations as the module says."""
    async with open_world(stations=getattr(request.module, "MORE_STATIONS", 0)) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    program = _chromium()
    async with async_playwright() as playwright:
        # In a container there is often neither a sandbox nor a large /dev/shm to be had.
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        opened = await playwright.chromium.launch(executable_path=program, args=flags)
        yield opened
        await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def screens(browser: Browser, world: World) -> AsyncIterator[Screens]:
    screens = Screens(browser, world.bff.url)
    yield screens
    await screens.close()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[str, Channel]]:
    """The phone's line to the service, to be cut: its address, and what cuts it."""
    target = urlsplit(url)
    port = listen()
    address = port.socket.getsockname()
    port.socket.close()
    channel = Channel("phone", (address[0], address[1]), (target.hostname or "", target.port or 0))
    server = await channel.serve()
    try:
        yield port.url, channel
    finally:
        await stop_listening(*server.sockets)
        server.close()
        channel.obey("cut")
        await asyncio.sleep(0.05)  # what was broken off is closed in the rounds that follow
