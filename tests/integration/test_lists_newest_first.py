"""Lists that people look at come newest change first; who follows changes still gets the oldest first."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from operator_sdk.contract.codes import ConnectorState, FaultKind
from operator_sdk.contract.messages.upkeep import FaultReport
from tests.rig import B, Rig, open_rig
from tests.rig_charges import CONNECTOR, begin_by_home, charge_of

CHARGES = 3


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as opened:
        yield opened


async def whole_list(rig: Rig, operation: str, order: str | None) -> list[Any]:
    """Every row of a driver's list, page by page."""
    rows: list[Any] = []
    after: str | None = None
    while True:
        query = {"limit": 2, "after": after, "order": order}
        page = await rig.driver(B, "u-1").call(operation, query=query)
        rows += page.items
        after = page.next_after
        if after is None:
            return rows


async def test_the_newest_change_comes_first_when_it_is_asked_for(rig: Rig) -> None:
    driver = rig.driver(B, "u-1")
    for number in range(CHARGES):
        await rig.report(ConnectorState.AVAILABLE)
        charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
        await charge.whole(2)
        report = FaultReport(request_ref=f"f-{number}", connector=CONNECTOR, kind=FaultKind.DISPLAY)
        await driver.report_fault(report)
    for operation in ("list_sessions", "list_records", "list_my_faults"):
        oldest = await whole_list(rig, operation, None)
        assert len(oldest) == CHARGES
        assert oldest == await whole_list(rig, operation, "oldest")
        assert [row.updated_at for row in oldest] == sorted(row.updated_at for row in oldest)
        assert await whole_list(rig, operation, "newest") == oldest[::-1]
        answer = await rig.http.get(
            {
                "list_sessions": "/v1/sessions",
                "list_records": "/v1/charge-records",
                "list_my_faults": "/v1/driver/faults",
            }[operation],
            params={"order": "sideways"},
            headers={"authorization": f"Bearer {rig.token(B, 'u-1')}"},
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
