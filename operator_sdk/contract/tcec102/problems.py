"""What goes wrong between two platforms, in the standard's words."""

from enum import IntEnum


class Ret(IntEnum):
    """Result codes of the answer envelope (T/CEC 102.4)."""

    BUSY = -1
    OK = 0
    SIGNATURE = 4001
    TOKEN = 4002
    ENVELOPE = 4003
    BUSINESS = 4004
    ERROR = 500


class WireProblem(Exception):
    """A message that is not taken.

    `ret` and `msg` are for the other side's engineer, `reason` is one word for counting. None of them holds a
    value of the message, a secret or a plate number.
    """

    def __init__(self, ret: Ret, msg: str, reason: str) -> None:
        super().__init__(f"{int(ret)} {reason}: {msg}")
        self.ret = ret
        self.msg = msg
        self.reason = reason
