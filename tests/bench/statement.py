"""Draws a statement of many lines in a process of its own and says how long that takes.

    python -m tests.bench.statement LINES

Prints one line of JSON: seconds of the first PDF with everything that must be loaded for it, and of those after
it; the same of the workbook; how large they are.
"""

import json
import sys
import time
from datetime import timedelta
from statistics import median

from hub.clearing.statements import make_statement, render
from hub.clearing.tables import CycleRow, ObligationRow
from operator_sdk.contract.messages.clearing import Statement
from tests.bench.cycle_data import CUTOFF, CYCLE_ID, DAY, HUB, OPENED, made, parties

OPERATORS, ROUNDS = 500, 3
NAMES = ("深圳湾充电", "南山出行", "前海能源服务有限公司", "Harbour Charging")


def statement_of(lines: int) -> tuple[Statement, dict[str, str]]:
    """A statement of so many lines with everybody, as from `cycle_data`; and everybody's names."""
    operators = parties(OPERATORS)
    rows = []
    for n, obligation, record, session, _, _, _, electricity, service, us, _ in made(lines, operators):
        other = operators[1 + n % (OPERATORS - 1)]
        home, host = (operators[0], other) if n % 3 else (other, operators[0])
        at = CUTOFF - timedelta(microseconds=us % 86_400_000_000)
        rows.append(
            ObligationRow(
                obligation_id=obligation, kind="charge", debtor_party_id=home, creditor_party_id=host,
                amount_fen=electricity + service, electricity_fen=electricity, service_fen=service,
                currency="CNY", frequency="daily", booked_day=DAY, accepted_at=at, state="in_cycle",
                record_id=record, session_id=session, energy_wh=electricity * 11, cycle_id=CYCLE_ID,
                updated_at=at,
            )
        )  # fmt: skip
    cycle = CycleRow(
        cycle_id=CYCLE_ID, currency="CNY", frequency="daily", state="fixed", opened_at=OPENED, cutoff_at=CUTOFF,
        obligations=lines, digest="0" * 64, updated_at=CUTOFF,
    )  # fmt: skip
    names = {party: f"{NAMES[n % len(NAMES)]} {n}" for n, party in enumerate((*operators, HUB))}
    codes = {"electricity": "1100101020200000000", "service": "3040802050000000000"}
    return make_statement(cycle, operators[0], names[operators[0]], rows, codes), names


def measure(lines: int) -> dict[str, float]:
    """Seconds, and bytes."""
    statement, names = statement_of(lines)
    spent: dict[str, float] = {"lines": len(statement.lines)}
    for form in ("pdf", "xlsx"):
        took, drawn = [], b""
        for _ in range(1 + ROUNDS):
            begun = time.perf_counter()
            drawn = render(statement, form, names)
            took.append(time.perf_counter() - begun)
        spent[f"{form}_first_s"] = round(took[0], 3)
        spent[f"{form}_then_s"] = round(median(took[1:]), 3)
        spent[f"{form}_bytes"] = len(drawn)
    return spent


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
