"""`interpile suspense`."""

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
from operator_sdk.contract.codes import SuspenseOutcome
from operator_sdk.contract.messages import suspense

suspense_app = group("Money that waits for an explanation.")

SHOWN_MOST = 200
ItemArgument = Annotated[str, typer.Argument(metavar="ITEM")]


@suspense_app.command("list")
def list_items(
    closed: Annotated[bool, typer.Option("--closed", help="Those that were closed.")] = False,
    as_json: Json = False,
) -> None:
    """Items that are open, or were closed."""

    async def work(hub: Any) -> list[suspense.SuspenseItem]:
        from hub.parties.scope import HUB

        found: list[suspense.SuspenseItem] = await hub.suspense.items(HUB, closed=closed, limit=SHOWN_MOST)
        return found

    found = with_hub(work)
    if as_json:
        show_json(found)
        return
    show_table(
        ("item", "kind", "subject", "host", "home", "CNY", "days", "owner", "reason"),
        (
            (
                one.item_id,
                one.kind,
                one.subject_id,
                one.host_party_id,
                one.home_party_id or "",
                yuan(one.amount_fen),
                one.age_days,
                one.owner or "",
                one.outcome or one.reason,
            )
            for one in found
        ),
    )


@suspense_app.command("ages")
def show_ages(as_json: Json = False) -> None:
    """Open items by kind and age, and what the books say."""

    async def work(hub: Any) -> suspense.SuspenseAges:
        from hub.parties.scope import HUB

        found: suspense.SuspenseAges = await hub.suspense.ages(HUB)
        return found

    found = with_hub(work)
    if as_json:
        show_json(found)
        return
    show_table(
        ("kind", "days or more", "items", "CNY"),
        ((one.kind, one.days, one.items, yuan(one.amount_fen)) for one in found.ages),
    )
    show_facts((("open items CNY", yuan(found.amount_fen)), ("in the books CNY", yuan(found.balance_fen))))


@suspense_app.command("show")
def show_item(item_id: ItemArgument, as_json: Json = False) -> None:
    """One item with what both sides said."""

    async def work(hub: Any) -> suspense.SuspenseItem:
        from hub.parties.scope import HUB

        found: suspense.SuspenseItem = await hub.suspense.item(HUB, item_id)
        return found

    _show(with_hub(work), as_json)


@suspense_app.command("own")
def own(
    item_id: ItemArgument,
    owner: Annotated[str, typer.Argument(metavar="LOGIN", help="Who looks after it.")],
    as_json: Json = False,
) -> None:
    """Say who looks after an item."""
    _show(with_hub(lambda hub: hub.suspense.own(item_id, owner, by=actor())), as_json)


@suspense_app.command("close")
def close(
    item_id: ItemArgument,
    outcome: Annotated[SuspenseOutcome, typer.Option(help="What became of it.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    as_json: Json = False,
) -> None:
    """Close an item. Whoever holds the database acts alone, and is on the audit log."""
    closing = message(suspense.SuspenseClose, outcome=outcome, reason=reason)
    _show(with_hub(lambda hub: hub.suspense.close(item_id, closing, by=actor(), alone=True)), as_json)


def _show(item: suspense.SuspenseItem, as_json: bool) -> None:
    if as_json:
        show_json(item)
        return
    show_facts(
        (
            ("item", item.item_id),
            ("kind", item.kind),
            ("subject", item.subject_id),
            ("host", item.host_party_id),
            ("home", item.home_party_id or ""),
            (item.currency, yuan(item.amount_fen)),
            ("reason", item.reason),
            ("owner", item.owner or ""),
            ("age", f"{item.age_days} d"),
            ("outcome", item.outcome or ""),
            ("closed by", item.closed_by or ""),
            ("closing reason", item.closing_reason or ""),
            *((name, value) for name, value in item.evidence.items()),
        )
    )
