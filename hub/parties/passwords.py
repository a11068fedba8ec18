"""Passwords, kept as scrypt hashes with their own salt and parameters."""

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass

MEMORY_MOST = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Cost:
    """What a guess costs: 32 MiB and about 0.2 s."""

    n: int = 2**15
    r: int = 8
    p: int = 3


def hash_password(password: str, cost: Cost) -> str:
    """`scrypt$n$r$p$salt$hash`."""
    salt = os.urandom(16)
    return "$".join(
        ("scrypt", str(cost.n), str(cost.r), str(cost.p), _text(salt), _text(_scrypt(password, salt, cost)))
    )


def nobodys_hash(cost: Cost) -> str:
    """What no password fits, found out with the same work."""
    return "$".join(
        ("scrypt", str(cost.n), str(cost.r), str(cost.p), _text(os.urandom(16)), _text(os.urandom(32)))
    )


def password_fits(password: str, stored: str) -> bool:
    """Whether this is the password behind a hash, with the parameters stored beside it."""
    _, n, r, p, salt, expected = stored.split("$")
    found = _scrypt(password, base64.b64decode(salt), Cost(int(n), int(r), int(p)))
    return hmac.compare_digest(found, base64.b64decode(expected))


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=MEMORY_MOST, dklen=32,
    )  # fmt: skip


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
