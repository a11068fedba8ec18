"""The example operators as a test runs them: in a thread, or in a process of their own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from operator_sdk import Clock, SigningKey, save_key
from operator_sdk.client.trust import authorities
from operator_sdk.examples.settings import Settings
from operator_sdk.testing import FakeHub, served

HOST, HOME = "MA5AAAAA1", "MA5BBBBB2"
SPEED = 300


def fast_clock() -> Clock:
    return Clock(epoch=datetime.now(UTC), speed=SPEED, environment="test")


def until(found: Callable[[], Any], *, within_s: int = 15) -> Any:
    """What is found, as soon as it is."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        result = found()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError("it did not come in time")


def settings(
    party_id: str, key: SigningKey, hub: FakeHub, url: str, database: Path, sites: Path | None = None
) -> Settings:
    return Settings(
        party_id=party_id,
        key=key,
        hub_url=hub.url,
        hub_issuer=hub.url,
        public_url=url,
        address="127.0.0.1",
        port=0,
        database=database,
        data=None,
        sites=sites,
    )


@contextmanager
def operator(
    create_app: Callable[[Settings, Clock], Starlette],
    party_id: str,
    key: SigningKey,
    hub: FakeHub,
    database: Path,
    *,
    sites: Path | None = None,
) -> Iterator[httpx.Client]:
    """An example operator in a thread, known to the hub; yields a client of its own pages."""

    def make(url: str) -> Starlette:
        hub.add_party(party_id, key, base_url=url)
        return create_app(settings(party_id, key, hub, url, database, sites), hub.clock)

    with served(make) as url, httpx.Client(base_url=url, trust_env=False, verify=authorities()) as client:
        yield client


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def spawn(
    module: str,
    party_id: str,
    key: SigningKey,
    hub: FakeHub,
    folder: Path,
    port: int,
    epoch: str,
    *more: str,
) -> subprocess.Popen[bytes]:
    """An example operator in a process of its own, which a test may kill."""
    key_file = folder / "key.json"
    if not key_file.exists():
        save_key(key, key_file)
    environment = {
        **os.environ,
        "INTERPILE_ENV": "test",
        "INTERPILE_EPOCH": epoch,
        "SPEED": str(SPEED),
    }
    arguments = {
        "--party-id": party_id,
        "--key": str(key_file),
        "--hub": hub.url,
        "--listen": f"127.0.0.1:{port}",
        "--database": str(folder / "operator.db"),
    }
    flat = [text for pair in arguments.items() for text in pair]
    return subprocess.Popen([sys.executable, "-m", module, *flat, *more], env=environment)


def get(client: httpx.Client, path: str) -> dict[str, Any]:
    """The JSON at a path, or nothing while nobody listens."""
    try:
        answer: dict[str, Any] = json.loads(client.get(path).content)
    except httpx.TransportError:
        return {}
    return answer


def post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The JSON that comes back, whatever the status."""
    answer: dict[str, Any] = client.post(path, json=body).json()
    return answer
