"""Where chance comes in: nonces, ids, and the jitter of retries."""

import secrets
from collections.abc import Callable

Roll = Callable[[int], int]
"""Given n, a whole number from 0 to n - 1."""


def roll(below: int) -> int:
    """A number below the bound, from the system's source."""
    return secrets.randbelow(below)


def fresh_nonce() -> str:
    """128 random bits, base64url."""
    return secrets.token_urlsafe(16)


def fresh_id(prefix: str) -> str:
    """An id for a message of one's own: prefix and 128 random bits."""
    return f"{prefix}-{secrets.token_hex(16)}"


def fresh_challenge() -> bytes:
    """256 random bits for the other end of a link to sign."""
    return secrets.token_bytes(32)
