"""What is drawn can be read, in every format, by a reader that shares nothing with the drawing."""

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reportlab.lib.pagesizes import A4

from mobile_bff import qr
from tests.qr_reader import matrix_of_image, matrix_of_svg, read_matrix

URL = "https://hub.example.cn/c/3702030162102.MA5AAAAA1?k=1&m=KPkNr-VxZdEp"
DPI = 200

urls = st.builds(
    "{}/c/{}.MA5AAAAA1?k={}&m={}".format,
    st.sampled_from(
        ["http://127.0.0.1:8000", "https://hub.example", "https://a.long.name.of-a-hub.example.com.cn"]
    ),
    st.from_regex(r"[A-Za-z0-9]{1,26}", fullmatch=True),
    st.integers(1, 999),
    st.from_regex(r"[A-Za-z0-9_-]{12}", fullmatch=True),
)


def label(number: int = 1, code: str = URL, **more: str) -> qr.Label:
    words = {"station_name": "深圳北站东广场", "hub_name": "互桩 Interpile", "kind": "dc"} | more
    return qr.Label(code=code, connector=f"C{number}.MA5AAAAA1", rated_power_w=60_000, **words)


@settings(max_examples=25, deadline=None)
@given(urls)
def test_a_png_reads_back(url: str) -> None:
    image = Image.open(BytesIO(qr.png(url)))
    assert read_matrix(matrix_of_image(image)) == url


@settings(max_examples=25, deadline=None)
@given(urls)
def test_an_svg_reads_back(url: str) -> None:
    assert read_matrix(matrix_of_svg(qr.svg(url).decode())) == url


def test_a_png_has_its_quiet_zone_and_is_large_enough_to_print() -> None:
    image = Image.open(BytesIO(qr.png(URL))).convert("L")
    modules = len(qr.modules_of(URL))
    assert image.size == ((modules + 8) * 10,) * 2
    assert image.crop((0, 0, 40, image.height)).getextrema() == (255, 255)


def test_a_scratched_code_has_a_quarter_to_spare() -> None:
    """Level Q is in the code's own format bits; the reader above accepts no other."""
    assert read_matrix(qr.modules_of("hlht://A1.MA5AAAAA1/")) == "hlht://A1.MA5AAAAA1/"


def rasterised(content: bytes, folder: Path) -> list[Image.Image]:
    """The pages of a PDF as another program shows them."""
    program = shutil.which("pdftoppm")
    if program is None:
        pytest.skip("pdftoppm is not installed")
    (folder / "sheet.pdf").write_bytes(content)
    call = [program, "-r", str(DPI), "-gray", "sheet.pdf", "page"]
    subprocess.run(call, cwd=folder, capture_output=True, timeout=60, check=True)
    return [Image.open(file) for file in sorted(folder.glob("page*.pgm"))]


def part_of(page: Image.Image, left: float, bottom: float, width: float, height: float) -> Image.Image:
    """What lies at these points of a page, counted from its lower left corner."""
    scale = DPI / 72
    top = A4[1] - bottom - height
    box = left * scale, top * scale, (left + width) * scale, (top + height) * scale
    return page.crop((round(box[0]), round(box[1]), round(box[2]), round(box[3])))


def code_on(page: Image.Image, number: int) -> Image.Image:
    """The part of a page where a label's code is."""
    left, bottom = list(qr._places())[number]
    left += (qr.LABEL_WIDTH - qr.CODE_SIZE) / 2
    return part_of(page, left, bottom + qr.CODE_BOTTOM, qr.CODE_SIZE, qr.CODE_SIZE)


@pytest.mark.parametrize("font", [qr.find_font(), None])
def test_every_label_of_a_sheet_reads_back(tmp_path: Path, font: Path | None) -> None:
    texts = [f"https://hub.example/c/C{number}.MA5AAAAA1?k=1&m=KPkNr-VxZd{number:02}" for number in range(11)]
    labels = [label(number, text) for number, text in enumerate(texts)]
    pages = rasterised(qr.pdf(labels, font), tmp_path)
    assert [page.size for page in pages] == [(1654, 2339)] * 2, "A4"
    read = [read_matrix(matrix_of_image(code_on(pages[at // 9], at % 9))) for at in range(11)]
    assert read == texts
    assert code_on(pages[1], 2).getextrema() == (255, 255), "the last sheet ends with its last label"


def test_words_that_are_too_long_stay_on_their_label(tmp_path: Path) -> None:
    endless = label(1, station_name="很长的名字" * 40, hub_name="H" * 100)
    (page,) = rasterised(qr.pdf([endless, label(2)], qr.find_font()), tmp_path)
    left, bottom = list(qr._places())[1]
    edge = part_of(page, left - 6, bottom + 12, 12, qr.LABEL_HEIGHT - 24)
    assert edge.getextrema() == (255, 255)


def test_the_words_of_a_label_are_on_the_page(tmp_path: Path) -> None:
    program, font = shutil.which("pdftotext"), qr.find_font()
    if program is None or font is None:
        pytest.skip("no pdftotext or no Chinese font")
    (tmp_path / "sheet.pdf").write_bytes(qr.pdf([label()], font))
    text = subprocess.run(
        [program, "-layout", "sheet.pdf", "-"], cwd=tmp_path, capture_output=True, timeout=60, check=True
    ).stdout.decode()
    for words in (
        "互桩 Interpile",
        "深圳北站东广场",
        "扫码充电",
        "Scan to charge",
        "C1.MA5AAAAA1",
        "直流 DC",
        "60 kW",
    ):
        assert words in text, text


def test_the_same_labels_give_the_same_bytes() -> None:
    assert qr.pdf([label()], None) == qr.pdf([label()], None)


def test_what_is_no_font_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "x.ttf").write_bytes(b"not a font at all")
    with pytest.raises(ValueError, match="not a TrueType font"):
        qr.pdf([label()], tmp_path / "x.ttf")
