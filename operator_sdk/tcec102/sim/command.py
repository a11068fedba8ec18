"""`interpile sim`: the command line of simulated platforms. What it runs is loaded when it runs."""

import argparse
import asyncio
import sys
from pathlib import Path

from operator_sdk.tcec102.sim.pains import PAINS


def sim(argv: list[str]) -> int:
    """Simulate a partner's platform: interpile sim tcec102 --role host|home|both --profile FILE"""
    given = _parser().parse_args(argv)
    if given.list_pains:
        for pain in PAINS:
            print(f"{pain.number:>2}  {pain.name:<26} {pain.what}")
        return 0
    try:
        from operator_sdk.tcec102.sim import serving
    except ImportError as missing:
        print(f'interpile sim: needs: pip install "interpile[bff]" ({missing})', file=sys.stderr)
        return 1
    try:
        platform = serving.platform_of(given)
    except (ValueError, OSError) as problem:
        print(f"interpile sim: {problem}", file=sys.stderr)
        return 2
    asyncio.run(serving.serve(platform, given))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="interpile sim", description="Simulate a partner's platform.")
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    one = kinds.add_parser("tcec102", help="a T/CEC 102 platform, until SIGTERM")
    one.add_argument("--role", choices=("host", "home", "both"), default="both")
    one.add_argument("--profile", type=Path, metavar="FILE", help="the partner's profile, a hub's as a rule")
    one.add_argument("--operator-id", help="our OperatorID; without it the profile's hub_operator_id")
    one.add_argument("--port", type=int, default=8102, help="for the partner; 0 takes a free one")
    one.add_argument("--control-port", type=int, default=0, help="for tests and people, on this machine only")
    one.add_argument("--host", default="127.0.0.1", help="the address to listen on for the partner")
    one.add_argument("--pains", default="", help="names from --list-pains, with commas")
    one.add_argument("--list-pains", action="store_true", help="print them and end")
    one.add_argument("--folder", type=Path, help="keep charges in a file there; else in memory")
    _world(one)
    _pace(one)
    return parser


def _world(one: argparse.ArgumentParser) -> None:
    one.add_argument("--stations", type=int, default=2)
    one.add_argument("--connectors", type=int, default=4, help="in all")
    one.add_argument("--id-prefix", help="of station, pile and connector ids; else from the OperatorID")
    one.add_argument("--unplugged", action="store_true", help="no vehicle waits at the connectors")
    one.add_argument("--vehicle-wh", type=int, default=36_000, help="what a vehicle takes until it is full")


def _pace(one: argparse.ArgumentParser) -> None:
    one.add_argument("--push-s", type=_milliseconds, default="50", help="between two charge statuses")
    one.add_argument("--retry-s", type=_milliseconds, default="150", help="before an order comes again")
    one.add_argument("--start-s", type=_milliseconds, default="0.2", help="from the command to the start")
    one.add_argument("--start-timeout-s", type=int, default=60, help="home: before it asks after a start")
    one.add_argument("--call-timeout-s", type=int, default=10)
    one.add_argument("--slow-s", type=_milliseconds, default="3", help="what the pain `slow` waits")
    one.add_argument("--no-station-status", action="store_true", help="push no connector states")


def _milliseconds(text: str) -> int:
    milliseconds = round(float(text) * 1000)
    if milliseconds < 1:
        raise argparse.ArgumentTypeError("a time above 0 is expected")
    return milliseconds
