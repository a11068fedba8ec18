"""The example host with a site behind it, as its tests set it up."""

import base64
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from operator_sdk import new_key
from operator_sdk.contract.messages.roaming import HostStartRequest
from operator_sdk.examples.host.app import EDGE_PATH, create_app
from operator_sdk.testing import FakeHub, served
from tests.edge_client import Site
from tests.site_agent import Remote, SiteAgent, running
from tests.unit.operators import HOME, HOST, fast_clock, get, operator, until

KEY = new_key("a-1")
COUNT = itertools.count(1)


@dataclass
class Gateway:
    """The host as its site knows it."""

    url: str
    gateway_id = HOST
    gateway_key = KEY.private.public_key()


def sites_file(folder: Path, *sites: Site) -> Path:
    file = folder / "sites.json"
    file.write_text(json.dumps([_entry(site) for site in sites]))
    return file


def _entry(site: Site) -> dict[str, Any]:
    key = base64.urlsafe_b64encode(site.key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    return {"site_id": site.site_id, "public_key": key, "connectors": list(site.connectors)}


def agent_of(url: str, site: Site, hub: FakeHub) -> SiteAgent:
    return SiteAgent(Gateway(f"ws{url.removeprefix('http').rstrip('/')}{EDGE_PATH}"), site, hub.clock)


def states(host: httpx.Client) -> list[str]:
    return [one["state"] for one in get(host, "/local/connectors").get("connectors", [])]


def start(limit: int | None = 600, **changed: Any) -> HostStartRequest:
    number = f"{next(COUNT):012d}"
    given: dict[str, Any] = {
        "session_id": f"ses_01980000-0000-7000-8000-{number}",
        "authorization_id": f"aut_01980000-0000-7000-8000-{number}",
        "connector_id": "C1",
        "home_party_id": HOME,
        "token_ref": "driver",
        "start_mode": "hub",
        "tariff_id": "default",
        "tariff_version": 1,
        "limit_fen": limit,
        "target": {},
        **changed,
    }
    return msgspec.convert(given, HostStartRequest)


def record_of(hub: FakeHub, session_id: str) -> Any:
    return until(lambda: [one for one in hub.received("push_record") if one.session_id == session_id])[0]


def updates_of(hub: FakeHub, session_id: str) -> list[Any]:
    return [hub.updates[session_id][number] for number in sorted(hub.updates[session_id])]


def with_record(host: httpx.Client, session_id: str) -> dict[str, Any] | None:
    shown = get(host, f"/local/sessions/{session_id}")
    return shown if shown.get("record") else None


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    hub = FakeHub(clock=fast_clock())
    with served(hub.at):
        yield hub


@contextmanager
def host_of(hub: FakeHub, site: Site, folder: Path) -> Iterator[httpx.Client]:
    """The host, its site not yet connected."""
    with operator(create_app, HOST, KEY, hub, folder / "host.db", sites=sites_file(folder, site)) as client:
        until(lambda: hub.received("push_status"))
        yield client


@contextmanager
def site_of(host: httpx.Client, site: Site, hub: FakeHub) -> Iterator[Remote]:
    """The site, connected and told what it has to know."""
    with running(agent_of(str(host.base_url), site, hub)) as remote:
        until(lambda: states(host) == ["available", "available"])
        yield remote
