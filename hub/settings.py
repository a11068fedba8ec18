"""Settings, read from the environment once, at the start."""

import base64
import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from hub.core.clock import SystemClock

ENVIRONMENTS = ("production", "demo", "test")
DEFAULT_QUEUE = "interpile"
CHECK_MINUTE_MOST = 180
_OPERATOR_ID = re.compile(r"[0-9A-Z]{9}")


class SettingsError(Exception):
    """A setting that cannot be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the hub is told from outside."""

    env: str = "production"
    database_url: str = "sqlite:///interpile.db"
    migration_url: str | None = None
    redis_url: str | None = None
    broker_url: str | None = None
    queue: str = DEFAULT_QUEUE
    public_url: str = "http://127.0.0.1:8080"
    party_id: str = "MA5HUB000"
    party_name: str = "Interpile"
    operator_id: str | None = None
    """The hub's own OperatorID towards partners that speak T/CEC 102; None is its party id."""
    certificate_header: str | None = None
    """The header in which a proxy tells a caller's certificate; the proxy must drop it when others send it."""
    secret_file: Path = Path("interpile-secrets.json")
    master_key: bytes | None = field(default=None, repr=False)
    """The master key in place of the secrets file's, for those who keep it in a vault."""
    code_file: Path | None = None
    epoch: datetime | None = None
    business_epoch: datetime | None = None
    speed: int = 1
    status_life_s: int = 180
    rate_per_s: int = 500
    concurrent_most: int = 64
    second_person_fen: int = 100_000
    check_minute: int = 60

    @property
    def relaxed(self) -> bool:
        """Demo and test may use private addresses, other speeds and file outboxes."""
        return self.env in {"demo", "test"}

    def clock(self) -> SystemClock:
        """The clocks these settings ask for."""
        return SystemClock(self.epoch, self.business_epoch, self.speed)

    @classmethod
    def from_env(cls, environ: dict[str, str] | None = None) -> "Settings":
        """Read the environment.

        Raises:
            SettingsError: an unknown INTERPILE_ENV, what only demo and test may have, or a malformed value.
        """
        given = dict(os.environ if environ is None else environ)
        env = given.get("INTERPILE_ENV") or "production"
        if env not in ENVIRONMENTS:
            raise SettingsError(f"INTERPILE_ENV must be one of {', '.join(ENVIRONMENTS)}")
        speed = _integer(given, "SPEED", 1)
        if speed != 1 and env == "production":
            raise SettingsError("SPEED other than 1 needs INTERPILE_ENV demo or test")
        epoch, begun = _instant(given, "INTERPILE_EPOCH"), _instant(given, "INTERPILE_EPOCH_BUSINESS")
        if epoch is None and (speed != 1 or begun is not None):
            raise SettingsError("SPEED and INTERPILE_EPOCH_BUSINESS need INTERPILE_EPOCH")
        code_file = given.get("INTERPILE_CODE_FILE")
        if code_file and env == "production":
            raise SettingsError("INTERPILE_CODE_FILE needs INTERPILE_ENV demo or test")
        return cls(
            env=env,
            database_url=given.get("DATABASE_URL") or "sqlite:///interpile.db",
            migration_url=given.get("DATABASE_MIGRATION_URL") or None,
            redis_url=given.get("REDIS_URL") or None,
            broker_url=given.get("BROKER_URL") or None,
            queue=given.get("INTERPILE_QUEUE") or DEFAULT_QUEUE,
            public_url=_public_url(given, env),
            party_id=given.get("INTERPILE_PARTY_ID") or "MA5HUB000",
            party_name=given.get("INTERPILE_PARTY_NAME") or "Interpile",
            operator_id=_operator_id(given),
            certificate_header=(given.get("INTERPILE_CERTIFICATE_HEADER") or "").lower() or None,
            secret_file=Path(given.get("INTERPILE_SECRET_FILE") or "interpile-secrets.json"),
            master_key=_master_key(given),
            code_file=Path(code_file) if code_file else None,
            epoch=epoch,
            business_epoch=begun,
            speed=speed,
            status_life_s=_integer(given, "INTERPILE_STATUS_LIFE_S", 180),
            rate_per_s=_integer(given, "INTERPILE_RATE_PER_S", 500),
            concurrent_most=_integer(given, "INTERPILE_CONCURRENT_MOST", 64),
            second_person_fen=_integer(given, "INTERPILE_SECOND_PERSON_FEN", 100_000),
            check_minute=_check_minute(given),
        )


LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def _public_url(given: dict[str, str], env: str) -> str:
    """The hub's own address, part of every signature: https in production, except on the loopback."""
    text = (given.get("INTERPILE_PUBLIC_URL") or "http://127.0.0.1:8080").rstrip("/")
    try:
        url = urlsplit(text)
    except ValueError as problem:
        raise SettingsError("INTERPILE_PUBLIC_URL must be a URL") from problem
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
        raise SettingsError("INTERPILE_PUBLIC_URL must be an http or https URL without query or fragment")
    if env == "production" and url.scheme != "https" and url.hostname not in LOOPBACK:
        raise SettingsError("INTERPILE_PUBLIC_URL must be https in production")
    return text


def _operator_id(given: dict[str, str]) -> str | None:
    text = given.get("INTERPILE_OPERATOR_ID") or None
    if text is not None and not _OPERATOR_ID.fullmatch(text):
        raise SettingsError("INTERPILE_OPERATOR_ID must be 9 digits and upper-case letters")
    return text


def _master_key(given: dict[str, str]) -> bytes | None:
    text = given.get("INTERPILE_MASTER_KEY")
    try:
        return base64.b64decode(text, validate=True) if text else None
    except ValueError:
        # Without the cause: it may quote what was given.
        raise SettingsError("INTERPILE_MASTER_KEY must be base64") from None


def _check_minute(given: dict[str, str]) -> int:
    """Daily checks belong between midnight and 03:00: a cycle is proposed at 04:00."""
    minute = _integer(given, "INTERPILE_CHECK_MINUTE", 60)
    if minute > CHECK_MINUTE_MOST:
        raise SettingsError(f"INTERPILE_CHECK_MINUTE must be 1 to {CHECK_MINUTE_MOST}")
    return minute


def _integer(given: dict[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if not text:
        return default
    if not text.isdigit() or int(text) < 1:
        raise SettingsError(f"{name} must be a positive integer")
    return int(text)


def _instant(given: dict[str, str], name: str) -> datetime | None:
    text = given.get(name)
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError as problem:
        raise SettingsError(f"{name} must be an RFC 3339 instant") from problem
    if value.tzinfo is None:
        raise SettingsError(f"{name} needs a zone")
    return value
