"""The page's own modules and files: figures, words, the plane, codes, colours, and what is vendored."""

import base64
import hashlib
import random
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from hub.directory.geo import to_gcj02
from mobile_bff import qr
from operator_sdk.contract.codes import (
    Band,
    ConnectorState,
    FaultKind,
    FaultState,
    OrderState,
    RecordState,
    SessionState,
    StopReason,
    TargetKind,
)
from tests.bff_rig import open_bff
from tests.browser.conftest import Screen, Screens

WEB = Path(__file__).resolve().parents[2] / "mobile_bff" / "web"
ENUMS = {
    "state": SessionState,
    "band": Band,
    "connector": ConnectorState,
    "stop": StopReason,
    "record": RecordState,
    "target": TargetKind,
    "fault": FaultKind,
    "fault_state": FaultState,
    "order": OrderState,
}
CODE = "https://hub.example/c/A1.MA5AAAAA1?k=1&m=yGsHigsf0nBK"
browsed = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def screen(browser: Browser) -> AsyncIterator[Screen]:
    """A page before anybody has signed in: the service asks no hub for it."""
    async with open_bff("http://127.0.0.1:1") as bff:
        screens = Screens(browser, bff.url)
        screen = await screens.open()
        await screen.go("/me")
        yield screen
        await screens.close()


