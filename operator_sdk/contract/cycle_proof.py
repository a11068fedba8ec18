"""The proof of a cycle: a file that anybody can check, without the hub and without its database.

UTF-8 text, a line each, every line ending with a line feed; JSON without blanks; gzip allowed around it:

    {"proof":"interpile.cycle","version":1,"cycle_id":...,"currency":...,"frequency":...,"opened_at":...,
     "cutoff_at":...,"obligations":N}
    [obligation_id,kind,debtor,creditor,amount_fen,currency,booked_day,record_id]        N lines, in order of id
    {"pair":[debtor,creditor,amount_fen,obligations]}     everybody who owed somebody, in order of both ids
    {"party":[party_id,owes_fen,is_owed_fen,net_fen]}     everybody who took part in the netting, in order of id
    {"digest":...,"total_fen":...,"seal":...}

`digest` is the SHA-256 of the N lines exactly as they stand here: the digest of the cycle, which is on
everybody's statement. `seal` is the SHA-256 of all that stands before the last line. The same cycle gives the
same bytes. Only ids, amounts and sums: `net_fen` is `is_owed_fen` - `owes_fen`, and the nets sum to zero.

Orders are those of the bytes. A proof is as good as the digest it is compared with: a whole file can be made
up, but not one that gives the digest of a statement.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from operator_sdk.contract.codes import Frequency
from operator_sdk.contract.messages.common import Instant

NAME, VERSION = "interpile.cycle", 1
HUB_ZONE = timedelta(hours=8)

Lines = Iterable[bytes]
Line = tuple[str, str, str, str, int, str, str, str | None]


class ProofProblem(ValueError):
    """The first thing that is wrong. `line` counts from 1; the text says what."""

    def __init__(self, line: int, what: str) -> None:
        self.line, self.what = line, what
        super().__init__(f"line {line}: {what}")


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which cycle it is."""

    proof: str = NAME
    version: int = VERSION
    cycle_id: str
    currency: str
    frequency: Frequency
    opened_at: Instant
    cutoff_at: Instant
    obligations: int


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one party owes another before netting: (debtor, creditor, amount_fen, obligations)."""

    pair: tuple[str, str, int, int]


class Party(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Both sides of a party and what is left: (party_id, owes_fen, is_owed_fen, net_fen)."""

    party: tuple[str, int, int, int]


class Foot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What seals it."""

    digest: str
    total_fen: int
    seal: str


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof that holds says."""

    head: Head
    digest: str
    total_fen: int
    net_fen: dict[str, int]


Kind = TypeVar("Kind", Head, Pair, Party, Foot)


def encode(part: Head | Pair | Party | Foot) -> bytes:
    """A line as it stands in the file."""
    return msgspec.json.encode(part) + b"\n"


def check(lines: Lines, *, digest: str | None = None, seen: Callable[[int], None] = lambda _: None) -> Proven:
    """Check a proof line by line: memory grows with the pairs of parties, not with the obligations.

    `lines` keep their line feeds, as those of a file opened for reading bytes do. `digest` is the one on a
    statement. `seen` is told now and then how many lines have been read.

    Raises:
        ProofProblem: the first thing that is wrong.
    """
    return _Check(lines, seen).run(digest)


_LINE = msgspec.json.Decoder(Line)


@dataclass(slots=True)
class _Gross:
    owes_fen: int = 0
    is_owed_fen: int = 0


