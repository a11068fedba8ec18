"""A statement on sheets of A4: what the HTML page shows, and then every line, summed up sheet by sheet.

Each sheet of lines ends with its own sums (本页小计) and with the sums so far (累计), which the next one begins
with; the last one ends with those of the statement.
"""

from collections.abc import Mapping, Sequence

from hub.clearing.model_papers import Sides
from hub.clearing.sheets import (
    BOTTOM,
    HEAD_HEIGHT,
    HEIGHT,
    IN,
    INK,
    LEFT,
    NOTE,
    OUT,
    PLAIN,
    RIGHT,
    SOFT,
    STRONG,
    THICK,
    THIN,
    TINY,
    TITLE_HEIGHT,
    TOP,
    WASH,
    Cell,
    Column,
    Measure,
    Row,
    Sheet,
    Sheets,
    Style,
    Word,
    printable,
    row_height,
)
from hub.clearing.statement_words import KINDS, STATES, bars, in_words, kwh, local, yuan
from operator_sdk.contract.messages.clearing import DayTotal, Invoice, Statement, StatementLine

MINUS = "–"
"""As wide as a digit, and in every viewer's own Latin font, whose encoding has no true minus sign."""

COUNTERPARTIES = (
    Column("对方", "Counterparty", LEFT, 2100),
    Column("笔数", "Items", 2850, 350, right=True),
    Column("应收 (元)", "Receivable (yuan)", 3750, 900, right=True),
    Column("应付 (元)", "Payable (yuan)", 4650, 900, right=True),
    Column("净额 (元)", "Net (yuan)", RIGHT, 900, right=True),
)
KIND_COLUMNS = (
    Column("事项", "For", LEFT, 850),
    Column("应收 (元)", "Receivable", 2030, 750, right=True),
    Column("应付 (元)", "Payable", 2850, 800, right=True),
)
DAYS = (
    Column("入账日", "Booked", LEFT, 2100),
    Column("应收 (元)", "Receivable (yuan)", 3750, 900, right=True),
    Column("应付 (元)", "Payable (yuan)", 4650, 900, right=True),
    Column("净额 (元)", "Net (yuan)", RIGHT, 900, right=True),
)
INVOICES = (
    Column("开票方", "Issuer", LEFT, 1000),
    Column("受票方", "Recipient", 1430, 1000),
    Column("项目", "Item", 2460, 850),
    Column("税收编码", "Tax code", 3310, 850),
    Column("项目金额 (元)", "Of it (yuan)", 4830, 670, right=True),
    Column("金额 (元)", "Amount (yuan)", RIGHT, 720, right=True),
)
LINES = (
    Column("序号", "No.", 660, 260, right=True),
    Column("入账日", "Booked", 730, 480),
    Column("事项", "For", 1260, 850),
    Column("对方", "Counterparty", 2160, 600),
    Column("电量 (千瓦时)", "Energy (kWh)", 3600, 700, right=True),
    Column("应收 (元)", "Receivable (yuan)", 4590, 900, right=True),
    Column("应付 (元)", "Payable (yuan)", RIGHT, 900, right=True),
)
HEADING, HEADING_WIDTH = "清分对账单 Clearing statement", 3700
MEANING = "金额为人民币元,由整数分换算  Amounts are whole fen, written as yuan"
LINE, LINE_HEIGHT = Style(75), 176
CODE, NOTE_FIGURES = Style(62, leads=80), Style(68, leads=80)
"""Beside what is larger, and as far apart."""

ID_PLACES, ID_WIDTH, ID_CHARS = (730, 2330, 3930), 1580, 40
SUM_HEIGHT = 150
LINES_ON_SHEET = (BOTTOM - TOP - TITLE_HEIGHT - HEAD_HEIGHT - 3 * SUM_HEIGHT) // LINE_HEIGHT

CHART, CHART_BARS, CHART_MOST, CHART_STEP, BAR = 3080, 3620, 1150, 200, 62
"""Where the chart and its bars begin, how long the longest is, how far apart parties are, how high a bar is."""


