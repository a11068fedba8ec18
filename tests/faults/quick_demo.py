"""`python -m tests.faults.quick_demo`: the demonstration, its forty processes born in the nursery.

It does command by command what it does as it is shipped, which test_demo plays too; only the imports of forty
interpreters are left out. In the end every process that was begun must have ended.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from operator_sdk.examples.demo.__main__ import main
from tests import nursery

LEFT_BEHIND = 3


class Begun:
    """What the demonstration uses of `asyncio.subprocess.Process`."""

    def __init__(self, born: nursery.Born, says: int | None, printed: list[BinaryIO]) -> None:
        self.pid = born.pid
        self._born, self._says, self._printed = born, says, printed
        self.send_signal = born.send_signal

    @property
    def returncode(self) -> int | None:
        return self._born.poll()

    async def wait(self) -> int:
        return await asyncio.to_thread(self._born.wait)

    async def communicate(self, given: bytes) -> tuple[bytes, ...]:
        assert self._says is not None
        os.write(self._says, given)
        os.close(self._says)
        await self.wait()
        for file in self._printed:
            file.seek(0)
        return tuple(file.read() for file in self._printed)


begun: list[Begun] = []


async def begin(*command: str, env: dict[str, str], stdin: int, stdout: Any, stderr: Any, **_: Any) -> Begun:
    """In the place of `asyncio.create_subprocess_exec`: a stream is a file, `PIPE` or `DEVNULL`."""
    if Path(command[0]).name == "interpile":
        words = ["operator_sdk.command", *command[1:]]
    else:
        assert command[:2] == (sys.executable, "-m"), command
        words = list(command[2:])
    hears, says = os.pipe() if stdin == asyncio.subprocess.PIPE else (None, None)
    printed = [_file(stream) for stream in (stdout, stderr)]
    to = {"stdin": hears, "stdout": printed[0].fileno(), "stderr": printed[1].fileno()}
    begun.append(Begun(nursery.start(*words, environment=env, **to), says, printed))
    if hears is not None:
        os.close(hears)
    return begun[-1]


def _file(stream: Any) -> Any:
    return tempfile.TemporaryFile() if stream == asyncio.subprocess.PIPE else stream


if __name__ == "__main__":
    vars(asyncio)["create_subprocess_exec"] = begin
    code = main()
    sys.exit(LEFT_BEHIND if any(one.returncode is None for one in begun) else code)
