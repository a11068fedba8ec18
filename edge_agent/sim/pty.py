"""A serial line without hardware: a pty whose far end is ours."""

import os
import tty
from pathlib import Path

READ_BYTES = 4096


class Pty:
    """`port` is what the other side opens: `link` where given, else the pty's own name.

    With a `link` the name stays the same when the pty vanishes and comes back. A pty has no baud rate and
    refuses parity, sometimes only at the second opening: open it with parity N.
    """

    def __init__(self, link: Path | None = None) -> None:
        self.link = link
        self._ours, self._theirs = os.openpty()
        # Held open, so that our end sees no hang-up between two openings of theirs; raw: no echo.
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        name = os.ttyname(self._theirs)
        self.port = str(link) if link else name
        if link:
            fresh = link.with_name(f"{link.name}.{os.getpid()}")
            fresh.symlink_to(name)
            fresh.replace(link)

    def fileno(self) -> int:
        """Readable when the other side has sent something."""
        return self._ours

    def read(self) -> bytes:
        """What has come; empty when nothing has."""
        try:
            return os.read(self._ours, READ_BYTES)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        """Sends; what the other side leaves unread for too long is lost, as on a wire."""
        try:
            os.write(self._ours, data)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Hangs up: the other side gets an error."""
        if self.link:
            self.link.unlink(missing_ok=True)
        os.close(self._ours)
        os.close(self._theirs)