def layout(statement: Statement, names: Mapping[str, str], measure: Measure) -> list[Sheet]:
    """The sheets of a statement; `names` are those of the counterparties.

    A statement without its lines has its first sheets only. The sums of the last sheet are the statement's:
    where its lines come to something else, nothing is laid out.
    """
    sheets = Sheets(measure)
    _front(sheets, statement)
    _counterparties(sheets, statement, names)
    if statement.kinds:
        _kinds_and_chart(sheets, statement)
    if len(statement.days) > 1:
        sheets.table(("按入账日汇总", "By day"), DAYS, [_day(one) for one in statement.days])
    if statement.invoices:
        rows = [_invoice(sheets, one, names) for one in statement.invoices]
        sheets.table(("开票数据", "To be invoiced, tax included"), INVOICES, rows)
    if statement.lines:
        _lines(sheets, statement)
    heading = sheets.fit(f"{HEADING} · {_who(statement)}", NOTE, HEADING_WIDTH)
    for number, sheet in enumerate(sheets.sheets, 1):
        _frame(sheet, statement, number, len(sheets.sheets), heading)
    return sheets.sheets


def money(fen: int) -> str:
    """Fen as yuan, as sheets show them."""
    return yuan(fen, grouped=True).replace("-", MINUS)


def _front(sheets: Sheets, statement: Statement) -> None:
    """Whose paper of which cycle, and the net position."""
    sheets.both(LEFT, 580, "清分对账单", "Clearing statement", (Style(200), Style(150, SOFT)))
    sheets.both(LEFT, 730, "互桩", "Interpile", (Style(85), Style(85, SOFT)))
    state = STATES.get(statement.state, statement.state)
    sheets.say(RIGHT, 500, state, STRONG, right=True)
    sheets.say(RIGHT, 620, f"截止 Cut-off {local(statement.cutoff_at)}", PLAIN, right=True)
    sheets.say(RIGHT, 730, "北京时间 UTC+8", NOTE, right=True)
    sheets.rule(790, ink=INK, thick=20)
    sheets.y = 850
    currency = "人民币 CNY" if statement.currency == "CNY" else statement.currency
    name = sheets.wrap(printable(statement.party_name), Style(90, INK, bold=True), 2100)
    sheets.row(
        (
            Column("", "", LEFT, 2150),
            Column("", "", 2600, 2000),
            Column("", "", 4750, 803),
        ),
        (
            [("运营商 Operator", NOTE), *name, (statement.party_id, PLAIN)],
            [("清分周期 Cycle", NOTE), (statement.cycle_id, PLAIN)],
            [("币种 Currency", NOTE), (currency, PLAIN)],
        ),
        ruled=False,
    )
    _net(sheets, statement)


def _net(sheets: Sheets, statement: Statement) -> None:
    net_fen, top, height = statement.net_fen, sheets.y + 60, 860
    ink = IN if net_fen > 0 else OUT if net_fen < 0 else SOFT
    sheets.fill(LEFT, top, RIGHT - LEFT, height, WASH)
    sheets.fill(LEFT, top, 60, height, ink)
    zh, en = ("净额应收", "You receive") if net_fen > 0 else ("净额应付", "You pay")
    if not net_fen:
        zh, en = "净额为零", "Nothing to pay or receive"
    sheets.both(LEFT + 200, top + 190, zh, en, (Style(120, ink), Style(100, SOFT)))
    sign = "¥" if statement.currency == "CNY" else statement.currency
    sheets.say(LEFT + 200, top + 500, f"{sign} {money(abs(net_fen))}", Style(300, ink, bold=True))
    if statement.currency == "CNY":
        sheets.say(LEFT + 200, top + 720, f"人民币(大写){in_words(net_fen)}", Style(95, SOFT))
    for down, words, fen in (
        (500, "应收 Receivable", statement.receivable_fen),
        (640, "应付 Payable", statement.payable_fen),
    ):
        sheets.say(RIGHT - 1000, top + down, words, NOTE, right=True)
        sheets.say(RIGHT - 120, top + down, money(fen), PLAIN, right=True)
    sheets.y = top + height + 60


