"""The one place where messages become bytes, in client and server.

Who has to write as some odd partner does, the simulator above all, gives either of them a pen of its own.
"""

from typing import Any

from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.wire import seal_answer, seal_request
from operator_sdk.contract.tcec102.writing import write


class Pen:
    """Writes strictly to the partner's profile."""

    def write(self, message: Any, profile: Profile) -> bytes:
        """The business JSON of a message."""
        return write(message, profile)

    def seal_request(self, keys: KeySet, operator_id: str, plain: bytes, *, stamp: str, seq: str) -> bytes:
        """The body of a request: encrypted, then signed."""
        return seal_request(keys, operator_id, plain, stamp=stamp, seq=seq)

    def seal_answer(self, keys: KeySet, ret: int, msg: str, plain: bytes | None, profile: Profile) -> bytes:
        """The body of an answer."""
        return seal_answer(keys, ret, msg, plain, profile)
