"""Rules of parties, keys and staff: addresses, prefixes, roles down to the single function, lock-out."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from operator_sdk.contract.codes import Role
from operator_sdk.contract.messages.admin import PartyAdd


class PartyProblem(ValueError):
    """Something that a rule of this room does not allow."""


class Protocol(StrEnum):
    """How the hub reaches a party."""

    NATIVE = "native"
    HOSTED = "hosted"
    TCEC102 = "tcec102"
    APP = "app"
    HUB = "hub"


CALLED = frozenset({Protocol.NATIVE, Protocol.TCEC102})
"""The parties that answer somewhere."""


class KeyState(StrEnum):
    """A party's key; a revoked one never comes back."""

    PROPOSED = "proposed"
    LIVE = "live"
    REVOKED = "revoked"


_HOSTNAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_TOP_LEVEL = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_PREFIX = re.compile(r"[!-~]{1,64}")

HOUSE_TOPS = frozenset({"corp", "home", "internal", "intranet", "lan", "local", "localdomain", "localhost"})
"""Top levels that are registered to nobody and resolve within a house."""


def check_party(add: PartyAdd, *, relaxed: bool, equipped: bool = False, plain: bool = False) -> str | None:
    """The base URL to keep for a party that may be added; `equipped` with what its protocol needs beside it.

    `plain`: see `check_base_url`.

    Raises:
        PartyProblem: roles, protocol, address or prefixes that do not go together.
    """
    if not add.name.isprintable():
        raise PartyProblem("the name has control characters")
    if Role.HUB in add.roles or len(set(add.roles)) < len(add.roles):
        raise PartyProblem("roles are home, host or both, or app alone")
    _check_app(add)
    _check_prefixes(add)
    if add.protocol == Protocol.TCEC102 and not equipped:
        raise PartyProblem("a tcec102 party is added with its profile, by command")
    if add.protocol not in CALLED:
        if add.base_url is not None:
            raise PartyProblem("only a native or T/CEC 102 party has a base URL")
        return None
    if add.base_url is None:
        raise PartyProblem(f"a {add.protocol} party needs a base URL")
    return check_base_url(add.base_url, relaxed=relaxed, plain=plain)


def _check_app(add: PartyAdd) -> None:
    """An app only reads the public directory: it has no other role, is never called, and owes nothing."""
    if Role.APP not in add.roles and add.protocol != Protocol.APP:
        return
    if add.roles != [Role.APP] or add.protocol != Protocol.APP:
        raise PartyProblem("role app and protocol app go together, alone")
    if add.deposit_fen or add.exposure_limit_fen:
        raise PartyProblem("an app owes nothing")


def _check_prefixes(add: PartyAdd) -> None:
    if add.token_prefixes and Role.HOME not in add.roles:
        raise PartyProblem("only a home has token prefixes")
    if not all(_PREFIX.fullmatch(prefix) for prefix in add.token_prefixes):
        raise PartyProblem("a token prefix is 1 to 64 printable characters without spaces")
    if len(set(add.token_prefixes)) < len(add.token_prefixes):
        raise PartyProblem("a token prefix is named twice")


def check_base_url(url: str, *, relaxed: bool, plain: bool = False) -> str:
    """The address without a trailing slash.

    In production it is https at a name that can be registered; `relaxed` (demo, test) allows http and addresses
    of private ranges. `plain`, for a partner whose messages are sealed by themselves, allows http and public
    addresses. What the name resolves to is checked at every call, not here.

    Raises:
        PartyProblem: not such an address.
    """
    # urlsplit drops tabs and line breaks; what is kept would then not be what was checked.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise PartyProblem("the base URL has characters that no URL has")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as problem:
        raise PartyProblem("the base URL is malformed") from problem
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise PartyProblem("the base URL must have no user, query or fragment")
    if parts.scheme != "https" and not ((relaxed or plain) and parts.scheme == "http"):
        raise PartyProblem("the base URL must be https")
    if port == 0 or not _PATH.fullmatch(parts.path.rstrip("/")) or "/." in parts.path:
        raise PartyProblem("the base URL is malformed")
    host = parts.hostname or ""
    if not (_is_registered(host) or (relaxed and _is_host(host)) or (plain and _is_public(host))):
        raise PartyProblem("the base URL must name a registered host")
    return url.rstrip("/")


def _is_host(host: str) -> bool:
    return _is_address(host) or _HOSTNAME.fullmatch(host) is not None


def _is_registered(host: str) -> bool:
    # A top level of digits is an address in disguise (2130706433, 127.1).
    *names, top = host.split(".")
    named = _HOSTNAME.fullmatch(host) is not None and _TOP_LEVEL.fullmatch(top) is not None
    return named and bool(names) and top not in HOUSE_TOPS


def _is_public(host: str) -> bool:
    if not _is_address(host) or "%" in host:
        return False
    ip = ipaddress.ip_address(host)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


FUNCTIONS = frozenset(
    {
        "parties", "parties_read", "keys", "staff", "stations", "customers", "wallets", "ledger",
        "clearing", "outbox", "upkeep_read", "upkeep_dispatch", "upkeep_work",
    }
)  # fmt: skip
"""What staff may do, one by one: the `role` of every staff operation is among them."""

BUNDLES: dict[str, frozenset[str]] = {
    "admin": FUNCTIONS,
    "accountant": frozenset({"parties_read", "wallets", "ledger", "clearing"}),
    "support": frozenset({"parties_read", "stations", "customers", "outbox"}),
    "maintenance": frozenset({"upkeep_read", "upkeep_work"}),
    "dispatcher": frozenset({"upkeep_read", "upkeep_dispatch"}),
    "onlooker": frozenset({"parties_read"}),
}
"""Roles that stand for several functions; everything else is granted by its own name."""


def functions_of(roles: Iterable[str]) -> frozenset[str]:
    """The single functions of granted roles.

    Raises:
        PartyProblem: no such role.
    """
    found: set[str] = set()
    for role in roles:
        if role not in BUNDLES and role not in FUNCTIONS:
            raise PartyProblem(f"no such role: {role}")
        found |= BUNDLES.get(role, {role})
    return frozenset(found)


def join_roles(roles: Sequence[str]) -> str:
    """Roles as they are stored: each once, in order of name."""
    return ",".join(sorted(set(roles)))


def sign_in_grants(protocol: str, *, has_live_key: bool) -> list[str]:
    """With what a home's drivers sign in: codes for hosted ones, assertions where a key can check them."""
    grants = ["code"] if protocol == Protocol.HOSTED else []
    return [*grants, "assertion"] if has_live_key else grants


FAILURES_MOST = 5
LOCKED_FOR = timedelta(minutes=15)
SESSION_LIFE = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong passwords in a row for one login; the fifth locks it."""

    count: int = 0
    last_at: datetime | None = None

    def locked_until(self, now: datetime) -> datetime | None:
        """Until when nobody signs in by this login, if it is locked now."""
        if self.last_at is None or self.count < FAILURES_MOST:
            return None
        until = self.last_at + LOCKED_FOR
        return until if until > now else None

    def one_more(self, now: datetime) -> "Failures":
        """After another wrong password; failures older than the lock-out are forgotten."""
        fresh = self.last_at is not None and now - self.last_at < LOCKED_FOR
        return Failures(self.count + 1 if fresh else 1, now)
