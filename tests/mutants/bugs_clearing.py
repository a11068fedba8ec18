"""Bugs in clearing: who is in a cycle, what it comes to, that it is closed once, and what is paid."""

from typing import Any

from sqlalchemy import select

# Promise 9: each obligation enters exactly one cycle.


async def late_ones_stay(right: Any, unit: Any, cycle: Any, **to: Any) -> int:
    """What was accepted after the cut-off stays in the cycle that it has missed."""
    return 0


async def who_enters_holds_nothing(right: Any, unit: Any, *, currency: str, frequency: str) -> Any:
    """The open cycle is looked up and not held: it may be frozen before who enters has come to an end."""
    from hub.clearing.tables import CYCLE

    wanted = CYCLE.c.currency == currency, CYCLE.c.frequency == frequency, CYCLE.c.state == "open"
    return (await unit.execute(select(CYCLE.c.cycle_id).where(*wanted))).scalar()


# Promise 10: nets sum to zero, few transfers, no dependence on the order of rows.


def peers_pay_as_they_come(right: Any, positions: Any) -> list[Any]:
    """Who owes pays whoever is next in the list, not the largest the largest."""
    from hub.clearing.model import PeerTransfer

    payers = [[party, -fen] for party, fen in positions.items() if fen < 0]
    payees = [[party, fen] for party, fen in positions.items() if fen > 0]
    moved = []
    while payers:
        amount = min(payers[0][1], payees[0][1])
        moved.append(PeerTransfer(payers[0][0], payees[0][0], amount))
        for heap in (payers, payees):
            heap[0][1] -= amount
            if not heap[0][1]:
                heap.pop(0)
    return moved


async def a_fen_is_forgotten_on_both_sides(right: Any, unit: Any, cycle_id: str) -> Any:
    """A sum that is off by a fen for debtor and creditor alike: everything still sums to zero."""
    sides = dict(await right(unit, cycle_id))
    debtor = max(sides, key=lambda party: sides[party].owes_fen, default=None)
    if debtor is None or not sides[debtor].owes_fen:
        return sides
    creditor = max(sides.keys() - {debtor}, key=lambda party: (sides[party].is_owed_fen, party))
    for party, owes, is_owed in ((debtor, 1, 0), (creditor, 0, 1)):
        side = sides[party]
        sides[party] = type(side)(side.owes_fen - owes, side.is_owed_fen - is_owed)
    return sides


async def the_newest_lines_come_first(right: Any, unit: Any, cycle_id: str) -> Any:
    """Obligations are hashed from the newest to the oldest, which nobody else does."""
    async for lines, count in right(unit, cycle_id):
        yield b"".join(reversed(lines.splitlines(keepends=True))), count


# Promise 11: a fixed cycle is not computed again, and a day is closed once.


async def nobody_looks_for_the_same_cut_off(right: Any, unit: Any, **wanted: Any) -> None:
    """Whoever closes a day closes the cycle that is open."""


async def a_cycle_is_read_and_not_locked(right: Any, unit: Any, cycle_id: str) -> Any:
    """Five closers see the same step to do, and all of them do it."""
    from hub.clearing.tables import CycleRow

    unit.session.expire_all()
    return await unit.session.get(CycleRow, cycle_id)


def the_database_lets_fixed_cycles_change(right: Any, dialect: str) -> list[str]:
    """The triggers of clearing were forgotten in a migration."""
    kept = ("TRIGGER cycle_", "TRIGGER obligation_", "TRIGGER cycle_position_")
    return [one for one in right(dialect) if not any(name in one for name in kept)]


# Promise 12, the ledger's side: money leaves once.


async def the_bank_s_number_is_not_remembered(right: Any, self: Any, unit: Any, *given: Any) -> bool:
    """Money booked again under the bank's own number counts again."""
    await right(self, unit, *given)
    return True


async def who_is_owed_need_not_wait(right: Any, self: Any, unit: Any, cycle: Any, *given: Any) -> None:
    """Money goes out before everybody has paid in."""


# Promise 13, the ledger's side: suspense is the sum of its open items.


async def a_closed_item_stays_in_the_books(
    right: Any, self: Any, unit: Any, row: Any, kind: str, *given: Any, **named: Any
) -> None:
    """Closing an item writes down why, and posts nothing."""
    if row.closed_at is None:
        await right(self, unit, row, kind, *given, **named)


# Promise 14: splits lose no fen.


def commission_is_rounded_once(right: Any, self: Any, **fees: int) -> int:
    """The commission of the whole instead of each fee's."""
    from operator_sdk.contract.money import part_ppm

    return part_ppm(sum(fees.values()), self.electricity_ppm)


# Promise 17: every difference between two lists is found, and what is said twice is owed once.


def energy_alone_is_no_difference(right: Any, record: str, here: Any, there: Any, **more: Any) -> Any:
    """Two lists that agree about the money are taken to agree."""
    found = right(record, here, there, **more)
    return None if found is not None and found.kind == "energy" else found


def each_check_opens_everything_anew(right: Any, waits: Any, differences: Any) -> Any:
    """A list that comes again closes what its difference had opened, and opens it again."""
    from hub.clearing.model_checks import Change

    for one in differences:
        yield Change(one.record, waits.get(one.record), one)


async def an_accepted_record_is_owed_again(right: Any, unit: Any, *given: Any, **named: Any) -> None:
    """Nobody looks whether a record has its obligation already."""
