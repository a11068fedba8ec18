"""What a simulated platform has heard and said, for tests and for people."""

from collections import Counter, deque
from datetime import datetime

import msgspec

from operator_sdk.contract.tcec102.loose_json import NotJson, parse

_MOST = 5_000


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One message: `way` is `in` or `out`, `at` wall time; `message` is the business JSON as it came."""

    at: datetime
    way: str
    interface: str
    message: object
    outcome: str = ""


class Journal:
    """The last messages, and counts of all: `in:...`, `out:...`, and what else somebody counts."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=_MOST)
        self.counts: Counter[str] = Counter()

    def heard(self, interface: str, plain: bytes, at: datetime) -> None:
        """A call that came and was believed."""
        try:
            message = parse(plain)[0]
        except NotJson:
            message = None
        self.counts[f"in:{interface}"] += 1
        self.entries.append(Entry(at=at, way="in", interface=interface, message=message))

    def said(self, interface: str, message: object, at: datetime, outcome: str) -> None:
        """A call of ours and how it went: `ok`, or the word of what went wrong."""
        self.counts[f"out:{interface}:{outcome}"] += 1
        self.entries.append(Entry(at=at, way="out", interface=interface, message=message, outcome=outcome))
