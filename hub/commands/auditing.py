"""`interpile ledger`: proving the books, here or in a backup restored elsewhere."""

import json
from typing import Annotated, Any

import typer

from hub.commands.shell import (
    Failed,
    Json,
    group,
    progress_bar,
    show_facts,
    show_json,
    show_table,
    with_hub,
    wrong_usage,
    yuan,
)
from hub.settings import Settings

ledger_app = group("The ledger.")

DAYS_SHOWN = 400
WHERE_ELSE = "Another database, such as a restored backup: postgresql://… or sqlite:///FILE."
Where = Annotated[str | None, typer.Option("--database", metavar="URL", help=WHERE_ELSE)]


@ledger_app.command("verify")
def verify_ledger(
    database: Where = None,
    witness: Annotated[
        str | None,
        typer.Option(
            metavar="SEAL:CHAIN", help="A seal as the hub's log or `ledger days` had it, kept elsewhere."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute everything from raw rows; fails, and names the first thing that is wrong, when anything is."""
    from hub.auditor.verify import verify

    with progress_bar() as told:
        report = verify(_url(database), told, witness=_witness(witness))
    if as_json:
        show_json(report)
    else:
        show_facts(
            (
                ("postings", report.postings),
                ("entries", report.entries),
                ("accounts", report.accounts),
                ("holds", report.holds),
                ("sealed", report.sealed),
                ("days closed", report.days),
                ("verified", "yes" if report.verified else "no"),
                *(("problem", problem) for problem in report.problems),
            )
        )
    if not report.verified:
        raise Failed(f"the ledger does not verify; first: {report.problems[0]}")


def _witness(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    number, colon, chained = text.partition(":")
    if not colon or not number.isdecimal():
        wrong_usage("a witness is the number of a seal, a colon and its chain digest")
    return int(number), chained


@ledger_app.command("rebuild")
def rebuild_ledger(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare, and write nothing.")] = False,
    database: Where = None,
    as_json: Json = False,
) -> None:
    """Compare every stored balance with the one that its entries and open holds give."""
    if not dry_run:
        raise Failed(
            "balances are only written by the posting that moves them: where one is wrong, somebody has "
            "changed the books, and writing over it would hide that. Use --dry-run to see the differences"
        )
    from hub.auditor.rebuild import replay

    replayed = replay(_url(database))
    if as_json:
        show_json(replayed)
    else:
        show_facts((("accounts", replayed.accounts), ("different", len(replayed.differences))))
        columns = ("account", "stored CNY", "replayed CNY", "held", "replayed", "version", "replayed")
        show_table(columns, (_row(one) for one in replayed.differences))
    if replayed.differences:
        raise Failed(f"{len(replayed.differences)} balances are not those of their entries")


def _row(one: Any) -> tuple[Any, ...]:
    stored, replayed = one.stored, one.replayed
    money = (stored.posted_fen, replayed.posted_fen, stored.held_fen, replayed.held_fen)
    return (one.account, *map(yuan, money), stored.version, replayed.version)


@ledger_app.command("days")
def list_days(as_json: Json = False) -> None:
    """Days that were closed, the newest first: where the chain of seals stood, and what was booked."""

    async def work(hub: Any) -> list[dict[str, Any]]:
        from hub.ledger.tables_days import closed_days

        async with hub.database.reading() as unit:
            return [row.model_dump() for row in await closed_days(unit, DAYS_SHOWN)]

    days = with_hub(work)
    if as_json:
        show_json(days)
        return
    columns = ("day", "postings", "entries", "debits", "seal", "chain")
    show_table(columns, map(_day, days))


def _day(day: dict[str, Any]) -> tuple[Any, ...]:
    debits = ", ".join(f"{currency} {yuan(fen)}" for currency, fen in json.loads(day["debits"]))
    return (day["day"], day["postings"], day["entries"], debits, day["seal_number"], day["chain_digest"])


def _url(database: str | None) -> str:
    return database or Settings.from_env().database_url
