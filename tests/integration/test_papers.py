"""The papers of a whole cycle: the same to the byte as each party's own statement, and everything adds up."""

from pathlib import Path

import pytest

from hub.clearing.papers import write_statements
from hub.clearing.statements import statement_csv, statement_html
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.parties.scope import HUB, of_party
from hub.roaming.ports import Fees
from operator_sdk.contract.messages.clearing import Invoice, Statement, TaxCodeAdd
from tests.clearing_world import MIDNIGHT, NAMES, A, B, C, Market


@pytest.fixture
async def market(database: Database, clock: ManualClock) -> Market:
    """Charges with every kind of fee both ways, commission, and a credit."""
    market = await Market(database, clock).open()
    fees = Fees(electricity_fen=600, service_fen=300, parking_fen=70, idle_fen=30)
    first = await market.accept(B, A, 1_000, ppm=20_000, fees=fees)
    await market.accept(A, B, 250, fees=Fees(electricity_fen=200, service_fen=50))
    await market.accept(C, A, 77)
    await market.accept(B, A, 1_000, ppm=20_000, fees=fees, credit_of=first)
    code = TaxCodeAdd(kind="electricity", tax_code="1100101", valid_from=clock.now.date())
    await market.rates.add_tax_code(code, actor="chen")
    clock.now = MIDNIGHT
    return market


async def closed(market: Market) -> str:
    return (await market.clearing.close_cycle(MIDNIGHT)).cycle.cycle_id


async def statements(market: Market, cycle_id: str) -> dict[str, Statement]:
    return {party: await market.clearing.statement(of_party(party), cycle_id) for party in NAMES}


async def test_each_file_is_the_partys_own_statement(market: Market, tmp_path: Path) -> None:
    cycle_id = await closed(market)
    seen: list[tuple[str, int, int]] = []
    files = await write_statements(
        market.database, cycle_id, tmp_path, progress=lambda *step: seen.append(step)
    )
    assert [file.name for file in files] == sorted(f"{p}.{kind}" for p in NAMES for kind in ("csv", "html"))
    for party, statement in (await statements(market, cycle_id)).items():
        assert tmp_path.joinpath(f"{party}.csv").read_bytes() == statement_csv(statement)
        page = tmp_path.joinpath(f"{party}.html").read_text("utf-8")
        assert page == statement_html(_without_lines(statement), await market.clearing.names())
    assert seen[-1] == ("lists", len(NAMES), len(NAMES))
    again = {file: file.read_bytes() for file in files}
    await write_statements(market.database, cycle_id, tmp_path)
    assert {file: file.read_bytes() for file in again} == again


def _without_lines(statement: Statement) -> Statement:
    fields = {name: getattr(statement, name) for name in statement.__struct_fields__}
    return Statement(**(fields | {"lines": []}))


async def test_kinds_days_and_counterparties_all_come_to_the_whole(market: Market) -> None:
    for statement in (await statements(market, await closed(market))).values():
        for totals in (statement.kinds, statement.days, statement.counterparties):
            assert sum(one.receivable_fen for one in totals) == statement.receivable_fen
            assert sum(one.payable_fen for one in totals) == statement.payable_fen
        assert statement.obligations == len(statement.lines)
    kinds = {one.kind: (one.receivable_fen, one.payable_fen) for one in statement.kinds}
    assert statement.party_id == C
    assert kinds == {"electricity": (0, 77)}


async def test_invoices_are_charges_less_credits_and_the_same_on_both_sides(market: Market) -> None:
    papers = await statements(market, await closed(market))
    by_pair: dict[tuple[str, str], list[Invoice]] = {}
    for statement in papers.values():
        for invoice in statement.invoices:
            by_pair.setdefault((invoice.issuer, invoice.recipient), []).append(invoice)
            assert sum(line.amount_fen for line in invoice.lines) == invoice.amount_fen
    assert all(len(both) == 2 and both[0] == both[1] for both in by_pair.values())
    amounts = {pair: both[0].amount_fen for pair, both in by_pair.items()}
    assert amounts == {(A, B): 0, (B, A): 250, (A, C): 77}
    (line, _) = by_pair[B, A][0].lines
    assert (line.kind, line.tax_code, line.amount_fen) == ("electricity", "1100101", 200)


async def test_papers_of_an_open_or_unknown_cycle_are_refused(market: Market, tmp_path: Path) -> None:
    (open_one,) = [cycle.cycle_id for _, cycle in await market.clearing.cycles(HUB)]
    with pytest.raises(HubError):
        await write_statements(market.database, open_one, tmp_path / "papers")
    with pytest.raises(NotFoundError):
        await write_statements(market.database, "cyc_unknown", tmp_path / "papers")
