"""An operator's Ed25519 key in a file, and the signed tokens (JWT) made with it.

The file is a JWK (RFC 8037) with the private part, or an unencrypted PKCS #8 PEM. The key id of a
PEM is the key's thumbprint (RFC 7638), as it is of a key made here.
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jws, jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import OKPKey

from operator_sdk.contract.signing import SigningKey, public_to_b64url

ALGORITHM = "EdDSA"


class TokenRefused(ValueError):
    """A token that is not well formed, or not signed by this key with the algorithm listed."""


class _Registry(jws.JWSRegistry):
    """EdDSA alone. RFC 9864 renames it, and joserfc warns of the name that the contract uses."""

    def get_alg(self, name: str) -> JWSAlgModel:
        if name != ALGORITHM:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


def new_key(key_id: str | None = None) -> SigningKey:
    """A new private key; without an id of its own it is named by its thumbprint."""
    private = Ed25519PrivateKey.generate()
    return SigningKey(key_id or thumbprint(private.public_key()), private)


def thumbprint(key: Ed25519PublicKey) -> str:
    """The first half of the key's JWK thumbprint (RFC 7638), as hex: an id no shell misreads."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": public_to_b64url(key)}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def save_key(key: SigningKey, path: str | Path) -> None:
    """Write a key as a JWK that only its owner can read.

    Raises:
        FileExistsError: nothing is ever overwritten.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(_private_jwk(key), file)


def load_key(path: str | Path, *, key_id: str | None = None) -> SigningKey:
    """Read a key from a JWK or PEM file; `key_id` overrides the one in the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no Ed25519 private key.
    """
    content = Path(path).read_bytes()
    named = None
    if content.lstrip().startswith(b"{"):
        private, named = _from_jwk(json.loads(content))
    else:
        loaded = load_pem_private_key(content, password=None)
        if not isinstance(loaded, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 key")
        private = loaded
    return SigningKey(key_id or named or thumbprint(private.public_key()), private)


def sign_token(key: SigningKey, claims: Mapping[str, Any]) -> str:
    """A JWT over these claims, with the key's id in its header."""
    return jwt.encode(
        {"alg": ALGORITHM, "kid": key.key_id},
        dict(claims),
        OKPKey.import_key(cast("dict[str, Any]", _private_jwk(key))),
        registry=_Registry(algorithms=[ALGORITHM]),
    )


def token_key_id(token: str) -> str:
    """The key id that a token names, not yet verified.

    Raises:
        TokenRefused: not a token, or no key id.
    """
    try:
        head = token.split(".", 1)[0]
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        return str(found["kid"])
    except (ValueError, KeyError, TypeError) as problem:
        raise TokenRefused("no key id") from problem


def verify_token(token: str, key: Ed25519PublicKey) -> dict[str, Any]:
    """The claims of a token signed by this key; times and names are the caller's to check.

    Raises:
        TokenRefused: not a token, another algorithm, or another key's signature.
    """
    public = {"kty": "OKP", "crv": "Ed25519", "x": public_to_b64url(key)}
    try:
        registry = _Registry(algorithms=[ALGORITHM])
        read = jwt.decode(token, OKPKey.import_key(cast("dict[str, Any]", public)), registry=registry)
    except (JoseError, ValueError) as problem:
        raise TokenRefused("the token does not verify") from problem
    return dict(read.claims)


def _from_jwk(jwk: Any) -> tuple[Ed25519PrivateKey, str | None]:
    if not isinstance(jwk, dict) or jwk.get("crv") != "Ed25519" or not isinstance(jwk.get("d"), str):
        raise ValueError("not an Ed25519 private key")
    secret = base64.urlsafe_b64decode(jwk["d"] + "=" * (-len(jwk["d"]) % 4))
    kid = jwk.get("kid")
    return Ed25519PrivateKey.from_private_bytes(secret), kid if isinstance(kid, str) else None


def _private_jwk(key: SigningKey) -> dict[str, str]:
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": key.key_id,
        "x": key.public_b64url(),
        "d": _b64url(key.private.private_bytes_raw()),
    }


def _b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
