"""Drawn statements: to the fen what the statement says, whatever it says, and no word runs into another."""

import csv
import io
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.clearing import statement_pdf
from hub.clearing.drawing import draw_apart
from hub.clearing.sheets import BOTTOM, HEIGHT, LEFT, RIGHT, Style
from hub.clearing.statement_layout import LINES_ON_SHEET, layout
from hub.clearing.statements import make_statement, render
from hub.clearing.tables import CycleRow, ObligationRow
from operator_sdk.contract.messages.clearing import Statement
from tests.paper_reader import cell_fen, fen_of, read_book, sheets_of_lines, texts_of, words_of

pytestmark = pytest.mark.property

ME, OTHERS = "MA5AAAAA1", [f"MA5{number:06d}" for number in range(14)]
LONG = "深圳市前海湾新能源汽车充电设施投资建设运营有限公司粤港澳大湾区第一分公司及其关联企"
NAMES = {
    ME: LONG,
    OTHERS[0]: '=HYPERLINK("http://x","点我")<b>乙&出行</b>',
    OTHERS[1]: LONG,
    OTHERS[2]: "-2+3 @SUM(A1)",
    OTHERS[3]: "𠮷野家 🔌\u202e反 \x07\ufffe",
    OTHERS[4]: "A very long Latin name of a Charging Company, Limited Liability " * 3,
    OTHERS[5]: "(\\) Tj ET",
}
CODES = {"electricity": "1100101020200000000", "service": "304080205000000000012345", "commission": "3040502"}
CUTOFF = datetime(2026, 3, 2, 16, tzinfo=UTC)
BILLION_FEN = 100_000_000_000
"""A thousand million yuan."""


def obligation(chance: Random, most_fen: int) -> ObligationRow:
    """Any one of a party's."""
    number, kind = (
        chance.getrandbits(48),
        chance.choice(["charge", "charge", "charge", "credit", "commission", "claim"]),
    )
    fees = [chance.randint(0, most_fen) if kind in {"charge", "credit"} else 0 for _ in range(4)]
    sides = (ME, chance.choice(OTHERS))
    debtor, creditor = sides if chance.random() < 0.5 else sides[::-1]
    tail = f"019aa000-0000-7000-8000-{number:012x}"
    return ObligationRow(
        obligation_id=f"obl_{tail}",
        kind=kind,
        debtor_party_id=debtor,
        creditor_party_id=creditor,
        amount_fen=sum(fees) or chance.randint(1, most_fen),
        electricity_fen=fees[0],
        service_fen=fees[1],
        parking_fen=fees[2],
        idle_fen=fees[3],
        currency="CNY",
        frequency="weekly",
        booked_day=str(date(2026, 2, 20) + timedelta(days=chance.randint(0, 9))),
        accepted_at=CUTOFF,
        state="in_cycle",
        record_id=chance.choice([None, f"rec_{tail}"]),
        session_id=chance.choice([None, f"ses_{tail}"]),
        energy_wh=chance.choice([None, 0, number]),
        cycle_id="cyc_1",
        updated_at=CUTOFF,
    )


def statement_of(rows: list[ObligationRow]) -> Statement:
    cycle = CycleRow(
        cycle_id="cyc_019aa000-0000-7000-8000-000000000001",
        currency="CNY",
        frequency="weekly",
        state="fixed",
        opened_at=CUTOFF - timedelta(days=7),
        cutoff_at=CUTOFF,
        obligations=len(rows),
        digest="0123456789abcdef" * 4,
        updated_at=CUTOFF,
    )
    return make_statement(cycle, ME, NAMES[ME], rows, CODES)


def some(seed: int, lines: int, most_fen: int) -> Statement:
    """A statement of so many lines."""
    chance = Random(seed)
    return statement_of([obligation(chance, most_fen) for _ in range(lines)])


SEEDS = st.integers(0, 2**32)
STATEMENTS = st.one_of(
    st.builds(some, SEEDS, st.integers(0, LINES_ON_SHEET + 5), st.sampled_from([1, 300, 30_000])),
    st.builds(some, SEEDS, st.integers(0, 8), st.just(BILLION_FEN)),
)
FEW = settings(max_examples=8, deadline=None)


