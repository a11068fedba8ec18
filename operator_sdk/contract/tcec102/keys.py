"""The four secrets of one direction between two platforms (T/CEC 102.4, clause 5)."""

from typing import Any

import msgspec

AES_BYTES = 16


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform that serves the calls issued to its caller; requests and answers both use it.

    `pad` is for partners whose AES key or IV is not 16 bytes: it is cut, or filled with NUL. The text form
    shows nothing, so that no log does.
    """

    operator_secret: str
    data_secret: str
    data_secret_iv: str
    sig_secret: str
    pad: bool = False

    def __repr__(self) -> str:
        return "KeySet(...)"

    def __rich_repr__(self) -> Any:
        """Nothing, like the plain form."""
        return iter(())

    @property
    def aes_key(self) -> bytes:
        """The raw bytes of the AES key. Raises ValueError when they are not 16."""
        return _sixteen(self.data_secret, "DataSecret", pad=self.pad)

    @property
    def aes_iv(self) -> bytes:
        """The raw bytes of the initialisation vector. Raises ValueError when they are not 16."""
        return _sixteen(self.data_secret_iv, "DataSecretIV", pad=self.pad)


def _sixteen(secret: str, name: str, *, pad: bool) -> bytes:
    raw = secret.encode()
    if pad and raw:
        return raw[:AES_BYTES].ljust(AES_BYTES, b"\0")
    if len(raw) != AES_BYTES:
        raise ValueError(f"{name} must be 16 bytes")
    return raw
