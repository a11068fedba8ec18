"""What the gateway pushes to a site, and what the site does not take."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.clock import Clock
from edge_agent.desk import Desk
from edge_agent.keeper import Keeper
from edge_agent.store import Store
from operator_sdk.contract.edge_link.frames import Done, Refused, TariffsCommand
from operator_sdk.contract.public_codes import Code
from tests.edge_rig import TARIFF, UNPRICEABLE


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "edge.sqlite3", new_spool_id="spool-1")
    yield opened
    opened.close()


async def test_a_push_with_a_tariff_that_cannot_be_priced_is_refused_whole_and_named(store: Store) -> None:
    keeper = Keeper(store, Clock(), written=lambda: None, on_full=lambda: None)
    desk = Desk("site", {}, keeper, Clock(), 55)
    refused = await desk.commanded("cmd-1", TariffsCommand(tariffs=[TARIFF, UNPRICEABLE]))
    assert isinstance(refused, Refused)
    assert (refused.code, "tou 9" in refused.detail) == (Code.RULE_VIOLATED, True)
    assert store.tariff("tou", 1) is None
    assert store.tariff("tou", 9) is None
    assert await desk.commanded("cmd-2", TariffsCommand(tariffs=[TARIFF])) == Done()
    assert store.tariff("tou", 1) == TARIFF
