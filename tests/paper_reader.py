"""Reads drawn statements back: where each word of a PDF stands, what each cell of a workbook holds.

By libraries that share nothing with those that draw. Places are tenths of a point, as the sheets have them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from io import BytesIO
from typing import Any

from openpyxl import load_workbook
from pypdf import PageObject, PdfReader
from pypdf.generic import ContentStream

PAYABLE_FROM = 4_600
"""On sheets of lines, where figures of the right column begin at the earliest."""

SUMS = {"Brought forward", "This sheet", "So far", "Total"}
_MONEY = re.compile(r"[\d,]+\.\d\d")
_NUMBER = re.compile(r"\d+")


@dataclass
class SheetRead:
    """One sheet of lines: each line's number and signed fen, and (receivable, payable) by the name of a sum."""

    lines: list[tuple[int, int]] = field(default_factory=list)
    sums: dict[str, tuple[int, int]] = field(default_factory=dict)


def words_of(page: PageObject) -> Iterator[tuple[int, int, str]]:
    """(x, y, Latin words) in the order in which they were written."""
    contents = page.get_contents()
    assert contents is not None
    x = y = 0
    for operands, operator in ContentStream(contents, None).operations:
        if operator == b"Tm":
            x, y = int(operands[4]), int(operands[5])
        elif operator == b"Tj":
            text = operands[0]
            yield x, y, text if isinstance(text, str) else text.decode("cp1252", "replace")


def texts_of(content: bytes) -> list[str]:
    """The text of each page, Chinese too."""
    return [page.extract_text() for page in PdfReader(BytesIO(content)).pages]


def sheets_of_lines(content: bytes) -> list[SheetRead]:
    """The sheets with lines on them."""
    found = []
    for page in PdfReader(BytesIO(content)).pages:
        rows: dict[int, list[tuple[int, str]]] = {}
        for x, y, text in words_of(page):
            rows.setdefault(y, []).append((x, text))
        if any(text.endswith("All items") for row in rows.values() for _, text in row):
            found.append(_sheet(list(rows.values())))
    return found


def _sheet(rows: list[list[tuple[int, str]]]) -> SheetRead:
    sheet = SheetRead()
    for row in rows:
        figures = [(x, fen_of(text)) for x, text in row if _MONEY.fullmatch(text)]
        names = [text.strip() for _, text in row]
        if _NUMBER.fullmatch(names[0]) and figures:
            ((x, fen),) = figures
            sheet.lines.append((int(names[0]), -fen if x > PAYABLE_FROM else fen))
        elif len(figures) == 2:
            (_, receivable), (_, payable) = sorted(figures)
            (name,) = SUMS & set(names)
            sheet.sums[name] = receivable, payable
    return sheet


def fen_of(text: str) -> int:
    """1,234.56 is 123456."""
    return int(Decimal(text.replace(",", "").replace("–", "-")).scaleb(2))


@dataclass
class BookRead:
    """A workbook: rows below the heads by sheet, as computed and as formulas; the sums at the end are apart."""

    rows: dict[str, list[tuple[Any, ...]]]
    sums: dict[str, tuple[Any, ...]]
    formulas: dict[str, list[str]]
    texts: list[tuple[str, str]]
    """(what it is to the program, what it says) of every cell of text."""

    charts: int


def read_book(content: bytes) -> BookRead:
    """The sheets of a statement's workbook by their English names."""
    book = BookRead({}, {}, {}, [], 0)
    for sheet in load_workbook(BytesIO(content)).worksheets:
        cells = [cell for row in sheet.iter_rows() for cell in row]
        name = sheet.title.rpartition(" ")[2]
        book.formulas[name] = [str(cell.value) for cell in cells if cell.data_type == "f"]
        book.texts += [(cell.data_type, str(cell.value)) for cell in cells if isinstance(cell.value, str)]
        book.charts += len(sheet._charts)  # type: ignore[attr-defined]  # it has no other name
    for sheet in load_workbook(BytesIO(content), data_only=True).worksheets:
        name = sheet.title.rpartition(" ")[2]
        _, *rows = sheet.iter_rows(values_only=True)
        book.rows[name], book.sums[name] = rows[:-1], rows[-1]
    return book


def cell_fen(value: float | None) -> int:
    """What a cell of yuan is in fen; a cell that is not a whole number of fen is none."""
    exact = Decimal(repr(value or 0)).scaleb(2)
    assert exact == exact.to_integral_value(), value
    return int(exact)
