"""Keyed digests: what stands for a driver where the driver must not be seen."""

import base64
import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """HMAC-SHA256 under one key of the hub's, cut to 128 bits, base64url."""

    key: bytes

    def token_ref(self, home_party_id: str, host_party_id: str, token: str) -> str:
        """The driver as one pair of operators knows it; no two pairs can join their drivers."""
        return self._digest("token", home_party_id, host_party_id, token)

    def driver_ref(self, home_party_id: str, subject: str) -> str:
        """The driver as the hub's own rows know it."""
        return self._digest("driver", home_party_id, subject)

    def _digest(self, *parts: str) -> str:
        message = "\x1f".join(parts).encode()
        digest = hmac.new(self.key, message, hashlib.sha256).digest()[:16]
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
