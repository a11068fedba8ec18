"""`interpile serve`, `interpile jobs`, `interpile migrate` and `interpile contracts`."""

from typing import Annotated

import typer

from hub.settings import Settings


def _single() -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode=None)


serve_app, jobs_app, migrate_app, contracts_app = _single(), _single(), _single(), _single()


@serve_app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8080,
    hub_only: Annotated[
        bool, typer.Option("--hub-only", help="Leave out the applications that other packages register.")
    ] = False,
) -> None:
    """Serve the hub and the applications beside it; when embedded, do what is due in the same process."""
    from hub.app import serve as serve_forever
    from hub.http import guests

    settings = Settings.from_env()
    beside = [] if hub_only else guests(host, port, issuer=settings.public_url)
    serve_forever(settings, host, port, guests=beside)


@jobs_app.command()
def jobs() -> None:
    """Find due work and do it, until told to stop."""
    from hub.jobs import run_jobs

    run_jobs(Settings.from_env())


@migrate_app.command()
def migrate() -> None:
    """Bring the database to the newest revision."""
    from hub.migrations.run import migrate as upgrade

    upgrade(Settings.from_env())
    print("the database is at the newest revision")


@contracts_app.command()
def contracts(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Where to write them.")] = "schema",
) -> None:
    """Export OpenAPI, JSON Schema, golden messages and signature vectors."""
    from hub.export_contracts import main

    raise typer.Exit(main([folder]))
