"""`interpile check`: daily checks of charge records against what operators list."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hub.commands.shell import (
    Failed,
    Json,
    actor,
    console,
    group,
    message,
    progress_bar,
    show_facts,
    show_json,
    show_table,
    with_hub,
    yuan,
)
from operator_sdk.contract.messages.checks import (
    CheckTotals,
    RecordCheck,
    RecordCheckQuery,
    RecordDifference,
    RecordListPart,
)

SHOWN_MOST = 200
PAGE = 1_000
FILE_BYTES_MOST = 200_000_000


class FileOrCommand(TyperGroup):
    """Whatever is no command's name is a file to be compared."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What is typed behind the name of this group."""
        is_file = bool(args) and args[0] not in self.commands and args[0] != "--help"
        return super().parse_args(ctx, ["compare", *args] if is_file else args)


check_app = group("Daily checks: is what operators list what the hub keeps?")
records_app = typer.Typer(
    cls=FileOrCommand,
    help="Charge records of a day: list, show, or FILE, an operator's list as CSV.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    subcommand_metavar="list|show|FILE",
)
check_app.add_typer(records_app, name="records")


@records_app.command("list")
def list_checks(
    day: Annotated[str | None, typer.Option(help="Of this day only: YYYY-MM-DD.")] = None,
    as_json: Json = False,
) -> None:
    """Checks, the newest first: who began them, what both sides list, and how much they disagree about."""
    asked = message(RecordCheckQuery, day=day)

    async def work(hub: Any) -> list[RecordCheck]:
        from hub.parties.scope import HUB

        found: list[RecordCheck] = await hub.record_checks.checks(
            HUB, day=asked.day, limit=SHOWN_MOST, newest=True
        )
        return found

    found = with_hub(work)
    if as_json:
        show_json(found)
        return
    show_table(
        ("check", "day", "party", "role", "by", "state", "records", "theirs", "differ", "at risk CNY"),
        (
            (
                one.check_id,
                one.day,
                one.party_id,
                one.role,
                one.source,
                one.state,
                one.here.records if one.here else "",
                one.there.records if one.there else "",
                one.differences_count if one.compared_at else "",
                yuan(one.at_risk_fen) if one.compared_at else "",
            )
            for one in found
        ),
    )


@records_app.command("show")
def show_check(
    check_id: Annotated[str, typer.Argument(metavar="CHECK", help="The check's id (chk_...).")],
    as_json: Json = False,
) -> None:
    """One check with everything it found."""

    async def work(hub: Any) -> tuple[RecordCheck, list[RecordDifference]]:
        from hub.parties.scope import HUB

        check: RecordCheck = await hub.record_checks.check(HUB, check_id)
        return check, await _all_differences(hub, check)

    _show(*with_hub(work), as_json=as_json)


@records_app.command("compare", hidden=True)
def compare_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV: record, amount_fen, energy_wh, credit.")],
    party: Annotated[str, typer.Option(help="Whose list it is.")],
    role: Annotated[str, typer.Option(help="As what: host or home.")],
    day: Annotated[str, typer.Option(help="Of which day: YYYY-MM-DD.")],
    as_json: Json = False,
) -> None:
    """Compare an operator's list with the hub's. Exit code 1 where they differ; again opens nothing twice.

    The first line of FILE names its columns: record (record_ref, record_id), amount_fen or amount_yuan,
    energy_wh or energy_kwh, and credit (1 or 0), which may be left out.
    """
    from hub.clearing.check_files import WrongFile, read_list

    said = message(RecordListPart, check_ref="file", role=role, day=day, part=1, parts=1, lines=[])
    data = _read(file)
    with progress_bar() as told:
        try:
            lines = read_list(data, lambda done, of: told("bytes read", done, of))
        except WrongFile as problem:
            _complain(file, problem.problems)
            raise typer.Exit(1) from None

    async def work(hub: Any) -> tuple[RecordCheck, list[RecordDifference]]:
        check: RecordCheck = await hub.record_checks.enter(party, said.role, said.day, lines, by=actor())
        return check, await _all_differences(hub, check)

    check, differences = with_hub(work)
    _show(check, differences, as_json=as_json)
    if differences:
        raise typer.Exit(1)


def _complain(file: Path, problems: list[str]) -> None:
    out = console(errors=True)
    for problem in problems:
        out.print(f"interpile: {file.name}, {problem}", soft_wrap=True)
    out.print("interpile: nothing was compared", soft_wrap=True)


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > FILE_BYTES_MOST:
            raise Failed(f"{file.name} is larger than {FILE_BYTES_MOST // 1_000_000} MB")
        return file.read_bytes()
    except OSError as problem:
        raise Failed(f"{file}: {problem.strerror}") from problem


async def _all_differences(hub: Any, check: RecordCheck) -> list[RecordDifference]:
    from hub.parties.scope import HUB

    found: list[RecordDifference] = []
    after = 0
    while len(found) < check.differences_count:
        page = await hub.record_checks.differences(HUB, check.check_id, after=after, limit=PAGE)
        found += (one for _, one in page)
        after = page[-1][0]
    return found


def _show(check: RecordCheck, differences: list[RecordDifference], *, as_json: bool) -> None:
    if as_json:
        show_json({"check": check, "differences": differences})
        return
    show_facts(
        (
            ("check", check.check_id),
            ("day", check.day),
            ("party", f"{check.party_id} as {check.role}"),
            ("list sent by", check.source),
            ("state", check.state),
            ("parts", f"{check.parts_done} of {check.parts}"),
            ("here", _totals(check.here)),
            ("there", _totals(check.there)),
            ("differences", check.differences_count if check.compared_at else ""),
            ("at risk CNY", yuan(check.at_risk_fen) if check.compared_at else ""),
            ("reason", check.reason),
        )
    )
    if not differences:
        return
    show_table(
        ("record", "difference", "here CNY", "there CNY", "here Wh", "there Wh", "at risk CNY", "remark"),
        (
            (
                one.record,
                one.kind,
                yuan(one.here_fen),
                yuan(one.there_fen),
                one.here_wh,
                one.there_wh,
                yuan(one.at_risk_fen),
                one.reason,
            )
            for one in differences
        ),
    )


def _totals(totals: CheckTotals | None) -> str:
    if totals is None:
        return ""
    return f"{totals.records} records, {yuan(totals.amount_fen)} CNY, {totals.energy_wh} Wh"
