"""Fills a site's spool as two days without a network would: charges at all its piles, with their bills."""

import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge_agent.store import Store, Written
from operator_sdk.contract.codes import SessionState, StopReason
from operator_sdk.contract.edge_link.frames import UpdateItem
from operator_sdk.contract.ids import SESSION, hub_id
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.pricing import Reading
from tests.bench.edge_world import PILES
from tests.site_charge import Charge

UPDATES = 199
"""Of a charge; its bill is the two-hundredth item."""

ITEMS_A_CHARGE = UPDATES + 1
EVERY, STEP_WH, POWER_W = timedelta(seconds=20), 40, 7_200
AT_ONCE = 2_000
"""Items of one transaction while the spool is filled; nobody measures that."""


def made_up_sessions(count: int) -> list[tuple[str, str]]:
    """Sessions that no hub knows, at as many piles as a site has: (session, connector)."""
    now_ms = time.time_ns() // 1_000_000
    return [
        (hub_id(SESSION, now_ms, secrets.randbits(74)), f"E{number % PILES:02d}") for number in range(count)
    ]


def fill(spool: Path, sessions: Sequence[tuple[str, str]], tariff: Tariff) -> tuple[int, int]:
    """One charge for each session, as many at a time as there are piles; (updates, bills)."""
    store = Store(spool, new_spool_id=secrets.token_hex(16))
    begun = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    updates, bills = 0, 0
    try:
        pending: list[UpdateItem] = []
        for first in range(0, len(sessions), PILES):
            charges = [_charge(*one, tariff, begun) for one in sessions[first:][:PILES]]
            for update in _updates(charges):
                pending.append(update)
                if len(pending) >= AT_ONCE:
                    updates += _keep(store, pending, begun)
            updates += _keep(store, pending, begun)
            for charge in charges:
                store.write(Written(at=begun, bill=_bill(charge)))
                bills += 1
    finally:
        store.close()
    return updates, bills


def _keep(store: Store, pending: list[UpdateItem], at: datetime) -> int:
    kept = len(pending)
    store.write(Written(at=at, live=list(pending)))
    pending.clear()
    return kept


def _charge(session_id: str, connector_id: str, tariff: Tariff, begun: datetime) -> Charge:
    first = Reading(begun, 1_000_000)
    return Charge(session_id, connector_id, tariff, None, Target(), [first], SessionState.CHARGING)


def _updates(charges: Sequence[Charge]) -> Iterator[UpdateItem]:
    """All piles take turns, as they do on a site."""
    for number in range(UPDATES):
        for charge in charges:
            if number:
                last = charge.readings[-1]
                charge.readings[1:] = [Reading(last.at + EVERY, last.meter_wh + STEP_WH)]
            if number == UPDATES - 1:
                charge.state, charge.stop_reason = SessionState.ENDED, StopReason.VEHICLE
            yield UpdateItem(session_id=charge.session_id, update=charge.update(POWER_W))


def _bill(charge: Charge) -> ChargeRecord:
    return charge.bill()