def _counterparties(sheets: Sheets, statement: Statement, names: Mapping[str, str]) -> None:
    rows: list[Row] = [
        (
            [
                *sheets.wrap(printable(names.get(one.counterparty, "")), PLAIN, COUNTERPARTIES[0].width),
                (one.counterparty, NOTE),
            ],
            *_cells(
                f"{one.obligations:,}", money(one.receivable_fen), money(one.payable_fen), money(one.net_fen)
            ),
        )
        for one in statement.counterparties
    ]
    nothing: Row = ([("本周期无往来 Nothing in this cycle", NOTE)], [], [], [], [])
    sums = (statement.receivable_fen, statement.payable_fen, statement.net_fen)
    total = _cells("合计 Total", f"{statement.obligations:,}", *map(money, sums), style=STRONG)
    sheets.table(("按对方汇总", "By counterparty"), COUNTERPARTIES, rows or [nothing], total)


def _cells(*texts: str, style: Style = PLAIN) -> list[Cell]:
    return [[(text, style)] for text in texts]


def _kinds_and_chart(sheets: Sheets, statement: Statement) -> None:
    """Side by side."""
    rows = [
        _cells(KINDS.get(one.kind, one.kind), money(one.receivable_fen), money(one.payable_fen))
        for one in statement.kinds
    ]
    total = _cells("合计 Total", money(statement.receivable_fen), money(statement.payable_fen), style=STRONG)
    largest = bars(statement)
    charted = TITLE_HEIGHT + 80 + len(largest) * CHART_STEP + 160
    listed = TITLE_HEIGHT + HEAD_HEIGHT + row_height(total) * (len(rows) + 1)
    sheets.need(max(charted, listed))
    begun = sheets.y
    sheets.table(("按事项汇总", "By kind"), KIND_COLUMNS, rows, total)
    ended, sheets.y = sheets.y, begun
    sheets.title("主要对方", "Largest counterparties", CHART)
    _chart(sheets, largest)
    sheets.y = max(ended, begun + charted)


def _chart(sheets: Sheets, largest: list[tuple[str, int, int, int, int]]) -> None:
    y = sheets.y + 80
    for party, receivable, payable, receivable_share, payable_share in largest:
        sheets.say(CHART, y + 88, party, NOTE)
        for down, fen, share, ink in ((0, receivable, receivable_share, IN), (80, payable, payable_share, OUT)):
            long = share * CHART_MOST // 1000
            if fen:
                sheets.fill(CHART_BARS, y + down, max(long, THICK), BAR, ink)
            sheets.say(CHART_BARS + long + 50, y + down + 55, money(fen), Style(62, SOFT))
        y += CHART_STEP
    for x, words, ink in ((CHART_BARS, "应收 Receivable", IN), (CHART_BARS + 850, "应付 Payable", OUT)):
        sheets.fill(x, y + 20, BAR, BAR, ink)
        sheets.say(x + 100, y + 76, words, NOTE)


def _day(one: DayTotal) -> list[Cell]:
    net_fen = one.receivable_fen - one.payable_fen
    return _cells(one.day, money(one.receivable_fen), money(one.payable_fen), money(net_fen))


def _invoice(sheets: Sheets, invoice: Invoice, names: Mapping[str, str]) -> Row:
    def who(party: str) -> Cell:
        name = sheets.fit(printable(names.get(party, "")), NOTE, INVOICES[0].width)
        return [(party, PLAIN), (name, NOTE)]

    red = [("红字 In red", NOTE)] if invoice.amount_fen < 0 else []
    return (
        who(invoice.issuer),
        who(invoice.recipient),
        [(KINDS.get(line.kind, line.kind), PLAIN) for line in invoice.lines],
        [(line.tax_code or "–", CODE) for line in invoice.lines],
        [(money(line.amount_fen), NOTE_FIGURES) for line in invoice.lines],
        [(money(invoice.amount_fen), PLAIN), *red],
    )


