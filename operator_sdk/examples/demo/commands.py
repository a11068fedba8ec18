"""The hub's processes, as `docker-compose.yml` runs them: the one list of their commands."""

import sys
from pathlib import Path

HUB_PROCESSES: dict[str, tuple[str, ...]] = {
    "migrate": ("interpile", "migrate"),
    "hub": ("interpile", "serve", "--host", "{host}", "--port", "{port}"),
    "jobs": ("interpile", "jobs"),
    "worker": (
        "celery", "--app", "hub.worker", "worker", "--pool", "prefork", "--concurrency", "2",
        "--loglevel", "WARNING",
    ),
    "bff": ("interpile", "bff", "--host", "{host}", "--port", "{port}"),
}  # fmt: skip
"""By the name of the service; `migrate` ends by itself, and before the others begin."""

EMBEDDED = ("hub",)
PRODUCTION = ("hub", "jobs", "worker")
PHONES = ("bff",)
"""In the hub's process where it is embedded."""


def command_of(name: str, *, host: str, port: int) -> list[str]:
    """The command of one process, its first word as it is written in the list."""
    return [word.format(host=host, port=port) for word in HUB_PROCESSES[name]]


def installed(command: list[str]) -> list[str]:
    """The same command from the environment that runs this very program."""
    return [str(Path(sys.executable).with_name(command[0])), *command[1:]]
