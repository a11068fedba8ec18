"""`interpile staff` and `interpile customer`."""

import getpass
import sys
from typing import Annotated, Any

import typer

from hub.commands.shell import Failed, Json, actor, group, message, note, show_facts, show_json, with_hub, yuan
from operator_sdk.contract.messages.admin import Customer, CustomerAdd, DriverTokenAdd, StaffAdd, TopUp
from operator_sdk.contract.messages.common import Token

staff_app = group("People who work for the hub's operator.")
customer_app = group("Drivers of hosted operators.")
token_app = group("A hosted driver's cards, VINs and plates.")
customer_app.add_typer(token_app, name="token")

CustomerArgument = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id (cus_...).")]
KindArgument = Annotated[str, typer.Argument(metavar="KIND", help="card, vin or plate.")]


@staff_app.command("add")
def add_staff(
    login: Annotated[str, typer.Argument(metavar="LOGIN")],
    role: Annotated[
        list[str],
        typer.Option(help="admin, accountant, support, dispatcher, maintenance, onlooker or one function."),
    ],
    as_json: Json = False,
) -> None:
    """Add a person; the password is asked for, or is the first line of standard input."""
    add = message(StaffAdd, login=login, password=_password(), roles=role)
    added = with_hub(lambda hub: hub.staff.add_staff(add, actor=actor(), alone=True))
    if as_json:
        show_json(added)
    else:
        show_facts((("login", added.login), ("roles", ", ".join(added.roles))))


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise Failed("the passwords differ")
    return first


@customer_app.command("add")
def add_customer(
    home: Annotated[str, typer.Argument(metavar="HOME", help="The hosted home's party id.")],
    customer_ref: Annotated[str, typer.Argument(metavar="REF", help="The home's own number.")],
    phone: Annotated[str, typer.Option(help="Kept as a keyed digest only.")],
    name: Annotated[str, typer.Option()] = "",
    as_json: Json = False,
) -> None:
    """Add a hosted driver; the same again changes nothing."""
    add = message(CustomerAdd, home_party_id=home, customer_ref=customer_ref, phone=phone, name=name)

    async def work(hub: Any) -> Customer:
        added: Customer = await hub.accounts.add_customer(add)
        await note(hub, "add_customer", added.customer_id, home_party_id=home)
        return added

    _show(with_hub(work), as_json)


@customer_app.command("show")
def show_customer(customer_id: CustomerArgument, as_json: Json = False) -> None:
    """A hosted driver's wallet."""
    from hub.parties.scope import HUB

    _show(with_hub(lambda hub: hub.accounts.customer(HUB, customer_id)), as_json)


@token_app.command("add")
def add_token(
    customer_id: CustomerArgument,
    kind: KindArgument,
    ref: Annotated[str | None, typer.Argument(metavar="REF", help="Left out: read from input.")] = None,
    as_json: Json = False,
) -> None:
    """Give a hosted driver a token; only its keyed digest is kept."""
    token = _token(kind, ref)

    async def work(hub: Any) -> Customer:
        changed: Customer = await hub.accounts.add_token(customer_id, token)
        await note(hub, "add_token", customer_id, kind=kind)
        return changed

    _show(with_hub(work), as_json)


@token_app.command("block")
def block_token(
    customer_id: CustomerArgument,
    kind: KindArgument,
    ref: Annotated[str | None, typer.Argument(metavar="REF", help="Left out: read from input.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Let it be used again.")] = False,
    as_json: Json = False,
) -> None:
    """Block a token."""
    token = _token(kind, ref)

    async def work(hub: Any) -> Customer:
        changed: Customer = await hub.accounts.block_token(customer_id, token, blocked=not undo)
        await note(hub, "unblock_token" if undo else "block_token", customer_id, kind=kind)
        return changed

    _show(with_hub(work), as_json)


def _token(kind: str, ref: str | None) -> Token:
    if ref is None:
        ref = sys.stdin.readline().strip()
    checked = message(DriverTokenAdd, kind=kind, ref=ref)
    return Token(kind=checked.kind, ref=checked.ref)


@customer_app.command("top-up")
def top_up(
    customer_id: CustomerArgument,
    amount_fen: Annotated[int, typer.Argument(metavar="FEN", help="The amount in fen.")],
    ref: Annotated[str, typer.Option(help="The bank's number of the payment; it counts once.")],
    as_json: Json = False,
) -> None:
    """Book money that reached the hosted operator's bank account into the driver's wallet."""
    money = message(TopUp, top_up_ref=ref, amount_fen=amount_fen)

    async def work(hub: Any) -> Customer:
        changed: Customer = await hub.accounts.top_up(customer_id, money)
        await note(hub, "top_up", customer_id, amount_fen=amount_fen, top_up_ref=ref)
        return changed

    _show(with_hub(work), as_json)


def _show(customer: Customer, as_json: bool) -> None:
    if as_json:
        show_json(customer)
    else:
        show_facts(
            (
                ("customer", customer.customer_id),
                ("home", customer.home_party_id),
                ("reference", customer.customer_ref),
                ("balance CNY", yuan(customer.balance_fen)),
                ("held CNY", yuan(customer.held_fen)),
                ("debt CNY", yuan(customer.debt_fen)),
            )
        )
