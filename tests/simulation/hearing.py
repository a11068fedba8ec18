"""Hears everybody outside the hub: turns the simulated operators' and the bank's own books into testimony."""

from datetime import UTC, datetime, timedelta

from operator_sdk.contract.messages.clearing import Statement
from operator_sdk.contract.messages.directory import Tariff, TimeFee
from tests.simulation.auditor.testimony import (
    BillSaid,
    MovementSaid,
    PeriodSaid,
    TariffSaid,
    Testimony,
    TimeFeeSaid,
)
from tests.simulation.bank import Bank
from tests.simulation.home import Home
from tests.simulation.host import Host
from tests.simulation.market import Market

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPOILT = frozenset({"overpriced", "unsummed"})


def hear(market: Market, bank: Bank, papers: list[Statement]) -> Testimony:
    """What everybody says."""
    said = Testimony(commission_ppm=dict(market.commission_ppm), frequencies=dict(market.frequencies))
    for host in market.hosts.values():
        _hear_host(said, host)
    for home in market.homes.values():
        _hear_home(said, home)
    for _, customer_id, amount_fen in market.topped_up:
        said.topped_up[customer_id] = said.topped_up.get(customer_id, 0) + amount_fen
    said.by_hand = set(bank.accepted_by_hand)
    said.movements = [
        MovementSaid(moved.ref, moved.party_id, moved.amount_fen, moved.deposit) for moved in bank.moved
    ]
    for paper in papers:
        lines = {line.obligation_id: line.amount_fen for line in paper.lines}
        said.statements[paper.cycle_id, paper.party_id] = lines
    for session_id, flow in market.scene.truth.flows.items():
        if not flow.host_lied:
            said.flowed[session_id] = flow.ever_on
    return said


def _hear_host(said: Testimony, host: Host) -> None:
    for (tariff_id, version), tariff in host.tariffs.items():
        said.tariffs[host.party_id, tariff_id, version] = _tariff(tariff)
    for charge in host.charges.values():
        said.acknowledged[charge.session_id] = [
            (update.number, update.state.value, update.energy_wh, update.amount_fen)
            for update in charge.acknowledged
        ]
        for bill in charge.sent:
            answer = host.bills.answers[bill.record_ref]
            said.bills.append(
                BillSaid(
                    host=host.party_id,
                    record_ref=bill.record_ref,
                    session_id=bill.session_id,
                    tariff=(bill.tariff_id, bill.tariff_version),
                    started_us=_us(bill.started_at),
                    ended_us=_us(bill.ended_at),
                    left_us=None if bill.left_at is None else _us(bill.left_at),
                    energy_wh=bill.energy_wh,
                    amount_fen=bill.amount_fen,
                    limit_fen=charge.limit_fen,
                    right=charge.conduct.record not in SPOILT or bill is not charge.sent[0],
                    record_id=answer.record_id,
                    state=answer.state,
                    owed_fen=answer.owed_fen,
                )
            )


def _hear_home(said: Testimony, home: Home) -> None:
    said.home_owes[home.party_id] = {
        bill.record_id: -bill.owed_fen if bill.kind == "credit" else bill.owed_fen
        for bill in home.bills.values()
        if bill.record_id not in home.refused
    }
    said.home_refuses[home.party_id] = set(home.refused)
    said.still_held[home.party_id] = [
        hold.session_id
        for hold in home.holds.values()
        if hold.state == "held" and hold.session_id is not None and hold.progress >= 0
    ]


def _us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def _tariff(tariff: Tariff) -> TariffSaid:
    return TariffSaid(
        periods=tuple(
            PeriodSaid(one.start_minute, one.end_minute, one.electricity_micro, one.service_micro)
            for one in tariff.periods
        ),
        offset_minutes=tariff.utc_offset_minutes,
        parking=_fee(tariff.parking),
        idle=_fee(tariff.idle),
    )


def _fee(fee: TimeFee | None) -> TimeFeeSaid | None:
    return None if fee is None else TimeFeeSaid(fee.price_micro_per_hour, fee.free_minutes, fee.cap_fen)
