"""One TOML file per site: read, checked whole, and refused with the field that is wrong.

    read_settings(path, environment="production") -> Settings

`edge_agent/examples/site.toml` says what each field means. Paths in the file are relative to the file. Nothing
is opened here but the file itself and the site's key.
"""

import base64
import binascii
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta, Struct

from edge_agent.key_file import KeyFileWrong, load_key
from operator_sdk.contract.edge_link.frames import SiteId
from operator_sdk.contract.messages.common import ConnectorId, PartyId

Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Milliseconds = Annotated[int, Meta(ge=10, le=60_000)]
Port = Annotated[int, Meta(ge=1, le=65_535)]


class SettingsWrong(Exception):
    """The site's file cannot be used; the message names the file and the field or line."""


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of every table in the file: a field that nobody knows is a mistake."""


class SiteTable(_Table, frozen=True, kw_only=True):
    """Who the site is and how often it speaks: updates and states in business time, all else in wall time."""

    site_id: SiteId
    party_id: PartyId
    key_file: str
    state_dir: str
    zone: str = "Asia/Shanghai"
    updates_every_s: Seconds = 20
    status_every_s: Seconds = 60
    health_every_s: Annotated[int, Meta(ge=1, le=60)] = 60
    start_wait_s: Seconds = 55
    stop_wait_s: Seconds = 10
    spool_items_most: Annotated[int, Meta(ge=100, le=100_000_000)] = 2_000_000


class GatewayTable(_Table, frozen=True, kw_only=True):
    """Where the agent reports. `public_key` is the `x` of the gateway's Ed25519 JWK."""

    url: str
    id: PartyId
    public_key: str
    ca_file: str = ""


class SafetyTable(_Table, frozen=True, kw_only=True):
    """Limits that stop a charge on the spot. 0 switches a limit off, where that can be allowed."""

    temperature_c_most: Annotated[int, Meta(ge=30, le=150)] = 90
    voltage_v_most: Annotated[int, Meta(ge=0, le=2_000)] = 0
    current_a_most: Annotated[int, Meta(ge=0, le=2_000)] = 0
    power_over_percent: Annotated[int, Meta(ge=1, le=100)] = 15
    energy_apart_percent: Annotated[int, Meta(ge=0, le=100)] = 10
    energy_apart_wh: Annotated[int, Meta(ge=10, le=100_000)] = 500
    meter_silent_polls: Annotated[int, Meta(ge=1, le=1_000)] = 3
    pile_silent_ms: Milliseconds = 3_000
    charge_s_most: Annotated[int, Meta(ge=60, le=345_600)] = 172_800


class CanTable(_Table, frozen=True, kw_only=True):
    """The pile's bus, in python-can's words, and the pile's node on it."""

    interface: str
    channel: str
    node: Annotated[int, Meta(ge=1, le=223)]
    port: Port | None = None
    bitrate: Annotated[int, Meta(ge=1_000, le=8_000_000)] | None = None
    options: dict[str, Any] = {}


class MeterTable(_Table, frozen=True, kw_only=True):
    """The pile's DL/T 645 meter. An empty address is searched for: then it must be alone on its line."""

    port: Annotated[str, Meta(min_length=1)]
    baud: Annotated[int, Meta(ge=300, le=1_000_000)] = 2400
    parity: Annotated[str, Meta(pattern="^[NEO]$")] = "E"
    address: Annotated[str, Meta(pattern="^([0-9]{12})?$")] = ""
    poll_ms: Milliseconds = 1_000


class PileTable(_Table, frozen=True, kw_only=True):
    """One pile with its plug."""

    connector_id: ConnectorId
    kind: Annotated[str, Meta(pattern="^(ac|dc)$")]
    rated_power_w: Annotated[int, Meta(ge=1, le=2_000_000)]
    can: CanTable
    meter: MeterTable
    safety: dict[str, Any] = {}


class _File(_Table, frozen=True, kw_only=True):
    site: SiteTable
    gateway: GatewayTable
    pile: Annotated[list[PileTable], Meta(min_length=1, max_length=200)]
    safety: dict[str, Any] = {}


class PileSettings(Struct, frozen=True, kw_only=True):
    """A pile with the limits that hold for it."""

    connector_id: str
    kind: str
    rated_power_w: int
    can: CanTable
    meter: MeterTable
    safety: SafetyTable


