"""The end of the day: the cycle is closed, everybody gets a statement, the ledger is verified."""

from dataclasses import dataclass
from typing import Any

import msgspec

from operator_sdk.contract.messages.clearing import CycleResult, Statement
from operator_sdk.examples.demo.administrator import HUB, NAMES, A, Administrator, B, C
from operator_sdk.examples.demo.network import Network
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.people import People
from operator_sdk.examples.demo.screen import Screen, yuan
from operator_sdk.examples.demo.trouble import Trouble

FIXED_S = 15


@dataclass(frozen=True, slots=True)
class Closed:
    """The closed cycle, and what the ledger says."""

    result: CycleResult
    positions: dict[str, int]
    ledger: dict[str, Any]


async def close(network: Network, administrator: Administrator, people: People, screen: Screen) -> Closed:
    """Close the cycle now, by the business clock.

    Raises:
        Trouble: a statement does not say what the cycle says.
    """
    async with screen.step("关闭清分周期", "the cycle is closed") as detail:
        now = (await network.readiness()).business_time

        async def fixed() -> CycleResult | None:
            # The hub's own clearing may be at the same cycle: the same cut-off again returns the one result.
            given = await administrator.close_cycle(now.isoformat())
            found = msgspec.convert(given, type=CycleResult)
            return found if found.cycle.state == "fixed" else None

        result = await until(fixed, within_s=FIXED_S, missing="the closed cycle was not fixed")
        detail.append(f"{result.cycle.state}, {len(result.obligations)} 笔应付 obligations")
    _show_obligations(screen, result)
    positions = dict.fromkeys((HUB, A, B, C), 0) | {one.party_id: one.amount_fen for one in result.positions}
    async with screen.step("对账单: A、B 自取, C 由工作人员", "statements"):
        cycle_id = result.cycle.cycle_id
        statements = [
            await people.a_office.get_statement(cycle_id),
            await people.b_office.get_statement(cycle_id),
            msgspec.convert(await administrator.statement(cycle_id, C), type=Statement),
        ]
    _check(statements, result, positions)
    _show_statements(screen, statements, positions)
    async with screen.step("由原始分录核验账本", "ledger recomputed") as detail:
        ledger = await administrator.verify_ledger()
        detail.append(f"{ledger['postings']} 笔过账 postings, {ledger['entries']} 条分录 entries")
    return Closed(result, positions, ledger)


def _check(statements: list[Statement], result: CycleResult, positions: dict[str, int]) -> None:
    for one in statements:
        if one.net_fen != positions[one.party_id] or one.digest != result.cycle.digest:
            raise Trouble(f"the statement of {one.party_id} does not say what the cycle says")


def _show_obligations(screen: Screen, result: CycleResult) -> None:
    kinds = {"charge": "充电 charge", "commission": "佣金 commission"}
    screen.table(
        (("应付方 Debtor", "left"), ("应收方 Creditor", "left"), ("事由 For", "left"), ("元 CNY", "right")),
        (
            (NAMES[one.debtor], NAMES[one.creditor], kinds.get(one.kind, one.kind), yuan(one.amount_fen))
            for one in result.obligations
        ),
    )


def _show_statements(screen: Screen, statements: list[Statement], positions: dict[str, int]) -> None:
    rows = [
        (
            NAMES[one.party_id],
            yuan(one.receivable_fen),
            yuan(one.payable_fen),
            yuan(one.net_fen),
            str(len(one.lines)),
        )
        for one in statements
    ]
    rows.append((NAMES[HUB], "", "", yuan(positions[HUB]), ""))
    screen.table(
        (
            ("对账单 Statement", "left"),
            ("应收 Receivable", "right"),
            ("应付 Payable", "right"),
            ("净额 Net", "right"),
            ("行 Lines", "right"),
        ),
        rows,
    )
