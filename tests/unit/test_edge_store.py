"""The agent's file: what is kept across restarts, and what one step writes all or nothing."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edge_agent.clock import Clock
from edge_agent.keeper import Keeper
from edge_agent.spool import Mismatch, Spool
from edge_agent.store import KEEP, TAPS_MOST, Store, StoreFull, StoreInUse, Tap, Written
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.edge_link.frames import (
    BillItem,
    Done,
    FaultItem,
    Refused,
    Stream,
    UpdateItem,
    decode_item,
)
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.roaming import HostStartReply, SessionUpdate
from tests.edge_rig import TARIFF
from tests.property.test_edge_session import new_charge
from tests.property.test_edge_spool import bill, update

AT = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
SESSION = "ses_0198d0b4-0000-7000-8000-000000000001"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "edge.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path, new_spool_id="spool-1")
    yield opened
    opened.close()


def again(store: Store, path: Path) -> Store:
    store.close()
    return Store(path, new_spool_id="another")


def test_one_file_has_one_agent(store: Store, path: Path) -> None:
    with pytest.raises(StoreInUse):
        Store(path, new_spool_id="spool-2")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFull, match="file"):
        Store(tmp_path / "file" / "edge.sqlite3", new_spool_id="spool-1")


def test_a_spool_keeps_its_name(store: Store, path: Path) -> None:
    reopened = again(store, path)
    assert Spool(reopened).spool_id == "spool-1"
    reopened.close()


def test_the_first_result_of_a_command_and_the_first_answer_to_a_start_stay(store: Store, path: Path) -> None:
    refused = HostStartReply(accepted=False, refusal="host_refused")
    store.write(Written(at=AT, result=("cmd-1", Done()), reply=(SESSION, refused)))
    store.write(
        Written(
            at=AT, result=("cmd-1", Refused(code="malformed")), reply=(SESSION, HostStartReply(accepted=True))
        )
    )
    assert store.result("cmd-1") == Done()
    assert store.reply(SESSION) == refused
    store.forget_before(AT + KEEP + timedelta(days=1))
    assert store.result("cmd-1") is None
    assert store.reply(SESSION) == refused, "a burnt session is burnt for ever"


def test_a_step_that_cannot_be_written_whole_leaves_nothing(store: Store) -> None:
    charge = new_charge(TARIFF, Target(), None)
    numbered = UpdateItem(
        session_id=SESSION,
        update=SessionUpdate(
            number=1, at=AT, state=SessionState.CHARGING, meter_wh=0, energy_wh=0, amount_fen=0, power_w=0
        ),
    )
    store.db.execute(
        "create trigger no_bills before insert on spool when new.stream = 'bills'"
        " begin select raise(abort, 'no'); end"
    )
    with pytest.raises(sqlite3.IntegrityError):
        store.write(Written(at=AT, charge=charge, live=[numbered], bill=bill(SESSION, 1)))
    assert store.charge(charge.session_id) is None
    assert Spool(store).waiting().live == 0
    store.db.execute("drop trigger no_bills")
    store.write(Written(at=AT, charge=charge, live=[numbered], bill=bill(SESSION, 1)))
    assert store.open_charges() == [charge]
    assert [decode_item(raw) for raw in Spool(store).batch(Stream.LIVE, 1)] == [numbered]


def test_a_list_of_refused_tokens_is_replaced_by_a_newer_one_only(store: Store) -> None:
    store.put_blacklist(2, [b"a" * 16, b"b" * 16])
    store.put_blacklist(1, [b"c" * 16])
    assert (store.is_blacklisted(b"a" * 16), store.is_blacklisted(b"c" * 16)) == (True, False)
    store.put_blacklist(3, [b"c" * 16])
    assert (store.is_blacklisted(b"a" * 16), store.is_blacklisted(b"c" * 16)) == (False, True)


def test_a_tariff_version_never_changes(store: Store) -> None:
    store.put_tariffs([TARIFF])
    store.put_tariffs([msgspec.structs.replace(TARIFF, currency="EUR")])
    assert store.tariff("tou", 1) == TARIFF
    assert store.tariff("tou", 2) is None


def test_a_fault_is_open_until_it_is_cleared(store: Store, path: Path) -> None:
    store.write(Written(at=AT, live=[FaultItem(code="insulation", at=AT, connector_id="P1")]))
    store.write(Written(at=AT, live=[FaultItem(code="disk_full", at=AT)]))
    reopened = again(store, path)
    assert set(reopened.faults()) == {("P1", "insulation"), ("", "disk_full")}
    reopened.write(Written(at=AT, live=[FaultItem(code="disk_full", at=AT, cleared=True)]))
    assert set(reopened.faults()) == {("P1", "insulation")}
    reopened.close()


def test_only_the_last_cards_are_remembered(store: Store) -> None:
    for at in range(TAPS_MOST + 5):
        store.write(Written(at=AT, tap=Tap(at=AT, connector_id=f"P{at}", outcome="refused")))
    taps = store.taps()
    assert len(taps) == TAPS_MOST
    assert taps[-1].connector_id == f"P{TAPS_MOST + 4}"


def test_bills_that_the_gateway_lost_are_sent_again_and_no_others(store: Store) -> None:
    spool = Spool(store)
    for number in (1, 2, 3):
        store.write(Written(at=AT, bill=bill(SESSION, number)))
    assert len(spool.batch(Stream.BILLS, 1)) == 3
    spool.acknowledged(Stream.BILLS, 3)
    assert spool.waiting().bills == 0
    said = {Stream.LIVE: 0, Stream.BILLS: 1}
    assert spool.mismatch(said) is Mismatch.GATEWAY_BEHIND
    spool.begin_again("spool-2", said)
    assert spool.waiting().bills == 2
    sent = [decode_item(raw) for raw in spool.batch(Stream.BILLS, 1)]
    assert sent == [BillItem(record=bill(SESSION, 2)), BillItem(record=bill(SESSION, 3))]


def test_a_gateway_that_has_more_than_was_ever_sent_is_noticed(store: Store) -> None:
    spool = Spool(store)
    store.write(Written(at=AT, live=[update(SESSION, 1), update(SESSION, 2)]))
    assert spool.mismatch({Stream.LIVE: 1, Stream.BILLS: 0}) is Mismatch.SPOOL_BEHIND
    spool.batch(Stream.LIVE, 1)
    assert spool.mismatch({Stream.LIVE: 2, Stream.BILLS: 0}) is None
    assert spool.mismatch({Stream.LIVE: 2, Stream.BILLS: 1}) is Mismatch.SPOOL_BEHIND


def test_what_was_offered_is_never_thinned(store: Store) -> None:
    spool = Spool(store)
    store.write(Written(at=AT, live=[update(SESSION, number) for number in range(1, 51)]))
    offered = spool.batch(Stream.LIVE, 1)
    store.write(Written(at=AT, live=[update(SESSION, number) for number in range(51, 201)]))
    assert spool.thin(100) > 0
    assert spool.batch(Stream.LIVE, 1)[:50] == offered
    left = [decode_item(raw) for raw in spool.batch(Stream.LIVE, 51)]
    assert 0 < len(left) <= 50
    numbers = [item.update.number for item in left if isinstance(item, UpdateItem)]
    assert numbers == sorted(numbers)


def test_steps_wait_in_order_while_nothing_can_be_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stops: list[str] = []
    keeper = Keeper(store, Clock(), written=lambda: None, on_full=lambda: stops.append("stop"))

    def full(written: Written) -> None:
        raise StoreFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", full)
        for number in (1, 2):
            keeper.keep(Written(at=AT, live=[update(SESSION, number)]))
        keeper.retry()
        with pytest.raises(StoreFull):
            keeper.write(Written(at=AT))
    assert (stops, keeper.is_full) == (["stop"], True)
    keeper.retry()
    assert (stops, keeper.is_full) == (["stop"], False)
    items = [decode_item(raw) for raw in Spool(store).batch(Stream.LIVE, 1)]
    assert [getattr(item, "code", "update") for item in items] == ["update", "disk_full", "update", "disk_full"]
    assert [item.cleared for item in items if isinstance(item, FaultItem)] == [False, True]


def test_the_alarm_of_a_full_disk_is_cleared_even_if_only_its_end_could_not_be_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(store, Clock(), written=lambda: None, on_full=lambda: None)
    write = store.write

    def no_room(written: Written) -> None:
        raise StoreFull("no room")

    def no_end(written: Written) -> None:
        if any(isinstance(item, FaultItem) and item.cleared for item in written.live):
            raise StoreFull("no room")
        write(written)

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", no_room)
        keeper.keep(Written(at=AT, live=[update(SESSION, 1)]))
        patch.setattr(store, "write", no_end)
        keeper.retry()
        assert set(store.faults()) == {("", "disk_full")}
        keeper.keep(Written(at=AT, live=[update(SESSION, 2)]))
    keeper.retry()
    keeper.retry()
    assert (store.faults(), keeper.is_full) == ({}, False)
    items = [decode_item(raw) for raw in Spool(store).batch(Stream.LIVE, 1)]
    assert [getattr(item, "code", "update") for item in items] == ["update", "disk_full", "update", "disk_full"]


def test_the_alarm_of_a_full_disk_is_cleared_after_a_restart(store: Store, path: Path) -> None:
    store.write(Written(at=AT, live=[FaultItem(code="disk_full", at=AT)]))
    reopened = again(store, path)
    Keeper(reopened, Clock(), written=lambda: None, on_full=lambda: None).retry()
    assert reopened.faults() == {}
    reopened.close()


def test_a_file_that_another_program_holds_is_one_that_cannot_be_written_and_is_not_waited_for_long(
    store: Store, path: Path
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        begun_s = time.monotonic()
        with pytest.raises(StoreFull, match="locked"):
            store.write(Written(at=AT, live=[update(SESSION, 1)]))
        assert time.monotonic() - begun_s < 3
        other.execute("rollback")
    store.write(Written(at=AT, live=[update(SESSION, 1)]))


def test_a_file_that_became_read_only_is_one_that_cannot_be_written(store: Store) -> None:
    store.db.execute("pragma query_only = on")
    with pytest.raises(StoreFull, match="readonly"):
        store.write(Written(at=AT, live=[update(SESSION, 1)]))
    store.db.execute("pragma query_only = off")
    store.write(Written(at=AT, live=[update(SESSION, 1)]))
