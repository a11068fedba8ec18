"""A simulated T/CEC 102 partner as a real process, and the profiles with which a hub and it know each other.

pair = Pair(sim_id="MA5SIMUL1", hub_id="MA5HUB000")
profile_for_the_hub = pair.hub_profile("http://127.0.0.1:8102")
async with simulator(tmp_path, pair, hub_url, role="host") as partner:
    await partner.post("plug", connector_id="UL1C0000001")
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from operator_sdk.client.trust import authorities
from tests import nursery
from tests.nursery import Process

UP_S, LOOK_S = 20, 0.02
SECRETS = ("operator_secret", "data_secret", "data_secret_iv", "sig_secret")


def keys_of(seed: str) -> dict[str, str]:
    """Four secrets of 16 characters that no other seed has."""
    return {name: sha256(f"{seed}:{name}".encode()).hexdigest()[:16] for name in SECRETS}


def secrets_toml(kind: str, keys: Mapping[str, str], *, name: str = "k1", more: str = "") -> str:
    """One `[[secrets.theirs]]` or `[[secrets.ours]]`."""
    lines = [f'{key} = "{value}"' for key, value in keys.items()]
    return "\n".join([f"[[secrets.{kind}]]", f'id = "{name}"', *lines, more, ""])


@dataclass(frozen=True)
class Pair:
    """Two platforms that know each other. `head` and `more` are TOML: top-level keys first, then tables."""

    sim_id: str
    hub_id: str
    sim_keys: Mapping[str, str] = field(default_factory=lambda: keys_of("issued by the partner"))
    hub_keys: Mapping[str, str] = field(default_factory=lambda: keys_of("issued by the hub"))

    def mirrored(self) -> "Pair":
        """The same two with the other one as the simulator."""
        return Pair(self.hub_id, self.sim_id, self.hub_keys, self.sim_keys)

    def hub_profile(
        self, sim_url: str, *, roles: Sequence[str] = ("host", "home"), head: str = "", more: str = ""
    ) -> str:
        """The partner's profile as the hub is given it."""
        return self._profile((self.sim_id, self.hub_id), sim_url, roles, head, more) + "".join(
            [secrets_toml("theirs", self.sim_keys), secrets_toml("ours", self.hub_keys)]
        )

    def sim_profile(
        self, hub_url: str, *, roles: Sequence[str] = ("host", "home"), head: str = "", more: str = ""
    ) -> str:
        """The hub's profile as the simulator is given it."""
        return self._profile((self.hub_id, self.sim_id), hub_url, roles, head, more) + "".join(
            [secrets_toml("theirs", self.hub_keys), secrets_toml("ours", self.sim_keys)]
        )

    def _profile(self, ids: tuple[str, str], url: str, roles: Sequence[str], head: str, more: str) -> str:
        return "\n".join(
            [
                f'operator_id = "{ids[0]}"',
                f'hub_operator_id = "{ids[1]}"',
                f'name = "{ids[0]}"',
                f"roles = {json.dumps(list(roles))}",
                f'base_url = "{url}"',
                head,
                more,
                "",
            ]
        )


