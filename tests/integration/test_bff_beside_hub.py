"""The phone's service in the hub's own process, and alone in a process of its own."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import EntryPoint
from pathlib import Path

import httpx
import pytest

from hub.app import create_app
from hub.core.tokens import Principal
from hub.http import GROUP, guests
from hub.migrations.run import migrate
from hub.settings import Settings, SettingsError
from mobile_bff.commands import bff as bff_command
from operator_sdk.client.trust import authorities
from operator_sdk.command import main as interpile
from tests.bff_rig import Phone
from tests.rig import C, open_rig
from tests.rig_partners import listen, serving

OURS = EntryPoint("bff", "mobile_bff.app:create_app", GROUP)
HUB = EntryPoint("hub", "hub.app:create_app", GROUP)
MISSING = EntryPoint("later", "no_such_package.app:create_app", GROUP)


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BFF_") or name == "INTERPILE_PUBLIC_URL"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("INTERPILE_ENV", "test")


async def test_one_process_serves_the_hub_and_the_phones(clean: None, tmp_path: Path) -> None:
    at = listen()
    port = at.socket.getsockname()[1]
    settings = Settings(
        env="test",
        database_url=f"sqlite:///{tmp_path / 'hub.db'}",
        public_url=at.url,
        secret_file=tmp_path / "secrets.json",
        code_file=tmp_path / "codes.jsonl",
    )
    await asyncio.to_thread(migrate, settings)
    beside = guests("127.0.0.1", port, issuer=at.url, registered=[HUB, OURS, MISSING])
    assert len(beside) == 1
    app = create_app(settings, embedded=False, guests=beside)
    async with (
        serving((app, at)),
        httpx.AsyncClient(base_url=at.url, trust_env=False, verify=authorities()) as http,
    ):
        driver = Principal("driver", C, "u-9")
        phone = Phone(at.url, app.state.hub.tokens.issue(driver, timedelta(minutes=5)))
        assert await phone.data("{ stations { edges { cursor } } }") == {"stations": {"edges": []}}
        async with phone.socket() as followed:
            await followed.subscribe("1", "{ chargingSessions { edges { cursor } } }")
            assert (await followed.hear())["payload"]["data"] == {"chargingSessions": {"edges": []}}
        await phone.aclose()
        assert (await http.get("/readyz")).json()["database"] == "sqlite", "health is the hub's"
        assert (await http.get("/v1/stations")).status_code == 401
        unknown = await http.get("/nowhere")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
        page = await http.get("/app", follow_redirects=True)
        assert (page.status_code, page.url.path) == (200, "/app/")
        assert "<!doctype html>" in page.text.lower()
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await http.get(f"/c/A1.{C}?k=1&m=x")).status_code == 303


def test_where_the_hub_is_reached_follows_from_where_it_listens(clean: None) -> None:
    for host, url in (
        ("0.0.0.0", "http://127.0.0.1:81"),
        ("::", "http://[::1]:81"),
        ("10.1.2.3", "http://10.1.2.3:81"),
    ):
        (app,) = guests(host, 81, issuer="https://hub.example", registered=[OURS])
        assert app.state.client._core.base_url == url
        assert app.state.client._core.issuer == "https://hub.example"


def test_a_guest_that_cannot_use_its_settings_stops_the_start(
    clean: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BFF_PARTY_ID", "MA5APPAP1")
    with pytest.raises(SettingsError, match="bff: BFF_PARTY_ID and BFF_KEY_FILE belong together"):
        guests("127.0.0.1", 81, issuer="http://hub", registered=[OURS])
    monkeypatch.setenv("BFF_KEY_FILE", "/nowhere/app.json")
    with pytest.raises(SettingsError, match="BFF_KEY_FILE"):
        guests("127.0.0.1", 81, issuer="http://hub", registered=[OURS])


def test_alone_it_says_what_it_lacks(clean: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert bff_command([]) == 1
    assert capsys.readouterr().err.strip() == "interpile: BFF_HUB_URL must say where the hub is"
    point = EntryPoint("bff", "mobile_bff.commands:bff", "interpile.commands")
    assert interpile(["bff", "--port", "x"], [point]) == 2
    assert interpile([], [point]) == 0
    assert "Serve the drivers' phones" in capsys.readouterr().out


@asynccontextmanager
async def alone(hub_url: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """`interpile bff` in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = "import sys; from mobile_bff.commands import bff; sys.exit(bff(sys.argv[1:]))"
    env = {**os.environ, "INTERPILE_ENV": "test", "BFF_HUB_URL": hub_url}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, "--port", str(port), env=env)
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def once_up(url: str, process: asyncio.subprocess.Process) -> httpx.Response:
    """What the service says of itself, once it answers."""
    async with (
        httpx.AsyncClient(base_url=url, trust_env=False, verify=authorities()) as http,
        asyncio.timeout(60),
    ):
        while True:
            try:
                return await http.get("/readyz")
            except httpx.TransportError:
                assert process.returncode is None
                await asyncio.sleep(0.1)


async def test_alone_it_serves_and_stops_while_a_phone_follows(clean: None) -> None:
    async with open_rig("sqlite") as rig, alone(rig.url) as (url, process):
        assert (await once_up(url, process)).json() == {"status": "ready"}
        phone = Phone(url, rig.token(C, rig.customer.customer_id))
        assert (await phone.data("{ me { name } }"))["me"] == {"name": "张三"}
        await phone.aclose()
        async with phone.socket() as following:
            await following.subscribe("1", "{ __typename }")
            assert (await following.hear())["type"] == "next"
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                assert await process.wait() in {0, -signal.SIGTERM}
