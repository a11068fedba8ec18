"""A batch's items taken apart without looking into them: however deep one is nested, the others can be read.

msgspec follows arrays and maps by recursion, and gives a whole frame up where one of its items is nested too
deep for that. Here a count of the values that are still to come takes the place of the recursion.
"""

from typing import Final

from msgspec import DecodeError

from operator_sdk.contract.edge_link import BATCH_ITEMS_MOST

NEVER_USED: Final = 0xC1
NIL: Final = b"\xc0"
ITEMS: Final = frozenset({b"\xa5items", b"\xd9\x05items", b"\xda\0\x05items", b"\xdb\0\0\0\x05items"})
"""The key, in each of the ways in which msgpack writes a string of five bytes."""


def _plain_bytes(opcode: int) -> int:
    """How long a value is, or the head of a nest; 0 where the opcode does not say it, or begins nothing."""
    if 0xA0 <= opcode <= 0xBF:  # fixstr
        return 1 + (opcode & 31)
    numbers = {0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}
    fixext = {0xD4 + power: 2 + (1 << power) for power in range(5)}
    if opcode == NEVER_USED or opcode in BLOBS or opcode in NESTS:
        return 0
    return (numbers | fixext).get(opcode, 1)


def _inside(opcode: int) -> int:
    """How many values a fixmap or fixarray holds."""
    if 0x80 <= opcode <= 0x8F:
        return 2 * (opcode & 15)
    return opcode & 15 if 0x90 <= opcode <= 0x9F else 0


BLOBS: Final = {
    **{0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0)},  # bin
    **{0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)},  # ext, with its type
    **{0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)},  # str
}
"""Opcodes after which, in so many bytes, stands how many bytes follow, and how many besides."""

NESTS: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""Opcodes after which, in so many bytes, stands how often one value (of an array) or two (of a map) follow."""

PLAIN_BYTES: Final = tuple(map(_plain_bytes, range(256)))
INSIDE: Final = tuple(map(_inside, range(256)))


def step(data: bytes, at: int) -> tuple[int, int]:
    """Past the value at `at`, or into it: where what follows begins, and how many values of it are inside.

    Raises:
        DecodeError: no value begins there.
    """
    opcode = data[at] if at < len(data) else NEVER_USED
    if PLAIN_BYTES[opcode]:
        return at + PLAIN_BYTES[opcode], INSIDE[opcode]
    if opcode in BLOBS:
        width, besides = BLOBS[opcode]
        return at + 1 + width + besides + int.from_bytes(data[at + 1 : at + 1 + width]), 0
    if opcode in NESTS:
        width, each = NESTS[opcode]
        return at + 1 + width, each * int.from_bytes(data[at + 1 : at + 1 + width])
    raise DecodeError(f"no value (byte {at})")


def end_of(data: bytes, at: int) -> int:
    """Where the value that begins at `at` ends, whatever is inside it.

    Raises:
        DecodeError: it is not whole, or is none.
    """
    to_come, size = 1, len(data)
    while to_come:
        if to_come > size - at:  # each of them takes a byte at least
            raise DecodeError("truncated")
        opcode = data[at]
        if plain := PLAIN_BYTES[opcode]:  # `step` does it too, in thrice the time
            at += plain
            to_come += INSIDE[opcode] - 1
        else:
            at, inside = step(data, at)
            to_come += inside - 1
    if at > size:
        raise DecodeError("truncated")
    return at


def apart(frame: bytes) -> tuple[bytes, list[bytes]]:
    """A batch's frame with nil in the place of each item, and the items.

    Raises:
        DecodeError: not a whole map with an array `items`, or too many of them.
    """
    at, values = step(frame, 0)
    for _ in range(values // 2):
        value_at = end_of(frame, at)
        if frame[at:value_at] in ITEMS:
            break
        at = end_of(frame, value_at)
    else:
        raise DecodeError("no items")
    first, count = step(frame, value_at)
    if count > BATCH_ITEMS_MOST:
        raise DecodeError("too many items")
    items: list[bytes] = []
    at = first
    for _ in range(count):
        end = end_of(frame, at)
        items.append(frame[at:end])
        at = end
    return frame[:first] + NIL * count + frame[at:], items
