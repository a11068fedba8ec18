"""`interpile party`, `interpile key` and `interpile agreement`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.commands.shell import (
    Failed,
    Json,
    actor,
    group,
    message,
    read_text,
    show_facts,
    show_json,
    show_table,
    with_hub,
    yuan,
)
from operator_sdk.contract.codes import Frequency
from operator_sdk.contract.messages.access import Key, KeyAdd, KeyList
from operator_sdk.contract.messages.admin import Agreement, AgreementAdd, ExposurePut, Party, PartyAdd

party_app = group("Operators on the hub.")
key_app = group("Operators' public keys, and the hub's own secrets.")
agreement_app = group("What home and host operators have agreed.")

PartyArgument = Annotated[str, typer.Argument(metavar="PARTY", help="9-character organisation code.")]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY_ID")]


@party_app.command("add")
def add_party(
    party_id: Annotated[
        str | None, typer.Argument(metavar="[PARTY]", help="9-character organisation code; a profile names it.")
    ] = None,
    *,
    name: Annotated[str | None, typer.Option(help="What the operator is called.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="home or host, may be given twice; or app.")] = None,
    protocol: Annotated[str, typer.Option(help="native, hosted, app or tcec102.")] = "native",
    profile: Annotated[
        Path | None, typer.Option(help="TOML: how a tcec102 operator speaks; it names all but money.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Where a native operator answers.")] = None,
    token_prefix: Annotated[list[str] | None, typer.Option(help="Its cards begin like this.")] = None,
    deposit_fen: Annotated[int, typer.Option(help="What it has deposited.")] = 0,
    exposure_limit_fen: Annotated[int, typer.Option(help="What it may come to owe.")] = 0,
    as_json: Json = False,
) -> None:
    """Add an operator; the same again changes nothing."""
    if (protocol == "tcec102") != (profile is not None):
        raise typer.BadParameter("--protocol tcec102 and --profile go together")
    if profile is not None:
        if name or role or base_url or token_prefix:
            raise typer.BadParameter("name, roles and base URL are in the profile")
        money = {"deposit_fen": deposit_fen, "limit_fen": exposure_limit_fen}
        text = read_text(profile)
        added = with_hub(lambda hub: hub.tcec102.profiles.add(text, actor(), party_id=party_id, **money))
    else:
        if party_id is None or name is None or not role:
            raise typer.BadParameter("PARTY, --name and --role are needed")
        add = message(
            PartyAdd,
            party_id=party_id,
            name=name,
            roles=role,
            protocol=protocol,
            base_url=base_url,
            token_prefixes=token_prefix or [],
            deposit_fen=deposit_fen,
            exposure_limit_fen=exposure_limit_fen,
        )
        added = with_hub(lambda hub: hub.parties.add_party(add, actor=actor()))
    show_json(added) if as_json else _show_parties([added])


@party_app.command("exposure")
def set_exposure(
    party_id: PartyArgument,
    *,
    deposit_fen: Annotated[int, typer.Option(help="What it has deposited.")],
    limit_fen: Annotated[int, typer.Option(help="What it may come to owe, open limits included.")],
    as_json: Json = False,
) -> None:
    """Change what a home has deposited and may owe."""
    put = message(ExposurePut, deposit_fen=deposit_fen, exposure_limit_fen=limit_fen)
    changed = with_hub(lambda hub: hub.parties.set_exposure(party_id, put, actor=actor()))
    show_json(changed) if as_json else _show_parties([changed])


@party_app.command("list")
def list_parties(as_json: Json = False) -> None:
    """All operators."""

    async def every(hub: Any) -> list[Party]:
        found: list[Party] = []
        after = None
        while True:
            page = await hub.parties.list_parties(after=after, limit=200)
            found += page.items
            after = page.next_after
            if after is None:
                return found

    found = with_hub(every)
    show_json(found) if as_json else _show_parties(found)


def _show_parties(parties: list[Party]) -> None:
    show_table(
        ("party", "name", "roles", "protocol", "base URL", "owes CNY", "may owe CNY"),
        (
            (one.party_id, one.name, ",".join(one.roles), one.protocol, one.base_url,
             yuan(one.owed_fen), yuan(one.exposure_limit_fen))
            for one in parties
        ),
    )  # fmt: skip


@key_app.command("add")
def add_key(
    party_id: PartyArgument,
    key_id: Annotated[str | None, typer.Option(help="The key's id; a key file may name it.")] = None,
    public_key: Annotated[str | None, typer.Option(help="Raw Ed25519 public key, base64url.")] = None,
    file: Annotated[Path | None, typer.Option(help="A JWK file; its private part is not read.")] = None,
    as_json: Json = False,
) -> None:
    """Register an operator's key; it is live at once."""
    if (public_key is None) == (file is None):
        raise typer.BadParameter("give either --public-key or --file")
    if file is not None:
        named, public_key = _read_jwk(file)
        key_id = key_id or named
    if key_id is None:
        raise typer.BadParameter("give --key-id")
    add = message(KeyAdd, key_id=key_id, public_key=public_key)
    added = with_hub(lambda hub: hub.parties.add_key(party_id, add, actor=actor(), alone=True))
    _show_keys([added], added, as_json)


