"""What can go wrong in a call to a T/CEC 102 platform.

    InterpileError
    ├── TransportError            no answer came; whether the platform did the work is not known
    │   ├── TimedOut              it was slow
    │   └── ConnectionFailed      it could not be reached, or hung up
    ├── MalformedAnswer           an answer came that is not the standard's
    ├── SignatureError            an answer came whose Sig does not hold (code `signature`)
    ├── NoKeys                    no secrets of the profile are in force now
    └── Tcec102Refused            the platform answered with a Ret other than 0
        └── TokenRefused          query_token was answered with SuccStat 1

A business refusal (SuccStat 1, ConfirmResult 1) is no error: it is in the reply.
"""

from operator_sdk.errors import InterpileError


class NoKeys(InterpileError):
    """The profile has no secrets for this direction whose days include today."""


class Tcec102Refused(InterpileError):
    """The platform's Ret and Msg (T/CEC 102.4, table of return codes).

    `ret` is the standard's code where the profile knows how to read theirs: -1 busy, 4001 signature, 4002
    token, 4003 envelope, 4004 business parameter, 500 their error; any other number is their own.
    """

    def __init__(self, interface: str, ret: int, msg: str) -> None:
        super().__init__(f"{interface}: Ret {ret} {msg}".rstrip())
        self.interface = interface
        self.ret = ret
        self.msg = msg

    @property
    def is_busy(self) -> bool:
        """Whether the same call may succeed later."""
        return self.ret == -1


class TokenRefused(Tcec102Refused):
    """The platform gives no token: `fail_reason` 1 no such operator, 2 wrong secret, 3 to 99 its own."""

    def __init__(self, fail_reason: int) -> None:
        super().__init__("query_token", 0, f"SuccStat 1, FailReason {fail_reason}")
        self.fail_reason = fail_reason
