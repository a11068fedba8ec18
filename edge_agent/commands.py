"""`interpile edge`: run a site's agent, see how it fares, check its wiring, make its key."""

import argparse
import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

from edge_agent.agent import Agent
from edge_agent.checking import check, table
from edge_agent.clock import Clock, environment_of
from edge_agent.drivers.pile_bus import BusUnusable
from edge_agent.key_file import KeyFileWrong, init_key
from edge_agent.settings import Settings, SettingsWrong, read_settings
from edge_agent.status import StatusUnknown, read_status
from edge_agent.store import StoreProblem


def edge(argv: list[str]) -> int:
    """Run the agent of a charging site; see, check and prepare it."""
    given = _parser().parse_args(argv)
    try:
        return int(given.run(given))
    except (SettingsWrong, KeyFileWrong, StoreProblem, StatusUnknown, BusUnusable) as problem:
        print(f"interpile edge: {problem}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="interpile edge", description=edge.__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the site's agent until SIGTERM")
    run.add_argument("site", type=Path, metavar="SITE.toml")
    run.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    run.set_defaults(run=_run)
    status = commands.add_parser("status", help="what the agent's file says; the agent need not run")
    status.add_argument("site", type=Path, metavar="SITE.toml")
    status.add_argument("--session", help="one session: updates made, energy, amount, bill")
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(run=_status)
    checked = commands.add_parser("check", help="open every bus and meter once and say what answers")
    checked.add_argument("site", type=Path, metavar="SITE.toml")
    checked.add_argument("--json", action="store_true", help="for programs")
    checked.set_defaults(run=_check)
    key = commands.add_parser("key", help="the site's key").add_subparsers(required=True, metavar="COMMAND")
    init = key.add_parser("init", help="make a key file and print its public part")
    init.add_argument("file", type=Path)
    init.set_defaults(run=_key_init)
    return parser


def _run(given: argparse.Namespace) -> int:
    settings, clock = _settings(given), _clock()
    logging.basicConfig(
        level=given.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # python-can and websockets tell of every connection; the agent says what matters of it.
    for noisy in ("can", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return asyncio.run(_until_told(settings, clock))


async def _until_told(settings: Settings, clock: Clock) -> int:
    running = asyncio.create_task(Agent(settings, clock).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        return 0
    return 1


def _settings(given: argparse.Namespace) -> Settings:
    try:
        environment = environment_of()
    except ValueError as problem:
        raise SettingsWrong(f"environment: {problem}") from problem
    return read_settings(given.site, environment=environment)


def _clock() -> Clock:
    try:
        return Clock.from_env()
    except ValueError as problem:
        raise SettingsWrong(f"environment: {problem}") from problem


def _status(given: argparse.Namespace) -> int:
    said = read_status(_settings(given), given.session)
    if given.json:
        print(json.dumps(said.as_json(), ensure_ascii=False))
    else:
        print(said.as_text())
    return 0


def _check(given: argparse.Namespace) -> int:
    checks = asyncio.run(check(_settings(given)))
    if given.json:
        print(json.dumps([one.as_json() for one in checks], ensure_ascii=False))
    else:
        print(table(checks))
    return 0 if all(one.is_good for one in checks) else 1


def _key_init(given: argparse.Namespace) -> int:
    print(init_key(given.file))
    return 0
