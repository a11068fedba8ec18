"""`interpile outbox`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from hub.commands.shell import (
    Json,
    group,
    note,
    show_facts,
    show_json,
    show_table,
    with_hub,
)  # fmt: skip

outbox_app = group("Messages that gave up.")

SHOWN_MOST = 200


def _text(at: datetime | None) -> str:
    return at.isoformat() if at is not None else ""


@outbox_app.command("dead")
def list_dead(
    party: Annotated[str | None, typer.Option(help="Only messages to this party.")] = None,
    as_json: Json = False,
) -> None:
    """Messages that gave up, with the reason."""

    async def work(hub: Any) -> list[Any]:
        from hub.core.outbox import list_dead as dead_letters

        async with hub.database.reading() as unit:
            return list(await dead_letters(unit, party_id=party, after=None, limit=SHOWN_MOST))

    rows = with_hub(work)
    columns = ("letter_id", "kind", "party_id", "subject", "attempts", "reason", "dead_at")
    if as_json:
        show_json([{name: getattr(row, name) for name in columns} for row in rows])
    else:
        show_table(
            ("letter", "kind", "party", "subject", "attempts", "reason", "given up"),
            ([getattr(row, name) for name in columns[:-1]] + [_text(row.dead_at)] for row in rows),
        )


@outbox_app.command("replay")
def replay(letter_id: Annotated[str, typer.Argument(metavar="LETTER")], as_json: Json = False) -> None:
    """Try a message again, under the same id."""

    async def work(hub: Any) -> dict[str, Any]:
        async with hub.database.unit() as unit:
            row = await hub.outbox.replay(unit, letter_id)
        await note(hub, "replay_letter", letter_id)
        return {"letter_id": row.letter_id, "kind": row.kind, "subject": row.subject}

    replayed = with_hub(work)
    show_json(replayed) if as_json else show_facts(replayed.items())
