"""Bugs for the simulator: every answer is polite, and only who adds everything up can see them."""

from typing import Any


async def money_is_released_before_the_stop_is_confirmed(right: Any, self: Any, letter: Any) -> None:
    """Promise 8: a host that accepted and then says nothing for a minute is taken to have failed."""
    from hub.parties.scope import HUB
    from hub.roaming.tables import get_session
    from operator_sdk.contract.public_codes import Code

    async with self._c.database.unit() as unit:
        session = await get_session(HUB, unit, letter.subject, lock=True)
        if session is not None and session.state == "starting":
            await self._charges.fail_start(unit, session, Code.HOST_UNAVAILABLE)


async def who_comes_at_midnight_is_in_both_cycles(
    right: Any, unit: Any, cycle: Any, *, to: str, day: str, now: Any
) -> int:
    """Promise 9: what came between the cut-off and the freezing goes on, and a copy of it stays behind."""
    from hub.clearing.entering import derived_id
    from hub.clearing.tables import OBLIGATION

    moved = int(await right(unit, cycle, to=to, day=day, now=now))
    late = OBLIGATION.select().where(
        OBLIGATION.c.cycle_id == to, OBLIGATION.c.accepted_at >= cycle.cutoff_at, OBLIGATION.c.kind == "charge"
    )
    for row in (await unit.execute(late)).all() if moved else ():
        copy = {name: row._mapping[name] for name in _OWED} | dict.fromkeys(_NO_FEES, 0)
        copy |= {"kind": "claim", "claim_of": cycle.cycle_id, "cycle_id": cycle.cycle_id, "updated_at": now}
        copy["obligation_id"] = derived_id(now, row.obligation_id)
        await unit.execute(OBLIGATION.insert().values(copy))
    return moved


_OWED = (
    "debtor_party_id", "creditor_party_id", "amount_fen", "currency", "frequency", "booked_day", "accepted_at",
    "state",
)  # fmt: skip
_NO_FEES = [
    f"{kind}_{unit}" for kind in ("electricity", "service", "parking", "idle") for unit in ("fen", "ppm")
]
_NO_FEES.append("commission_fen")


async def a_credit_said_again_is_posted_again(
    right: Any, self: Any, unit: Any, host_party_id: str, record: Any, *named: Any, **how: Any
) -> Any:
    """Promise 3: the answer to a credit is lost, the host asks again, and the home gets its money twice."""
    from hub.clearing import postings
    from hub.parties.scope import HUB
    from hub.roaming.tables_records import get_record
    from operator_sdk.contract.messages.records import CreditRecord

    known = await right(self, unit, host_party_id, record, *named, **how)
    if known is not None and isinstance(record, CreditRecord) and known.owed_fen:
        row: Any = await get_record(HUB, unit, known.record_id)
        if row.home_party_id != host_party_id:
            clearing = self._c.record_accepted
            entries = postings.obligation_entries(
                debtor=host_party_id, creditor=row.home_party_id, amount_fen=row.owed_fen, currency=row.currency
            )
            reference = f"{row.record_id}#again"
            now = self._c.clock.business()
            await clearing._ledger.post(unit, kind="refund", reference=reference, event_at=now, entries=entries)
    return known


async def an_unanswered_pay_out_leaves_again(
    right: Any, self: Any, unit: Any, row: Any, message: Any, by: str
) -> bool:
    """Promise 12: nobody knows whether a pay-out was booked, so it is booked again under another number."""
    from hub.clearing import postings_payments as postings
    from hub.ledger.model import CLEARING

    is_new = await right(self, unit, row, message, by)
    if not is_new and row.direction == "pay_out" and row.party_id != self._hub_party_id:
        cash = await self._ledger.balances(unit, CLEARING, "settlement_cash", "", row.currency)
        if cash.available_fen >= message.amount_fen:
            await self._ledger.post(
                unit,
                kind=postings.PAY_OUT,
                reference=f"{message.movement_ref}#again",
                event_at=message.moved_at,
                entries=postings.pay_out_entries(
                    row.party_id, message.amount_fen, currency=row.currency, hub_party_id=self._hub_party_id
                ),
            )
    return bool(is_new)


async def a_late_record_is_booked_into_the_closed_day(right: Any, unit: Any, cycle: Any, **to: Any) -> int:
    """Promises 9 and 11: what was accepted after the cut-off stays in the cycle that was cut off."""
    return 0


def one_creditor_bears_the_default(right: Any, missing: Any, gross: Any, payouts: Any) -> Any:
    """Promise 10: the loss of a default is not shared, but borne by the creditor that is owed most."""
    alone = {
        debtor: dict([max(claims.items(), key=lambda claim: (payouts.get(claim[0], 0), claim))])
        if debtor in missing
        else dict(claims)
        for debtor, claims in gross.items()
    }
    return right(missing, alone, payouts)
