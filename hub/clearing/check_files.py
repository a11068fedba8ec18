"""A list of charge records as an operator mails it (docs/records.md): CSV in, lines or what is wrong out."""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from operator_sdk.contract.messages.checks import ListedRecord

NAMES = ("record", "record_ref", "record_id")
AMOUNTS = {"amount_fen": 0, "amount_yuan": 2}
ENERGIES = {"energy_wh": 0, "energy_kwh": 3}
"""Column -> how many decimals it may have: what is left of the point is not rounded, and nothing else is."""

CREDIT = "credit"
WORDS = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}
PROBLEMS_MOST = 20
LINE_BYTES_MOST = 10_000
MOST = 1_000_000_000_000

_RECORD = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,13}(\.[0-9]{1,6})?")

Progress = Callable[[int, int], None]


def silent(_done: int, _of: int) -> None:
    """Nobody looks."""


class WrongFile(ValueError):
    """The file cannot be used; `problems` are at most twenty, each with its line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(slots=True)
class _Header:
    """Which column holds what."""

    record: int
    amount: int
    amount_decimals: int
    energy: int
    energy_decimals: int
    credit: int | None
    width: int = field(default=0)


def read_list(data: bytes, told: Progress = silent) -> list[ListedRecord]:
    """Every line of a file, or none: a list with a line left out would find differences that are none.

    The first line names the columns, in any order: record (or record_ref, record_id), amount_fen or
    amount_yuan, energy_wh or energy_kwh, and credit (1 or 0), which may be left out. Others are passed over.
    `told` gets how many bytes of how many are done.

    Raises:
        WrongFile: it is no such file, or lines are wrong.
    """
    problems: list[str] = []
    found: list[ListedRecord] = []
    header: _Header | None = None
    for number, cells in _rows(data, problems, told):
        try:
            if header is None:
                header = _header(cells)
            else:
                found.append(_line(header, cells))
        except ValueError as problem:
            problems.append(f"line {number}: {problem}")
        if header is None or len(problems) >= PROBLEMS_MOST:
            break
    if header is None and not problems:
        problems.append("line 1: the file is empty")
    if problems:
        raise WrongFile(problems[:PROBLEMS_MOST])
    return found


def _rows(data: bytes, problems: list[str], told: Progress) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells, blank lines passed over."""
    done = 0
    for number, raw in enumerate(data.split(b"\n"), 1):
        done += len(raw) + 1
        if number % 1_000 == 0:
            told(min(done, len(data)), len(data))
        bare = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if not bare.strip():
            continue
        try:
            cells = _cells(bare)
        except ValueError as problem:
            problems.append(f"line {number}: {problem}")
            if len(problems) >= PROBLEMS_MOST:
                return
            continue
        yield number, cells
    told(len(data), len(data))


def _cells(raw: bytes) -> list[str]:
    if len(raw) > LINE_BYTES_MOST:
        raise ValueError("too long")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        # What spreadsheets write on Chinese machines; the columns that are read are ASCII in either.
        text = raw.decode("gb18030", "replace")
    try:
        (cells,) = csv.reader([text.rstrip("\r")], strict=True)
    except (csv.Error, ValueError):
        raise ValueError("not CSV") from None
    return [cell.strip() for cell in cells]


def _header(cells: list[str]) -> _Header:
    places = {name.lower(): place for place, name in enumerate(cells)}

    def one_of(*names: str) -> str:
        given = [name for name in names if name in places]
        if len(given) != 1:
            raise ValueError(f"the first line must name one column {' or '.join(names)}")
        return given[0]

    amount, energy = one_of(*AMOUNTS), one_of(*ENERGIES)
    return _Header(
        record=places[one_of(*NAMES)],
        amount=places[amount],
        amount_decimals=AMOUNTS[amount],
        energy=places[energy],
        energy_decimals=ENERGIES[energy],
        credit=places.get(CREDIT),
        width=len(cells),
    )


def _line(header: _Header, cells: list[str]) -> ListedRecord:
    if len(cells) != header.width:
        raise ValueError(f"{len(cells)} columns instead of {header.width}")
    record = cells[header.record]
    if not _RECORD.fullmatch(record):
        raise ValueError("the record's name is not 1 to 64 of A-Z a-z 0-9 . _ : -")
    word = "" if header.credit is None else cells[header.credit].lower()
    if word not in WORDS:
        raise ValueError("credit is not 1 or 0")
    return ListedRecord(
        record=record,
        amount_fen=_whole(cells[header.amount], header.amount_decimals, "amount"),
        energy_wh=_whole(cells[header.energy], header.energy_decimals, "energy"),
        credit=WORDS[word],
    )


def _whole(text: str, decimals: int, what: str) -> int:
    """A decimal in the unit that is `decimals` places finer."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"the {what} is not a number; a credit is marked in its own column")
    value = Decimal(text).scaleb(decimals)
    if value != value.to_integral_value():
        raise ValueError(
            f"the {what} has more than {decimals} decimals" if decimals else f"the {what} is not whole"
        )
    if value > MOST:
        raise ValueError(f"the {what} is beyond all bounds")
    return int(value)
