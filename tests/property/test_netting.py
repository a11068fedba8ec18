"""Netting: sums to zero, loses nothing, and depends on nothing but the obligations."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clearing import model, postings
from hub.clearing.model import Owed
from hub.clearing.statements import in_words, yuan
from operator_sdk.contract.money import PPM, part_ppm

pytestmark = pytest.mark.property

HUB = "MA5HUB000"
PARTIES = [f"MA5PARTY{letter}" for letter in "ABCDEFGH"]
ONE = Owed(obligation_id="obl_1", kind="charge", debtor=PARTIES[0], creditor=PARTIES[1], amount_fen=1)


@st.composite
def obligation_sets(draw: st.DrawFn, most: int = 40) -> list[Owed]:
    parties = draw(st.lists(st.sampled_from(PARTIES), min_size=2, max_size=8, unique=True))
    pairs = st.tuples(st.sampled_from(parties), st.sampled_from(parties)).filter(lambda p: p[0] != p[1])
    amounts = st.integers(1, 10**12)
    rates = st.integers(0, PPM)
    rows = draw(st.lists(st.tuples(pairs, amounts, rates), max_size=most))
    return [
        Owed(
            obligation_id=f"obl_{number:036d}",
            kind="charge",
            debtor=debtor,
            creditor=creditor,
            amount_fen=fen,
            booked_day="2026-03-01",
            record_id=f"rec_{number:036d}",
            commission_ppm=ppm,
        )
        for number, ((debtor, creditor), fen, ppm) in enumerate(rows)
    ]


@given(obligation_sets(), st.sets(st.sampled_from(PARTIES)))
def test_positions_sum_to_zero_and_list_everybody(owed: list[Owed], listed: set[str]) -> None:
    positions = model.net(owed, listed)
    assert sum(positions.values()) == 0
    assert set(positions) == listed | {o.debtor for o in owed} | {o.creditor for o in owed}
    assert list(positions) == sorted(positions)


@given(obligation_sets())
def test_a_position_is_the_sum_of_what_stands_on_the_statements_lines(owed: list[Owed]) -> None:
    for party, fen in model.net(owed).items():
        pairs = {(o.debtor, o.creditor) for o in owed if party in {o.debtor, o.creditor}}
        by_pair = {pair: sum(o.amount_fen for o in owed if (o.debtor, o.creditor) == pair) for pair in pairs}
        assert fen == sum(-sum_ if pair[0] == party else sum_ for pair, sum_ in by_pair.items())


@given(obligation_sets(), st.randoms(use_true_random=False))
def test_nothing_depends_on_the_order_of_rows(owed: list[Owed], chance) -> None:
    shuffled = list(owed)
    chance.shuffle(shuffled)
    assert model.digest(shuffled) == model.digest(owed)
    assert list(model.net(shuffled).items()) == list(model.net(owed).items())
    assert list(model.commissions(shuffled, HUB).items()) == list(model.commissions(owed, HUB).items())


def test_every_order_of_a_small_set_gives_the_same_bytes() -> None:
    owed = [
        Owed(obligation_id=f"obl_{n}", kind="charge", debtor=d, creditor=c, amount_fen=100 + n)
        for n, (d, c) in enumerate(permutations(PARTIES[:3], 2))
    ]
    assert len({model.digest(order) for order in permutations(owed)}) == 1
    assert len({tuple(model.net(order).items()) for order in permutations(owed)}) == 1


@given(obligation_sets(most=12), st.data())
def test_the_digest_sees_any_change(owed: list[Owed], data: st.DataObject) -> None:
    if not owed:
        return
    at = data.draw(st.integers(0, len(owed) - 1))
    one = owed[at]
    spoilt = replace(one, amount_fen=one.amount_fen + data.draw(st.sampled_from([-1, 1])))
    assert model.digest([*owed[:at], spoilt, *owed[at + 1 :]]) != model.digest(owed)
    assert model.digest([*owed[:at], *owed[at + 1 :]]) != model.digest(owed)


@given(obligation_sets())
def test_at_most_one_transfer_a_party_brings_every_position_to_zero(owed: list[Owed]) -> None:
    positions = model.net(owed)
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


@given(obligation_sets())
def test_commission_is_rounded_per_record_and_summed_per_host(owed: list[Owed]) -> None:
    by_host = model.commissions(owed, HUB)
    for host in PARTIES:
        each = [part_ppm(o.amount_fen, o.commission_ppm) for o in owed if o.creditor == host]
        assert by_host.get(host, 0) == sum(each)
    assert all(by_host.values())


@given(obligation_sets())
def test_the_postings_of_a_cycle_balance_and_leave_each_party_its_net(owed: list[Owed]) -> None:
    by_host = model.commissions(owed, HUB)
    owed = owed + [
        Owed(obligation_id=f"obl_{h}", kind="commission", debtor=h, creditor=HUB, amount_fen=fen)
        for h, fen in by_host.items()
    ]
    sides = model.gross(owed)
    accounts: dict[tuple[str, str], int] = {}
    booked = [
        postings.obligation_entries(
            debtor=o.debtor, creditor=o.creditor, amount_fen=o.amount_fen, currency="CNY"
        )
        for o in owed
        if o.kind == "charge"
    ]
    booked.append(postings.commission_entries(by_host, hub_party_id=HUB, currency="CNY"))
    booked.append(postings.gross_entries(sides, cycle_id="cyc_1", currency="CNY"))
    for entries in booked:
        assert sum(entry.amount_fen for entry in entries) == 0
        for entry in entries:
            key = (entry.kind, entry.subject)
            accounts[key] = accounts.get(key, 0) + entry.amount_fen
    assert not any(accounts.values()), "every gross leg is taken out, and the cycle nets to zero"
    for entry in postings.net_entries(sides, cycle_id="cyc_1", currency="CNY"):
        key = (entry.kind, entry.subject)
        accounts[key] = accounts.get(key, 0) + entry.amount_fen
    for party, fen in model.net(owed).items():
        assert accounts.get(("receivable", party), 0) == max(0, -fen)
        assert accounts.get(("payable", party), 0) == min(0, -fen)
    assert accounts.get(("cycle", "cyc_1"), 0) == 0


@pytest.mark.parametrize(
    "spoilt",
    [
        {"amount_fen": 0},
        {"amount_fen": -1},
        {"creditor": PARTIES[0]},
    ],
)
def test_what_is_not_an_obligation_is_not_netted(spoilt: dict) -> None:
    with pytest.raises(ValueError, match="not an obligation"):
        model.net([replace(ONE, **spoilt)])


def test_two_currencies_are_not_netted_with_each_other() -> None:
    with pytest.raises(ValueError, match="one currency"):
        model.net([ONE, replace(ONE, obligation_id="obl_2", currency="HKD")])


def test_positions_that_do_not_sum_to_zero_are_not_paid() -> None:
    with pytest.raises(ValueError, match="sum to zero"):
        model.transfers({PARTIES[0]: 1})


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