class Settings(Struct, frozen=True, kw_only=True):
    """Everything the file says, checked."""

    site: SiteTable
    gateway: GatewayTable
    piles: tuple[PileSettings, ...]
    state_dir: Path
    key: Ed25519PrivateKey
    gateway_key: Ed25519PublicKey
    ca_file: Path | None

    @property
    def database(self) -> Path:
        """The agent's SQLite file."""
        return self.state_dir / "edge.sqlite3"


def read_settings(path: Path, *, environment: str = "production") -> Settings:
    """Read and check a site's file. `environment` is INTERPILE_ENV: demo and test allow ws:// to any host.

    Raises:
        SettingsWrong: it cannot be read, is no TOML, or says something that cannot be.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise SettingsWrong(f"{path}: {problem.strerror or problem}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SettingsWrong(f"{path}: not TOML: {problem}") from problem
    file = _convert(path, raw, _File, "$")
    site_safety = file.safety
    piles = tuple(
        PileSettings(
            connector_id=pile.connector_id,
            kind=pile.kind,
            rated_power_w=pile.rated_power_w,
            can=pile.can,
            meter=pile.meter,
            safety=_convert(path, {**site_safety, **pile.safety}, SafetyTable, f"$.pile[{at}].safety"),
        )
        for at, pile in enumerate(file.pile)
    )
    problems = [
        *_site_problems(file),
        *_gateway_problems(file.gateway.url, environment),
        *_shared_problems(piles),
    ]
    if problems:
        raise SettingsWrong("\n".join(f"{path}: {problem}" for problem in problems))
    return _with_keys(path, file, piles)


def _convert(path: Path, raw: Any, kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as problem:
        said, _, place = str(problem).partition(" - at `$")
        field = (where + place.rstrip("`")).removeprefix("$").removeprefix(".")
        raise SettingsWrong(f"{path}: {field or 'the file'}: {said}") from problem


def _site_problems(file: _File) -> Iterator[str]:
    try:
        ZoneInfo(file.site.zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"site.zone: no time zone is called {file.site.zone!r}"


def _gateway_problems(text: str, environment: str) -> Iterator[str]:
    url = urlsplit(text)
    if url.scheme not in {"ws", "wss"} or not url.hostname:
        yield f"gateway.url: must be wss://host/... or ws://host/..., not {text!r}"
    elif url.scheme == "ws" and environment == "production" and not _is_this_machine(url.hostname):
        yield f"gateway.url: must be wss://... unless INTERPILE_ENV is demo or test, not {text!r}"


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shared_problems(piles: tuple[PileSettings, ...]) -> Iterator[str]:
    for connector_id in _twice(pile.connector_id for pile in piles):
        yield f"pile.connector_id: {connector_id!r} is used twice"
    for bus, node in _twice((_bus(pile.can), pile.can.node) for pile in piles):
        yield f"pile.can.node: two piles are node {node} on {bus}"
    lines: dict[str, list[MeterTable]] = {}
    for pile in piles:
        lines.setdefault(pile.meter.port, []).append(pile.meter)
    for port, meters in lines.items():
        yield from _line_problems(port, meters)


def _line_problems(port: str, meters: list[MeterTable]) -> Iterator[str]:
    if len({(meter.baud, meter.parity) for meter in meters}) > 1:
        yield f"pile.meter: the meters on {port} differ in baud or parity"
    if len(meters) > 1 and any(not meter.address for meter in meters):
        yield f"pile.meter.address: several meters share {port}, so each needs its address"
    for address in _twice(meter.address for meter in meters if meter.address):
        yield f"pile.meter.address: {address} is used twice on {port}"


def _bus(can: CanTable) -> str:
    return f"{can.interface} {can.channel}" + (f":{can.port}" if can.port else "")


def _twice(values: Iterable[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]


def _with_keys(path: Path, file: _File, piles: tuple[PileSettings, ...]) -> Settings:
    folder = path.resolve().parent
    try:
        key = load_key(folder / file.site.key_file)
    except KeyFileWrong as problem:
        raise SettingsWrong(f"{path}: site.key_file: {problem}") from problem
    return Settings(
        site=file.site,
        gateway=file.gateway,
        piles=piles,
        state_dir=folder / file.site.state_dir,
        key=key,
        gateway_key=_public_key(path, file.gateway.public_key),
        ca_file=folder / file.gateway.ca_file if file.gateway.ca_file else None,
    )


def _public_key(path: Path, text: str) -> Ed25519PublicKey:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError) as problem:
        raise SettingsWrong(f"{path}: gateway.public_key: not an Ed25519 public key") from problem
