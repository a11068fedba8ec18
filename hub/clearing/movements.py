"""Money that moved at the bank is written down once, under the bank's own number, as one thing.

A number is one over payments and deposits together: booked as both, the settlement account would hold the money
twice. Whoever books claims the number first, so that of two who book at once the second waits for the first.
"""

from datetime import UTC, datetime

import msgspec

from hub.clearing.tables_payments import DepositMovement, PaymentMovement
from hub.core.database import Unit
from hub.core.errors import HubError
from hub.core.tables import claim_message
from operator_sdk.contract.public_codes import Code

BANK_MOVEMENT = "bank_movement"
"""Kind of the claim."""

DRAW = "draw:"
"""Begins the references of what the hub itself takes out of deposits; no bank's number does."""

Movement = PaymentMovement | DepositMovement


def draw_ref(payment_id: str) -> str:
    """The reference under which a deposit is drawn for a payment, once."""
    return DRAW + payment_id


async def take_movement(unit: Unit, movement: Movement, *, hub_party_id: str, now: datetime) -> bool:
    """Write a movement down unless it is already; whether it was new. `now` is the wall clock's.

    Raises:
        HubError: rule_violated, the number is one of the hub's own; id_reused, it was booked with other content
            or as the other kind.
    """
    number = movement.movement_ref
    if number.startswith(DRAW):
        raise HubError(
            Code.RULE_VIOLATED, field="movement_ref", problem=f"{DRAW} begins the hub's own references"
        )
    # What was booked before numbers were claimed is known by its row alone.
    known = await _find(unit, number)
    if known is not None:
        if _content(known) != _content(movement):
            raise HubError(Code.ID_REUSED, kind=BANK_MOVEMENT)
        return False
    new, _ = await claim_message(
        unit,
        party_id=hub_party_id,
        kind=BANK_MOVEMENT,
        external_id=number,
        canonical=_content(movement),
        subject_id=_subject(movement),
        now=now,
    )
    if new:
        unit.session.add(movement)
        await unit.session.flush()
    return new


async def _find(unit: Unit, number: str) -> Movement | None:
    payment: PaymentMovement | None = await unit.session.get(PaymentMovement, number)
    return payment or await unit.session.get(DepositMovement, number)


def _subject(movement: Movement) -> str:
    return movement.payment_id if isinstance(movement, PaymentMovement) else movement.party_id


def _content(movement: Movement) -> bytes:
    """What the bank did, and what it was booked for. A draw is not what a person books."""
    is_draw = isinstance(movement, DepositMovement) and movement.payment_id is not None
    facts = (movement.__tablename__, _subject(movement), movement.amount_fen, is_draw)
    return msgspec.json.encode((*facts, movement.moved_at.astimezone(UTC)))
