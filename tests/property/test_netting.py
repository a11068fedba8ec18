"""Netting: sums to zero, loses nothing, depends on nothing but the amounts; payments that bring it to zero."""

from collections import Counter
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.clearing import model, postings
from hub.clearing.model import Gross
from hub.clearing.statement_words import in_words, yuan

pytestmark = pytest.mark.property

HUB = "MA5HUB000"
PARTIES = [f"MA5PARTY{letter}" for letter in "ABCDEFGHIJKL"]

Debt = tuple[str, str, int]
"""(debtor, creditor, fen)."""

PAIRS = st.tuples(st.sampled_from(PARTIES), st.sampled_from(PARTIES)).filter(lambda pair: pair[0] != pair[1])
DEBTS = st.lists(st.builds(lambda pair, fen: (*pair, fen), PAIRS, st.integers(1, 10**12)), max_size=40)
NETS = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=11).map(
    lambda drawn: dict(zip(PARTIES, [*drawn, -sum(drawn)], strict=False))
)
ROUND_NETS = st.lists(st.integers(-6, 6), min_size=1, max_size=11).map(
    lambda drawn: dict(zip(PARTIES, [100 * one for one in [*drawn, -sum(drawn)]], strict=False))
)
"""Few different amounts, so that groups of them do sum to zero."""


def sides_of(debts: list[Debt]) -> dict[str, Gross]:
    """Both sides of everybody, the slow and obvious way."""
    parties = {party for debtor, creditor, _ in debts for party in (debtor, creditor)}
    return {
        party: Gross(
            owes_fen=sum(fen for debtor, _, fen in debts if debtor == party),
            is_owed_fen=sum(fen for _, creditor, fen in debts if creditor == party),
        )
        for party in parties
    }


@given(DEBTS, st.sets(st.sampled_from(PARTIES)))
def test_positions_sum_to_zero_and_list_everybody(debts: list[Debt], listed: set[str]) -> None:
    positions = model.net(sides_of(debts), listed)
    assert sum(side.net_fen for side in positions.values()) == 0
    assert list(positions) == sorted(listed | {party for debt in debts for party in debt[:2]})


@given(DEBTS)
def test_a_position_is_what_a_party_is_owed_less_what_it_owes(debts: list[Debt]) -> None:
    for party, side in model.net(sides_of(debts)).items():
        came = sum(fen for _, creditor, fen in debts if creditor == party)
        went = sum(fen for debtor, _, fen in debts if debtor == party)
        assert side.net_fen == came - went


def test_sides_that_do_not_meet_are_not_netted() -> None:
    with pytest.raises(ValueError, match="two sides"):
        model.net({PARTIES[0]: Gross(owes_fen=1)})


@given(NETS)
def test_at_most_one_transfer_a_party_brings_every_position_to_zero(positions: dict[str, int]) -> None:
    paid = dict(positions)
    cash = 0
    for transfer in model.transfers(positions):
        assert transfer.amount_fen > 0
        paid[transfer.party_id] += transfer.amount_fen if transfer.pays_in else -transfer.amount_fen
        cash += transfer.amount_fen if transfer.pays_in else -transfer.amount_fen
        assert cash >= 0, "collected before it is paid out"
    assert cash == 0
    assert not any(paid.values())
    assert len(model.transfers(positions)) <= len(positions)


@given(st.one_of(NETS, ROUND_NETS))
def test_peers_pay_each_other_to_zero_in_fewer_transfers_than_there_are_parties(
    positions: dict[str, int],
) -> None:
    left = dict(positions)
    moved = model.peer_transfers(positions)
    for one in moved:
        assert one.amount_fen > 0
        assert left[one.payer] < 0 < left[one.payee], "who owes pays, who is owed gets"
        left[one.payer] += one.amount_fen
        left[one.payee] -= one.amount_fen
    assert not any(left.values())
    assert len(moved) <= max(0, sum(fen != 0 for fen in positions.values()) - 1)


@settings(max_examples=60)
@given(st.one_of(NETS, ROUND_NETS))
def test_peer_transfers_are_within_two_of_the_fewest_possible(positions: dict[str, int]) -> None:
    assert fewest(tuple(positions.values())) <= len(model.peer_transfers(positions))
    assert len(model.peer_transfers(positions)) <= fewest(tuple(positions.values())) + 2


def fewest(amounts: tuple[int, ...]) -> int:
    """The fewest payments: parties less the most groups that sum to zero each, by trying every subset."""
    left = [fen for fen in amounts if fen]
    everybody = (1 << len(left)) - 1
    sums = [0] * (everybody + 1)
    for subset in range(1, everybody + 1):
        lowest = subset & -subset
        sums[subset] = sums[subset ^ lowest] + left[lowest.bit_length() - 1]

    @cache
    def groups(subset: int) -> int:
        """The most groups, taking parties away one by one and counting whenever what is gone sums to zero."""
        if not subset:
            return 0
        most = max(groups(subset & ~(1 << at)) for at in range(len(left)) if subset >> at & 1)
        return most + (sums[subset] == 0)

    return len(left) - groups(everybody)


