"""A statement as a workbook for Excel, WPS and LibreOffice. The same statement and names give the same bytes.

Imported only when a workbook is asked for. Amounts are numbers of yuan that come from integer fen by way of
`Decimal`, so that what is written has two decimals and is exact to the fen, and beside them the fen themselves.
Sums are formulas that carry their results. Text is text: nothing that a party is called can become a formula.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from io import BytesIO
from typing import NamedTuple

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from hub.clearing.statement_words import KINDS, STATES, bars, in_words, local, yuan
from hub.core.errors import HubError
from operator_sdk.contract.messages.clearing import Statement
from operator_sdk.contract.public_codes import Code

SUMMARY, LINES, COUNTERPARTIES, INVOICES = (
    "汇总 Summary",
    "明细 Lines",
    "对手方 Counterparties",
    "发票 Invoices",
)
A4_PAPER = 9
YUAN, WHOLE, KWH = "#,##0.00;[Red]-#,##0.00", "#,##0;[Red]-#,##0", "#,##0.000"
IN, OUT, WASH = "#0B6B46", "#A3341F", "#F4F6F9"
ROWS_MOST = 1_000_000
"""Below what a sheet holds."""

Value = str | int | Decimal | None


class Column(NamedTuple):
    """A column of a sheet: its head, how wide, how its cells look, and whether it is summed up."""

    head: str
    width: int
    look: str = "text"
    summed: bool = False


KIND_COLUMNS = (
    Column("事项\nFor", 26),
    Column("应收 (元)\nReceivable (yuan)", 20, "yuan", summed=True),
    Column("应付 (元)\nPayable (yuan)", 20, "yuan", summed=True),
    Column("应收 (分)\nReceivable (fen)", 18, "whole", summed=True),
    Column("应付 (分)\nPayable (fen)", 18, "whole", summed=True),
)
LINE_COLUMNS = (
    Column("序号\nNo.", 7, "whole"),
    Column("入账日\nBooked", 11),
    Column("事项\nFor", 21),
    Column("对方\nCounterparty", 13),
    Column("对方名称\nName", 30),
    Column("电量 (千瓦时)\nEnergy (kWh)", 14, "kwh"),
    Column("金额 (元)\nAmount (yuan)", 16, "yuan", summed=True),
    Column("应收 (元)\nReceivable (yuan)", 16, "yuan", summed=True),
    Column("应付 (元)\nPayable (yuan)", 16, "yuan", summed=True),
    Column("金额 (分)\nAmount (fen)", 16, "whole", summed=True),
    Column("应付编号\nObligation", 42),
    Column("充电订单\nCharge record", 42),
    Column("充电会话\nSession", 42),
)
COUNTERPARTY_COLUMNS = (
    Column("对方\nCounterparty", 13),
    Column("对方名称\nName", 44),
    Column("笔数\nItems", 10, "whole", summed=True),
    Column("应收 (元)\nReceivable (yuan)", 18, "yuan", summed=True),
    Column("应付 (元)\nPayable (yuan)", 18, "yuan", summed=True),
    Column("净额 (元)\nNet (yuan)", 18, "yuan", summed=True),
    Column("应收 (分)\nReceivable (fen)", 18, "whole", summed=True),
    Column("应付 (分)\nPayable (fen)", 18, "whole", summed=True),
    Column("净额 (分)\nNet (fen)", 18, "whole", summed=True),
)
INVOICE_COLUMNS = (
    Column("开票方\nIssuer", 13),
    Column("开票方名称\nName", 30),
    Column("受票方\nRecipient", 13),
    Column("受票方名称\nName", 30),
    Column("项目\nItem", 21),
    Column("税收编码\nTax code", 22),
    Column("开出 (元)\nTo issue (yuan)", 18, "yuan", summed=True),
    Column("收取 (元)\nTo receive (yuan)", 18, "yuan", summed=True),
    Column("金额 (分)\nAmount (fen)", 18, "whole"),
)


def statement_xlsx(statement: Statement, names: Mapping[str, str]) -> bytes:
    """The workbook: summary with a chart, lines, counterparties, invoices; `names` are the counterparties'.

    Raises:
        HubError: rule_violated, more lines than a sheet holds.
    """
    if len(statement.lines) > ROWS_MOST:
        raise HubError(Code.RULE_VIOLATED, reason="statement_too_long", most=ROWS_MOST, instead="csv")
    out = BytesIO()
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with Workbook(out, options) as book:
        made_at = statement.cutoff_at.astimezone(UTC).replace(tzinfo=None)
        title = f"对账单 Statement {statement.cycle_id} {statement.party_id}"
        book.set_properties({"title": title, "author": "互桩 Interpile", "created": made_at})
        writer = _Writer(book)
        _summary(writer, statement)
        writer.table(LINES, LINE_COLUMNS, _lines(statement, names))
        writer.table(COUNTERPARTIES, COUNTERPARTY_COLUMNS, _counterparties(statement, names))
        writer.table(INVOICES, INVOICE_COLUMNS, _invoices(statement, names))
    return out.getvalue()


def exact_yuan(fen: int) -> Decimal:
    """Fen as yuan with two decimals: a cell keeps what is below 2^53 fen exactly."""
    return Decimal(fen).scaleb(-2)


def _lines(statement: Statement, names: Mapping[str, str]) -> Iterable[Sequence[Value]]:
    for number, line in enumerate(statement.lines, 1):
        fen = line.amount_fen
        yield (
            number,
            line.booked_day,
            KINDS.get(line.kind, line.kind),
            line.counterparty,
            names.get(line.counterparty, ""),
            None if line.energy_wh is None else Decimal(line.energy_wh).scaleb(-3),
            exact_yuan(fen),
            exact_yuan(fen) if fen >= 0 else None,
            exact_yuan(-fen) if fen < 0 else None,
            fen,
            line.obligation_id,
            line.record_id,
            line.session_id,
        )


def _counterparties(statement: Statement, names: Mapping[str, str]) -> Iterable[Sequence[Value]]:
    for one in statement.counterparties:
        sums = (one.receivable_fen, one.payable_fen, one.net_fen)
        name = names.get(one.counterparty, "")
        yield (one.counterparty, name, one.obligations, *map(exact_yuan, sums), *sums)


def _invoices(statement: Statement, names: Mapping[str, str]) -> Iterable[Sequence[Value]]:
    for one in statement.invoices:
        parties = (one.issuer, names.get(one.issuer, ""), one.recipient, names.get(one.recipient, ""))
        for line in one.lines:
            kind = KINDS.get(line.kind, line.kind)
            amount, ours = exact_yuan(line.amount_fen), one.issuer == statement.party_id
            sides = (amount, None) if ours else (None, amount)
            yield (*parties, kind, line.tax_code, *sides, line.amount_fen)


class _Writer:
    """Writes sheets of a book."""

    def __init__(self, book: Workbook) -> None:
        self.book = book
        edge = {"valign": "top", "bottom": 1, "bottom_color": "#D5DBE3"}
        self.looks: dict[str, Format] = {
            # A cell of text stays text when somebody edits it, whatever it begins with.
            "text": book.add_format({**edge, "quote_prefix": True, "num_format": "@"}),
            "yuan": book.add_format({**edge, "num_format": YUAN}),
            "whole": book.add_format({**edge, "num_format": WHOLE}),
            "kwh": book.add_format({**edge, "num_format": KWH}),
        }
        strong = {"bold": True, "top": 1}
        self.looks |= {
            "head": book.add_format(
                {"bold": True, "text_wrap": True, "valign": "vcenter", "bottom": 2, "bg_color": WASH}
            ),
            "title": book.add_format({"bold": True, "font_size": 16}),
            "label": book.add_format({"font_color": "#5A6675"}),
            "section": book.add_format({"bold": True, "font_size": 12}),
            "total_text": book.add_format(strong),
            "total_yuan": book.add_format({**strong, "num_format": YUAN}),
            "total_whole": book.add_format({**strong, "num_format": WHOLE}),
        }

    def sheet(self, name: str, widths: Iterable[int]) -> Worksheet:
        """A sheet that prints across A4."""
        sheet = self.book.add_worksheet(name)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        sheet.set_paper(A4_PAPER)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.set_footer("&L&A&R&P / &N")
        return sheet

    def table(self, name: str, columns: Sequence[Column], rows: Iterable[Sequence[Value]]) -> None:
        """A sheet with one table: head, rows, sums."""
        sheet = self.sheet(name, (column.width for column in columns))
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        self.block(sheet, 0, columns, rows, filtered=True)

    def block(
        self,
        sheet: Worksheet,
        top: int,
        columns: Sequence[Column],
        rows: Iterable[Sequence[Value]],
        *,
        filtered: bool = False,
    ) -> int:
        """A table on a sheet from a row on; the row after it."""
        sheet.set_row(top, 32)
        for at, column in enumerate(columns):
            sheet.write_string(top, at, column.head, self.looks["head"])
        sums: list[int | Decimal] = [0] * len(columns)
        row = top
        for row, values in enumerate(rows, top + 1):
            for at, (column, value) in enumerate(zip(columns, values, strict=True)):
                self.cell(sheet, row, at, value, column.look)
                if column.summed and value is not None and not isinstance(value, str):
                    sums[at] += value
        if filtered and row > top:
            sheet.autofilter(top, 0, row, len(columns) - 1)
        self._sums(sheet, (top + 1, row), columns, sums)
        return row + 2

    def _sums(
        self, sheet: Worksheet, rows: tuple[int, int], columns: Sequence[Column], sums: Sequence[int | Decimal]
    ) -> None:
        first, last = rows
        for at, column in enumerate(columns):
            if not column.summed:
                sheet.write_string(last + 1, at, "合计 Total" if at == 0 else "", self.looks["total_text"])
                continue
            look = self.looks[f"total_{column.look}"]
            if last < first:
                sheet.write_number(last + 1, at, 0, look)
                continue
            letter = xl_col_to_name(at)
            formula = f"=SUM({letter}{first + 1}:{letter}{last + 1})"
            sheet.write_formula(last + 1, at, formula, look, sums[at])

    def cell(self, sheet: Worksheet, row: int, at: int, value: Value, look: str) -> None:
        """A value in its look; nothing stays empty, with its line."""
        if value is None:
            sheet.write_blank(row, at, None, self.looks[look])
        elif isinstance(value, str):
            sheet.write_string(row, at, value, self.looks["text"])
        else:
            sheet.write_number(row, at, value, self.looks[look])


def _titled(columns: Sequence[Column], head: str) -> Sequence[Column]:
    return (columns[0]._replace(head=head), *columns[1:])


def _summary(writer: _Writer, statement: Statement) -> None:
    sheet = writer.sheet(SUMMARY, (column.width for column in KIND_COLUMNS))
    sheet.write_string(0, 0, "清分对账单 Clearing statement", writer.looks["title"])
    row = 2
    for label, value in _facts(statement):
        sheet.write_string(row, 0, label, writer.looks["label"])
        writer.cell(sheet, row, 1, value, "yuan" if isinstance(value, Decimal) else "whole")
        if isinstance(value, Decimal):
            writer.cell(sheet, row, 3, int(value.scaleb(2)), "whole")
        row += 1
    row = _check(writer, sheet, row, statement)
    for head, totals in (
        ("按事项汇总\nBy kind", ((KINDS.get(one.kind, one.kind), one) for one in statement.kinds)),
        ("按入账日汇总\nBy day", ((one.day, one) for one in statement.days)),
    ):
        row = writer.block(
            sheet,
            row + 1,
            _titled(KIND_COLUMNS, head),
            [_sides(name, one.receivable_fen, one.payable_fen) for name, one in totals],
        )
    _largest(writer, sheet, row + 1, statement)


def _sides(name: str, receivable_fen: int, payable_fen: int) -> Sequence[Value]:
    return (name, exact_yuan(receivable_fen), exact_yuan(payable_fen), receivable_fen, payable_fen)


def _facts(statement: Statement) -> Iterable[tuple[str, Value]]:
    net_fen = statement.net_fen
    which = (
        "净额应收 You receive" if net_fen > 0 else "净额应付 You pay" if net_fen < 0 else "净额为零 Net is zero"
    )
    return (
        ("运营商 Operator", statement.party_name),
        ("运营商编号 Operator id", statement.party_id),
        ("清分周期 Cycle", statement.cycle_id),
        ("状态 State", STATES.get(statement.state, statement.state)),
        ("截止 Cut-off (UTC+8)", local(statement.cutoff_at)),
        ("币种 Currency", statement.currency),
        ("应收 Receivable", exact_yuan(statement.receivable_fen)),
        ("应付 Payable", exact_yuan(statement.payable_fen)),
        ("净额 Net", exact_yuan(net_fen)),
        ("结论 Outcome", f"{which} {yuan(abs(net_fen), grouped=True)}"),
        ("大写 In words", in_words(net_fen)),
        ("笔数 Items", statement.obligations),
        ("周期摘要 Digest", statement.digest),
    )


def _check(writer: _Writer, sheet: Worksheet, row: int, statement: Statement) -> int:
    """The net position once more, from the lines: whoever changes one sees it here."""
    if not statement.lines:
        return row
    sheet.write_string(row, 0, "明细合计 Sum of the lines", writer.looks["label"])
    for at, column, total in (
        (1, "G", exact_yuan(statement.net_fen)),
        (3, "J", statement.net_fen),
    ):
        formula = f"=SUM('{LINES}'!{column}2:{column}{len(statement.lines) + 1})"
        look = writer.looks["yuan" if at == 1 else "whole"]
        sheet.write_formula(row, at, formula, look, total)
    return row + 1


def _largest(writer: _Writer, sheet: Worksheet, row: int, statement: Statement) -> None:
    """The largest counterparties, and their chart below."""
    largest = bars(statement)
    if not largest:
        return
    rows = [_sides(party, receivable, payable) for party, receivable, payable, _, _ in largest]
    columns = [
        column._replace(summed=False) for column in _titled(KIND_COLUMNS, "主要对方\nLargest counterparties")
    ]
    sheet.set_row(row, 32)
    for at, column in enumerate(columns):
        sheet.write_string(row, at, column.head, writer.looks["head"])
    for down, values in enumerate(rows, 1):
        for at, (column, value) in enumerate(zip(columns, values, strict=True)):
            writer.cell(sheet, row + down, at, value, column.look)
    first, last = row + 1, row + len(rows)
    chart = writer.book.add_chart({"type": "bar"})
    for at, name, ink, shares in (
        (1, "应收 Receivable", IN, [values[1] for values in rows]),
        (2, "应付 Payable", OUT, [values[2] for values in rows]),
    ):
        chart.add_series(
            {
                "name": name,
                "categories": [SUMMARY, first, 0, last, 0],
                "values": [SUMMARY, first, at, last, at],
                "categories_data": [values[0] for values in rows],
                "values_data": [str(share) for share in shares],
                "fill": {"color": ink},
                "gap": 60,
            }
        )
    chart.set_title({"name": "主要对方 Largest counterparties", "name_font": {"size": 11}})
    chart.set_y_axis({"reverse": True})
    chart.set_x_axis(
        {"num_format": "#,##0", "major_gridlines": {"visible": True, "line": {"color": "#D5DBE3"}}}
    )
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 820, "height": 120 + 44 * len(rows)})
    sheet.insert_chart(last + 2, 0, chart)
