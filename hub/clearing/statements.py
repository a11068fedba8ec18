"""A party's paper for one cycle: made from rows, and written as JSON, CSV or a page to read and print.

All three say the same. Yuan are written from integer fen; a CSV cell that a spreadsheet would take for a
formula is made text; the page escapes everything, loads nothing and fits A4.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import jinja2
import msgspec

from hub.clearing.model_papers import Part, counterparty_totals, day_totals, invoices, kind_totals
from hub.clearing.tables import CycleRow, ObligationRow
from hub.core.clock import ZONE
from operator_sdk.contract.messages.clearing import Statement, StatementLine

CONTENT_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
}
"""The formats of `render`, and what they are served as."""

KINDS = {
    "charge": "充电 Charging",
    "credit": "冲正 Credit",
    "commission": "平台佣金 Commission",
    "claim": "未付结转 Claim",
    "electricity": "电费 Electricity",
    "service": "服务费 Service",
    "parking": "停车费 Parking",
    "idle": "占位费 Idle",
}
"""What kinds of obligations and of fees are called on papers."""

BARS = 8
LINES_ON_PAGE = 30
"""A page that would list more says where they are instead."""

STATES = {
    "cut_off": "已截止 Cut off",
    "proposed": "待确认 Proposed",
    "fixed": "已确认 Fixed",
    "paying": "收付中 Paying",
    "settled": "已结清 Settled",
    "partially_paid": "部分收付 Partially paid",
}
COLUMNS = (
    "cycle_id",
    "party_id",
    "party_name",
    "obligation_id",
    "kind",
    "counterparty",
    "amount_fen",
    "amount_yuan",
    "currency",
    "booked_day",
    "record_id",
    "session_id",
    "energy_wh",
)
# A spreadsheet takes these for the beginning of a formula, full width or not.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def make_statement(
    cycle: CycleRow,
    party_id: str,
    party_name: str,
    rows: Iterable[ObligationRow],
    tax_codes: Mapping[str, str] | None = None,
) -> Statement:
    """The statement of a party from the obligations that it owes or is owed in a cycle."""
    ordered = sorted(rows, key=lambda row: row.obligation_id)
    statement = summary(cycle, party_id, party_name, [_part(party_id, row) for row in ordered], tax_codes or {})
    return msgspec.structs.replace(statement, lines=[_line(party_id, row) for row in ordered])


def summary(
    cycle: CycleRow, party_id: str, party_name: str, parts: Sequence[Part], tax_codes: Mapping[str, str]
) -> Statement:
    """A statement without its lines: everything that fits one page."""
    assert cycle.cutoff_at is not None, "a statement follows the cut-off"
    totals = counterparty_totals(parts)
    receivable = sum(total.receivable_fen for total in totals)
    payable = sum(total.payable_fen for total in totals)
    return Statement(
        cycle_id=cycle.cycle_id,
        party_id=party_id,
        party_name=party_name,
        currency=cycle.currency,
        state=cycle.state,
        cutoff_at=cycle.cutoff_at,
        receivable_fen=receivable,
        payable_fen=payable,
        net_fen=receivable - payable,
        counterparties=totals,
        lines=[],
        digest=cycle.digest,
        obligations=sum(total.obligations for total in totals),
        kinds=kind_totals(parts),
        days=day_totals(parts),
        invoices=invoices(party_id, parts, tax_codes),
    )


def _part(party_id: str, row: ObligationRow) -> Part:
    owed_to = row.creditor_party_id == party_id
    return Part(
        counterparty=row.debtor_party_id if owed_to else row.creditor_party_id,
        sign=1 if owed_to else -1,
        kind=row.kind,
        day=row.booked_day,
        obligations=1,
        amount_fen=row.amount_fen,
        electricity_fen=row.electricity_fen,
        service_fen=row.service_fen,
        parking_fen=row.parking_fen,
        idle_fen=row.idle_fen,
        energy_wh=row.energy_wh or 0,
    )


def _line(party_id: str, row: ObligationRow) -> StatementLine:
    owed_to = row.creditor_party_id == party_id
    return StatementLine(
        obligation_id=row.obligation_id,
        kind=row.kind,
        counterparty=row.debtor_party_id if owed_to else row.creditor_party_id,
        amount_fen=row.amount_fen if owed_to else -row.amount_fen,
        booked_day=row.booked_day,
        record_id=row.record_id,
        session_id=row.session_id,
        energy_wh=row.energy_wh,
    )


def render(statement: Statement, form: str, names: Mapping[str, str]) -> bytes:
    """A statement as `json`, `csv` or `html`; `names` are those of the counterparties.

    Raises:
        KeyError: no such format.
    """
    match form:
        case "json":
            return msgspec.json.encode(statement)
        case "csv":
            return statement_csv(statement)
        case "html":
            return statement_html(statement, names).encode()
        case _:
            raise KeyError(form)


def statement_csv(statement: Statement) -> bytes:
    """Every line, and the net position in a last row; begins with the mark by which Excel knows UTF-8."""
    whose = (statement.cycle_id, statement.party_id, statement.party_name)
    rows = (
        _row(
            *whose,
            line.obligation_id,
            line.kind,
            line.counterparty,
            line.amount_fen,
            yuan(line.amount_fen),
            statement.currency,
            line.booked_day,
            line.record_id,
            line.session_id,
            line.energy_wh,
        )
        for line in statement.lines
    )
    return "".join((CSV_HEAD, *rows, csv_foot(whose, statement.net_fen, statement.currency))).encode()


def csv_cells(*values: str | int | None) -> str:
    """Some cells of a row, harmless in any program, without the end of the line."""
    return _row(*values).removesuffix("\r\n")


def csv_foot(whose: tuple[str, str, str], net_fen: int, currency: str) -> str:
    """The last row: the net position of (cycle, party, its name)."""
    net = (net_fen, yuan(net_fen), currency)
    return _row(*whose, None, "net", None, *net, None, None, None, None)


def _row(*values: str | int | None) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(_cells(*values))
    return out.getvalue()


def _cells(*values: str | int | None) -> list[str]:
    return [_cell(value) for value in values]


def _cell(value: str | int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, int) or _is_amount(value):
        return str(value)
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value


def _is_amount(value: str) -> bool:
    whole, dot, fraction = value.removeprefix("-").partition(".")
    return value.isascii() and dot == "." and whole.isdigit() and fraction.isdigit() and len(fraction) == 2


def yuan(fen: int, *, grouped: bool = False) -> str:
    """Integer fen as yuan with two decimals: -123456 is -1234.56, or -1,234.56."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole:{',' if grouped else ''}}.{rest:02d}"


