"""A bill priced again: every line and fee kind by the tariff version at the start of the charge.

The energy of each line is the host's; its price, its edges and the rounding are the contract's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from operator_sdk.contract.codes import FeeKind
from operator_sdk.contract.messages.common import BillLine
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import Bill, Repriced, RepricedPart
from operator_sdk.contract.money import amount_fen
from operator_sdk.contract.pricing import Reading, fee_lines, line_tolerance_fen, price

FOR_TIME = frozenset({FeeKind.PARKING.value, FeeKind.IDLE.value})


@dataclass(frozen=True, slots=True)
class Part:
    """One fee of one line; `problem` is what is wrong with it beside its amount, or empty."""

    priced: RepricedPart
    problem: str = ""

    @property
    def excess_fen(self) -> int:
        """By how much it is off. A host may waive a fee for time, which then is off by nothing."""
        difference = self.priced.difference_fen
        return max(difference, 0) if self.priced.kind in FOR_TIME else abs(difference)


def reprice(bill: Bill, tariff: Tariff) -> list[Part]:
    """Every fee of every line, in the bill's order; parking and idle last.

    The bill's end lies after its start, its lines go forward, and the vehicle left after the end.

    Raises:
        PricingError: the tariff leaves a gap.
    """
    parts = [part for line in bill.lines for part in _line(bill, line, tariff)]
    return parts + list(_for_time(bill, tariff))


def _line(bill: Bill, line: BillLine, tariff: Tariff) -> Iterator[Part]:
    right = price(tariff, [Reading(line.start, 0), Reading(line.end, line.energy_wh)])
    one_price = len(right) == 1
    for kind, charged, stated, due, micros in (
        (
            FeeKind.ELECTRICITY,
            line.electricity_fen,
            line.electricity_micro,
            sum(part.electricity_fen for part in right),
            [part.electricity_micro for part in right],
        ),
        (
            FeeKind.SERVICE,
            line.service_fen,
            line.service_micro,
            sum(part.service_fen for part in right),
            [part.service_micro for part in right],
        ),
    ):
        tolerance = sum(
            line_tolerance_fen(bill.energy_resolution_wh, micro, bill.amount_resolution_fen) for micro in micros
        )
        problem = ""
        if not one_price:
            problem = "a line crosses a tariff edge"
        elif stated != micros[0]:
            problem = "a line's price is not the tariff's"
        span = line.start, line.end
        part = _part(kind, span, (charged, due, tolerance), micros[0] if one_price else None, line.energy_wh)
        yield Part(part, problem)


def own_prices(bill: Bill) -> list[Part]:
    """Both fees of every line that names its prices, by these; for a bill whose tariff is an estimate."""
    parts = []
    for line in bill.lines:
        if not (line.electricity_micro or line.service_micro):
            continue
        for kind, charged, micro in (
            (FeeKind.ELECTRICITY, line.electricity_fen, line.electricity_micro),
            (FeeKind.SERVICE, line.service_fen, line.service_micro),
        ):
            tolerance = line_tolerance_fen(bill.energy_resolution_wh, micro, bill.amount_resolution_fen)
            amounts = charged, amount_fen(line.energy_wh, micro), tolerance
            parts.append(Part(_part(kind, (line.start, line.end), amounts, micro, line.energy_wh)))
    return parts


def is_bare(line: BillLine) -> bool:
    """Whether a line costs money and names no price."""
    priced = line.electricity_micro or line.service_micro
    return not priced and bool(line.electricity_fen or line.service_fen)


def _for_time(bill: Bill, tariff: Tariff) -> Iterator[Part]:
    right = fee_lines(tariff, started_at=bill.started_at, ended_at=bill.ended_at, left_at=bill.left_at)
    until = bill.left_at or bill.ended_at
    for kind, charged, start in (
        (FeeKind.PARKING, bill.parking_fen, bill.started_at),
        (FeeKind.IDLE, bill.idle_fen, bill.ended_at),
    ):
        due = sum(fee.amount_fen for fee in right if fee.kind == kind)
        if charged or due:
            fee = tariff.parking if kind is FeeKind.PARKING else tariff.idle
            amounts = charged, due, bill.amount_resolution_fen
            yield Part(_part(kind, (start, until), amounts, fee.price_micro_per_hour if fee else None))


def _part(
    kind: FeeKind,
    span: tuple[datetime, datetime],
    amounts: tuple[int, int, int],
    price_micro: int | None,
    energy_wh: int | None = None,
) -> RepricedPart:
    charged, due, tolerance = amounts
    return RepricedPart(
        kind=kind.value,
        start=span[0],
        end=span[1],
        energy_wh=energy_wh,
        price_micro=price_micro,
        charged_fen=charged,
        repriced_fen=due,
        difference_fen=charged - due,
        tolerance_fen=tolerance,
    )


def price_problem(parts: list[Part], *, most_fen: int) -> str:
    """What is wrong with a bill's prices, or nothing: each part within its tolerance, all within `most_fen`."""
    for part in parts:
        if part.problem:
            return part.problem
        if part.excess_fen > part.priced.tolerance_fen:
            said = part.priced
            return f"{said.kind}: {said.charged_fen} fen charged, {said.repriced_fen} by its price"
    off = sum(part.excess_fen for part in parts)
    return f"the differences add up to {off} fen, beyond the tolerance" if off > most_fen else ""


def explained(parts: list[Part], *, most_fen: int) -> Repriced | None:
    """The whole re-pricing, where anything differs."""
    if not any(part.priced.difference_fen for part in parts):
        return None
    priced = [part.priced for part in parts]
    return Repriced(
        parts=priced,
        charged_fen=sum(part.charged_fen for part in priced),
        repriced_fen=sum(part.repriced_fen for part in priced),
        difference_fen=sum(part.difference_fen for part in priced),
        tolerance_fen=most_fen,
    )