def _read_jwk(file: Path) -> tuple[str | None, str]:
    try:
        jwk = json.loads(file.read_bytes())
        if jwk["kty"] != "OKP" or jwk["crv"] != "Ed25519":
            raise Failed(f"{file} is not an Ed25519 key")
        return jwk.get("kid"), str(jwk["x"])
    except (ValueError, KeyError, TypeError) as problem:
        raise Failed(f"{file} is not a JWK") from problem


@key_app.command("approve")
def approve_key(party_id: PartyArgument, key_id: KeyArgument, as_json: Json = False) -> None:
    """Make a key live that was proposed through the API."""
    approved = with_hub(lambda hub: hub.parties.approve_key(party_id, key_id, actor=actor()))
    _show_keys([approved], approved, as_json)


@key_app.command("revoke")
def revoke_key(party_id: PartyArgument, key_id: KeyArgument, as_json: Json = False) -> None:
    """Trust a key no more, for good."""
    revoked = with_hub(lambda hub: hub.parties.revoke_key(party_id, key_id, actor=actor()))
    _show_keys([revoked], revoked, as_json)


@key_app.command("list")
def list_keys(party_id: PartyArgument, as_json: Json = False) -> None:
    """An operator's keys."""
    found = with_hub(lambda hub: hub.parties.list_keys(party_id))
    _show_keys(found.items, found, as_json)


def _show_keys(keys: list[Key], result: Key | KeyList, as_json: bool) -> None:
    if as_json:
        show_json(result)
    else:
        show_table(
            ("party", "key", "state", "since"),
            ((key.party_id, key.key_id, key.state, key.created_at.isoformat()) for key in keys),
        )


@key_app.command("init")
def init_secrets(file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: Json = False) -> None:
    """Make the hub's secrets file: a master key and an Ed25519 signing key."""
    from hub.core.secrets import make_secrets, read_secrets

    make_secrets(file)
    signer = read_secrets(file).signer
    facts = {"file": str(file), "key_id": signer.key_id, "public_key": signer.public_b64url()}
    show_json(facts) if as_json else show_facts(facts.items())


@agreement_app.command("add")
def add_agreement(
    home: Annotated[str, typer.Argument(metavar="HOME", help="The home's party id.")],
    host: Annotated[str, typer.Argument(metavar="HOST", help="The host's party id.")],
    *,
    commission_ppm: Annotated[int, typer.Option(help="What the host owes the hub, of a million.")] = 0,
    hold_fen: Annotated[int, typer.Option(help="What a home holds for one charge.")] = 5_000,
    amount_tolerance_fen: Annotated[int, typer.Option(help="How far a bill may be off.")] = 100,
    frequency: Annotated[Frequency, typer.Option(help="How often it is netted.")] = Frequency.DAILY,
    as_json: Json = False,
) -> None:
    """Add an agreement; the same again changes nothing."""
    add = message(
        AgreementAdd,
        home_party_id=home,
        host_party_id=host,
        commission_ppm=commission_ppm,
        hold_fen=hold_fen,
        amount_tolerance_fen=amount_tolerance_fen,
        frequency=frequency,
    )
    added: Agreement = with_hub(lambda hub: hub.parties.add_agreement(add, actor=actor()))
    if as_json:
        show_json(added)
    else:
        show_facts(
            (
                ("agreement", added.agreement_id),
                ("home", added.home_party_id),
                ("host", added.host_party_id),
                ("commission ppm", added.commission_ppm),
                ("hold CNY", yuan(added.hold_fen)),
                ("tolerance CNY", yuan(added.amount_tolerance_fen)),
                ("cycle", f"{added.frequency}, {added.currency}"),
            )
        )
