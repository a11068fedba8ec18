"""The papers of a whole cycle: the same to the byte as each party's own statement, and everything adds up."""

from pathlib import Path

import pytest

from hub.clearing.papers import MANIFEST, FolderProblem, write_statements
from hub.clearing.statements import render, statement_csv, statement_html
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.parties.scope import HUB, of_party
from hub.parties.tables import PartyRow
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


DRAWN = {f"{party}.{form}" for party in NAMES for form in ("pdf", "xlsx")}


async def test_what_is_drawn_is_the_partys_own_statement_with_every_line(
    market: Market, tmp_path: Path
) -> None:
    cycle_id = await closed(market)
    files = await write_statements(market.database, cycle_id, tmp_path, forms=("pdf", "xlsx"))
    assert {file.name for file in files} == DRAWN | {f"{p}.{kind}" for p in NAMES for kind in ("csv", "html")}
    names = await market.clearing.names()
    for party, statement in (await statements(market, cycle_id)).items():
        for form in ("pdf", "xlsx"):
            assert tmp_path.joinpath(f"{party}.{form}").read_bytes() == render(statement, form, names)


def found(folder: Path) -> list[Path]:
    """What is there."""
    return sorted(folder.iterdir())


class Killed(Exception):
    """The run ended here."""


async def test_an_interrupted_run_is_taken_up_and_keeps_what_is_whole(market: Market, tmp_path: Path) -> None:
    cycle_id, folder, whole = await closed(market), tmp_path / "papers", tmp_path / "whole"
    await write_statements(market.database, cycle_id, whole, forms=("pdf",))

    def dies(what: str, done: int, _of: int) -> None:
        if (what, done) == ("pdf", 3):
            raise Killed

    with pytest.raises(Killed):
        await write_statements(market.database, cycle_id, folder, forms=("pdf",), progress=dies)
    drawn = sorted(folder.glob("*.pdf"))
    assert len(drawn) == 3
    with folder.joinpath(MANIFEST).open("ab") as manifest:
        manifest.write(b'{"name":"')  # what a power cut leaves of a line
    before = inodes(folder)
    await write_statements(market.database, cycle_id, folder, forms=("pdf",))
    drawn_now = inodes(folder)
    assert drawn_now.keys() > before.keys()
    assert before.items() <= drawn_now.items(), "what was drawn is not drawn again"
    for file in (file for file in found(whole) if file.name != MANIFEST):
        assert folder.joinpath(file.name).read_bytes() == file.read_bytes()
    assert not [file for file in found(folder) if file.suffix == ".part"]
    await write_statements(market.database, cycle_id, folder, forms=("pdf",))
    assert inodes(folder) == drawn_now, "nothing is left to draw"
    drawn[0].write_bytes(drawn[0].read_bytes()[:-100])
    await write_statements(market.database, cycle_id, folder, forms=("pdf",))
    assert [name for name, inode in inodes(folder).items() if inode != drawn_now[name]] == [drawn[0].name]
    assert drawn[0].read_bytes() == whole.joinpath(drawn[0].name).read_bytes()


def inodes(folder: Path) -> dict[str, int]:
    """Which file each PDF is: one that is drawn again is another."""
    return {file.name: file.stat().st_ino for file in folder.glob("*.pdf")}


async def test_a_paper_that_would_say_something_else_now_is_drawn_anew(market: Market, tmp_path: Path) -> None:
    cycle_id = await closed(market)
    await write_statements(market.database, cycle_id, tmp_path, forms=("xlsx",))
    before = {f"{party}.xlsx": tmp_path.joinpath(f"{party}.xlsx").read_bytes() for party in NAMES}
    async with market.database.unit() as unit:
        party = await unit.session.get(PartyRow, C)
        assert party is not None
        party.name = "丙新能源"
    await write_statements(market.database, cycle_id, tmp_path, forms=("xlsx",))
    changed = {name for name, content in before.items() if tmp_path.joinpath(name).read_bytes() != content}
    assert changed == {f"{A}.xlsx", f"{C}.xlsx"}, "C's own, and that of the one who deals with C"


async def test_nothing_is_written_for_forms_that_are_not_drawn(market: Market, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not drawn as docx"):
        await write_statements(market.database, await closed(market), tmp_path / "papers", forms=("docx",))
    assert not tmp_path.joinpath("papers").exists()


@pytest.mark.parametrize("ending", [".html", ".csv", ".pdf"])
async def test_a_full_disk_is_told_and_leaves_no_half_file(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    cycle_id = await closed(market)
    written = Path.write_bytes

    def full(file: Path, content: bytes) -> int:
        if file.name.endswith(f"{ending}.part"):
            written(file, content[:100])
            raise OSError(28, "No space left on device", str(file))
        return written(file, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FolderProblem, match=rf"{ending}\.part: No space left on device"):
        await write_statements(market.database, cycle_id, tmp_path, forms=("pdf",))
    written_before = {".html": set(), ".csv": {".html"}, ".pdf": {".html", ".csv"}}
    assert {file.suffix for file in found(tmp_path)} == written_before[ending]
