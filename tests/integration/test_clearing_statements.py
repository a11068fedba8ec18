"""Statements: everybody's own and nobody else's, the same in every format, and harmless in any program."""

import csv
import io
import re
from datetime import timedelta

import msgspec
import pytest

from hub.clearing.statement_words import CONTENT_TYPES
from hub.clearing.statements import COLUMNS, render
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.parties.scope import HUB, PartyScope, of_driver, of_party
from hub.parties.tables import PartyRow
from operator_sdk.contract.messages.clearing import Statement, StatementLine
from operator_sdk.contract.public_codes import Code
from tests.clearing_world import HUB_PARTY, MIDNIGHT, NAMES, A, B, C, Market, net

NOBODY = PartyScope()


@pytest.fixture
async def market(database: Database, clock: ManualClock) -> Market:
    market = await Market(database, clock).open()
    await market.trade()
    clock.now = MIDNIGHT
    return market


async def closed(market: Market) -> str:
    return (await market.clearing.close_cycle(MIDNIGHT)).cycle.cycle_id


async def test_a_statement_says_what_the_position_says(market: Market) -> None:
    cycle_id = await closed(market)
    result = await market.clearing.cycle_result(cycle_id)
    for party, fen in net(result).items():
        statement = await market.clearing.statement(of_party(party), cycle_id)
        assert statement.net_fen == fen == statement.receivable_fen - statement.payable_fen
        assert sum(line.amount_fen for line in statement.lines) == fen
        assert sum(total.net_fen for total in statement.counterparties) == fen
        assert sum(total.obligations for total in statement.counterparties) == len(statement.lines)
        assert statement.digest == result.cycle.digest
        assert statement.party_name == NAMES[party]


async def test_both_sides_of_a_line_carry_the_same_amount(market: Market) -> None:
    cycle_id = await closed(market)
    papers = [await market.clearing.statement(of_party(p), cycle_id) for p in NAMES]
    sums: dict[str, int] = {}
    for paper in papers:
        for line in paper.lines:
            sums[line.obligation_id] = sums.get(line.obligation_id, 0) + line.amount_fen
    assert len(sums) == 5
    assert not any(sums.values())


async def test_a_party_sees_only_what_it_owes_or_is_owed(market: Market) -> None:
    cycle_id = await closed(market)
    lines = (await market.clearing.statement(of_party(C), cycle_id)).lines
    assert [(line.counterparty, line.amount_fen) for line in lines] == [(A, -555)]
    assert {o.debtor for o in await market.clearing.obligations(of_party(C))} == {C}
    assert all(
        HUB_PARTY not in (o.debtor, o.creditor) or o.debtor == B
        for o in await market.clearing.obligations(of_party(B))
    ), "a home does not see what the host pays the hub"


@pytest.mark.parametrize("viewer", [NOBODY, of_driver(A, "driver"), of_party("MA5XXXXX9")])
async def test_who_is_no_operator_here_sees_no_obligation(market: Market, viewer: PartyScope) -> None:
    cycle_id = await closed(market)
    assert await market.clearing.obligations(viewer) == []
    with pytest.raises(NotFoundError):
        await market.clearing.statement(viewer, cycle_id)


@pytest.mark.parametrize("viewer", [NOBODY, of_driver(A, "driver")])
async def test_cycles_are_common_to_operators_and_hidden_from_others(
    market: Market, viewer: PartyScope
) -> None:
    await closed(market)
    everybodys = await market.clearing.cycles(of_party(A))
    assert len(everybodys) == 2
    assert everybodys == await market.clearing.cycles(of_party(C))
    assert await market.clearing.cycles(viewer) == []


async def test_somebody_elses_statement_does_not_exist(market: Market) -> None:
    cycle_id = await closed(market)
    with pytest.raises(NotFoundError):
        await market.clearing.statement(of_party(A), cycle_id, B)
    with pytest.raises(NotFoundError):
        await market.clearing.statement(of_party(A), "cyc_unknown")
    assert (await market.clearing.statement(HUB, cycle_id, B)).party_id == B


