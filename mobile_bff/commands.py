"""`interpile qr`: draws what is printed on piles. The hub signs the codes; its key never leaves it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mobile_bff.qr import Label, find_font, pdf, png, svg
from mobile_bff.settings import Settings, SettingsError
from operator_sdk.client import HubClient, OperatorCredentials
from operator_sdk.contract.ids import split_connector
from operator_sdk.contract.messages.places import ConnectorCode
from operator_sdk.errors import ApiError, InterpileError
from operator_sdk.keys import load_key

EPILOG = (
    "Examples:  interpile qr S1 --out labels.pdf   (a label for each connector of station S1);  "
    "interpile qr A1.MA5AAAAA1 --out a1.png;  interpile qr A1.MA5AAAAA1 --hlht --out a1.svg"
)


SERVE_EPILOG = (
    "The environment says the rest: BFF_HUB_URL, BFF_HUB_ISSUER (the hub's public URL, where it is another), "
    "BFF_PARTY_ID and BFF_KEY_FILE (the app's own name at the hub), BFF_ORIGINS (others' pages that may call), "
    "BFF_SOCKETS_PER_DRIVER, BFF_HUB_CONNECTIONS, BFF_RATE_PER_S, BFF_SIGN_INS_PER_S, FORWARDED_ALLOW_IPS "
    "(proxies that are believed), INTERPILE_ENV."
)


class Failed(Exception):
    """The command cannot do what was asked; its text is the one line that is printed."""


app = typer.Typer(add_completion=False, rich_markup_mode=None)
bff_app = typer.Typer(add_completion=False, rich_markup_mode=None)


Names = Annotated[
    list[str],
    typer.Argument(
        metavar="CONNECTOR|STATION",
        help="Connectors of yours as CONNECTOR.PARTY (A1.MA5AAAAA1), or stations by their id (S1).",
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        help="What to write: .pdf is a sheet of labels (A4, cut marks), .png and .svg are one code a file;"
        " of several codes each file has its connector in its name."
    ),
]
PartyId = Annotated[str, typer.Option(envvar="OPERATOR_PARTY_ID", help="Your 9-character organisation code.")]
Key = Annotated[Path, typer.Option(envvar="OPERATOR_KEY_FILE", help="Your Ed25519 private key, JWK or PEM.")]
HubUrl = Annotated[str, typer.Option(envvar="OPERATOR_HUB_URL", help="Where the hub is reached.")]
HubIssuer = Annotated[
    str, typer.Option(envvar="OPERATOR_HUB_ISSUER", help="The hub's own public URL, where it is another.")
]
Hlht = Annotated[
    bool, typer.Option("--hlht", help="Draw the trade's code (hlht://), which any app reads and nobody signed.")
]
Font = Annotated[Path | None, typer.Option(help="A Chinese TrueType font for the labels, where none is found.")]


@app.command(epilog=EPILOG, no_args_is_help=True)
def draw(
    names: Names,
    *,
    out: Out,
    party_id: PartyId,
    key: Key,
    hub: HubUrl = "http://127.0.0.1:8000",
    hub_issuer: HubIssuer = "",
    hlht: Hlht = False,
    font: Font = None,
) -> None:
    """Draw QR codes for charging connectors: a PDF sheet of labels, PNG or SVG."""
    kind = out.suffix.lower()
    if kind not in {".pdf", ".png", ".svg"}:
        raise Failed(f"--out must end in .pdf, .png or .svg, and {out.name} does not")
    credentials = _credentials(party_id, key)
    with HubClient(hub, credentials, issuer=hub_issuer or None) as client:
        codes = [code for name in names for code in _codes_of(client, party_id, name)]
    if not codes:
        raise Failed("no connectors there")
    if kind == ".pdf":
        chosen = font or find_font()
        if chosen is None:
            print(
                "interpile: no Chinese font here, so the viewer must have one; --font names one",
                file=sys.stderr,
            )
        _write(out, _sheet([_label(code, hlht=hlht) for code in codes], chosen))
        print(f"{out}: {len(codes)} labels")
        return
    for code in codes:
        file = out if len(codes) == 1 else out.with_stem(f"{out.stem}-{code.connector}")
        text = _text(code, hlht=hlht)
        _write(file, png(text) if kind == ".png" else svg(text))
        print(f"{file}: {text}")


def _credentials(party_id: str, key: Path) -> OperatorCredentials:
    try:
        return OperatorCredentials(party_id, load_key(key))
    except (OSError, ValueError) as problem:
        raise Failed(f"cannot read the key: {problem}") from problem


def _codes_of(client: HubClient, party_id: str, name: str) -> list[ConnectorCode]:
    owner, connector_id = split_connector(name)
    if not name:
        raise Failed("a connector or station has a name")
    try:
        if owner == party_id and connector_id:
            return [client.get_connector_code(name)]
        return client.list_connector_codes(party_id, name).items
    except ApiError as problem:
        if problem.status != 404:
            raise
        raise Failed(f"{party_id} has no connector or station {name}") from problem


def _label(code: ConnectorCode, *, hlht: bool) -> Label:
    return Label(
        code=_text(code, hlht=hlht),
        connector=code.connector,
        station_name=code.station_name,
        hub_name=code.hub_name,
        kind=code.kind,
        rated_power_w=code.rated_power_w,
    )


def _text(code: ConnectorCode, *, hlht: bool) -> str:
    return code.hlht if hlht else code.url


def _sheet(labels: list[Label], font: Path | None) -> bytes:
    try:
        return pdf(labels, font)
    except (OSError, ValueError) as problem:
        raise Failed(str(problem)) from problem


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as problem:
        raise Failed(f"cannot write {file}: {problem.strerror}") from problem


@bff_app.command(epilog=SERVE_EPILOG)
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8090,
) -> None:
    """Serve the drivers' phones alone: GraphQL at /graphql, the page at /app/."""
    from mobile_bff.app import serve as serve_forever

    serve_forever(Settings.from_env(), host, port)


def bff(argv: Sequence[str]) -> int:
    """Serve the drivers' phones: GraphQL and the page."""
    return _run(bff_app, "interpile bff", argv)


def qr(argv: Sequence[str]) -> int:
    """Draw QR codes and labels for connectors (PNG, SVG, PDF)."""
    return _run(app, "interpile qr", argv)


def _run(chosen: typer.Typer, name: str, argv: Sequence[str]) -> int:
    try:
        typer.main.get_command(chosen).main(args=list(argv), prog_name=name)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except (Failed, InterpileError, SettingsError) as problem:
        print("interpile:", " ".join(str(problem).split()), file=sys.stderr)
        return 1
    return 0