@FEW
@given(STATEMENTS)
def test_every_form_says_the_same_to_the_fen(statement: Statement) -> None:
    amounts = [line.amount_fen for line in statement.lines]
    assert msgspec.json.decode(render(statement, "json", NAMES), type=Statement) == statement
    text = render(statement, "csv", NAMES).decode("utf-8-sig")
    _, *rows, last = csv.reader(io.StringIO(text, newline=""))
    assert [int(row[6]) for row in rows] == amounts
    assert int(last[6]) == statement.net_fen

    pdf = render(statement, "pdf", NAMES)
    drawn = [line for sheet in sheets_of_lines(pdf) for line in sheet.lines]
    assert drawn == list(enumerate(amounts, 1))

    book = read_book(render(statement, "xlsx", NAMES))
    assert [row[9] for row in book.rows["Lines"]] == amounts
    assert [cell_fen(row[6]) for row in book.rows["Lines"]] == amounts
    assert [cell_fen(row[7]) - cell_fen(row[8]) for row in book.rows["Lines"]] == amounts
    assert [row[6:9] for row in book.rows["Counterparties"]] == [
        (one.receivable_fen, one.payable_fen, one.net_fen) for one in statement.counterparties
    ]
    invoiced = [line.amount_fen for one in statement.invoices for line in one.lines]
    assert [row[8] for row in book.rows["Invoices"]] == invoiced
    sums = book.sums["Lines"]
    assert [cell_fen(sums[at]) for at in (6, 7, 8)] == [
        statement.net_fen,
        statement.receivable_fen,
        statement.payable_fen,
    ]
    assert sums[9] == statement.net_fen


def test_sheets_sum_up_and_carry_forward() -> None:
    statement = some(7, 2 * LINES_ON_SHEET + 3, 30_000)
    receivable = payable = 0
    sheets = sheets_of_lines(render(statement, "pdf", NAMES))
    assert [len(sheet.lines) for sheet in sheets] == [LINES_ON_SHEET, LINES_ON_SHEET, 3]
    for number, sheet in enumerate(sheets, 1):
        if number > 1:
            assert sheet.sums["Brought forward"] == (receivable, payable)
        here = [fen for _, fen in sheet.lines]
        owed, owes = sum(fen for fen in here if fen > 0), -sum(fen for fen in here if fen < 0)
        receivable, payable = receivable + owed, payable + owes
        assert sheet.sums["This sheet"] == (owed, owes)
        assert sheet.sums["Total" if number == len(sheets) else "So far"] == (receivable, payable)
    assert (receivable, payable) == (statement.receivable_fen, statement.payable_fen)


@FEW
@given(STATEMENTS)
def test_no_word_runs_into_another_or_off_the_sheet(statement: Statement) -> None:
    chinese = statement_pdf.chinese_font()

    def measure(text: str, style: Style) -> int:
        return statement_pdf.width_of(text, style, chinese)

    for sheet in layout(statement, NAMES, measure):
        lines: dict[int, list[tuple[int, int, str]]] = {}
        for word in sheet.words:
            wide = measure(word.text, word.style)
            begin = word.x - wide if word.right else word.x
            lines.setdefault(word.y, []).append((begin, begin + wide, word.text))
            assert word.text.isprintable(), word
            assert begin >= LEFT, word
            assert begin + wide <= RIGHT, word
            assert word.y < HEIGHT - 150, word
        for line in lines.values():
            for (_, end, left), (begin, _, right) in pairwise(sorted(line)):
                assert end <= begin, (left, right)
        bottom = max((box.y + box.height for box in sheet.boxes), default=0)
        assert bottom <= BOTTOM, "what fills a sheet stays above its foot"


def plain(lines: int) -> Statement:
    """Lines of 1.00, 2.00 and so on, every third owed by the party."""
    return statement_of(
        [
            ObligationRow(
                obligation_id=f"obl_{number:036d}",
                kind="charge",
                debtor_party_id=OTHERS[number % 6] if number % 3 else ME,
                creditor_party_id=ME if number % 3 else OTHERS[number % 6],
                amount_fen=100 * number,
                electricity_fen=100 * number,
                booked_day="2026-03-02",
                currency="CNY",
                frequency="daily",
                accepted_at=CUTOFF,
                state="in_cycle",
                record_id=f"rec_{number:036d}",
                session_id=None,
                energy_wh=number * 1_001,
                cycle_id="cyc_1",
                updated_at=CUTOFF,
            )
            for number in range(1, lines + 1)
        ]
    )


