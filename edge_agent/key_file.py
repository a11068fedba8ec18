"""The site's Ed25519 key: a JWK (RFC 8037) with its private part, in the form that the SDK writes and reads."""

import base64
import binascii
import hashlib
import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from operator_sdk.contract.signing import public_to_b64url


class KeyFileWrong(Exception):
    """The file is missing, exists already, or holds no Ed25519 private key."""


def init_key(path: Path) -> str:
    """Make a new key in a file that only its owner can read; returns its public part (`x`).

    Raises:
        KeyFileWrong: the file exists already (nothing is overwritten) or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    public = public_to_b64url(key.public_key())
    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": _thumbprint(public),
        "x": public,
        "d": base64.urlsafe_b64encode(key.private_bytes_raw()).rstrip(b"=").decode(),
    }
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as problem:
        raise KeyFileWrong(f"{path}: {problem.strerror or problem}") from problem
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(jwk, file)
    return public


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read a key.

    Raises:
        KeyFileWrong: the file cannot be read or holds no Ed25519 private key.
    """
    try:
        jwk = json.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise KeyFileWrong(f"{path}: {problem.strerror or problem}") from problem
    except ValueError as problem:
        raise KeyFileWrong(f"{path}: not a JWK") from problem
    if not isinstance(jwk, dict) or jwk.get("crv") != "Ed25519" or not isinstance(jwk.get("d"), str):
        raise KeyFileWrong(f"{path}: no Ed25519 private key")
    try:
        secret = base64.urlsafe_b64decode(jwk["d"] + "=" * (-len(jwk["d"]) % 4))
        return Ed25519PrivateKey.from_private_bytes(secret)
    except (binascii.Error, ValueError) as problem:
        raise KeyFileWrong(f"{path}: no Ed25519 private key") from problem


def _thumbprint(public: str) -> str:
    # Half of the RFC 7638 thumbprint, as the SDK names a key that was given no other name.
    members = {"crv": "Ed25519", "kty": "OKP", "x": public}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]
