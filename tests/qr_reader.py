"""Reads QR codes back, independently of what draws them: from a matrix, from pixels, from SVG paths.

Of ISO/IEC 18004 only what pristine codes of versions 1 to 10, level Q, byte mode need; a wrong module anywhere
in the data gives another text, as nothing is corrected.
"""

import re

from PIL import Image

Matrix = list[list[bool]]

ALIGNED = {
    1: [], 2: [6, 18], 3: [6, 22], 4: [6, 26], 5: [6, 30], 6: [6, 34],
    7: [6, 22, 38], 8: [6, 24, 42], 9: [6, 26, 46], 10: [6, 28, 50],
}  # fmt: skip
"""Centres of the alignment patterns (annex E)."""

BLOCKS_Q = {
    1: [13], 2: [22], 3: [17] * 2, 4: [24] * 2, 5: [15] * 2 + [16] * 2, 6: [19] * 4,
    7: [14] * 2 + [15] * 4, 8: [18] * 4 + [19] * 2, 9: [16] * 4 + [17] * 4, 10: [19] * 6 + [20] * 2,
}  # fmt: skip
"""Data codewords of each block at level Q (table 9)."""

LEVEL_Q = 0b11
MASKS = [
    lambda row, column: (row + column) % 2 == 0,
    lambda row, _: row % 2 == 0,
    lambda _, column: column % 3 == 0,
    lambda row, column: (row + column) % 3 == 0,
    lambda row, column: (row // 2 + column // 3) % 2 == 0,
    lambda row, column: row * column % 2 + row * column % 3 == 0,
    lambda row, column: (row * column % 2 + row * column % 3) % 2 == 0,
    lambda row, column: ((row + column) % 2 + row * column % 3) % 2 == 0,
]


def read_matrix(matrix: Matrix) -> str:
    """The text of a code."""
    size = len(matrix)
    version = (size - 17) // 4
    assert size == 17 + 4 * version
    assert all(len(row) == size for row in matrix)
    level, mask = _format(matrix)
    assert level == LEVEL_Q
    words = _codewords(matrix, version, mask)
    bits = "".join(f"{word:08b}" for word in _joined(words, BLOCKS_Q[version]))
    assert bits[:4] == "0100", "byte mode"
    width = 8 if version < 10 else 16
    length = int(bits[4 : 4 + width], 2)
    data = bits[4 + width : 4 + width + 8 * length]
    return bytes(int(data[at : at + 8], 2) for at in range(0, len(data), 8)).decode()


def _format(matrix: Matrix) -> tuple[int, int]:
    """(level, mask) from the format bits around the upper left finder."""
    places = [(8, column) for column in (0, 1, 2, 3, 4, 5, 7, 8)] + [(row, 8) for row in (7, 5, 4, 3, 2, 1, 0)]
    bits = 0
    for row, column in places:
        bits = bits << 1 | matrix[row][column]
    bits ^= 0b101010000010010
    return bits >> 13, bits >> 10 & 0b111


def _is_function(version: int, row: int, column: int) -> bool:
    size = 17 + 4 * version
    in_finder = (row < 9 and (column < 9 or column >= size - 8)) or (row >= size - 8 and column < 9)
    in_version = version >= 7 and (
        (row < 6 and size - 11 <= column < size - 8) or (column < 6 and size - 11 <= row < size - 8)
    )
    return in_finder or in_version or row == 6 or column == 6 or _is_aligned(version, row, column)


def _is_aligned(version: int, row: int, column: int) -> bool:
    last = 4 * version + 10
    corners = {(6, 6), (6, last), (last, 6)}
    return any(
        abs(row - y) <= 2 and abs(column - x) <= 2
        for y in ALIGNED[version]
        for x in ALIGNED[version]
        if (y, x) not in corners
    )


def _codewords(matrix: Matrix, version: int, mask: int) -> list[int]:
    size = len(matrix)
    bits: list[bool] = []
    right, upward = size - 1, True
    while right > 0:
        if right == 6:
            right -= 1
        for step in range(size):
            row = size - 1 - step if upward else step
            bits += [
                matrix[row][column] ^ MASKS[mask](row, column)
                for column in (right, right - 1)
                if not _is_function(version, row, column)
            ]
        right, upward = right - 2, not upward
    return [
        int("".join("1" if bit else "0" for bit in bits[at : at + 8]), 2) for at in range(0, len(bits) - 7, 8)
    ]


def _joined(words: list[int], blocks: list[int]) -> list[int]:
    """The data codewords in order: they lie interleaved, one of each block in turn."""
    found: list[list[int]] = [[] for _ in blocks]
    turn = iter(words)
    for column in range(max(blocks)):
        for number, length in enumerate(blocks):
            if column < length:
                found[number].append(next(turn))
    return [word for block in found for word in block]


def matrix_of_image(image: Image.Image) -> Matrix:
    """The modules of a picture that shows one upright code and nothing else: sampled at their middles."""
    grey = image.convert("L")
    dark = grey.point(lambda value: 255 if value < 128 else 0)
    box = dark.getbbox()
    assert box is not None
    left, top, right, bottom = box
    finder = 0
    while dark.getpixel((left + finder, top + 1)):
        finder += 1
    size = round((right - left) * 7 / finder)
    step_x, step_y = (right - left) / size, (bottom - top) / size
    return [
        [
            bool(dark.getpixel((int(left + (column + 0.5) * step_x), int(top + (row + 0.5) * step_y))))
            for column in range(size)
        ]
        for row in range(size)
    ]


def matrix_of_svg(text: str) -> Matrix:
    """The modules of an SVG whose path is one square a dark module."""
    squares = re.findall(r"M([\d.]+),([\d.]+)H([\d.]+)V([\d.]+)H[\d.]+z", text)
    assert squares
    side = float(squares[0][2]) - float(squares[0][0])
    found = {(round(float(y) / side), round(float(x) / side)) for x, y, _, _ in squares}
    first = min(row for row, _ in found)
    size = max(row for row, _ in found) - first + 1
    return [[(first + row, first + column) in found for column in range(size)] for row in range(size)]