def test_the_oracle_knows_small_cases_by_heart() -> None:
    assert fewest((0, 0)) == 0
    assert fewest((-5, 5)) == 1
    assert fewest((-5, 5, -3, 3)) == 2
    assert fewest((-8, 5, 3)) == 2
    assert fewest((-5, -5, 4, 6)) == 3


def test_among_equal_amounts_the_smaller_party_id_comes_first() -> None:
    a, b, c, d = PARTIES[:4]
    moved = [(one.payer, one.payee) for one in model.peer_transfers({d: -5, c: 5, b: -5, a: 5})]
    assert moved == [(b, a), (d, c)]


@given(st.one_of(NETS, ROUND_NETS), st.randoms(use_true_random=False))
def test_nothing_depends_on_the_order_of_the_parties(positions: dict[str, int], chance) -> None:
    order = list(positions)
    chance.shuffle(order)
    shuffled = {party: positions[party] for party in order}
    assert model.transfers(shuffled) == model.transfers(positions)
    assert model.peer_transfers(shuffled) == model.peer_transfers(positions)
    sides = {party: Gross(max(0, -fen), max(0, fen)) for party, fen in shuffled.items()}
    assert list(model.net(sides)) == sorted(positions)


@pytest.mark.parametrize("way", [model.transfers, model.peer_transfers])
def test_positions_that_do_not_sum_to_zero_are_not_paid(way) -> None:
    with pytest.raises(ValueError, match="sum to zero"):
        way({PARTIES[0]: 1})


COMMISSIONS = st.dictionaries(st.sampled_from(PARTIES), st.integers(-(10**9), 10**9).filter(bool))
"""What each host owes the hub; where credits took more back than charges brought, the hub owes the host."""


@given(DEBTS, COMMISSIONS)
def test_the_postings_of_a_cycle_balance_and_leave_each_party_its_net(
    debts: list[Debt], commissions: dict[str, int]
) -> None:
    owed = {(host, HUB) if fen > 0 else (HUB, host): abs(fen) for host, fen in commissions.items()}
    sides = sides_of(debts + [(*pair, fen) for pair, fen in owed.items()])
    booked = [
        postings.obligation_entries(debtor=debtor, creditor=creditor, amount_fen=fen, currency="CNY")
        for debtor, creditor, fen in debts
    ]
    booked.append(postings.commission_entries(owed, hub_party_id=HUB, currency="CNY"))
    booked.append(postings.gross_entries(sides, cycle_id="cyc_1", currency="CNY"))
    accounts: Counter[tuple[str, str]] = Counter()
    for entries in booked:
        assert sum(entry.amount_fen for entry in entries) == 0
        for entry in entries:
            accounts[entry.kind, entry.subject] += entry.amount_fen
    assert not any(accounts.values()), "every gross leg is taken out, and the cycle nets to zero"
    for entry in postings.net_entries(sides, cycle_id="cyc_1", currency="CNY"):
        accounts[entry.kind, entry.subject] += entry.amount_fen
    for party, side in model.net(sides).items():
        assert accounts["receivable", party] == max(0, -side.net_fen)
        assert accounts["payable", party] == min(0, -side.net_fen)
    assert accounts["cycle", "cyc_1"] == 0


@given(st.integers(-(10**14), 10**14))
def test_yuan_text_reads_back_as_the_same_fen(fen: int) -> None:
    text = yuan(fen)
    sign = -1 if text.startswith("-") else 1
    whole, fraction = text.removeprefix("-").split(".")
    assert sign * (int(whole) * 100 + int(fraction)) == fen
    assert yuan(fen, grouped=True).replace(",", "") == text


@pytest.mark.parametrize(
    ("fen", "words"),
    [
        (0, "零元整"),
        (1, "壹分"),
        (10, "壹角整"),
        (105, "壹元零伍分"),
        (150, "壹元伍角整"),
        (1_000, "壹拾元整"),
        (10_203, "壹佰零贰元零叁分"),
        (-123_456, "壹仟贰佰叁拾肆元伍角陆分"),
        (10_000_00, "壹万元整"),
        (10_001_00, "壹万零壹元整"),
        (10_100_00, "壹万零壹佰元整"),
        (100_000_000_00, "壹亿元整"),
        (100_000_001_00, "壹亿零壹元整"),
        (100_010_000_00, "壹亿零壹万元整"),
        (203_040_506_07, "贰亿零叁佰零肆万零伍佰零陆元零柒分"),
        (1_020_030_00, "壹佰零贰万零叁拾元整"),
    ],
)
def test_amounts_in_words_follow_the_rules_of_chinese_papers(fen: int, words: str) -> None:
    assert in_words(fen) == words
