"""What the demonstration is told: by argument, and by the variables that `make` hands on."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from operator_sdk.examples.demo.trouble import Trouble

SPEED_USUAL = 60


@dataclass(frozen=True, slots=True)
class Options:
    """How to play."""

    production: bool
    once: bool
    speed: int
    folder: Path
    report: Path | None
    stations: Path | None
    database_url: str | None
    migration_url: str | None
    environment: str


def read(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> Options:
    """Options from arguments and environment.

    Raises:
        Trouble: one of them cannot be used.
    """
    given = os.environ if environ is None else environ
    parser = argparse.ArgumentParser(prog="demo", description="Play charges across operators on this machine.")
    parser.add_argument("--production", action="store_true", help="on PostgreSQL, RabbitMQ and Redis")
    parser.add_argument("--folder", type=Path, default=Path("var/demo"), help="where it works; emptied first")
    arguments = parser.parse_args(argv)
    environment = given.get("INTERPILE_ENV") or ""
    if environment not in {"demo", "test"}:
        raise Trouble("INTERPILE_ENV must be demo; `make demo` sets it")
    speed = given.get("SPEED") or str(SPEED_USUAL)
    if not speed.isdigit() or not 1 <= int(speed) <= 600:
        raise Trouble("SPEED must be a whole number from 1 to 600")
    stations = _path(given.get("STATIONS"))
    if stations is not None and not stations.is_file():
        raise Trouble(f"STATIONS names no file: {stations}")
    return Options(
        production=arguments.production,
        once=(given.get("ONCE") or "0") != "0",
        speed=int(speed),
        folder=arguments.folder.absolute(),
        report=_path(given.get("REPORT")),
        stations=stations,
        database_url=given.get("DATABASE_URL") or None,
        migration_url=given.get("DATABASE_MIGRATION_URL") or None,
        environment=environment,
    )


def _path(text: str | None) -> Path | None:
    return Path(text).absolute() if text else None
