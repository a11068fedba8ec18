"""A charge under any order of events, held against an oracle that keeps every reading and prices them all."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_agent.charge import MS, Charge
from edge_agent.session import (
    Flow,
    MeterSaid,
    Moment,
    Order,
    PileSaid,
    Rules,
    StartAnswered,
    StopAsked,
    Tick,
    resume,
    step,
)
from operator_sdk.contract.codes import SESSION_RANK, SessionState, StopReason, TargetKind
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod, TimeFee
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import SessionUpdate
from operator_sdk.contract.pricing import Reading, fee_lines, price
from tests.pricing_oracle import fees_of, stretches_of

pytestmark = pytest.mark.property

BEGUN = datetime(2026, 3, 2, 3, 50, tzinfo=UTC)
RULES = Rules(
    look_ahead_ms=1_500,
    update_every=timedelta(seconds=20),
    charge_most=timedelta(hours=24),
    start_wait=timedelta(seconds=55),
    stop_wait=timedelta(seconds=10),
)
ENERGY_FLOWS = {Flow.CHARGING}
REASONS = [StopReason.DRIVER_REMOTE, StopReason.CARD, StopReason.FAULT, StopReason.EMERGENCY]


TIME_FEES = st.none() | st.builds(
    TimeFee,
    price_micro_per_hour=st.integers(0, 60_000_000),
    free_minutes=st.sampled_from([0, 5, 30]),
    cap_fen=st.none() | st.integers(0, 1_000),
)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Any tariff of two to six or of up to 32 periods; some edges lie within minutes of the start."""
    among = st.integers(711, 740) | st.integers(1, 1439)
    edges = sorted(draw(st.sets(among, min_size=1, max_size=5) | st.sets(among, min_size=1, max_size=31)))
    prices = st.integers(0, 3_000_000)
    bounds = [0, *edges, 1440]
    return Tariff(
        party_id="TESTPARTY",
        tariff_id="t",
        version=1,
        valid_from=BEGUN,
        periods=[
            TariffPeriod(
                start_minute=opened,
                end_minute=closed,
                electricity_micro=draw(prices),
                service_micro=draw(prices),
            )
            for opened, closed in pairwise(bounds)
        ],
        parking=draw(TIME_FEES),
        # Idle fees are for the time behind the charge, of which the agent knows nothing.
        idle=draw(TIME_FEES),
    )


def targets() -> st.SearchStrategy[Target]:
    return st.one_of(
        st.just(Target()),
        st.builds(Target, kind=st.just(TargetKind.ENERGY), value=st.integers(1, 30_000)),
        st.builds(Target, kind=st.just(TargetKind.AMOUNT), value=st.integers(1, 5_000)),
        st.builds(Target, kind=st.just(TargetKind.TIME), value=st.integers(1, 7_200)),
    )


def new_charge(tariff: Tariff, target: Target, limit_fen: int | None) -> Charge:
    return Charge(
        session_id="ses_1",
        authorization_id="aut_1",
        connector_id="P1",
        host_ref="h-1",
        tariff=tariff,
        limit_fen=limit_fen,
        target=target,
        deadline=BEGUN + RULES.start_wait,
    )


@dataclass
class Oracle:
    """Every reading that counts, and what was said."""

    readings: list[Reading] = field(default_factory=list)
    kept: list[Reading] = field(default_factory=list)
    updates: list[SessionUpdate] = field(default_factory=list)
    bills: list[ChargeRecord] = field(default_factory=list)

    def read(self, at: datetime, meter_wh: int) -> None:
        before = self.readings[-1]
        self.readings.append(Reading(max(at, before.at + MS), max(meter_wh, before.meter_wh)))

    def amount_fen(self, tariff: Tariff) -> int:
        return sum(fees_by_kind(tariff, self.readings).values()) if self.readings else 0


def fees_by_kind(tariff: Tariff, readings: list[Reading]) -> dict[str, int]:
    """What every kind of fee comes to at the last of these readings, by the slow oracle."""
    stretches = stretches_of(tariff, readings)
    parking = fees_of(tariff, readings[0].at, readings[-1].at)
    return {
        "electricity": sum(one.electricity_fen for one in stretches),
        "service": sum(one.service_fen for one in stretches),
        "parking": sum(one.amount_fen for one in parking),
    }


