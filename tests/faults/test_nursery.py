"""What is born in the nursery is a process like any other: its own session, environment and end."""

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import nursery

pytestmark = pytest.mark.faults

SAYS = "import json, os, sys, time; print(json.dumps({}), flush=True); "
WAITS, ENDS = "time.sleep(60)", "os._exit(0)"


def start(statement: str, **more: str) -> tuple[nursery.Born, dict[str, object]]:
    """A process that runs a statement, and the line of JSON that it says first."""
    return nursery.start_and_hear("timeit", "-n", "1", "-r", "1", statement, environment=more)


def test_it_leads_its_own_session_and_knows_nothing_but_what_it_was_given() -> None:
    asked = "dict(pid=os.getpid(), session=os.getsid(0), group=os.getpgrp(), environment=dict(os.environ))"
    born, said = start(SAYS.format(asked) + ENDS, GIVEN="this")
    assert said == {"pid": born.pid, "session": born.pid, "group": born.pid, "environment": {"GIVEN": "this"}}
    assert born.pid != os.getpid()
    assert born.wait(10) == 0
    assert born.poll() == 0


def test_it_holds_nothing_open_but_its_streams_whoever_else_was_born() -> None:
    waiting, _ = start(SAYS.format("{}") + WAITS)
    born, said = start(SAYS.format("dict(open=len(os.listdir('/proc/self/fd')) - 1)") + ENDS)
    assert said == {"open": 3}
    waiting.kill()
    assert (waiting.wait(10), born.wait(10)) == (-signal.SIGKILL, 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_signal_to_its_group_ends_it_and_its_end_is_seen(number: signal.Signals) -> None:
    born, _ = start(SAYS.format("{}") + WAITS)
    assert born.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        born.wait(0)
    os.killpg(born.pid, number)
    assert await asyncio.to_thread(born.wait, 10) == -number
    born.send_signal(number)  # to nobody: it has ended
    with pytest.raises(ProcessLookupError):
        os.kill(born.pid, 0)


def test_its_exit_code_and_complaint_are_those_of_the_program(tmp_path: Path) -> None:
    with (tmp_path / "said").open("w+") as said:
        born = nursery.start("json.tool", "nowhere.json", environment={}, stderr=said.fileno())
        assert born.wait(10) != 0
        assert "nowhere.json" in (tmp_path / "said").read_text()


def test_it_reads_what_it_is_given_and_writes_where_it_is_told(tmp_path: Path) -> None:
    given, printed = tmp_path / "given", tmp_path / "printed"
    given.write_text('{"b":1}')
    with given.open() as hears, printed.open("w") as says:
        born = nursery.start("json.tool", environment={}, stdin=hears.fileno(), stdout=says.fileno())
        assert born.wait(10) == 0
    assert json.loads(printed.read_text()) == {"b": 1}
