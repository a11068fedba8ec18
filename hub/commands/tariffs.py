"""`interpile tariff`."""

from typing import Annotated, Any

import msgspec
import typer

from hub.commands.places import FileArgument, PartyArgument, read_objects
from hub.commands.shell import (
    Json,
    group,
    message,
    note,
    show_facts,
    show_json,
    show_table,
    with_hub,
    wrong_usage,
)
from hub.core.clock import cut_to_ms
from operator_sdk.contract.messages.common import ForeignId, Number
from operator_sdk.contract.messages.directory import (
    Tariff,
    TariffAssignment,
    TariffAssignmentPage,
    TariffAssignmentPut,
    TariffPut,
)

tariff_app = group("Prices and where they apply, for hosts that are hosted.")

ANY = "any"
UNSAID = "2000-01-01T00:00:00Z"
"""Stands for an instant that the hub's own clock will say."""


class TariffFile(TariffPut, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version of a tariff with its names, as a file describes it."""

    tariff_id: ForeignId
    version: Number


@tariff_app.command("put")
def put_tariffs(party_id: PartyArgument, file: FileArgument, as_json: Json = False) -> None:
    """Publish versions of tariffs, each with `tariff_id` and `version`; a version never changes."""
    described = read_objects(file, TariffFile)

    async def work(hub: Any) -> list[Tariff]:
        stored = []
        for one in described:
            put = msgspec.convert(one, TariffPut, from_attributes=True)
            put = msgspec.structs.replace(put, valid_from=cut_to_ms(put.valid_from))
            stored.append(await hub.directory.put_tariff(party_id, one.tariff_id, one.version, put))
            await note(hub, "put_tariff", f"{party_id}/{one.tariff_id}/{one.version}")
        return stored

    stored = with_hub(work)
    if as_json:
        show_json(stored)
    else:
        show_table(
            ("tariff", "version", "in force from", "periods", "parking", "idle"),
            (
                (
                    one.tariff_id,
                    one.version,
                    one.valid_from.isoformat(),
                    len(one.periods),
                    "yes" if one.parking else "no",
                    "yes" if one.idle else "no",
                )
                for one in stored
            ),
        )


@tariff_app.command("assign")
def assign_tariff(
    party_id: PartyArgument,
    tariff_id: Annotated[
        str | None, typer.Argument(metavar="[TARIFF]", help="The tariff; none with --end.")
    ] = None,
    *,
    end: Annotated[bool, typer.Option("--end", help="Nothing is assigned there any more.")] = False,
    station: Annotated[str | None, typer.Option(help="At this station only.")] = None,
    kind: Annotated[str | None, typer.Option(help="At piles of this kind only: ac or dc.")] = None,
    home: Annotated[str | None, typer.Option(help="For the drivers of this home only.")] = None,
    begins: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="RFC 3339; now unless said.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say where a tariff applies, from when. Home before station before kind: the most specific wins."""
    if end == (tariff_id is not None):
        wrong_usage("either a TARIFF or --end")
    named = {"tariff_id": tariff_id, "station_id": station, "kind": kind, "home_party_id": home}
    said = message(TariffAssignmentPut, **named, valid_from=begins or UNSAID)

    async def work(hub: Any) -> TariffAssignment:
        valid_from = cut_to_ms(said.valid_from if begins else hub.clock.business())
        put = msgspec.structs.replace(said, valid_from=valid_from)
        assigned: TariffAssignment = await hub.directory.assign_tariff(party_id, put)
        await note(hub, "assign_tariff", party_id, **msgspec.to_builtins(put))
        return assigned

    assigned = with_hub(work)
    if as_json:
        show_json(assigned)
    else:
        show_facts(zip(COLUMNS, _row(assigned), strict=True))


COLUMNS = ("host", "tariff", "from", "station", "kind", "home")


def _row(one: TariffAssignment) -> tuple[str, ...]:
    return (
        one.host_party_id,
        one.tariff_id or "none of its own",
        one.valid_from.isoformat(),
        one.station_id or ANY,
        one.kind or ANY,
        one.home_party_id or ANY,
    )


@tariff_app.command("list")
def list_assignments(party_id: PartyArgument, as_json: Json = False) -> None:
    """Where the tariffs of a host apply, in the order in which it said so; a home sees those made for it."""

    async def work(hub: Any) -> list[TariffAssignment]:
        from hub.parties.scope import of_party

        found: list[TariffAssignment] = []
        after = None
        while True:
            page: TariffAssignmentPage = await hub.directory.list_assignments(of_party(party_id), after=after)
            found += page.items
            after = page.next_after
            if after is None:
                return found

    found = with_hub(work)
    show_json(found) if as_json else show_table(COLUMNS, map(_row, found))
