"""What a statement says, from the parts that a party's obligations of a cycle come to."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import NamedTuple, Protocol, TypeVar

from operator_sdk.contract.codes import FeeKind, ObligationKind
from operator_sdk.contract.messages.clearing import (
    CounterpartyTotal,
    DayTotal,
    Invoice,
    InvoiceLine,
    KindTotal,
)

Key = TypeVar("Key", bound=Hashable)

KINDS = (
    FeeKind.ELECTRICITY.value,
    FeeKind.SERVICE.value,
    FeeKind.PARKING.value,
    FeeKind.IDLE.value,
    ObligationKind.CREDIT.value,
    ObligationKind.COMMISSION.value,
    ObligationKind.CLAIM.value,
)
"""The order in which a statement lists kinds."""


class Line(Protocol):
    """What papers say of an obligation; each name is a column of it."""

    obligation_id: str
    kind: str
    debtor_party_id: str
    creditor_party_id: str
    amount_fen: int
    electricity_fen: int
    service_fen: int
    parking_fen: int
    idle_fen: int
    booked_day: str
    record_id: str | None
    session_id: str | None
    energy_wh: int | None


class Part(NamedTuple):
    """Obligations of one kind and day between a party and a counterparty, seen from the party.

    `sign` is 1 where it is owed to the party and -1 where the party owes. Amounts are positive fen; the fees
    are those of charges and credits and sum to `amount_fen` there.
    """

    counterparty: str
    sign: int
    kind: str
    day: str
    obligations: int
    amount_fen: int
    electricity_fen: int
    service_fen: int
    parking_fen: int
    idle_fen: int
    energy_wh: int

    @property
    def fees(self) -> dict[str, int]:
        """The amount by kind of fee."""
        amounts = (self.electricity_fen, self.service_fen, self.parking_fen, self.idle_fen)
        return dict(zip(KINDS, amounts, strict=False))


class Sides(NamedTuple):
    """What is owed to a party, and what it owes."""

    receivable_fen: int = 0
    payable_fen: int = 0

    def plus(self, sign: int, fen: int) -> "Sides":
        """With an amount more on its side."""
        if sign > 0:
            return Sides(self.receivable_fen + fen, self.payable_fen)
        return Sides(self.receivable_fen, self.payable_fen + fen)


def _sum(parts: Iterable[Part], key: Callable[[Part], Key]) -> dict[Key, Sides]:
    sums: dict[Key, Sides] = {}
    for part in parts:
        name = key(part)
        sums[name] = sums.get(name, Sides()).plus(part.sign, part.amount_fen)
    return sums


def gather(party_id: str, lines: Iterable[Line]) -> list[Part]:
    """The parts that a party's obligations come to, one for each counterparty, direction, kind and day."""
    sums: dict[tuple[str, int, str, str], list[int]] = {}
    for line in lines:
        owed_to = line.creditor_party_id == party_id
        other = line.debtor_party_id if owed_to else line.creditor_party_id
        sum_ = sums.setdefault((other, 1 if owed_to else -1, line.kind, line.booked_day), [0] * 7)
        sum_[0] += 1
        sum_[1] += line.amount_fen
        sum_[2] += line.electricity_fen
        sum_[3] += line.service_fen
        sum_[4] += line.parking_fen
        sum_[5] += line.idle_fen
        sum_[6] += line.energy_wh or 0
    return [Part(*key, *sum_) for key, sum_ in sorted(sums.items())]


def counterparty_totals(parts: Iterable[Part]) -> list[CounterpartyTotal]:
    """The sums with each counterparty, in order of party id."""
    parts = list(parts)
    counts: dict[str, int] = {}
    for part in parts:
        counts[part.counterparty] = counts.get(part.counterparty, 0) + part.obligations
    return [
        CounterpartyTotal(
            counterparty=party,
            receivable_fen=sides.receivable_fen,
            payable_fen=sides.payable_fen,
            net_fen=sides.receivable_fen - sides.payable_fen,
            obligations=counts[party],
        )
        for party, sides in sorted(_sum(parts, lambda part: part.counterparty).items())
    ]


def kind_totals(parts: Iterable[Part]) -> list[KindTotal]:
    """The sums of each kind there is, charges split into their fees."""
    sums: dict[str, Sides] = {}
    for part in parts:
        split = part.fees if part.kind == ObligationKind.CHARGE else {part.kind: part.amount_fen}
        for kind, fen in split.items():
            sums[kind] = sums.get(kind, Sides()).plus(part.sign, fen)
    return [
        KindTotal(kind=kind, receivable_fen=sums[kind].receivable_fen, payable_fen=sums[kind].payable_fen)
        for kind in KINDS
        if any(sums.get(kind, Sides()))
    ]


def day_totals(parts: Iterable[Part]) -> list[DayTotal]:
    """The sums of each booked day, in order."""
    return [
        DayTotal(day=day, receivable_fen=sides.receivable_fen, payable_fen=sides.payable_fen)
        for day, sides in sorted(_sum(parts, lambda part: part.day).items())
    ]


def invoices(party_id: str, parts: Iterable[Part], tax_codes: Mapping[str, str]) -> list[Invoice]:
    """What the party is to invoice and to be invoiced: charges less credits, and commission. Claims are old.

    In order of (issuer, recipient).
    """
    amounts: dict[tuple[str, str], dict[str, int]] = {}
    energy: dict[tuple[str, str], int] = {}
    for part in parts:
        charge = part.kind == ObligationKind.CHARGE
        if part.kind == ObligationKind.CLAIM:
            continue
        owed_to_issuer = part.kind != ObligationKind.CREDIT
        issues = (part.sign > 0) == owed_to_issuer
        pair = (party_id, part.counterparty) if issues else (part.counterparty, party_id)
        sign = 1 if owed_to_issuer else -1
        lines = amounts.setdefault(pair, {})
        named = {part.kind: part.amount_fen} if part.kind == ObligationKind.COMMISSION else part.fees
        for kind, fen in named.items():
            lines[kind] = lines.get(kind, 0) + sign * fen
        energy[pair] = energy.get(pair, 0) + (part.energy_wh if charge else -part.energy_wh)
    return [
        Invoice(
            issuer=issuer,
            recipient=recipient,
            lines=[
                InvoiceLine(kind=kind, tax_code=tax_codes.get(kind), amount_fen=lines[kind])
                for kind in KINDS
                if lines.get(kind)
            ],
            amount_fen=sum(lines.values()),
            energy_wh=energy[issuer, recipient],
        )
        for (issuer, recipient), lines in sorted(amounts.items())
    ]
