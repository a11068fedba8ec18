"""The rules of hosted customers: what is kept of a phone or card, one-time codes, how a bill is divided."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

CODE_DIGITS = 6
CODE_LIFE = timedelta(minutes=5)
CODE_ATTEMPTS = 5
CODE_GAP = timedelta(seconds=60)
CODES_PER_HOUR = 5
SESSION_LIFE = timedelta(days=30)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, repr=False)
class Digests:
    """Keyed digests: without the key a phone or card cannot be found by trying them all.

    Each purpose has a label of its own, so that no digest of one purpose can stand for another.
    """

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) < 32:
            raise ValueError("a digest key has at least 32 bytes")

    def phone(self, home_party_id: str, phone: str) -> str:
        """Of a phone number, the same however its country code is written."""
        return self._of("phone", home_party_id, plain_phone(phone))

    def token(self, home_party_id: str, kind: str, ref: str) -> str:
        """Of a card number, VIN or plate."""
        return self._of("token", home_party_id, kind, ref.strip().upper())

    def code(self, phone_digest: str, code: str) -> str:
        """Of a one-time code for a phone."""
        return self._of("code", phone_digest, code)

    def refresh(self, token: str) -> str:
        """Of a refresh token."""
        return self._of("refresh", token)

    def request(self, *parts: str) -> str:
        """Of what was asked under an id, to know it again."""
        return self._of("request", *parts)

    def _of(self, label: str, *parts: str) -> str:
        message = b"".join(len(part).to_bytes(4) + part for part in (text.encode() for text in (label, *parts)))
        return hmac.new(self.key, message, hashlib.sha256).hexdigest()


def plain_phone(phone: str) -> str:
    """Digits only, without China's country code."""
    digits = phone.removeprefix("+")
    return digits[2:] if len(digits) == 13 and digits.startswith("86") else digits


def wait_before_code(sent: Sequence[datetime], now: datetime) -> timedelta:
    """How long a phone must wait for its next code: one a minute, five an hour."""
    recent = sorted(at for at in sent if now - at < HOUR)
    wait = timedelta(0)
    if recent:
        wait = max(wait, recent[-1] + CODE_GAP - now)
    if len(recent) >= CODES_PER_HOUR:
        wait = max(wait, recent[-CODES_PER_HOUR] + HOUR - now)
    return wait


@dataclass(frozen=True, slots=True)
class Shares:
    """Who pays what of a bill: the hold first, then the wallet's free balance, then debt."""

    captured_fen: int
    from_wallet_fen: int
    debt_fen: int


def divide_owed(*, owed_fen: int, held_fen: int, free_fen: int) -> Shares:
    """Divide a bill; `free_fen` is what the wallet has beside this hold."""
    captured = min(owed_fen, held_fen)
    excess = owed_fen - captured
    # Above the hold means that nothing of it is left over, so free money is what stood beside it.
    from_wallet = min(excess, max(free_fen, 0))
    return Shares(captured, from_wallet, excess - from_wallet)