@browsed
async def test_money_and_energy_are_exact_to_the_last_digit(screen: Screen) -> None:
    chance = random.Random(3)
    wholes = [0, 1, 9, 10, 99, 100, 101, 999, 100_000, 10**12, *(chance.randrange(10**12) for _ in range(300))]
    told = await screen.run(
        "format",
        "return given.map((n) => [it.money(n), it.kwh(n), it.kwhRunning(n), it.price(n), it.money(-n)])",
        *wholes,
    )
    for whole, (money, kwh, running, price, owed) in zip(wholes, told, strict=True):
        assert money == f"¥{Decimal(whole) / 100:,.2f}"
        assert owed == (f"-{money}" if whole else money)
        assert Decimal(kwh.replace(",", "")) == Decimal(whole) / 1000
        assert Decimal(running.replace(",", "")) == Decimal(whole // 10) / 100
        assert Decimal(price.lstrip("¥")) == Decimal(whole) / 10**6
        assert re.fullmatch(r"¥\d+\.\d\d(\d{0,3}[1-9])?", price), price


@browsed
async def test_what_is_typed_is_read_as_whole_numbers_or_not_at_all(screen: Screen) -> None:
    texts = [
        "30",
        " 30.5 ",
        "0.05",
        "30.",
        "30.555",
        "1e3",
        "-3",
        "",
        "abc",
        "3,000",
        "12345678",
        "0x10",
        "\u0663",
    ]
    told = await screen.run("format", "return given.map((text) => it.typed(text, 2))", *texts)
    assert told == [3000, 3050, 5, 3000, *[None] * 9]


@browsed
async def test_both_languages_have_the_same_words_and_one_for_every_state(screen: Screen) -> None:
    zh, en = [await screen.run(f"words/{name}", f"return it.{name}") for name in ("zh", "en")]
    assert list(zh) == list(en)
    assert all(text.strip() for words in (zh, en) for text in words.values())
    for key in zh:
        assert set(re.findall(r"{\w+}", zh[key])) == set(re.findall(r"{\w+}", en[key])), key
    for kind, members in ENUMS.items():
        assert {f"{kind}.{one.name}" for one in members} <= set(zh), kind
    # A word that is asked for by name is there, and one that nobody asks for is not.
    scripts = "".join(
        file.read_text("utf-8") for file in WEB.rglob("js/**/*.js") if file.parent.name != "words"
    )
    asked = set(re.findall(r'\bt\("(\w+)"', scripts))
    assert asked <= set(zh)
    plain = {key for key in zh if "." not in key}
    assert not {key for key in plain if not re.search(rf'["`]{key}["`]|{key.split("_")[0]}_\$', scripts)}


@browsed
async def test_a_phones_position_is_bent_as_the_hub_bends_imported_ones(screen: Screen) -> None:
    chance = random.Random(5)
    places = [(22_543_000, 114_045_000), (48_137_000, 11_575_000)]
    places += [
        (chance.randrange(19_000_000, 50_000_000), chance.randrange(75_000_000, 130_000_000)) for _ in range(50)
    ]
    asked = [{"latitude": north / 1e6, "longitude": east / 1e6} for north, east in places]
    told = await screen.run("position", "return given.map(it.toGcj02)", *asked)
    for (north, east), bent in zip(places, told, strict=True):
        expected = to_gcj02(north, east, "wgs-84")
        assert abs(bent["latitudeE6"] - expected[0]) <= 1, (north, east)
        assert abs(bent["longitudeE6"] - expected[1]) <= 1, (north, east)


@browsed
async def test_the_plane_loses_no_station_and_no_place(screen: Screen) -> None:
    chance = random.Random(7)
    stations: list[dict[str, Any]] = [
        {
            "id": f"S{number}",
            "latitudeE6": 22_540_000 + chance.randrange(-90_000, 90_000),
            "longitudeE6": 114_050_000 + chance.randrange(-90_000, 90_000),
        }
        for number in range(300)
    ]
    back = await screen.run("plane", "return given.map((one) => it.toPlace(it.toPlane(one)))", *stations)
    assert back == [{key: one[key] for key in ("latitudeE6", "longitudeE6")} for one in stations]
    counts = []
    for zoom in (5, 9.5, 12, 15, 18):
        script = f"return it.clustered(given, {zoom}).map((one) => one.stations.map((station) => station.id))"
        clusters = await screen.run("plane", script, *stations)
        assert sorted(chain(*clusters)) == sorted(one["id"] for one in stations)
        counts.append(len(clusters))
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (1, 300), "together from afar, each by itself from near"


@browsed
async def test_the_camera_reads_our_labels_without_the_browsers_own_detector(screen: Screen) -> None:
    picture = base64.b64encode(qr.png(CODE)).decode()
    script = """
      delete globalThis.BarcodeDetector;
      const picture = new Image();
      picture.src = `data:image/png;base64,${given[0]}`;
      await picture.decode();
      const blank = document.createElement("canvas");
      const read = await it.reader();
      return [await read(picture), await read(blank)];"""
    assert await screen.run("camera", script, picture) == [CODE, None]


def test_every_module_is_small_and_announced_to_the_browser_at_once() -> None:
    modules = sorted(file.relative_to(WEB).as_posix() for file in WEB.rglob("js/**/*.js"))
    announced = re.findall(
        r'<link rel="modulepreload" href="([^"]+)">', (WEB / "index.html").read_text("utf-8")
    )
    assert sorted([*announced, "js/main.js"]) == modules
    for file in WEB.rglob("js/**/*.js"):
        assert len(file.read_text("utf-8").splitlines()) < 400, file


def test_nothing_in_the_page_needs_a_laxer_policy() -> None:
    page = (WEB / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|style=", page)
    for file in WEB.rglob("js/**/*.js"):
        forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\"style\"|https?://(?!www\.w3\.org/)"
        assert not re.search(forbidden, file.read_text("utf-8").replace('startsWith("https://")', "")), file


def test_what_is_vendored_is_what_it_is_said_to_be() -> None:
    told = (WEB / "vendor" / "VENDOR.md").read_text("utf-8")
    files = sorted(file for file in WEB.rglob("vendor/*/*") if file.suffix == ".js")
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert digests == re.findall(r"`([0-9a-f]{64})`", told)
    assert "Apache License" in (WEB / "vendor" / "jsqr" / "LICENSE").read_text("utf-8")


PAIRS = (
    ("ink", "paper"), ("ink", "card"), ("muted", "paper"), ("muted", "card"), ("muted", "quiet"),
    ("muted", "map"), ("accent", "card"), ("accent", "paper"), ("accent", "accent-soft"),
    ("accent-ink", "accent"),
    ("bad", "card"), ("bad", "bad-soft"), ("card", "bad"), ("warn", "warn-soft"), ("paper", "ink"),
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(scheme: str) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    light, dark = (WEB / "css" / "base.css").read_text("utf-8").split("@media (prefers-color-scheme: dark)", 1)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    if scheme == "dark":
        colours |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))
    for ink, ground in PAIRS:
        lighter, darker = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (scheme, ink, ground)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
