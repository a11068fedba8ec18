"""A statement as PDF. The same statement and names give the same bytes on a machine with the same font.

Imported only when a PDF is asked for: the library behind it takes a while to load.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.pdfgen.textobject import PDFTextObject

from hub.clearing.sheets import HEIGHT, Sheet, Style, Word
from hub.clearing.statement_layout import layout
from operator_sdk.contract.messages.clearing import Statement

LATIN, LATIN_BOLD, CHINESE, CHINESE_NOT_EMBEDDED = "Helvetica", "Helvetica-Bold", "Chinese", "STSong-Light"
# Figures and ids are in a font that every viewer has, whose digits are all as wide: they stand in columns
# whatever is used for Chinese, and cost nothing to embed. Of a Chinese font what is used is embedded, so that
# the paper looks the same where there is none. A font of ours would be megabytes, for a name may hold any
# character; so the machine's own is taken, and without any the one that Acrobat brings along, which other
# viewers may lack.
FONTS = tuple(
    Path(place)
    for place in (
        "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
        "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
        "/usr/share/fonts/truetype/arphic/uming.ttc",
        "/System/Library/Fonts/STHeiti Medium.ttc",
        "C:/Windows/Fonts/msyh.ttc",
        "C:/Windows/Fonts/simhei.ttf",
    )
)
LATIN_CHARS = frozenset(map(chr, (*range(0x20, 0x7F), *range(0xA0, 0x100)))) | {"–", "…"}
RUNS = re.compile("[\x20-\x7e\xa0-\xff–…]+|[^\x20-\x7e\xa0-\xff–…]+")
"""What the Latin font has, and what it has not."""

_DRAWING = threading.Lock()  # a font of the library serves one document at a time


def statement_pdf(statement: Statement, names: Mapping[str, str]) -> bytes:
    """Sheets of A4 with every line, summed up sheet by sheet; `names` are those of the counterparties.

    One at a time, however many threads ask.
    """
    with _DRAWING, _as_bytes():
        chinese = chinese_font()

        sheets = layout(statement, names, lambda text, style: width_of(text, style, chinese))
        out = BytesIO()
        canvas = Canvas(out, pagesize=A4, invariant=1, pageCompression=1, lang="zh-CN")
        canvas.setTitle(f"对账单 Statement {statement.cycle_id} {statement.party_id}")
        canvas.setAuthor("互桩 Interpile")
        canvas.setCreator("Interpile")
        for sheet in sheets:
            _draw(canvas, sheet, chinese)
            canvas.showPage()
        canvas.save()
    return out.getvalue()


@contextmanager
def _as_bytes() -> Iterator[None]:
    """Pages as they come out of compression; the library would write them as text, which takes longer."""
    before, rl_config.useA85 = rl_config.useA85, 0
    try:
        yield
    finally:
        rl_config.useA85 = before


@lru_cache(maxsize=1)
def chinese_font(fonts: tuple[Path, ...] = FONTS) -> str:
    """The name of the first font that is here and that can be embedded, or of the one without a file."""
    for file in fonts:
        try:
            registerFont(TTFont(CHINESE, str(file)))
        except TTFError:
            continue
        return CHINESE
    registerFont(UnicodeCIDFont(CHINESE_NOT_EMBEDDED))
    return CHINESE_NOT_EMBEDDED


def width_of(text: str, style: Style, chinese: str) -> int:
    """How wide some words are, in tenths of a point."""
    return sum(_width(run, font, style.size) for run, font in _runs(text, style, chinese))


def _runs(text: str, style: Style, chinese: str) -> list[tuple[str, str]]:
    latin = LATIN_BOLD if style.bold else LATIN
    if text.isascii():
        return [(text, latin)]
    return [
        (run, chinese if ord(run[0]) > 0xFF and run[0] not in "–…" else latin) for run in RUNS.findall(text)
    ]


@lru_cache(maxsize=4096)
def _width(run: str, font: str, size: int) -> int:
    return int(stringWidth(run, font, size)) + 1


def _draw(canvas: Canvas, sheet: Sheet, chinese: str) -> None:
    canvas.scale(1 / 10, 1 / 10)  # not exact: places on paper
    for ink, boxes in _by_ink(sheet):
        canvas.setFillColor(HexColor(ink))
        path = canvas.beginPath()
        for x, y, width, height in boxes:
            path.rect(x, HEIGHT - y - height, width, height)
        canvas.drawPath(path, stroke=0, fill=1)
    pen = _Pen(canvas.beginText(), chinese)
    for word in sheet.words:
        pen.write(word)
    canvas.drawText(pen.words)


def _by_ink(sheet: Sheet) -> Iterable[tuple[int, list[tuple[int, int, int, int]]]]:
    """Boxes by colour, in order of their first: what is drawn later lies above."""
    found: dict[int, list[tuple[int, int, int, int]]] = {}
    for box in sheet.boxes:
        found.setdefault(box.ink, []).append((box.x, box.y, box.width, box.height))
    return found.items()


class _Pen:
    """Writes words in the order of reading, and says only what changes from one to the next."""

    def __init__(self, words: PDFTextObject, chinese: str) -> None:
        self.words, self._chinese = words, chinese
        self._ink, self._font = -1, ("", 0)

    def write(self, word: Word) -> None:
        """Write some words."""
        style, x = word.style, word.x
        runs = _runs(word.text, style, self._chinese)
        if word.right:
            x -= sum(_width(run, font, style.size) for run, font in runs)
        self.words.setTextOrigin(x, HEIGHT - word.y)
        if style.ink != self._ink:
            self.words.setFillColor(HexColor(style.ink))
            self._ink = style.ink
        for run, font in runs:
            if (font, style.size) != self._font:
                self.words.setFont(font, style.size)
                self._font = (font, style.size)
            self.words.textOut(run)
