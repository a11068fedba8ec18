"""A spool over its quota is thinned little by little, and what is true at the end stays."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.spool import Spool
from edge_agent.store import Store, Written
from edge_agent.thinning import ROWS_MOST
from operator_sdk.contract.codes import ConnectorState
from operator_sdk.contract.edge_link.frames import (
    FaultItem,
    HealthItem,
    Item,
    StatusItem,
    Stream,
    UpdateItem,
    decode_item,
)
from operator_sdk.contract.messages.directory import ConnectorStatus
from tests.property.test_edge_spool import bill, update

AT = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
SESSION = "ses_0198d0b4-0000-7000-8000-00000000000{}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "edge.sqlite3", new_spool_id="spool-1")
    yield opened
    opened.close()


def keep(store: Store, items: Sequence[Item]) -> Spool:
    store.write(Written(at=AT, live=items))
    return Spool(store)


def left(store: Store) -> list[object]:
    return [decode_item(body) for (body,) in store.db.execute("select body from spool order by seq")]


def fault(code: str, minute: int, *, cleared: bool = False, connector_id: str | None = "P1") -> FaultItem:
    at = AT + timedelta(minutes=minute)
    return FaultItem(code=code, at=at, connector_id=connector_id, cleared=cleared)


def steps(store: Store, work: Sequence[str]) -> int:
    """How many thousands of steps SQLite takes for it."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    spool = Spool(store)
    store.db.set_progress_handler(count, 1_000)
    try:
        for word in work:
            spool.waiting() if word == "waiting" else spool.thin(1_000)
    finally:
        store.db.set_progress_handler(None, 0)
    return taken


def test_what_a_look_at_a_long_spool_costs_does_not_grow_with_it(store: Store) -> None:
    many = [update(SESSION.format(number % 7), 2 + number // 7) for number in range(8_000)]
    keep(store, many)
    before = steps(store, ["thin"])
    for _ in range(4):
        keep(store, many)
    assert steps(store, ["waiting"] * 10) < 5, "counted as it grows, not when asked"
    assert steps(store, ["thin"]) < 2 * before


def test_no_more_than_a_slice_goes_at_a_time_until_the_quota_is_kept(store: Store) -> None:
    spool = keep(store, [update(SESSION.format(number % 7), 2 + number // 7) for number in range(9_000)])
    taken = []
    while dropped := spool.thin(1_000):
        taken.append(dropped)
    assert max(taken) <= ROWS_MOST
    assert spool.waiting().live <= 1_000
    assert store.db.execute("select count(*) from spool").fetchone() == (spool.waiting().live,)
    sessions = {item.session_id for item in left(store) if isinstance(item, UpdateItem)}
    assert len(sessions) == 7


def test_charges_are_thinned_evenly_before_any_is_thinned_again(store: Store) -> None:
    many = ROWS_MOST * 2
    spool = keep(store, [update(SESSION.format(number % 2), 2 + number // 2) for number in range(many)])
    while spool.thin(many // 2 + 10):
        pass
    numbers: dict[str, list[int]] = {}
    for item in left(store):
        assert isinstance(item, UpdateItem)
        numbers.setdefault(item.session_id, []).append(item.update.number)
    gaps = {later - one for each in numbers.values() for one, later in pairwise(each)}
    assert max(gaps) <= 3


def test_health_goes_first_then_old_states_then_updates_then_faults_that_are_over(store: Store) -> None:
    items: list[Item] = []
    for number in range(40):
        at = AT + timedelta(minutes=number)
        status = ConnectorStatus(connector_id=f"P{number % 2}", state=ConnectorState.AVAILABLE, at=at)
        items += [
            HealthItem(at=at, can_frames=number, meter_frames=0, spool_waiting=0),
            StatusItem(status=status),
            update(SESSION.format(1), number + 2),
            fault("insulation", number, cleared=number % 2 == 1),
        ]
    spool = keep(store, items)

    def kinds() -> list[int]:
        wanted = (HealthItem, StatusItem, UpdateItem, FaultItem)
        return [sum(isinstance(item, kind) for item in left(store)) for kind in wanted]

    spool.thin(159)
    assert kinds()[1:] == [40, 40, 40]
    spool.thin(120)
    assert (kinds()[0], kinds()[2:]) == (1, [40, 40])
    spool.thin(80)
    assert (kinds()[:2], kinds()[3]) == ([1, 2], 40)
    for _ in range(10):
        spool.thin(1)
    assert kinds() == [1, 2, 1, 2]
    last = [item for item in left(store) if isinstance(item, HealthItem | StatusItem)]
    assert {getattr(item, "can_frames", 39) for item in last} == {39}, "the newest stay"


def test_a_fault_goes_with_its_end_or_not_at_all(store: Store) -> None:
    kept = [
        fault("insulation", 0, cleared=True),
        fault("insulation", 0, cleared=True),
        fault("temperature", 5),
        fault("insulation", 6),
    ]
    spool = keep(
        store,
        [
            *kept[:2],
            fault("insulation", 1),
            fault("link", 2, connector_id=None),
            fault("insulation", 3, cleared=True),
            fault("link", 4, cleared=True, connector_id=None),
            *kept[2:],
        ],
    )
    while spool.thin(1):
        pass
    faults = left(store)
    assert [item for item in faults if isinstance(item, FaultItem) and item.connector_id] == kept
    assert len(faults) == 6, "the site's own fault is its newest, and stays with its end"


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.booleans()), max_size=30),
    st.integers(0, 10),
    st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_dropped_the_same_faults_are_open_at_the_end(
    said: list[tuple[str, bool]], delivered: int, times: int
) -> None:
    with TemporaryDirectory() as folder, closing(Store(Path(folder, "spool.db"), new_spool_id="s")) as store:
        items = [fault(code, minute, cleared=cleared) for minute, (code, cleared) in enumerate(said)]
        spool = keep(store, items)
        for _ in range(times):
            spool.thin(delivered)
        assert _open(left(store)) == _open(items)


def _open(items: Sequence[object]) -> dict[str, bool]:
    return {item.code: item.cleared for item in items if isinstance(item, FaultItem)}


def test_a_file_of_an_older_agent_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "edge.sqlite3"
    with closing(Store(path, new_spool_id="s")) as store:
        store.write(Written(at=AT, live=[update(SESSION.format(1), 1)], bill=bill(SESSION.format(1), 1)))
        Spool(store).batch(Stream.BILLS, 1)
        Spool(store).acknowledged(Stream.BILLS, 1)
    with closing(sqlite3.connect(path)) as older:
        triggers = older.execute("select name from sqlite_master where type = 'trigger'").fetchall()
        for (name,) in triggers:
            older.execute(f"drop trigger {name}")
        older.execute("drop table waiting")
        older.execute("drop index spool_thinnable")
        older.commit()
    for _ in range(2):
        with closing(Store(path, new_spool_id="s")) as store:
            waiting = Spool(store).waiting()
            assert (waiting.live, waiting.bills) == (1, 0)
