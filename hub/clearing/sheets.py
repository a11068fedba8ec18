"""Sheets of paper that fill from the top: words, boxes, and tables whose heads come again on the next sheet.

Places and sizes are tenths of a point, from the upper left corner of an A4 sheet. Nothing is drawn here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 5953, 8419
LEFT, RIGHT = 400, 5553
TOP, BOTTOM = 620, 7860
"""Between them stands what the sheets are about; above and below what every sheet says of itself."""

INK, SOFT, LINE, WASH, IN, OUT = 0x1B2430, 0x5A6675, 0xD5DBE3, 0xF4F6F9, 0x0B6B46, 0xA3341F
THIN, THICK = 4, 12
PAD = 28
"""Above and below the words of a row."""


class Style(NamedTuple):
    """How words look."""

    size: int
    ink: int = INK
    bold: bool = False
    leads: int = 0
    """The size whose lines these stand beside, if not their own."""

    @property
    def leading(self) -> int:
        """From one line to the next."""
        return (self.leads or self.size) * 13 // 10


PLAIN, STRONG, NOTE, TINY = Style(80), Style(80, INK, bold=True), Style(68, SOFT), Style(55, SOFT)
TITLE, TITLE_EN = Style(110, INK, bold=True), Style(95, SOFT)
HEAD = Style(72, INK, bold=True)


class Word(NamedTuple):
    """Words on a line that stands on `y`, beginning at `x`, or ending there where `right`."""

    x: int
    y: int
    text: str
    style: Style
    right: bool


class Box(NamedTuple):
    """A filled box below `y`."""

    x: int
    y: int
    width: int
    height: int
    ink: int


class Sheet(NamedTuple):
    """What is on one sheet."""

    words: list[Word]
    boxes: list[Box]


class Column(NamedTuple):
    """A column of a table: its left edge, or its right edge where figures stand."""

    zh: str
    en: str
    x: int
    width: int
    right: bool = False


Cell = Sequence[tuple[str, Style]]
"""The lines of a cell."""

Row = Sequence[Cell]
Measure = Callable[[str, Style], int]
"""How wide some words are."""


class Sheets:
    """Sheets, and how far the last one is filled."""

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self.sheets: list[Sheet] = [Sheet([], [])]
        self.y = TOP

    def turn(self) -> None:
        """Begin a sheet."""
        self.sheets.append(Sheet([], []))
        self.y = TOP

    def need(self, height: int) -> bool:
        """Begin a sheet unless so much is left of this one; says whether it did."""
        short = self.y + height > BOTTOM and self.y > TOP
        if short:
            self.turn()
        return short

    def say(self, x: int, y: int, text: str, style: Style, *, right: bool = False) -> None:
        """Words on the sheet."""
        if text:
            self.sheets[-1].words.append(Word(x, y, text, style, right))

    def both(self, x: int, y: int, zh: str, en: str, styles: tuple[Style, Style] = (TITLE, TITLE_EN)) -> None:
        """Chinese, and English beside it."""
        self.say(x, y, zh, styles[0])
        self.say(x + self._measure(zh, styles[0]) + styles[0].size // 2, y, en, styles[1])

    def fill(self, x: int, y: int, width: int, height: int, ink: int) -> None:
        """A box on the sheet."""
        self.sheets[-1].boxes.append(Box(x, y, width, height, ink))

    def rule(self, y: int, *, ink: int = LINE, thick: int = THIN, x: int = LEFT, right: int = RIGHT) -> None:
        """A line across."""
        self.fill(x, y, right - x, thick, ink)

    def title(self, zh: str, en: str, x: int = LEFT) -> None:
        """The title of what follows."""
        self.both(x, self.y + 190, zh, en)
        self.y += 250

    def head(self, columns: Sequence[Column]) -> None:
        """The heads of columns, Chinese over English."""
        for column in columns:
            self.say(column.x, self.y + 90, column.zh, HEAD, right=column.right)
            self.say(column.x, self.y + 90 + NOTE.leading, column.en, NOTE, right=column.right)
        self.y += HEAD_HEIGHT
        self.rule(self.y - THICK, ink=INK, thick=THICK, x=_edge(columns), right=_end(columns))

    def row(self, columns: Sequence[Column], cells: Row, *, ruled: bool = True) -> None:
        """A row of cells, each of some lines, with a thin line below."""
        for column, lines in zip(columns, cells, strict=True):
            y = self.y + PAD
            for text, style in lines:
                y += style.leading
                self.say(column.x, y - (style.leads or style.size) // 4, text, style, right=column.right)
        self.y += row_height(cells)
        if ruled:
            self.rule(self.y - THIN, x=_edge(columns), right=_end(columns))

    def total(self, columns: Sequence[Column], cells: Row) -> None:
        """The row that sums up, below a thick line."""
        self.rule(self.y - THIN, ink=INK, thick=THICK, x=_edge(columns), right=_end(columns))
        self.row(columns, cells, ruled=False)

    def table(
        self, titles: tuple[str, str], columns: Sequence[Column], rows: Sequence[Row], total: Row | None = None
    ) -> None:
        """A table. No title or head stands without a row, and no total."""
        foot = row_height(total) if total else 0
        first = row_height(rows[0]) if rows else 0
        self.need(TITLE_HEIGHT + HEAD_HEIGHT + first + (foot if len(rows) < 2 else 0))
        self.title(*titles)
        self.head(columns)
        for number, cells in enumerate(rows, 1):
            if self.need(row_height(cells) + (foot if number == len(rows) else 0)):
                self.head(columns)
            self.row(columns, cells)
        if total:
            self.total(columns, total)

    def fit(self, text: str, style: Style, width: int) -> str:
        """The text, cut where it is too wide."""
        if self._measure(text, style) <= width:
            return text
        while text and self._measure(text + "…", style) > width:
            text = text[:-1]
        return text + "…"

    def wrap(self, text: str, style: Style, width: int) -> list[tuple[str, Style]]:
        """The text in lines that are no wider; broken at a space where one is near, else anywhere."""
        lines: list[tuple[str, Style]] = []
        while text:
            end = len(text)
            while end > 1 and self._measure(text[:end], style) > width:
                end -= 1
            if end < len(text) and (space := text.rfind(" ", end - 12, end)) > 0:
                end = space + 1
            lines.append((text[:end].rstrip(), style))
            text = text[end:].lstrip()
        return lines


TITLE_HEIGHT, HEAD_HEIGHT = 250, 90 + NOTE.leading + 50


def row_height(cells: Row) -> int:
    """How high a row is."""
    return 2 * PAD + max((_height(lines) for lines in cells), default=0)


def _height(lines: Iterable[tuple[str, Style]]) -> int:
    return sum(style.leading for _, style in lines)


def _edge(columns: Sequence[Column]) -> int:
    return min(column.x - (column.width if column.right else 0) for column in columns)


def _end(columns: Sequence[Column]) -> int:
    return max(column.x + (0 if column.right else column.width) for column in columns)


def printable(text: str) -> str:
    """The text without what no printer shows: control characters, and marks that turn the reading about."""
    return "".join(char if char.isprintable() else " " for char in text).strip()
