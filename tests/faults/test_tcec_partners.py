"""Two T/CEC 102 partners killed, silent, slow, lying and replaying under load; `make soak` does it for long.

The p99 of those that are left alone may be twice what it was before, or a quarter of a second on a machine
whose other cores are busy with other tests. A slow partner takes 1.5 s for an answer, a silent one takes none:
who waited for them would be far beyond that.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak.chaos import TROUBLES
from tests.soak.run import Plan, run

pytestmark = [pytest.mark.faults, pytest.mark.integration]

SHORT = Plan(quiet_s=3, chaos_s=1, hold_s=1.2, least_ms=250)


async def test_partners_in_trouble_lose_nothing_double_nothing_and_hold_nobody_up(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    outcome = await run(tmp_path, SHORT, print)
    record_property("partners", outcome.line())
    assert outcome.seen == {trouble.name: 1 for trouble in TROUBLES}
    assert outcome.reckoning.accepted >= 10
    assert outcome.reckoning.native >= 5
