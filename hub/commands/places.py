"""`interpile station`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hub.commands.shell import (
    Failed,
    Json,
    actor,
    console,
    group,
    message,
    note,
    progress_bar,
    show_facts,
    show_json,
    show_table,
    with_hub,
)  # fmt: skip
from operator_sdk.contract.messages.admin import ImportReport, StationImport
from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.messages.directory import Station, StationId, StationPut

station_app = group("Stations in the directory.")

PartyArgument = Annotated[str, typer.Argument(metavar="PARTY", help="The host's party id.")]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE.json", help="One object, or a list of them.")]


@station_app.command("import")
def import_stations(
    party_id: PartyArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV in UTF-8; - for standard input.")],
    datum: Annotated[str, typer.Option(help="System of the coordinates: gcj-02, wgs-84 or unknown.")],
    profile: Annotated[str, typer.Option(help="interpile or st-evcdp.")] = "interpile",
    tariff: Annotated[str, typer.Option(help="Tariff of stations that name none.")] = "default",
    as_json: Json = False,
) -> None:
    """Load stations. Bad rows are listed and leave the good ones alone; the same file again changes nothing."""
    message(StationImport, party_id=party_id, csv="", profile=profile, datum=datum, tariff_id=tariff)
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()

    async def work(hub: Any) -> ImportReport:
        from rich.progress import Progress

        # Only a person watches a bar.
        with Progress(console=console(errors=True), transient=True, disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("stations", total=None)
            report: ImportReport = await hub.importer.run_bytes(
                data,
                party_id=party_id,
                profile=profile,
                datum=datum,
                tariff_id=tariff,
                actor=actor(),
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
            return report

    report = with_hub(work)
    show_json(report) if as_json else _show(report)
    if report.problems and not report.stations:
        raise Failed("no station was loaded")


def _show(report: ImportReport) -> None:
    show_facts(
        (
            ("stations", report.stations),
            ("piles", report.piles),
            ("connectors", report.connectors),
            ("created", report.created),
            ("changed", report.changed),
            ("unchanged", report.unchanged),
            ("bad rows", len(report.problems)),
        )
    )
    if report.problems:
        show_table(("line", "reason"), ((problem.line, problem.reason) for problem in report.problems))


@station_app.command("remove")
def remove_station(
    party_id: PartyArgument,
    station_id: Annotated[str, typer.Argument(metavar="STATION")],
    as_json: Json = False,
) -> None:
    """Take a station and everything on it out of the directory; it stays as a tombstone."""

    async def work(hub: Any) -> Station:
        removed: Station = await hub.directory.remove_station(party_id, station_id)
        await note(hub, "remove_station", f"{party_id}/{station_id}")
        return removed

    removed = with_hub(work)
    if as_json:
        show_json(removed)
    else:
        show_facts((("station", removed.station_id), ("removed", removed.updated_at.isoformat())))


@station_app.command("pull")
def pull_stations(
    party_id: PartyArgument,
    full: Annotated[bool, typer.Option("--full", help="All stations, not only what changed.")] = False,
    as_json: Json = False,
) -> None:
    """Ask a host that does not push for its stations and their states now; otherwise this happens by itself."""

    async def work(hub: Any) -> Any:
        with progress_bar() as told:
            report = await hub.station_pulls.pull(party_id, complete=full, told=told)
        await note(hub, "pull_stations", party_id, complete=report.complete, problem=report.problem)
        return report

    report = with_hub(work)
    kept = report.kept
    if as_json:
        show_json(report._asdict() | {"kept": kept._asdict() if kept is not None else None})
    elif kept is not None:
        show_facts(
            (
                ("asked for", "everything" if report.complete else "changes"),
                *((name, value) for name, value in kept._asdict().items() if value is not None),
                ("states", report.states),
            )
        )
    if report.problem is not None:
        raise Failed(f"{party_id}: {report.problem}")


@station_app.command("gaps")
def list_gaps(
    party_id: Annotated[str | None, typer.Argument(metavar="PARTY", help="One host only.")] = None,
    as_json: Json = False,
) -> None:
    """How asking hosts for stations went, and the stations that cannot be kept, each with what it lacks."""

    async def work(hub: Any) -> tuple[Any, Any]:
        return await hub.station_pulls.asked(party_id), await hub.station_pulls.gaps(party_id)

    hosts, gaps = with_hub(work)
    if as_json:
        lacking = [{"party_id": one.party_id, "seen_at": one.seen_at, **one.gap._asdict()} for one in gaps]
        show_json({"hosts": [host._asdict() for host in hosts], "gaps": lacking})
        return
    show_table(
        ("party", "asked", "whole", "stations", "gaps", "failures", "said"),
        (
            (host.party_id, host.pulled_at, host.full_at, host.stations, host.gaps, host.failures,
             host.problem or host.note)
            for host in hosts
        ),
    )  # fmt: skip
    show_table(
        ("party", "station", "lacks", "seen"),
        ((one.party_id, one.gap.station_id, ", ".join(one.gap.missing), one.seen_at) for one in gaps),
    )


class StationFile(StationPut, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station with its id, as a file describes it."""

    station_id: StationId


@station_app.command("put")
def put_stations(party_id: PartyArgument, file: FileArgument, as_json: Json = False) -> None:
    """Describe stations whole, each with its `station_id`; the same again changes nothing."""
    described = read_objects(file, StationFile)

    async def work(hub: Any) -> list[Station]:
        stored = []
        for one in described:
            put = msgspec.convert(msgspec.to_builtins(one), StationPut)
            stored.append(await hub.directory.put_station(party_id, one.station_id, put))
            await note(hub, "put_station", f"{party_id}/{one.station_id}")
        return stored

    stored = with_hub(work)
    if as_json:
        show_json(stored)
    else:
        plugs = ([plug.connector_id for pile in one.piles for plug in pile.connectors] for one in stored)
        show_table(
            ("station", "name", "tariff", "connectors"),
            (
                (one.station_id, one.name, one.tariff_id, " ".join(names))
                for one, names in zip(stored, plugs, strict=True)
            ),
        )


def read_objects(file: Path, kind: type[Message]) -> list[Any]:
    """The objects of a JSON file, one or a list of them.

    Raises:
        Failed: the file cannot be read, or holds something else.
    """
    try:
        content = json.loads(file.read_bytes())
        return msgspec.convert(content if isinstance(content, list) else [content], list[kind])  # type: ignore[valid-type]
    except OSError as problem:
        raise Failed(f"cannot read {file}") from problem
    except (ValueError, msgspec.ValidationError) as problem:
        raise Failed(f"{file}: {problem}") from problem
