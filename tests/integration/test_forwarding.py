"""Updates on their way to homes: read for many charges at once, and nothing is left of what arrived."""

from collections.abc import AsyncIterator

import pytest

from hub.core.database import Database
from hub.parties.scope import HUB
from hub.roaming.tables_forwarding import list_forwards
from tests.counting import statements
from tests.rig import Rig, open_rig
from tests.rig_charges import begin_by_home, charge_of

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


async def test_updates_of_several_charges_are_read_for_at_once_and_forgotten_once_told(rig: Rig) -> None:
    charges = [
        await charge_of(rig, (await begin_by_home(rig, connector=connector)).session_id)
        for connector in ("A1.MA5AAAAA1", "A2.MA5AAAAA1")
    ]
    for charge in charges:
        await charge.runs(0)
    with statements(rig.hub.database) as asked:
        await rig.work()
    assert sorted(said.session_id for said in rig.b.progress) == sorted(one.session_id for one in charges)
    assert len([statement for statement in asked if "FROM session_update" in statement]) == 1
    assert await rig.letters("push_session") == []


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_updates_are_found_by_their_key_and_not_among_all_there_ever_were(database: Database) -> None:
    with statements(database) as asked:
        async with database.reading() as unit:
            await list_forwards(HUB, unit, [("ses_a", 1), ("ses_b", 2)])
    (statement,) = [one for one in asked if "FROM session_update" in one]
    async with database.engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", ("ses_a", 1, "ses_b", 2))
        plan = [row[-1] for row in rows]
    assert not [step for step in plan if step.startswith("SCAN session_update")], plan
