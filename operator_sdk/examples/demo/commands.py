"""The hub's processes, as `docker-compose.yml` runs them: the one list of their commands."""

import sys
from pathlib import Path

HUB_PROCESSES: dict[str, tuple[str, ...]] = {
    "migrate": ("interpile", "migrate"),
    "hub": ("interpile", "serve", "--hub-only", "--host", "{host}", "--port", "{port}"),
    "jobs": ("interpile", "jobs"),
    "worker": (
        "celery", "--app", "hub.worker", "worker", "--pool", "prefork", "--concurrency", "2",
        "--loglevel", "WARNING",
    ),
    "bff": ("interpile", "bff", "--host", "{host}", "--port", "{port}"),
}  # fmt: skip
"""By the name of the service; `migrate` ends by itself, and before the others begin."""

EMBEDDED = ("interpile", "serve", "--host", "{host}", "--port", "{port}")
"""One process that is all of it, the phones' service too."""

PRODUCTION = ("hub", "jobs", "worker", "bff")
PHONES = ("bff",)
"""In the hub's process where it is embedded."""


def command_of(name: str, *, host: str, port: int) -> list[str]:
    """The command of one process, its first word as it is written in the list."""
    return _filled(HUB_PROCESSES[name], host, port)


def embedded_command(*, host: str, port: int) -> list[str]:
    """The command of the one process that needs no servers."""
    return _filled(EMBEDDED, host, port)


def _filled(command: tuple[str, ...], host: str, port: int) -> list[str]:
    return [word.format(host=host, port=port) for word in command]


def installed(command: list[str]) -> list[str]:
    """The same command from the environment that runs this very program."""
    return [str(Path(sys.executable).with_name(command[0])), *command[1:]]
