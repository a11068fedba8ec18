"""Draws QR codes: PNG and SVG of one code, and a PDF sheet of labels to print and cut. Text in, bytes out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any

import qrcode
from qrcode.constants import ERROR_CORRECT_Q
from qrcode.image.svg import SvgPathImage
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

QUIET = 4
"""Modules of white that belong around a code (ISO/IEC 18004)."""

DOTS = 10
"""Pixels of a module in a PNG."""

NUMBERS, WORDS, WORDS_NOT_EMBEDDED = "Helvetica-Bold", "Words", "STSong-Light"
FONTS = tuple(
    Path(place)
    for place in (
        "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
        "/usr/share/fonts/truetype/arphic/uming.ttc",
        "/System/Library/Fonts/STHeiti Medium.ttc",
        "C:/Windows/Fonts/simhei.ttf",
        "C:/Windows/Fonts/msyh.ttc",
    )
)
"""Chinese TrueType fonts of the usual systems. What is used of one goes into the sheet, which then prints
everywhere; the font without a file that Acrobat brings along is what remains where there is none."""

COLUMNS, ROWS = 3, 3
LABEL_WIDTH, LABEL_HEIGHT, CODE_SIZE = 60 * mm, 86 * mm, 48 * mm
"""A label and its code, quiet zone included: read from arm's length, and it fits on a pile's door."""

CODE_BOTTOM = 21.5 * mm
MARK = 2 * mm
"""How far the cut marks reach from a label's corners."""

SMALLEST = 6
"""Points."""

CALL = "扫码充电  Scan to charge"
KINDS = {"ac": "交流 AC", "dc": "直流 DC"}


@dataclass(frozen=True, slots=True)
class Label:
    """What one label shows: the text in the code, and the words around it. `rated_power_w` 0 is left out."""

    code: str
    connector: str
    station_name: str
    hub_name: str
    kind: str
    rated_power_w: int


def modules_of(text: str) -> list[list[bool]]:
    """The code of a text, dark modules True, without its quiet zone. A quarter of it may be scratched off."""
    code = _code(text)
    return [[bool(module) for module in row] for row in code.modules]


def _code(text: str) -> "qrcode.QRCode[Any]":
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_Q, box_size=DOTS, border=QUIET)
    code.add_data(text)
    code.make(fit=True)
    return code


def png(text: str) -> bytes:
    """A code as PNG, black on white."""
    out = BytesIO()
    _code(text).make_image().save(out, "PNG")
    return out.getvalue()


def svg(text: str) -> bytes:
    """A code as SVG on a white ground, a millimetre a module, as large as one likes."""
    drawn: bytes = _code(text).make_image(image_factory=_OnWhite).to_string()
    return drawn


class _OnWhite(SvgPathImage):
    background = "white"


def find_font(fonts: Iterable[Path] = FONTS) -> Path | None:
    """The first of these fonts that is here."""
    return next((font for font in fonts if font.is_file()), None)


def pdf(labels: Sequence[Label], font: Path | None) -> bytes:
    """A4 sheets of labels with cut marks. The same labels and font give the same bytes.

    Without a font the viewer must have a Chinese one of its own.

    Raises:
        ValueError: the font is no TrueType font.
    """
    words = _register(font)
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle("充电桩标签 Charging labels")
    places = list(_places())
    for number, label in enumerate(labels):
        if number and number % len(places) == 0:
            canvas.showPage()
        canvas.saveState()
        canvas.translate(*places[number % len(places)])
        _draw_marks(canvas)
        _draw_code(canvas, modules_of(label.code))
        _draw_words(canvas, label, words)
        canvas.restoreState()
    canvas.save()
    return out.getvalue()


def _register(font: Path | None) -> str:
    if font is None:
        registerFont(UnicodeCIDFont(WORDS_NOT_EMBEDDED))
        return WORDS_NOT_EMBEDDED
    try:
        registerFont(TTFont(WORDS, str(font)))
    except TTFError as problem:
        raise ValueError(f"{font} is not a TrueType font") from problem
    return WORDS


def _places() -> Iterator[tuple[float, float]]:
    """The lower left corners of the labels on a sheet, row by row from the top."""
    width, height = A4
    left, bottom = (width - COLUMNS * LABEL_WIDTH) / 2, (height - ROWS * LABEL_HEIGHT) / 2
    for row in reversed(range(ROWS)):
        for column in range(COLUMNS):
            yield left + column * LABEL_WIDTH, bottom + row * LABEL_HEIGHT


def _draw_marks(canvas: Canvas) -> None:
    canvas.setLineWidth(0.3)
    canvas.setStrokeGray(0.5)
    for x in (0, LABEL_WIDTH):
        for y in (0, LABEL_HEIGHT):
            canvas.line(x - MARK, y, x + MARK, y)
            canvas.line(x, y - MARK, x, y + MARK)


def _draw_code(canvas: Canvas, modules: list[list[bool]]) -> None:
    """The code in one path: single squares would show hair lines between them."""
    size = CODE_SIZE / (len(modules) + 2 * QUIET)
    left, top = (LABEL_WIDTH - CODE_SIZE) / 2 + QUIET * size, CODE_BOTTOM + CODE_SIZE - QUIET * size
    path = canvas.beginPath()
    for row, modules_in_row in enumerate(modules):
        column = 0
        for dark, run in groupby(modules_in_row):
            width = len(list(run))
            if dark:
                path.rect(left + column * size, top - (row + 1) * size, width * size, size)
            column += width
    canvas.setFillGray(0)
    canvas.drawPath(path, stroke=0, fill=1)


def _draw_words(canvas: Canvas, label: Label, words: str) -> None:
    power = f"{label.rated_power_w / 1000:g} kW" if label.rated_power_w else ""
    facts = "  ".join(part for part in (KINDS.get(label.kind, label.kind), power) if part)
    for font, size, height, text in (
        (words, 12, 79 * mm, label.hub_name),
        (words, 10, 72.5 * mm, label.station_name),
        (words, 12, 16 * mm, CALL),
        (NUMBERS, 13, 9.5 * mm, label.connector),
        (words, 8, 4.5 * mm, facts),
    ):
        _draw_line(canvas, font, size, height, text)


def _draw_line(canvas: Canvas, font: str, size: int, height: float, text: str) -> None:
    """A centred line: smaller where it is too long, and cut where it would be too small to read."""
    room = LABEL_WIDTH - 2 * MARK
    while size > SMALLEST and stringWidth(text, font, size) > room:
        size -= 1
    if stringWidth(text, font, size) > room:
        while stringWidth(text + "…", font, size) > room:
            text = text[:-1]
        text += "…"
    canvas.setFont(font, size)
    canvas.drawCentredString(LABEL_WIDTH / 2, height, text)
