"""`interpile session`."""

from typing import Annotated, Any

import typer

from hub.commands.shell import Failed, Json, group, show_facts, show_json, show_table, with_hub, yuan

session_app = group("Charging sessions: which one a number names.")


@session_app.command("find")
def find_session(
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="The hub's id (ses_...), the home's number or the host's.")
    ],
    as_json: Json = False,
) -> None:
    """Sessions that somebody knows by this number, with both parties' numbers and the states."""

    async def work(hub: Any) -> list[Any]:
        from hub.parties.scope import HUB

        found: list[Any] = await hub.roaming.reading.known_as(HUB, number)
        return found

    found = with_hub(work)
    if not found:
        raise Failed(f"nobody knows a session by {number}")
    if as_json:
        show_json(found)
        return
    for known in found:
        show_facts(_facts(known.session))
        show_table(
            ("side", "party", "protocol", "number", "from"),
            (
                (one.side, one.party_id, one.protocol, one.number, "party" if one.direction == "in" else "hub")
                for one in known.legs
            ),
        )


def _facts(session: Any) -> list[tuple[str, Any]]:
    return [
        ("session", session.session_id),
        ("state", session.state),
        ("refusal", session.refusal),
        ("started by", session.start_mode),
        ("home", session.home_party_id),
        ("host", session.host_party_id),
        ("connector", session.connector),
        ("authorization", session.authorization_id),
        ("kWh", f"{session.energy_wh // 1000}.{session.energy_wh % 1000:03d}"),
        ("amount CNY", yuan(session.amount_fen)),
        ("limit CNY", yuan(session.limit_fen)),
        ("last update", session.last_number),
        ("stop reason", session.stop_reason),
        ("changed", session.updated_at.isoformat(timespec="seconds")),
    ]