async def test_there_is_no_statement_before_there_are_positions(market: Market) -> None:
    (_, open_cycle), *_ = await market.clearing.cycles(HUB)
    with pytest.raises(HubError) as refused:
        await market.clearing.statement(of_party(A), open_cycle.cycle_id)
    assert refused.value.code is Code.STATE_CONFLICT


async def test_who_joined_after_the_cycle_has_an_empty_statement(market: Market) -> None:
    cycle_id = await closed(market)
    async with market.database.unit() as unit:
        unit.session.add(
            PartyRow(
                party_id="MA5NEWNEW",
                name="丁",
                roles="home",
                protocol="native",
                created_at=market.clock.wall(),
            )
        )
    market.clock.now += timedelta(hours=1)
    paper = await market.clearing.statement(of_party("MA5NEWNEW"), cycle_id)
    assert (paper.net_fen, paper.lines, paper.counterparties) == (0, [], [])
    assert "Nothing to pay or receive" in render(paper, "html", NAMES).decode()


async def test_json_reads_back_as_the_statement(market: Market) -> None:
    statement = await market.clearing.statement(of_party(A), await closed(market))
    assert msgspec.json.decode(render(statement, "json", NAMES), type=Statement) == statement


async def test_csv_carries_every_line_and_the_net(market: Market) -> None:
    statement = await market.clearing.statement(of_party(A), await closed(market))
    raw = render(statement, "csv", NAMES)
    assert raw.startswith(b"\xef\xbb\xbf")
    header, *rows, last = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    assert tuple(header) == COLUMNS
    cells = [dict(zip(header, row, strict=True)) for row in rows]
    assert [int(row["amount_fen"]) for row in cells] == [line.amount_fen for line in statement.lines]
    assert dict(zip(header, last, strict=True))["amount_fen"] == str(statement.net_fen)
    assert {row["amount_yuan"] for row in cells} >= {"100.00", "-30.00", "5.55", "-2.11"}


def paper(name: str = "甲充电", net_fen: int = 0, **line: object) -> Statement:
    one = {
        "obligation_id": "obl_1",
        "kind": "charge",
        "counterparty": B,
        "amount_fen": net_fen,
        "booked_day": "2026-03-02",
    }
    return Statement(
        cycle_id="cyc_1",
        party_id=A,
        party_name=name,
        currency="CNY",
        state="fixed",
        cutoff_at=MIDNIGHT,
        receivable_fen=max(0, net_fen),
        payable_fen=max(0, -net_fen),
        net_fen=net_fen,
        counterparties=[],
        lines=[StatementLine(**(one | line))],  # type: ignore[arg-type]
    )


EVIL = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "＝1",
    "－1",
    "-1,5",
    "-1.5.00",
    "-١.٠٠",
]


@pytest.mark.parametrize("name", EVIL)
def test_no_cell_of_the_csv_is_a_formula(name: str) -> None:
    raw = render(paper(name, -5, session_id=name), "csv", {}).decode("utf-8-sig")
    for row in csv.reader(io.StringIO(raw, newline="")):
        for cell in row:
            assert not re.match(r"[\s]*[=+@＝＋－＠]|\s+-", cell)
            assert not cell.startswith("-") or re.fullmatch(r"-\d+(\.\d\d)?", cell, re.ASCII)
    assert f"'{name}" in raw


def test_the_page_escapes_whatever_it_shows() -> None:
    evil = "<script>alert(1)</script>\"'&"
    page = render(paper(evil, 5, session_id=evil, kind=evil, booked_day=evil), "html", {B: evil}).decode()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4


def test_the_page_loads_nothing_and_speaks_both_languages() -> None:
    page = render(paper(net_fen=-123_456), "html", NAMES).decode()
    assert not re.search(r"src=|href=|url\(|@import|https?://", page)
    for words in ("清分对账单", "Clearing statement", "净额应付", "You pay", "¥ 1,234.56"):
        assert words in page
    assert "壹仟贰佰叁拾肆元伍角陆分" in page
    assert "You receive" in render(paper(net_fen=1), "html", NAMES).decode()


def test_only_the_formats_on_offer_are_rendered() -> None:
    for form in CONTENT_TYPES:
        assert render(paper(), form, NAMES)
    with pytest.raises(KeyError):
        render(paper(), "docx", NAMES)
