"""The hub's public keys as last fetched."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from operator_sdk.contract.messages.access import JwkSet
from operator_sdk.contract.signing import public_from_b64url

REFETCH_S = 60


class KeyRing:
    """Keys by id. An unknown id is worth fetching again, but at most once a minute."""

    def __init__(self) -> None:
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched_s: int | None = None

    def find(self, key_id: str) -> Ed25519PublicKey | None:
        """The key of that id, if the hub published it."""
        return self._keys.get(key_id)

    def may_fetch(self, now_s: int) -> bool:
        """Whether the hub may be asked (again)."""
        return self._fetched_s is None or abs(now_s - self._fetched_s) >= REFETCH_S

    def replace(self, published: JwkSet, now_s: int) -> None:
        """Keep what the hub publishes now, and nothing else: a key taken down is no longer good."""
        self._fetched_s = now_s
        self._keys = {}
        for jwk in published.keys:
            if jwk.kty == "OKP" and jwk.crv == "Ed25519":
                self._keys[jwk.kid] = public_from_b64url(jwk.x)
