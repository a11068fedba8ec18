"""The page's own files, as a browser asks for them."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from mobile_bff.app import WEB
from operator_sdk.client.trust import authorities
from tests.bff_rig import open_bff

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    """The page asks no hub for itself."""
    async with (
        open_bff("http://127.0.0.1:1") as bff,
        httpx.AsyncClient(base_url=bff.url, trust_env=False, verify=authorities()) as http,
    ):
        yield http


def on_disk(name: str) -> bytes:
    return (WEB / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("js/main.js", "text/javascript; charset=utf-8"),
        ("css/base.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("manifest.webmanifest", "application/manifest+json"),
        ("vendor/jsqr/LICENSE", "text/plain; charset=utf-8"),
    ],
)
async def test_a_file_comes_whole_once_and_after_that_only_when_it_is_another(
    browser: httpx.AsyncClient, name: str, kind: str
) -> None:
    whole = await browser.get(f"/app/{name}")
    assert (whole.status_code, whole.headers["content-type"]) == (200, kind)
    assert whole.content == on_disk(name)
    assert whole.headers["cache-control"] == "no-cache", "a browser asks each time"
    tag = whole.headers["etag"]
    for known in (tag, f'"another", {tag}', f"W/{tag}"):
        same = await browser.get(f"/app/{name}", headers={"if-none-match": known})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    other = await browser.get(f"/app/{name}", headers={"if-none-match": '"another"'})
    assert (other.status_code, other.content) == (200, whole.content)
    assert (await browser.head(f"/app/{name}")).headers["etag"] == tag


async def test_the_folder_itself_is_the_page_and_nothing_beside_its_files_is_there(
    browser: httpx.AsyncClient,
) -> None:
    assert (await browser.get("/app/")).content == on_disk("index.html")
    for path in (
        "js",
        "js/",
        "../app.py",
        "%2e%2e/app.py",
        "..%2Fapp.py",
        "/etc/hostname",
        "index.html/",
        "x.js",
    ):
        assert (await browser.get(f"/app/{path}")).status_code == 404, path
    assert (await browser.post("/app/index.html")).status_code == 405
