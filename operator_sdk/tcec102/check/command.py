"""`interpile check tcec102`: the command line. What it runs is loaded when it runs."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

_BROKEN_OFF = 130
"""As shells say it of Ctrl-C."""


def check(argv: list[str]) -> int:
    """Check a partner's T/CEC 102 platform: interpile check tcec102 PROFILE."""
    given = _parser().parse_args(argv)
    try:
        from operator_sdk.tcec102.check import running
    except ImportError as missing:
        print(f'interpile check tcec102: needs: pip install "interpile[bff]" ({missing})', file=sys.stderr)
        return 1
    from operator_sdk.tcec102.check.report import as_html, as_json, as_table

    try:
        report = asyncio.run(running.run(given))
        print(as_table(report))
        if given.json:
            given.json.write_text(json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n", "utf-8")
        if given.html:
            given.html.write_text(as_html(report), "utf-8")
    except (ValueError, OSError) as problem:
        print(f"interpile check tcec102: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return _BROKEN_OFF
    return 1 if report.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="interpile check",
        description="Play both sides of T/CEC 102 against a platform. Exit code 1: something does not hold.",
    )
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    one = kinds.add_parser("tcec102", help="a T/CEC 102 platform")
    one.add_argument("profile", type=Path, metavar="PROFILE", help="the platform's profile with its secrets")
    one.add_argument("--operator-id", help="our OperatorID; without it the profile's hub_operator_id")
    one.add_argument("--listen", metavar="HOST:PORT", help="let the platform call us there")
    one.add_argument("--charge", metavar="CONNECTOR", help="start one charge there and stop it at once")
    one.add_argument("--scan", action="store_true", help="wait until a driver scans our QR code; it costs 0")
    one.add_argument("--patience-s", type=int, default=200, help="how long to wait for what it must tell")
    one.add_argument("--slow-s", type=int, default=5, help="how slowly we answer the first result of a start")
    one.add_argument("--timeout-s", type=int, default=30, help="how long to wait for an answer")
    one.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")
    one.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page")
    return parser


if __name__ == "__main__":
    sys.exit(check(sys.argv[1:]))