@pytest.mark.parametrize("form", ["pdf", "xlsx"])
def test_the_same_statement_is_the_same_bytes_here_and_in_another_process(form: str) -> None:
    statement = plain(LINES_ON_SHEET + 1)
    drawn = render(statement, form, NAMES)
    assert render(statement, form, NAMES) == drawn
    assert draw_apart(statement, form, NAMES | {"MA5XXXXX9": "nobody here"}) == drawn
    assert render(plain(LINES_ON_SHEET), form, NAMES) != drawn


def test_who_draws_apart_says_what_it_died_of() -> None:
    with pytest.raises(RuntimeError, match=r"drawing ended with 1: (?s:.*)AssertionError: the lines"):
        draw_apart(msgspec.structs.replace(plain(2), receivable_fen=1), "pdf", NAMES)


def test_every_sheet_says_whose_it_is_with_the_digest_and_its_number() -> None:
    statement = plain(2 * LINES_ON_SHEET)
    texts = texts_of(render(statement, "pdf", NAMES))
    assert len(texts) == 4, "one of sums, one of invoices and two of lines"
    for number, text in enumerate(texts, 1):
        assert f"第 {number} 页,共 4 页 Page {number} of 4" in text.replace("  ", " ")
        assert statement.digest is not None
        assert statement.digest in text
        assert ME in text
    first = texts[0]
    for words in (
        "清分对账单",
        "截止 Cut-off 2026-03-03 00:00:00",
        "合计 Total",
        "充电设施投资建设运营",
        "元整",
    ):
        assert words in first, words
    assert CODES["electricity"] in texts[1]
    assert fen_of("–1,234.50") == -123_450


def test_a_party_without_obligations_has_one_sheet_and_an_empty_book() -> None:
    nothing = statement_of([])
    (text,) = texts_of(render(nothing, "pdf", NAMES))
    assert "本周期无往来 Nothing in this cycle" in text
    assert "净额为零" in text
    book = read_book(render(nothing, "xlsx", NAMES))
    assert book.rows["Lines"] == []
    assert book.sums["Lines"][6] == 0
    assert book.charts == 0


def test_a_workbook_has_no_formula_but_its_sums_and_all_text_is_text() -> None:
    book = read_book(render(plain(12), "xlsx", NAMES))
    assert book.charts == 1
    formulas = [formula for sheet in book.formulas.values() for formula in sheet]
    assert len(formulas) > 10
    assert all(formula.startswith("=SUM(") for formula in formulas)
    texts = {text for kind, text in book.texts if kind != "f"}
    for name in (NAMES[OTHERS[0]], NAMES[OTHERS[2]], LONG):
        assert name in texts
    assert any("𠮷野家" in text for text in texts)


def test_a_page_shows_what_would_be_an_instruction_as_it_is() -> None:
    pdf = render(plain(12), "pdf", NAMES)
    text = "".join(texts_of(pdf)).replace("\n", "")
    for words in ('=HYPERLINK("http://x"', "<b>", "&", "(\\) Tj ET", "-2+3 @SUM(A1)"):
        assert words in text, words


def test_without_a_chinese_font_the_viewers_own_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert statement_pdf.chinese_font(()) == statement_pdf.CHINESE_NOT_EMBEDDED
    monkeypatch.setattr(statement_pdf, "chinese_font", lambda: statement_pdf.CHINESE_NOT_EMBEDDED)
    statement = plain(3)
    pdf = render(statement, "pdf", NAMES)
    assert b"STSong-Light" in pdf
    assert b"FontFile" not in pdf
    (sheet,) = sheets_of_lines(pdf)
    assert [fen for _, fen in sheet.lines] == [line.amount_fen for line in statement.lines]
    assert list(words_of_first(pdf))


def words_of_first(pdf: bytes) -> list[str]:
    from pypdf import PdfReader

    return [text for _, _, text in words_of(PdfReader(io.BytesIO(pdf)).pages[0])]


def test_who_draws_nothing_loads_nothing_to_draw_with() -> None:
    program = (
        "import hub.clearing.on_demand, hub.clearing.papers, hub.commands.clearing, sys;"
        "print([name for name in ('reportlab', 'xlsxwriter', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
