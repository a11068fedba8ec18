"""Settings, read from the environment once, at the start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from operator_sdk.clock import ENVIRONMENTS


class SettingsError(ValueError):
    """A setting that cannot be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the service is told from outside.

    `hub_url` is where the hub is reached, `issuer` the hub's own public URL: it is in every token and QR code.
    `party_id` and `key_file` are the app's own credential, which opens the public directory and nothing else;
    without it the directory needs the driver's token. `origins` are web pages of others that may call.
    `rate_per_s`: of one driver, or of one address without a token. `sign_ins_per_s`: of one address.
    """

    hub_url: str
    issuer: str
    env: str = "production"
    party_id: str | None = None
    key_file: Path | None = None
    origins: tuple[str, ...] = ()
    sockets_per_driver: int = 4
    connections: int = 32
    rate_per_s: int = 20
    sign_ins_per_s: int = 2

    @property
    def in_production(self) -> bool:
        """Introspection is off, and messages suggest nothing."""
        return self.env == "production"

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, own_url: str | None = None, issuer: str | None = None
    ) -> "Settings":
        """Read the environment. Where this process serves the hub as well, it says where, and by which name.

        Raises:
            SettingsError: no hub, half a credential, or a malformed value.
        """
        given = os.environ if environ is None else environ
        env = given.get("INTERPILE_ENV") or "production"
        if env not in ENVIRONMENTS:
            raise SettingsError(f"INTERPILE_ENV must be one of {', '.join(ENVIRONMENTS)}")
        hub_url = given.get("BFF_HUB_URL") or own_url
        if not hub_url:
            raise SettingsError("BFF_HUB_URL must say where the hub is")
        issuer = given.get("BFF_HUB_ISSUER") or given.get("INTERPILE_PUBLIC_URL") or issuer or hub_url
        party_id, key_file = given.get("BFF_PARTY_ID"), given.get("BFF_KEY_FILE")
        if bool(party_id) != bool(key_file):
            raise SettingsError("BFF_PARTY_ID and BFF_KEY_FILE belong together")
        return cls(
            hub_url=_url("BFF_HUB_URL", hub_url),
            issuer=_url("BFF_HUB_ISSUER", issuer),
            env=env,
            party_id=party_id or None,
            key_file=Path(key_file) if key_file else None,
            origins=_origins(given.get("BFF_ORIGINS", "")),
            sockets_per_driver=_positive(given, "BFF_SOCKETS_PER_DRIVER", 4),
            connections=_positive(given, "BFF_HUB_CONNECTIONS", 32),
            rate_per_s=_positive(given, "BFF_RATE_PER_S", 20),
            sign_ins_per_s=_positive(given, "BFF_SIGN_INS_PER_S", 2),
        )


def _url(name: str, text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError as problem:
        raise SettingsError(f"{name} must be a URL") from problem
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError(f"{name} must be an http or https URL without query or fragment")
    return text.rstrip("/")


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    for origin in origins:
        if urlsplit(_url("BFF_ORIGINS", origin)).path:
            raise SettingsError("BFF_ORIGINS must list origins: scheme, host and port")
    return origins


def _positive(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise SettingsError(f"{name} must be a positive integer")
    return int(text)