@dataclass(slots=True)
class _Check:
    lines: Lines
    seen: Callable[[int], None]
    number: int = 0
    seal: Any = field(default_factory=hashlib.sha256)
    digest: Any = field(default_factory=hashlib.sha256)
    pairs: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    sides: dict[str, _Gross] = field(default_factory=dict)

    def run(self, expected: str | None) -> Proven:
        read = self._read()
        head = self._head(read)
        self._obligations(read, head)
        raw = self._pairs(read)
        net_fen, raw = self._parties(read, raw)
        foot = self._foot(raw)
        self._wrong_unless(expected in {None, foot.digest}, "the digest is not that of the statement")
        for _ in read:
            self._wrong("nothing follows the last line")
        return Proven(head, foot.digest, foot.total_fen, net_fen)

    def _read(self) -> Iterator[bytes]:
        for raw in self.lines:
            self.number += 1
            if self.number % 10_000 == 0:
                self.seen(self.number)
            self._wrong_unless(raw.endswith(b"\n"), "the line is cut short")
            yield raw
        self.seen(self.number)

    def _wrong(self, what: str) -> None:
        raise ProofProblem(self.number, what)

    def _wrong_unless(self, right: bool, what: str) -> None:  # noqa: FBT001 - what must hold
        if not right:
            raise ProofProblem(self.number, what)

    def _next(self, read: Iterator[bytes]) -> bytes:
        raw = next(read, None)
        if raw is None:
            self.number += 1
            raise ProofProblem(self.number, "the file ends too early")
        return raw

    def _decoded(self, raw: bytes, kind: type[Kind], what: str) -> Kind:
        try:
            part = msgspec.json.decode(raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ProofProblem(self.number, f"not {what}") from None
        self._wrong_unless(encode(part) == raw, f"not {what} as it is written")
        return part

    def _head(self, read: Iterator[bytes]) -> Head:
        raw = self._next(read)
        head = self._decoded(raw, Head, "the head of a proof")
        self._wrong_unless((head.proof, head.version) == (NAME, VERSION), "not a proof of this version")
        self._wrong_unless(head.opened_at < head.cutoff_at, "the cut-off does not follow the opening")
        self.seal.update(raw)
        return head

    def _obligations(self, read: Iterator[bytes], head: Head) -> None:
        last = ""
        last_day = (head.cutoff_at + HUB_ZONE).date().isoformat()
        for _ in range(head.obligations):
            raw = self._next(read)
            line = self._line(raw)
            obligation_id, kind, debtor, creditor, fen, currency, booked_day, record_id = line
            self._wrong_unless(obligation_id > last, "the obligations are not in order of their ids")
            self._wrong_unless(fen > 0, "the amount is not positive")
            self._wrong_unless(debtor != creditor, "nobody owes himself")
            self._wrong_unless(currency == head.currency, "the currency is not the cycle's")
            self._wrong_unless(booked_day <= last_day, "booked after the cut-off")
            self._wrong_unless(
                (record_id is not None) == (kind in {"charge", "credit"}), "a charge or a credit has a record"
            )
            last = obligation_id
            sums = self.pairs.setdefault((debtor, creditor), [0, 0])
            sums[0] += fen
            sums[1] += 1
            self.digest.update(raw)
            self.seal.update(raw)

    def _line(self, raw: bytes) -> Line:
        try:
            line: Line = _LINE.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ProofProblem(self.number, "not an obligation") from None
        self._wrong_unless(msgspec.json.encode(line) + b"\n" == raw, "not an obligation as it is written")
        return line

    def _pairs(self, read: Iterator[bytes]) -> bytes:
        """Every pair, compared with the obligations; returns the line that is no pair."""
        for (debtor, creditor), (fen, count) in sorted(self.pairs.items()):
            raw = self._next(read)
            found = self._decoded(raw, Pair, "a pair of parties").pair
            self._wrong_unless(
                found == (debtor, creditor, fen, count), f"not what {debtor} owes {creditor} in all"
            )
            self.sides.setdefault(debtor, _Gross()).owes_fen += fen
            self.sides.setdefault(creditor, _Gross()).is_owed_fen += fen
            self.seal.update(raw)
        return self._next(read)

    def _parties(self, read: Iterator[bytes], raw: bytes) -> tuple[dict[str, int], bytes]:
        """Every party, compared with the pairs; returns the nets and the line that is no party."""
        net_fen: dict[str, int] = {}
        last = ""
        while raw.startswith(b'{"party"'):
            party, owes, is_owed, net = self._decoded(raw, Party, "a party").party
            self._wrong_unless(party > last, "the parties are not in order of their ids")
            side = self.sides.pop(party, _Gross())
            self._wrong_unless(
                (owes, is_owed) == (side.owes_fen, side.is_owed_fen), f"not what {party} owes and is owed"
            )
            self._wrong_unless(net == is_owed - owes, f"not the net of {party}")
            net_fen[party] = net
            last = party
            self.seal.update(raw)
            raw = self._next(read)
        self._wrong_unless(not self.sides, f"{min(self.sides, default='')} is left out")
        self._wrong_unless(sum(net_fen.values()) == 0, "the nets do not sum to zero")
        return net_fen, raw

    def _foot(self, raw: bytes) -> Foot:
        foot = self._decoded(raw, Foot, "the foot of a proof")
        self._wrong_unless(foot.digest == self.digest.hexdigest(), "the digest is not that of the obligations")
        total_fen = sum(fen for fen, _ in self.pairs.values())
        self._wrong_unless(foot.total_fen == total_fen, "not the total of the obligations")
        self._wrong_unless(foot.seal == self.seal.hexdigest(), "the seal is broken")
        return foot
