"""The hub's own secrets: one file with a master key and signing keys; everything else is derived from it."""

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from operator_sdk.contract.signing import SigningKey

MASTER_KEY_LEAST = 32
"""Bytes."""


class SecretsError(Exception):
    """The secrets file is missing or not usable."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The newest signing key signs; all of them are published."""

    master: bytes
    signing_keys: tuple[SigningKey, ...]

    @property
    def signer(self) -> SigningKey:
        """The key that signs now."""
        return self.signing_keys[-1]

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose (HKDF-SHA256)."""
        return HKDF(hashes.SHA256(), 32, salt=None, info=f"interpile/{purpose}".encode()).derive(self.master)

    def scan_keys(self) -> dict[str, bytes]:
        """MAC keys of QR codes by key id."""
        return {"1": self.derive("scan/1")}


def make_secrets(path: Path) -> None:
    """Write a new secrets file, readable by its owner only; never over an old one.

    Raises:
        SecretsError: the file exists.
    """
    private = Ed25519PrivateKey.generate()
    content = {
        "master": base64.b64encode(AESGCM.generate_key(256)).decode(),
        "signing_keys": [{"key_id": "hub-1", "seed": base64.b64encode(private.private_bytes_raw()).decode()}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as problem:
        raise SecretsError(f"{path} exists already") from problem
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=1)


def read_secrets(path: Path, *, master: bytes | None = None) -> Secrets:
    """Read a secrets file; where a master key is given, the file's own counts for nothing and may be missing.

    Raises:
        SecretsError: missing or malformed, or a master key of less than 32 bytes.
    """
    try:
        content = json.loads(path.read_text())
        keys = tuple(
            SigningKey(entry["key_id"], Ed25519PrivateKey.from_private_bytes(base64.b64decode(entry["seed"])))
            for entry in content["signing_keys"]
        )
        key = base64.b64decode(content["master"]) if master is None else master
    except FileNotFoundError as problem:
        raise SecretsError(f"no secrets at {path}; make them with: interpile key init {path}") from problem
    except (KeyError, TypeError, ValueError) as problem:
        raise SecretsError(f"{path} is not a secrets file") from problem
    if len(key) < MASTER_KEY_LEAST:
        raise SecretsError(
            f"the master key of {path} or of the environment has less than {MASTER_KEY_LEAST} bytes"
        )
    if not keys:
        raise SecretsError(f"{path} is not a secrets file")
    return Secrets(key, keys)


@dataclass(frozen=True, slots=True)
class Seal:
    """Keeps evidence unreadable at rest: AES-256-GCM, nonce first."""

    key: bytes

    def close(self, body: bytes) -> bytes:
        """Seal."""
        nonce = os.urandom(12)
        return nonce + AESGCM(self.key).encrypt(nonce, body, b"evidence")

    def open(self, sealed: bytes) -> bytes:
        """Unseal."""
        return AESGCM(self.key).decrypt(sealed[:12], sealed[12:], b"evidence")