def _lines(sheets: Sheets, statement: Statement) -> None:
    """Every line, on sheets of their own. Sums of a sheet, and carried to the next."""
    lines, carried = statement.lines, Sides()
    for first in range(0, len(lines), LINES_ON_SHEET):
        sheets.turn()
        sheets.title("明细", "All items")
        sheets.head(LINES)
        if first:
            _sum(sheets, "承前页 Brought forward", carried)
        here = Sides()
        for number, line in enumerate(lines[first : first + LINES_ON_SHEET], first + 1):
            _line(sheets, number, line)
            here = here.plus(line.amount_fen, abs(line.amount_fen))
        carried = Sides(*(before + now for before, now in zip(carried, here, strict=True)))
        last = first + LINES_ON_SHEET >= len(lines)
        sheets.rule(sheets.y - THICK, ink=INK, thick=THICK)
        _sum(sheets, "本页小计 This sheet", here)
        _sum(sheets, "合计 Total" if last else "累计 So far", carried, style=STRONG)
    whole = Sides(statement.receivable_fen, statement.payable_fen)
    assert carried == whole, "the lines of a statement come to its sums"


def _sum(sheets: Sheets, words: str, sides: Sides, style: Style = PLAIN) -> None:
    y = sheets.y + 105
    sheets.say(LINES[1].x, y, words, style)
    for column, fen in zip(LINES[-2:], sides, strict=True):
        sheets.say(column.x, y, money(fen), style, right=True)
    sheets.y += SUM_HEIGHT
    sheets.rule(sheets.y - THIN)


def _line(sheets: Sheets, number: int, line: StatementLine) -> None:
    y, fen = sheets.y + 85, money(abs(line.amount_fen))
    cells: Sequence[str] = (
        str(number),
        line.booked_day,
        KINDS.get(line.kind, line.kind),
        line.counterparty,
        "–" if line.energy_wh is None else kwh(line.energy_wh),
        fen if line.amount_fen >= 0 else "",
        fen if line.amount_fen < 0 else "",
    )
    for column, text in zip(LINES, cells, strict=True):
        sheets.say(column.x, y, text, LINE, right=column.right)
    for x, name in zip(ID_PLACES, (line.obligation_id, line.record_id, line.session_id), strict=True):
        if name:
            shown = name if len(name) <= ID_CHARS else sheets.fit(printable(name), TINY, ID_WIDTH)
            sheets.say(x, y + 66, shown, TINY)
    sheets.y += LINE_HEIGHT
    sheets.rule(sheets.y - THIN)


def _who(statement: Statement) -> str:
    return f"{statement.party_id} {printable(statement.party_name)}"


def _frame(sheet: Sheet, statement: Statement, number: int, count: int, heading: str) -> None:
    """What every sheet says: whose paper it is, the digest, and which sheet of how many."""

    def say(x: int, y: int, text: str, style: Style, *, right: bool = False) -> None:
        sheet.words.append(Word(x, y, text, style, right))

    if number > 1:
        say(LEFT, 500, heading, NOTE)
        say(RIGHT, 500, f"截止 Cut-off {local(statement.cutoff_at)}", NOTE, right=True)
    foot = HEIGHT - 420
    say(LEFT, foot, "周期摘要 Digest of the cycle (SHA-256, the same on every statement)", NOTE)
    say(LEFT, foot + 95, statement.digest or "–", Style(68, INK))
    say(LEFT, foot + 190, f"{statement.cycle_id} · {statement.party_id} · {MEANING}", TINY)
    say(RIGHT, foot + 95, f"第 {number} 页,共 {count} 页  Page {number} of {count}", PLAIN, right=True)
