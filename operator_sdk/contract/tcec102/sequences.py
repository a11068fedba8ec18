"""Numbers and codes: the 27-character sequences of T/CEC 102.3 and the QR code of T/CEC 102.1 annex A."""

import re
from hashlib import sha256

_SCHEME = "hlht://"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_UNIQUE = 18
_SEQ = re.compile(r"[0-9A-Za-z]{27}")
_OPERATOR = re.compile(r"[0-9A-Za-z]{9}")
_CONNECTOR = re.compile(r"[!-~]{1,64}")


def make_seq(operator_id: str, unique: str) -> str:
    """A StartChargeSeq, EquipAuthSeq, EquipBizSeq or CheckOrderSeq: the initiator's id and 18 characters.

    The 18 are digits and upper-case letters (93 bits) of the SHA-256 of `unique`: the same text gives the same
    number.

    Raises:
        ValueError: the operator's id has not 9 characters.
    """
    if not _OPERATOR.fullmatch(operator_id):
        raise ValueError("an OperatorID has 9 letters and digits")
    number = int.from_bytes(sha256(unique.encode()).digest())
    letters = []
    for _ in range(_UNIQUE):
        number, digit = divmod(number, len(_DIGITS))
        letters.append(_DIGITS[digit])
    return operator_id + "".join(letters)


def is_seq(text: str) -> bool:
    """Whether it has the standard's form: 27 letters and digits, the first 9 of them the initiator's id."""
    return _SEQ.fullmatch(text) is not None


def parse_qr(text: str) -> tuple[str, str, str] | None:
    """(connector id, operator id, custom) of `hlht://{ConnectorID}.{OperatorID}/{custom}`, or None.

    The slash may be missing; the last dot before it parts the ids.
    """
    text = text.strip()
    if text[: len(_SCHEME)].lower() != _SCHEME or "\0" in text:
        return None
    ids, _, custom = text[len(_SCHEME) :].partition("/")
    connector_id, _, operator_id = ids.rpartition(".")
    if not _CONNECTOR.fullmatch(connector_id) or not _OPERATOR.fullmatch(operator_id):
        return None
    return connector_id, operator_id, custom


def make_qr(connector_id: str, operator_id: str, custom: str = "") -> str:
    """The content of a connector's QR code."""
    return f"{_SCHEME}{connector_id}.{operator_id}/{custom}"
