"""AES-128-CBC and HMAC-MD5 as T/CEC 102.4 has them.

MD5 and a fixed IV are the standard's, and stay in this folder.
"""

import base64
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from operator_sdk.contract.tcec102.keys import KeySet

_BLOCK = 16


def encrypt(keys: KeySet, plain: bytes) -> str:
    """Base64, without line breaks, of the padded (PKCS#7) and encrypted bytes."""
    short = _BLOCK - len(plain) % _BLOCK
    encryptor = Cipher(AES(keys.aes_key), CBC(keys.aes_iv)).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([short]) * short) + encryptor.finalize()).decode()


def decrypt(keys: KeySet, data: str) -> bytes:
    """The bytes that were encrypted. Line breaks in `data` are the caller's to remove.

    Raises:
        ValueError: not base64, not whole blocks, or not padded as PKCS#7 says: most often the wrong key.
    """
    try:
        sealed = base64.b64decode(data, validate=True)
    except ValueError:
        raise ValueError("Data is not base64") from None
    if not sealed or len(sealed) % _BLOCK:
        raise ValueError("Data is not whole blocks of 16 bytes")
    decryptor = Cipher(AES(keys.aes_key), CBC(keys.aes_iv)).decryptor()
    padded = decryptor.update(sealed) + decryptor.finalize()
    short = padded[-1]
    if not 1 <= short <= _BLOCK or padded[-short:] != bytes([short]) * short:
        raise ValueError("Data does not decrypt with these keys")
    return padded[:-short]


def signature(keys: KeySet, text: str) -> str:
    """HMAC-MD5 over the UTF-8 text, as upper-case hex."""
    return hmac.digest(keys.sig_secret.encode(), text.encode(), "md5").hex().upper()


def same_signature(ours: str, theirs: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "replace"))
