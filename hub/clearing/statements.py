"""A party's paper for one cycle: made from rows, and written as JSON, CSV, a page, PDF or a workbook.

All say the same. Yuan are written from integer fen; a CSV cell that a spreadsheet would take for a formula is
made text; the page escapes everything, loads nothing and fits A4.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hub.clearing.drawing import draw
from hub.clearing.model_papers import (
    Line,
    Part,
    counterparty_totals,
    day_totals,
    gather,
    invoices,
    kind_totals,
)
from hub.clearing.statement_words import KINDS, STATES, bars, in_words, kwh, local, yuan
from hub.clearing.tables import CycleRow
from operator_sdk.contract.messages.clearing import Statement, StatementLine

if TYPE_CHECKING:
    import jinja2

LINES_ON_PAGE = 30
"""A page that would list more says where they are instead."""

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
    rows: Iterable[Line],
    tax_codes: Mapping[str, str] | None = None,
) -> Statement:
    """The statement of a party from the obligations that it owes or is owed in a cycle."""
    ordered = sorted(rows, key=lambda row: row.obligation_id)
    statement = summary(cycle, party_id, party_name, gather(party_id, ordered), tax_codes or {})
    return msgspec.structs.replace(statement, lines=[_line(party_id, row) for row in ordered])


class Source(NamedTuple):
    """What a statement is made of, read in one snapshot."""

    cycle: CycleRow
    party_id: str
    party_name: str
    rows: Sequence[Line]
    tax_codes: Mapping[str, str]
    position_fen: int

    def make(self) -> Statement:
        """Make it: no query is left, so in whatever thread."""
        statement = make_statement(self.cycle, self.party_id, self.party_name, self.rows, self.tax_codes)
        assert statement.net_fen == self.position_fen, "a statement says what the position says"
        return statement


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


def _line(party_id: str, row: Line) -> StatementLine:
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
    """A statement in one of the formats; `names` are those of the counterparties.

    Raises:
        KeyError: no such format.
        HubError: rule_violated, more lines than a workbook holds.
    """
    match form:
        case "json":
            return msgspec.json.encode(statement)
        case "csv":
            return statement_csv(statement)
        case "html":
            return statement_html(statement, names).encode()
        case "pdf" | "xlsx":
            return draw(statement, form, names)
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


def statement_html(statement: Statement, names: Mapping[str, str]) -> str:
    """The page: Chinese and English side by side, net position first, the digest at the foot."""
    return _page().render(
        s=statement,
        names=names,
        kinds=KINDS,
        states=STATES,
        words=in_words(statement.net_fen),
        lines_on_page=LINES_ON_PAGE,
        bars=bars(statement),
        tax_codes={
            item.kind: item.tax_code for one in statement.invoices for item in one.lines if item.tax_code
        },
    )


def _money(fen: int) -> str:
    # A true minus sign, and no break after it.
    return yuan(fen, grouped=True).replace("-", "\u2212\u2060")


CSV_HEAD = "\ufeff" + _row(*COLUMNS)


@cache
def _page() -> "jinja2.Template":
    """The template, compiled when the first page is drawn: few processes ever draw one."""
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(money=_money, kwh=kwh, local=local)
    return templates.get_template("statement.html")
