"""Calls that the hub refuses, each with the code it must have; kept by name in ATTEMPTS."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from operator_sdk.contract.operations import HUB
from operator_sdk.contract.public_codes import Code
from tests.rig import PASSWORD, PHONE, A, Rig

CARD = "BB-77777777"
SECRETS = (PHONE, CARD, PASSWORD, "zanshi-marker", "refresh-marker")
"""Marked values that are sent with every kind of call; no reply and no log line may hold one."""

START, AUTHORIZE, RECORD, UPDATE = (
    HUB[name] for name in ("start_session", "authorize", "push_record", "push_session")
)


@dataclass
class Errors:
    """A rig, a billed charge and everything that was ever answered."""

    rig: Rig
    session_id: str
    record: bytes
    replies: list[httpx.Response] = field(default_factory=list)

    def start(self, **changes: Any) -> bytes:
        """A home's start, altered."""
        body = {
            "start_ref": self.rig.ref("err"),
            "token": {"kind": "card", "ref": CARD},
            "connector": f"A1.{A}",
        }
        return msgspec.json.encode(body | changes)


Attempt = Callable[[Errors], Coroutine[Any, Any, httpx.Response]]
ATTEMPTS: dict[str, tuple[Code, Attempt]] = {}


def refused(code: Code) -> Callable[[Attempt], Attempt]:
    """A call that is refused with this code."""

    def register(function: Attempt) -> Attempt:
        ATTEMPTS[function.__name__] = (code, function)
        return function

    return register
