"""`interpile tcec102`: partners that speak T/CEC 102. Secrets go in with a profile and never come out."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.commands.shell import (
    Failed,
    Json,
    actor,
    group,
    read_text,
    show_facts,
    show_json,
    show_table,
    with_hub,
)

if TYPE_CHECKING:
    from hub.protocols.tcec102.profiles import Partner

tcec102_app = group("Partners that speak T/CEC 102.")
profile_app = group("How a partner speaks, and the ids of its key sets.")
tcec102_app.add_typer(profile_app, name="profile")

PartyArgument = Annotated[str, typer.Argument(metavar="PARTY", help="9-character organisation code.")]


@profile_app.command("show")
def show_profile(party_id: PartyArgument, as_json: Json = False) -> None:
    """A partner's profile as TOML, without secrets: a file for `replace`, once the key sets are added."""
    import msgspec

    partner = with_hub(lambda hub: hub.tcec102.profiles.of(party_id))
    tree = msgspec.to_builtins(partner.profile)
    if as_json:
        show_json({"revision": partner.revision, **tree})
    else:
        typer.echo("\n".join([f"# revision {partner.revision}", *_toml(tree)]))


def _toml(tree: dict[str, Any], under: str = "") -> list[str]:
    """Every key on a line of its own; what is none or empty is what it is when it is not there."""
    import json

    lines: list[str] = []
    for name, value in tree.items():
        if isinstance(value, dict):
            lines += _toml(value, f"{under}{name}.")
        elif value not in ([], None):
            # Texts, whole numbers, booleans and lists of texts are written in TOML as in JSON.
            lines.append(f"{under}{name} = {json.dumps(value, ensure_ascii=False)}")
    return lines


@profile_app.command("replace")
def replace_profile(
    party_id: PartyArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The whole profile, TOML, key sets included.")],
    as_json: Json = False,
) -> None:
    """Put a profile in the place of the one before; in force in every process within seconds.

    To rotate keys, write the new set beside the old one, and give the old one an `until`.
    """
    text = read_text(file)
    revision = with_hub(lambda hub: hub.tcec102.profiles.replace(party_id, text, actor()))
    facts = {"party": party_id, "revision": revision}
    show_json(facts) if as_json else show_facts(facts.items())


@profile_app.command("keys")
def show_keys(party_id: PartyArgument, as_json: Json = False) -> None:
    """The ids and dates of a partner's key sets, and which of them are in force."""

    async def load(hub: Any) -> tuple["Partner", datetime]:
        return await hub.tcec102.profiles.of(party_id), hub.clock.wall()

    partner, now = with_hub(load)
    rows = []
    for direction, dated, active in (
        ("ours: it calls us", partner.secrets.ours, partner.ours(now)),
        ("theirs: we call it", partner.secrets.theirs, partner.theirs(now)),
    ):
        names = [one.id for one in active]
        for one in dated:
            state = "newest" if one.id in names[:1] else "in force" if one.id in names else "not in force"
            rows.append((direction, one.id, one.since, one.until, state))
    columns = ("direction", "key set", "since", "until", "state")
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show_table(columns, rows)


@tcec102_app.command("tolerated")
def show_tolerated(party_id: PartyArgument, as_json: Json = False) -> None:
    """How a partner's messages stray from the standard, the most frequent way first."""
    found = with_hub(lambda hub: hub.tcec102.tolerance.of(party_id))
    if as_json:
        show_json(found)
    else:
        rows = ((one.word, one.count, one.first_day, one.last_day) for one in found)
        show_table(("what", "messages", "first", "last"), rows)


@tcec102_app.command("names")
def show_names(
    name: Annotated[
        str, typer.Argument(help="An id of a station, pile or connector, as homes or its owner say it.")
    ],
    as_json: Json = False,
) -> None:
    """What T/CEC 102 homes call a thing, and what its owner does: looked up from either side."""
    found = with_hub(lambda hub: hub.tcec102.aliases.named(name))
    columns = ("kind", "homes say", "owner", "owner says")
    if as_json:
        show_json([dict(zip(("kind", "alias", "party_id", "own_id"), row, strict=True)) for row in found])
    else:
        show_table(columns, found)


@tcec102_app.command("gaps")
def show_gaps(
    host: Annotated[str | None, typer.Option(help="Of this host only.")] = None,
    home: Annotated[str | None, typer.Option(help="As this home's profile has it, prices included.")] = None,
    as_json: Json = False,
) -> None:
    """Stations that T/CEC 102 homes are not told of, and what each of them lacks."""

    async def load(hub: Any) -> list[Any]:
        from hub.protocols.tcec102.stations_out import StationsOut

        hosts = [host] if host is not None else await _hosts(hub)
        profile = (await hub.tcec102.profiles.of(home)).profile if home is not None else None
        stations = StationsOut(hub.database, hub.clock, directory=hub.directory, aliases=hub.tcec102.aliases)
        return await stations.gaps(hosts, profile)

    found = with_hub(load)
    if as_json:
        show_json([one._asdict() for one in found])
    else:
        rows = ((one.party_id, one.station_id, one.name, ", ".join(one.missing)) for one in found)
        show_table(("host", "station", "name", "missing"), rows)


@tcec102_app.command("stats")
def show_stats(
    party_id: PartyArgument,
    station_id: Annotated[str, typer.Argument(metavar="STATION")],
    first_day: Annotated[str, typer.Argument(metavar="FROM", help="yyyy-MM-dd")],
    last_day: Annotated[str, typer.Argument(metavar="TO", help="yyyy-MM-dd, included")],
    as_json: Json = False,
) -> None:
    """Ask a host what a station of its gave, in kWh by connector, to whomever."""

    async def load(hub: Any) -> Any:
        from hub.parties.link import LinkError
        from hub.protocols.tcec102.link_host import HostPart

        host = HostPart(await hub.tcec102.profiles.of(party_id), hub.tcec102)
        try:
            return await host.station_stats(station_id, first_day, last_day)
        except LinkError as problem:
            raise Failed(f"{party_id}: {problem.reason}") from problem

    stats = with_hub(load)
    rows = [
        (pile.equipment_id, plug.connector_id, str(plug.connector_electricity))
        for pile in stats.equipment_stats_infos
        for plug in pile.connector_stats_infos
    ]
    columns = ("pile", "connector", "kWh")
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show_table(columns, rows)


async def _hosts(hub: Any) -> list[str]:
    hosts, after = [], None
    while True:
        page = await hub.parties.list_parties(after=after, limit=200)
        hosts += [party.party_id for party in page.items if "host" in party.roles]
        after = page.next_after
        if after is None:
            return hosts
