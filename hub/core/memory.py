"""What was found lately, so that the hottest paths need not ask the database again."""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

REMEMBERED_FOR = timedelta(seconds=5)
"""How long another process may go on with what was changed here: a revoked key, a changed agreement."""

REMEMBERED_MOST = 10_000

Id = TypeVar("Id", bound=Hashable)
Value = TypeVar("Value")


class Memory(Generic[Id, Value]):
    """A bounded memory of things found; what was not found is looked for again."""

    def __init__(self, life: timedelta = REMEMBERED_FOR) -> None:
        self._life = life
        self._found: OrderedDict[Id, tuple[Value, datetime]] = OrderedDict()

    def get(self, key: Id, now: datetime) -> Value | None:
        """What was found under this key not too long ago."""
        found = self._found.get(key)
        return found[0] if found is not None and now < found[1] else None

    def put(self, key: Id, value: Value, now: datetime) -> None:
        """Remember."""
        self._found[key] = (value, now + self._life)
        self._found.move_to_end(key)
        if len(self._found) > REMEMBERED_MOST:
            self._found.popitem(last=False)

    def forget(self, key: Id) -> None:
        """It was changed here."""
        self._found.pop(key, None)