def statement_html(statement: Statement, names: Mapping[str, str]) -> str:
    """The page: Chinese and English side by side, net position first, the digest at the foot."""
    return _PAGE.render(
        s=statement,
        names=names,
        kinds=KINDS,
        states=STATES,
        words=in_words(statement.net_fen),
        lines_on_page=LINES_ON_PAGE,
        bars=bars(statement),
    )


def bars(statement: Statement) -> list[tuple[str, int, int, int, int]]:
    """The chart of the largest counterparties: (party, receivable, payable, both in thousandths of the most).

    Ties go to the smaller party id.
    """
    by_size = sorted(
        statement.counterparties, key=lambda one: (-(one.receivable_fen + one.payable_fen), one.counterparty)
    )[:BARS]
    most = max((max(one.receivable_fen, one.payable_fen) for one in by_size), default=0) or 1
    return [
        (
            one.counterparty,
            one.receivable_fen,
            one.payable_fen,
            one.receivable_fen * 1000 // most,
            one.payable_fen * 1000 // most,
        )
        for one in by_size
    ]


def _money(fen: int) -> str:
    # A true minus sign, and no break after it.
    return yuan(fen, grouped=True).replace("-", "\u2212\u2060")


def _kwh(energy_wh: int) -> str:
    return f"{energy_wh // 1000:,}.{energy_wh % 1000:03d}"


def _local(at: datetime) -> str:
    return f"{at + ZONE:%Y-%m-%d %H:%M:%S}"


_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "兆")


def in_words(fen: int) -> str:
    """An amount as it is written on Chinese papers so that nobody can alter it; the sign is not part of it."""
    whole, rest = divmod(abs(fen), 100)
    jiao, single = divmod(rest, 10)
    text = f"{_whole_in_words(whole)}元" if whole else ""
    if not rest:
        return f"{text or '零元'}整"
    if jiao:
        text += f"{_DIGITS[jiao]}角"
    elif text:
        text += "零"
    return text + (f"{_DIGITS[single]}分" if single else "整")


def _whole_in_words(whole: int) -> str:
    text, gap = "", False
    groups = [whole // 10_000**power % 10_000 for power in range(len(_GROUPS))]
    for power in reversed(range(len(_GROUPS))):
        if not groups[power]:
            gap = bool(text)
            continue
        if text and (gap or groups[power] < 1000):
            text += _DIGITS[0]
        text += _group_in_words(groups[power]) + _GROUPS[power]
        gap = False
    return text


def _group_in_words(group: int) -> str:
    text, gap = "", False
    for place in (3, 2, 1, 0):
        digit = group // 10**place % 10
        if digit:
            text += (_DIGITS[0] if gap else "") + _DIGITS[digit] + _PLACES[place]
            gap = False
        else:
            gap = bool(text)
    return text


CSV_HEAD = "\ufeff" + _row(*COLUMNS)

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(money=_money, kwh=_kwh, local=_local)
_PAGE = _TEMPLATES.get_template("statement.html")