class Simulator:
    """A running simulator and its control port."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.command, self.environment, self.log = list(command), dict(environment), log
        self.url = self.control = ""
        self._process: Process | None = None
        self._http = httpx.AsyncClient(trust_env=False, timeout=20, verify=authorities())

    async def start(self) -> None:
        """Start it, and wait until it has its ports; a second time it takes the same ones."""
        inherited = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ
        }
        before = self._said().count("\n")
        with self.log.open("ab") as stream:
            given, to = {**inherited, **self.environment}, stream.fileno()
            self._process = nursery.start(*self.command, environment=given, stdout=to, stderr=to)
        until = time.monotonic() + UP_S
        while not (ready := _ready(self._said().splitlines()[before:])):
            assert self._process.poll() is None, f"the simulator ended: {self._said()[-2000:]}"
            assert time.monotonic() < until, f"the simulator is not ready: {self._said()[-2000:]}"
            await asyncio.sleep(LOOK_S)
        self.url, self.control = ready["url"], ready["control"]

    def kill(self) -> None:
        """SIGKILL: nothing is said, nothing tidied up."""
        self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Kill it and start it again on the same ports; with `--folder` it goes on where it was."""
        self.kill()
        for flag, url in (("--port", self.url), ("--control-port", self.control)):
            self._set(flag, url.rpartition(":")[2])
        await self._http.aclose()
        self._http = httpx.AsyncClient(trust_env=False, timeout=20, verify=authorities())
        await self.start()

    async def aclose(self) -> None:
        """End it."""
        self._end(signal.SIGTERM)
        await self._http.aclose()

    async def get(self, path: str, **query: str) -> Any:
        """Ask its control port."""
        return _body(await self._http.get(f"{self.control}/{path}", params=query))

    async def post(self, path: str, **body: Any) -> Any:
        """Tell its control port."""
        return _body(await self._http.post(f"{self.control}/{path}", json=body))

    async def until(
        self, asked: Callable[[], Awaitable[Any]], holds: Callable[[Any], Any], within_s: float = 10
    ) -> Any:
        """Ask again and again until the answer is as wanted, and give it."""
        end = time.monotonic() + within_s
        while True:
            said = await asked()
            if holds(said):
                return said
            assert time.monotonic() < end, f"still {said}"
            await asyncio.sleep(LOOK_S)

    async def home_charge(self, seq: str) -> Any:
        """One charge of the home's."""
        return next(one for one in await self.get("home-charges") if one["seq"] == seq)

    async def charge(self, seq: str) -> Any:
        """One charge of the host's; None before it has begun."""
        return next((one for one in await self.get("charges") if one["seq"] == seq), None)

    async def count(self, name: str) -> int:
        """How often, by the name of a count: `in:query_token`, `out:query_token:ok`."""
        return int((await self.get("state"))["counts"].get(name, 0))

    def _said(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def _set(self, flag: str, value: str) -> None:
        if flag in self.command:
            self.command[self.command.index(flag) + 1] = value
        else:
            self.command += [flag, value]

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class ControlRefused(AssertionError):
    """The control port answered 400 or 502; `error` is the word it gave."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {body}")
        self.error = body.get("error", "")


def _body(answer: httpx.Response) -> Any:
    if answer.status_code != 200:
        raise ControlRefused(answer.status_code, answer.json())
    return answer.json()


def _ready(lines: Sequence[str]) -> dict[str, str] | None:
    for line in lines:
        if line.startswith('{"url"'):
            return dict(json.loads(line))
    return None


@asynccontextmanager
async def simulator(
    folder: Path,
    pair: Pair,
    hub_url: str,
    *,
    role: str = "both",
    port: int = 0,
    head: str = "",
    more: str = "",
    pains: Sequence[str] = (),
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Simulator]:
    """A simulator that calls `hub_url`. Name its `port` where the hub has to know it before.

    `more` are tables of its profile of the hub, `options` further arguments of `interpile sim tcec102`,
    `environment` such as SPEED with INTERPILE_EPOCH and INTERPILE_ENV. By default it is quick: it pushes every
    0.2 s, starts in 0.05 s and repeats an order after 0.5 s.
    """
    name = f"{pair.sim_id}-{role}"
    profile = folder / f"{name}.toml"
    profile.write_text(pair.sim_profile(hub_url, head=head, more=more), "utf-8")
    command = ["operator_sdk.tcec102.sim", "tcec102", "--role", role]
    command += ["--profile", str(profile), "--port", str(port), "--pains", ",".join(pains)]
    command += ["--push-s", "0.2", "--start-s", "0.05", "--retry-s", "0.5", *options]
    partner = Simulator(command, environment or {}, folder / f"{name}.log")
    try:
        await partner.start()
        yield partner
    finally:
        await partner.aclose()


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
