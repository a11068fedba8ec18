"""Server-sent events of a session: bytes in, updates out, and when to connect again."""

from collections.abc import Iterator

import msgspec

from operator_sdk.client.patience import Patience
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.messages.roaming import SessionProgress
from operator_sdk.errors import ConnectionFailed, InterpileError, MalformedAnswer

FINAL = frozenset(
    {
        SessionState.ENDED,
        SessionState.BILLED,
        SessionState.SETTLED,
        SessionState.REFUSED,
        SessionState.START_FAILED,
    }
)
_BLOCK_BYTES_MAX = 65_536


class EventReader:
    """Reads one session's stream over any number of connections."""

    def __init__(self, patience: Patience, after: int | None = None) -> None:
        self._patience = patience
        self._last: str | None = None if after is None else str(after)
        self._pending = b""
        self._fruitless = 0
        self.finished = False

    @property
    def last_event_id(self) -> str | None:
        """The number to go on from."""
        return self._last

    def feed(self, chunk: bytes) -> Iterator[SessionProgress]:
        """The updates that this chunk completes. Anything that arrives shows the stream is alive.

        Raises:
            MalformedAnswer: an event that is no update, or one that never ends.
        """
        self._fruitless = 0
        self._pending = (self._pending + chunk).replace(b"\r\n", b"\n")
        *blocks, self._pending = self._pending.split(b"\n\n")
        if len(self._pending) > _BLOCK_BYTES_MAX:
            raise MalformedAnswer("an event larger than allowed")
        for block in blocks:
            update = self._read(block)
            if update is not None:
                self.finished = self.finished or update.state in FINAL
                yield update

    def broke(self, problem: InterpileError | None) -> int:
        """The connection ended; milliseconds to wait before the next one.

        Raises:
            InterpileError: the problem, when too many connections in a row brought nothing.
        """
        self._pending = b""
        self._fruitless += 1
        if self._fruitless >= self._patience.attempts:
            raise problem or ConnectionFailed("the event stream keeps closing")
        return self._patience.jittered_ms(self._fruitless)

    def refused(self, problem: InterpileError | None) -> None:
        """The stream was not opened: an error, or the hub has nothing more to say.

        Raises:
            InterpileError: the problem.
        """
        if problem is not None:
            raise problem
        self.finished = True

    def _read(self, block: bytes) -> SessionProgress | None:
        fields: dict[str, list[str]] = {}
        for line in block.decode("utf-8", "replace").split("\n"):
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
        if fields.get("event") == ["end"]:
            self.finished = True
        # An event without an id is a sign of life or something newer than this version.
        if "data" not in fields or "id" not in fields:
            return None
        try:
            update = msgspec.json.decode("\n".join(fields["data"]), type=SessionProgress)
        except msgspec.DecodeError as problem:
            raise MalformedAnswer("an event that is no session update") from problem
        self._last = fields["id"][-1]
        return update
