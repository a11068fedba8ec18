"""`interpile payment`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from hub.commands.shell import (
    Json,
    actor,
    group,
    message,
    show_facts,
    show_json,
    show_table,
    with_hub,
    yuan,
)
from operator_sdk.contract.messages import payments

payment_app = group("Payments of cycles, deposits, and the days on which banks work.")

SHOWN_MOST = 200
CycleArgument = Annotated[str, typer.Argument(metavar="CYCLE")]
Reference = Annotated[str, typer.Option("--ref", help="The bank's own number of the movement.")]
Fen = Annotated[int, typer.Option("--fen", help="How much, in fen.")]
Moved = Annotated[str, typer.Option("--at", help="When it moved, RFC 3339: 2026-03-03T15:20:00+08:00.")]


@payment_app.command("list")
def list_payments(
    cycle: Annotated[str | None, typer.Option(help="Only those of this cycle.")] = None, as_json: Json = False
) -> None:
    """What is to be paid in and out, and what became of it."""
    query = message(payments.PaymentQuery, cycle_id=cycle)

    async def work(hub: Any) -> list[payments.Payment]:
        from hub.parties.scope import HUB

        found: list[payments.Payment] = await hub.payments.payments(HUB, query, limit=SHOWN_MOST)
        return found

    _show(with_hub(work), as_json)


@payment_app.command("begin")
def begin(cycle_id: CycleArgument, as_json: Json = False) -> None:
    """Ask for what a fixed cycle comes to; again changes nothing."""
    _show(with_hub(lambda hub: hub.payments.ask(cycle_id)), as_json)


@payment_app.command("advance")
def advance(as_json: Json = False) -> None:
    """Do what is due now: draw deposits, share what is missing, end cycles that are paid."""

    async def work(hub: Any) -> list[str]:
        moved: list[str] = await hub.payments.advance(hub.clock.business())
        return moved

    moved = with_hub(work)
    show_json(moved) if as_json else show_table(("cycle",), ((one,) for one in moved))


@payment_app.command("book")
def book(
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT")],
    ref: Reference,
    fen: Fen,
    at: Moved,
    as_json: Json = False,
) -> None:
    """Money moved at the bank for a payment."""
    booked = message(payments.PaymentBook, movement_ref=ref, amount_fen=fen, moved_at=at)
    paid: payments.Payment = with_hub(lambda hub: hub.payments.book(payment_id, booked, by=actor()))
    _show([paid], as_json)


@payment_app.command("deposit")
def book_deposit(
    party_id: Annotated[str, typer.Argument(metavar="PARTY")],
    ref: Reference,
    fen: Annotated[int, typer.Option("--fen", help="How much, in fen; negative: it went back.")],
    at: Moved,
    as_json: Json = False,
) -> None:
    """Money came into a party's deposit, or went back to it."""
    booked = message(payments.DepositBook, movement_ref=ref, amount_fen=fen, moved_at=at)
    held: payments.Deposit = with_hub(lambda hub: hub.payments.book_deposit(party_id, booked, by=actor()))
    if as_json:
        show_json(held)
    else:
        show_facts((("party", held.party_id), (f"deposit {held.currency}", yuan(held.balance_fen))))


@payment_app.command("bank-day")
def put_bank_day(
    day: Annotated[str, typer.Argument(metavar="DAY", help="2026-10-01.")],
    works: Annotated[bool, typer.Option("--works/--closed", help="Whether banks work on it.")],
    note: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: Json = False,
) -> None:
    """Banks work on this day, or do not; without an entry they do from Monday to Friday."""
    put = message(payments.BankDayPut, works=works, note=note)
    kept: payments.BankDay = with_hub(lambda hub: hub.payments.put_bank_day(day, put, by=actor()))
    _show_days([kept], as_json)


@payment_app.command("bank-days")
def list_bank_days(as_json: Json = False) -> None:
    """Days on which banks do otherwise than on their weekday."""
    _show_days(with_hub(lambda hub: hub.payments.bank_days()), as_json)


def _show_days(days: list[payments.BankDay], as_json: bool) -> None:
    if as_json:
        show_json(days)
        return
    show_table(
        ("day", "banks", "note"), ((one.day, "work" if one.works else "closed", one.note) for one in days)
    )


def _show(found: list[payments.Payment], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    show_table(
        ("payment", "party", "direction", "CNY", "paid", "deposit", "missing", "withheld", "state", "due"),
        (
            (
                one.payment_id,
                one.party_id,
                one.direction,
                *(yuan(fen) for fen in (one.amount_fen, one.paid_fen, one.deposit_fen)),
                *(yuan(fen) for fen in (one.missing_fen, one.withheld_fen)),
                one.state,
                _text(one.due_at),
            )
            for one in found
        ),
    )


def _text(at: datetime) -> str:
    return at.isoformat(timespec="minutes")
