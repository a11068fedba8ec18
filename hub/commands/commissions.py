"""`interpile commission`: what the hub takes, for which stations, under which tax code."""

from typing import Annotated, Any

import typer

from hub.commands.shell import Json, actor, group, message, show_json, show_table, with_hub
from operator_sdk.contract.messages.clearing import (
    CommissionRate,
    CommissionRateAdd,
    StationGroupPut,
    StationGroups,
    TaxCode,
    TaxCodeAdd,
)

commission_app = group("What hosts pay the hub: rates, groups of stations, tax codes.")

From = Annotated[str, typer.Option("--from", help="The first booked day it holds for: 2026-04-01.")]


@commission_app.command("add")
def add_rate(
    ppm: Annotated[int, typer.Argument(metavar="PPM", help="Parts per million: 20000 is 2 %.")],
    *,
    valid_from: From,
    owner: Annotated[str | None, typer.Option(help="Only this host's charges.")] = None,
    seller: Annotated[str | None, typer.Option(help="Only what this home sold.")] = None,
    station_group: Annotated[str | None, typer.Option(help="Only this group of the owner's stations.")] = None,
    fee_kind: Annotated[
        str | None, typer.Option(help="Only this: electricity, service, parking or idle.")
    ] = None,
    tax_code: Annotated[str | None, typer.Option(help="Of the commission's invoice.")] = None,
    as_json: Json = False,
) -> None:
    """Let a rate hold from a day on. What is not named is any; among rates the one that names most holds."""
    add = message(
        CommissionRateAdd,
        ppm=ppm,
        valid_from=valid_from,
        owner=owner,
        seller=seller,
        station_group=station_group,
        fee_kind=fee_kind,
        tax_code=tax_code,
    )
    added = with_hub(lambda hub: hub.rates.add_rate(add, actor=actor()))
    show_json(added) if as_json else _show_rates([added])


@commission_app.command("list")
def list_rates(as_json: Json = False) -> None:
    """Every rate there ever was."""
    found = with_hub(lambda hub: hub.rates.rates())
    show_json(found) if as_json else _show_rates(found.items)


@commission_app.command("group")
def put_group(
    party_id: Annotated[str, typer.Argument(metavar="OWNER")],
    station_group: Annotated[str | None, typer.Argument(metavar="GROUP")] = None,
    stations: Annotated[list[str] | None, typer.Argument(metavar="STATION...")] = None,
    as_json: Json = False,
) -> None:
    """Let a group be these stations, all of them; without a group, list the owner's groups."""

    async def work(hub: Any) -> StationGroups:
        groups: StationGroups
        if station_group is None:
            groups = await hub.rates.station_groups(party_id)
        else:
            put = message(StationGroupPut, station_group=station_group, station_ids=stations or [])
            groups = await hub.rates.put_station_group(party_id, put, actor=actor())
        return groups

    found = with_hub(work)
    if as_json:
        show_json(found)
    else:
        show_table(
            ("group", "stations"), ((one.station_group, " ".join(one.station_ids)) for one in found.groups)
        )


@commission_app.command("tax-code")
def add_tax_code(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="electricity, service, parking, idle or commission.")
    ],
    tax_code: Annotated[str, typer.Argument(metavar="CODE")],
    valid_from: From,
    as_json: Json = False,
) -> None:
    """Let a tax code hold from a day on."""
    add = message(TaxCodeAdd, kind=kind, tax_code=tax_code, valid_from=valid_from)
    added = with_hub(lambda hub: hub.rates.add_tax_code(add, actor=actor()))
    show_json(added) if as_json else _show_tax_codes([added])


@commission_app.command("tax-codes")
def list_tax_codes(as_json: Json = False) -> None:
    """Every tax code there ever was."""
    found = with_hub(lambda hub: hub.rates.tax_codes())
    show_json(found) if as_json else _show_tax_codes(found.items)


def _show_rates(rates: list[CommissionRate]) -> None:
    show_table(
        ("owner", "seller", "group", "fee", "ppm", "from", "tax code", "by"),
        (
            (
                one.owner,
                one.seller,
                one.station_group,
                one.fee_kind,
                one.ppm,
                one.valid_from,
                one.tax_code,
                one.made_by,
            )
            for one in rates
        ),
    )


def _show_tax_codes(codes: list[TaxCode]) -> None:
    show_table(
        ("for", "tax code", "from", "by"),
        ((one.kind, one.tax_code, one.valid_from, one.made_by) for one in codes),
    )
