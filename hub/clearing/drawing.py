"""Draws one statement in a process of its own, so that nobody else waits for the interpreter meanwhile.

    python -m hub.clearing.drawing < order > paper

It knows neither the database nor the hub's settings: what it draws is in the order.
"""

import os
import subprocess
import sys
from collections.abc import Mapping

import msgspec

from hub.core.errors import HubError
from operator_sdk.contract.messages.clearing import Statement
from operator_sdk.contract.public_codes import Code

Order = tuple[str, Statement, dict[str, str]]
"""The form, the statement, the names of whom it names."""

PATIENCE_S = 60
BEHIND = 10
"""How far it steps back for who shares the machine."""

PASSED_ON = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")


def draw_apart(statement: Statement, form: str, names: Mapping[str, str]) -> bytes:
    """Draw a statement in another process, and wait for it.

    Raises:
        HubError: unavailable, it takes too long.
        RuntimeError: the process failed; with its last words.
    """
    named = {statement.party_id, *(one.counterparty for one in statement.counterparties)}
    theirs = {party: name for party, name in names.items() if party in named}
    order = msgspec.json.encode((form, statement, theirs))
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "hub.clearing.drawing"],
            input=order,
            capture_output=True,
            env=environment,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as slow:
        raise HubError(Code.UNAVAILABLE) from slow
    if done.returncode:
        raise RuntimeError(
            f"drawing ended with {done.returncode}: {done.stderr[-500:].decode(errors='replace')}"
        )
    return done.stdout


def draw(statement: Statement, form: str, names: Mapping[str, str]) -> bytes:
    """A statement as `pdf` or `xlsx`; `names` are those of the counterparties.

    Raises:
        HubError: rule_violated, more lines than a workbook holds.
    """
    # Loaded when one is asked for: every command would wait for the libraries behind them.
    if form == "pdf":
        from hub.clearing.statement_pdf import statement_pdf  # noqa: PLC0415

        return statement_pdf(statement, names)
    from hub.clearing.statement_xlsx import statement_xlsx  # noqa: PLC0415

    return statement_xlsx(statement, names)


def main() -> None:
    """Read an order, write the paper."""
    if hasattr(os, "nice"):
        os.nice(BEHIND)
    form, statement, names = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(draw(statement, form, names))


if __name__ == "__main__":
    main()