class ChargeMachine(RuleBasedStateMachine):
    """A pile and a meter that do anything, an agent that dies and comes back."""

    @initialize(
        tariff=tariffs(),
        goal=targets(),
        limit_fen=st.none() | st.integers(0, 5_000),
        meter_wh=st.integers(0, 10**9),
        power_w=st.none() | st.integers(0, 120_000),
    )
    def begin(
        self, tariff: Tariff, goal: Target, limit_fen: int | None, meter_wh: int, power_w: int | None
    ) -> None:
        self.charge = self.durable = new_charge(tariff, goal, limit_fen)
        self.oracle = Oracle()
        self.business = self.wall = BEGUN
        self.wms = meter_wh * 3_600_000
        self.flow, self.power_w, self.is_plugged = Flow.STILL, 0, True
        self.cause: StopReason | None = None
        if power_w is not None:
            self.pile_starts(power_w)

    def pile_starts(self, power_w: int) -> None:
        """As it should: plugged, told to start, charging."""
        self.pile_speaks()
        self.meter_answers(0, late=False)
        self.pile_answers_the_start(is_taken=True)
        self.pile_changes(Flow.CHARGING, power_w, None)
        self.pile_speaks()
        assert self.charge.state is SessionState.CHARGING

    def now(self) -> Moment:
        return Moment(self.business, self.wall)

    def take(self, event: PileSaid | MeterSaid | StartAnswered | StopAsked | Tick) -> None:
        before = self.charge
        done = step(before, event, RULES)
        self.charge = done.charge
        self.listen(before, event)
        for update in done.updates:
            self.check_update(update)
        if done.updates or done.bill:
            assert done.keep
        if done.keep:
            self.durable, self.oracle.kept = self.charge, list(self.oracle.readings)
        if Order.START in done.orders:
            assert done.keep
            assert before.state is SessionState.STARTING
        if done.bill is not None:
            self.oracle.bills.append(done.bill)
        assert (self.charge.state is SessionState.STOPPING) <= (before.state is not SessionState.STARTING)
        if before.state in {SessionState.CHARGING, SessionState.PAUSED} and not self.is_flowing(self.charge):
            assert Order.STOP in done.orders

    def listen(self, before: Charge, event: object) -> None:
        """What the oracle makes of an event: readings count from the one with which START went out."""
        if isinstance(event, MeterSaid) and before.is_open:
            self.metered(before, event)
        if self.charge.state is SessionState.ENDED and before.is_open:
            first, last = self.oracle.readings[0], self.oracle.readings[-1]
            if last.at <= first.at:
                self.oracle.readings.append(Reading(first.at + MS, last.meter_wh))
        if self.charge.state is SessionState.START_FAILED:
            self.oracle.readings = []

    def metered(self, before: Charge, said: MeterSaid) -> None:
        if before.state is not SessionState.STARTING or self.is_flowing(self.charge):
            self.oracle.read(said.at.business, said.meter_wh)
        elif self.charge.is_start_sent and not before.is_start_sent:
            self.oracle.readings = [Reading(said.at.business, said.meter_wh)]

    @staticmethod
    def is_flowing(charge: Charge) -> bool:
        return charge.state in {SessionState.CHARGING, SessionState.PAUSED}

    def check_update(self, update: SessionUpdate) -> None:
        said = self.oracle.updates
        assert update.number == len(said) + 1
        assert update.amount_fen == self.oracle.amount_fen(self.charge.tariff)
        readings = self.oracle.readings
        assert update.energy_wh == (readings[-1].meter_wh - readings[0].meter_wh if readings else 0)
        if said:
            before = said[-1]
            assert update.at >= before.at
            assert update.energy_wh >= before.energy_wh
            assert update.meter_wh >= before.meter_wh
            assert SESSION_RANK[update.state] >= SESSION_RANK[before.state]
        said.append(update)

    @rule(ms=st.integers(0, 90_000), back=st.booleans())
    def time_passes(self, ms: int, back: bool) -> None:
        """The pile delivers while it passes; now and then the business clock is set back."""
        self.wall += ms * MS
        self.business += ms * MS
        if self.flow in ENERGY_FLOWS:
            self.wms += self.power_w * ms
        if back and ms > 89_000:
            self.business -= timedelta(minutes=10)

    @rule(ms=st.sampled_from([1, 1_000, 20_000, 90_000, 400_000, 3_000_000]), polls=st.integers(1, 5))
    def all_goes_on(self, ms: int, polls: int) -> None:
        for _ in range(polls):
            self.time_passes(ms, back=False)
            self.pile_speaks()
            self.meter_answers(0, late=False)

    @rule(back_wh=st.integers(0, 1_000))
    def meter_goes_back(self, back_wh: int) -> None:
        """Safety stops the charge for it; whatever comes, the bill does not go back."""
        self.meter_answers(0, late=False, back_wh=back_wh)

    @rule(ms=st.integers(0, 400), late=st.booleans())
    def meter_answers(self, ms: int, late: bool, back_wh: int = 0) -> None:
        meter_wh = max(0, self.wms // 36_000_000 * 10 - back_wh)
        asked_at = self.business - (ms * MS if late else timedelta(0))
        self.take(MeterSaid(at=self.now(), asked_at=asked_at, meter_wh=meter_wh))

    @rule()
    def pile_speaks(self) -> None:
        self.take(
            PileSaid(
                at=self.now(),
                flow=self.flow,
                is_plugged=self.is_plugged,
                cause=self.cause,
                power_w=self.power_w if self.flow in ENERGY_FLOWS else 0,
            )
        )

    @rule(
        flow=st.sampled_from([Flow.CHARGING, Flow.CHARGING, Flow.PAUSED, *Flow]),
        power_w=st.integers(0, 120_000),
        cause=st.sampled_from([None, *REASONS]),
    )
    def pile_changes(self, flow: Flow, power_w: int, cause: StopReason | None) -> None:
        self.flow, self.power_w = flow, power_w
        self.cause = cause if flow is Flow.STILL else None
        self.is_plugged = self.is_plugged if flow is Flow.STILL else True

    @rule(wish=st.integers(0, 4))
    def plug_moves(self, wish: int) -> None:
        if wish:
            return
        self.is_plugged = not self.is_plugged
        if not self.is_plugged:
            self.flow, self.cause = Flow.STILL, StopReason.UNPLUGGED

    @rule(is_taken=st.booleans())
    def pile_answers_the_start(self, is_taken: bool) -> None:
        self.take(StartAnswered(at=self.now(), is_taken=is_taken))

    @rule(reason=st.sampled_from(REASONS), wish=st.integers(0, 4))
    def somebody_stops(self, reason: StopReason, wish: int) -> None:
        if wish == 0:
            self.take(StopAsked(at=self.now(), reason=reason))

    @rule(is_pile_silent=st.booleans(), is_meter_silent=st.booleans())
    def nothing_happens(self, is_pile_silent: bool, is_meter_silent: bool) -> None:
        self.take(Tick(at=self.now(), is_pile_silent=is_pile_silent, is_meter_silent=is_meter_silent))

    @precondition(lambda self: self.durable.is_open)
    @rule()
    def agent_is_killed(self) -> None:
        """What was not kept is gone, and so are the readings that nobody heard of."""
        self.oracle.readings = list(self.oracle.kept)
        self.charge = resume(self.durable, self.now(), RULES)

    @invariant()
    def a_charge_that_began_has_one_bill_and_no_other_has_any(self) -> None:
        bills = self.oracle.bills
        assert len(bills) == (self.charge.state is SessionState.ENDED)
        if self.charge.state is SessionState.ENDED:
            assert any(update.state == "charging" for update in self.oracle.updates)
        for bill in bills:
            check_bill(bill, self.oracle, self.charge)


def check_bill(bill: ChargeRecord, oracle: Oracle, charge: Charge) -> None:
    """The bill is what pricing makes of every reading, and the last update says the same."""
    lines = price(charge.tariff, oracle.readings)
    assert bill.lines == lines
    due = fees_by_kind(charge.tariff, oracle.readings)
    assert due == {
        "electricity": bill.electricity_fen,
        "service": bill.service_fen,
        "parking": bill.parking_fen,
    }
    assert bill.amount_fen == sum(due.values())
    # The hub prices the fees for time again, by the record alone.
    assert bill.fees == fee_lines(charge.tariff, started_at=bill.started_at, ended_at=bill.ended_at)
    assert (sum(fee.amount_fen for fee in bill.fees), bill.idle_fen) == (bill.parking_fen, 0)
    assert bill.amount_fen == oracle.updates[-1].amount_fen
    assert bill.energy_wh == sum(line.energy_wh for line in lines) == bill.meter_end_wh - bill.meter_start_wh
    assert bill.ended_at > bill.started_at
    assert (bill.started_at, bill.ended_at) == (lines[0].start, lines[-1].end)
    assert oracle.updates[-1].state == SessionState.ENDED
    assert bill.stop_reason == oracle.updates[-1].stop_reason


TestCharges = ChargeMachine.TestCase
TestCharges.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
