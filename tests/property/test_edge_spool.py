"""The spool against a gateway that stores in order: whatever is lost, doubled, thinned or killed on the way."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_agent.spool import Mismatch, Spool
from edge_agent.store import Store, Written
from operator_sdk.contract.codes import ConnectorState, SessionState
from operator_sdk.contract.edge_link.frames import (
    BillItem,
    FaultItem,
    HealthItem,
    Item,
    StatusItem,
    Stream,
    UpdateItem,
    decode_item,
)
from operator_sdk.contract.messages.common import BillLine
from operator_sdk.contract.messages.directory import ConnectorStatus
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import SessionUpdate

pytestmark = pytest.mark.property

AT = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
SESSIONS = [f"ses_0198d0b4-0000-7000-8000-00000000000{at}" for at in range(3)]
QUOTA = 10


def update(session_id: str, number: int, state: SessionState = SessionState.CHARGING) -> UpdateItem:
    return UpdateItem(
        session_id=session_id,
        update=SessionUpdate(
            number=number, at=AT, state=state, meter_wh=0, energy_wh=0, amount_fen=0, power_w=0
        ),
    )


def bill(session_id: str, number: int) -> ChargeRecord:
    line = BillLine(
        start=AT,
        end=AT + timedelta(seconds=1),
        energy_wh=0,
        electricity_micro=0,
        service_micro=0,
        electricity_fen=0,
        service_fen=0,
    )
    return ChargeRecord(
        record_ref=f"r-{number}",
        session_id=session_id,
        connector_id="P1",
        started_at=AT,
        ended_at=AT + timedelta(seconds=1),
        meter_start_wh=0,
        meter_end_wh=0,
        energy_wh=0,
        lines=[line],
        electricity_fen=0,
        service_fen=0,
        amount_fen=0,
        tariff_id="t",
        tariff_version=1,
        stop_reason="unknown",
    )


class SpoolMachine(RuleBasedStateMachine):
    """`stored` is the gateway's: (spool, stream) -> items, without a gap. `made` is all that ever was."""

    @initialize()
    def begin(self) -> None:
        # In memory where there is such a place: what a power cut takes is not the question here.
        self.folder = TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        self.names = 0
        self.open()
        self.made: dict[Stream, list[Item]] = {stream: [] for stream in Stream}
        self.stored: dict[tuple[str, Stream], list[Item]] = {}
        self.sent = dict.fromkeys(Stream, 0)
        self.numbers = dict.fromkeys(SESSIONS, 0)
        self.may_thin = False

    def open(self) -> None:
        self.names += 1
        self.store = Store(Path(self.folder.name) / "edge.sqlite3", new_spool_id=f"spool-{self.names}")
        self.spool = Spool(self.store)

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        self.deliver_all()
        for stream in Stream:
            got = [item for (_, kind), items in self.stored.items() if kind is stream for item in items]
            if stream is Stream.BILLS or not self.may_thin:
                assert [item for item in self.made[stream] if item not in got] == []
            else:
                self.check_thinned(got)
        self.store.close()
        self.folder.cleanup()

    def check_thinned(self, got: list[Item]) -> None:
        """Never lost: the first update of a session, and those with which something changed."""
        for item in self.made[Stream.LIVE]:
            if isinstance(item, UpdateItem) and (item.update.number == 1 or item.update.state != "charging"):
                assert item in got

    def make(self, item: Item) -> None:
        if isinstance(item, BillItem):
            self.store.write(Written(at=AT, bill=item.record))
            self.made[Stream.BILLS].append(item)
        else:
            self.store.write(Written(at=AT, live=[item]))
            self.made[Stream.LIVE].append(item)

    @rule(
        session_id=st.sampled_from(SESSIONS),
        many=st.integers(1, 8),
        state=st.sampled_from(["charging", "paused"]),
    )
    def updates(self, session_id: str, many: int, state: str) -> None:
        for _ in range(many):
            self.numbers[session_id] += 1
            self.make(update(session_id, self.numbers[session_id], SessionState(state)))

    @rule(session_id=st.sampled_from(SESSIONS))
    def a_bill(self, session_id: str) -> None:
        self.make(BillItem(record=bill(session_id, len(self.made[Stream.BILLS]) + 1)))

    @rule(kind=st.sampled_from(["health", "status", "fault"]))
    def telemetry(self, kind: str) -> None:
        at = AT + timedelta(seconds=len(self.made[Stream.LIVE]))
        items: dict[str, Item] = {
            "health": HealthItem(at=at, can_frames=1, meter_frames=1, spool_waiting=0),
            "status": StatusItem(
                status=ConnectorStatus(connector_id="P1", state=ConnectorState.AVAILABLE, at=at)
            ),
            "fault": FaultItem(code="insulation", at=at, connector_id="P1"),
        }
        self.make(items[kind])

    @rule(stream=st.sampled_from(Stream))
    def offer(self, stream: Stream) -> None:
        """Send what comes next; the gateway stores it. Its acknowledgement may come later, or never."""
        first = self.sent[stream] + 1
        batch = [decode_item(raw) for raw in self.spool.batch(stream, first)]
        stored = self.stored.setdefault((self.spool.spool_id, stream), [])
        assert first <= len(stored) + 1, "a gap"
        for number, item in enumerate(batch, first):
            assert not hasattr(item, "problem")
            if number <= len(stored):
                assert stored[number - 1] == item, "a number was given twice"
            else:
                stored.append(item)
        self.sent[stream] += len(batch)

    @rule(stream=st.sampled_from(Stream), short=st.integers(0, 5))
    def acknowledge(self, stream: Stream, short: int) -> None:
        """Late, twice, or all at once."""
        number = max(0, len(self.stored.get((self.spool.spool_id, stream), [])) - short)
        self.spool.acknowledged(stream, number)

    @rule()
    def reconnect(self) -> None:
        """The gateway says what it has."""
        said = {stream: len(self.stored.get((self.spool.spool_id, stream), [])) for stream in Stream}
        assert self.spool.mismatch(said) is None
        for stream, number in said.items():
            self.spool.acknowledged(stream, number)
        self.sent = said

    @rule()
    def agent_is_killed(self) -> None:
        self.store.close()
        self.open()
        self.reconnect()

    @rule()
    def quota_is_reached(self) -> None:
        before = self.spool.waiting().live
        dropped = self.spool.thin(QUOTA)
        assert self.spool.waiting().live == before - dropped
        assert dropped == 0 or before > QUOTA
        self.may_thin = self.may_thin or dropped > 0

    @rule(keeps=st.integers(0, 2))
    def gateway_loses_data(self, keeps: int) -> None:
        """What it had acknowledged of the live stream is lost with it; bills are sent again."""
        lost_id = self.spool.spool_id
        bills = self.stored.get((lost_id, Stream.BILLS), [])[:keeps]
        said = {Stream.LIVE: 0, Stream.BILLS: len(bills)}
        if self.spool.mismatch(said) is None:
            return
        assert self.spool.mismatch(said) is Mismatch.GATEWAY_BEHIND
        live = self.stored.get((lost_id, Stream.LIVE), [])
        self.made[Stream.LIVE] = [item for item in self.made[Stream.LIVE] if item not in live]
        self.stored = {key: items for key, items in self.stored.items() if key[0] != lost_id}
        self.stored[lost_id, Stream.BILLS] = bills
        self.names += 1
        self.spool.begin_again(f"again-{self.names}", said)
        self.sent = dict.fromkeys(Stream, 0)
        self.reconnect()

    def deliver_all(self) -> None:
        self.reconnect()
        for stream in Stream:
            for _ in range(2_000):
                before = self.sent[stream]
                self.offer(stream)
                if self.sent[stream] == before:
                    break
            self.acknowledge(stream, 0)
        waiting = self.spool.waiting()
        assert (waiting.live, waiting.bills) == (0, 0)

    @invariant()
    def what_waits_is_counted(self) -> None:
        rows = self.store.db.execute("select count(*) from spool where is_delivered = 0").fetchone()
        waiting = self.spool.waiting()
        assert waiting.live + waiting.bills == rows[0]


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
