"""A session nobody can explain waits in suspense until the host's word, its bill or a person explains it."""

from hub.core.database import Unit
from hub.roaming.ports import MoneyWaits, WaitingMoney
from hub.roaming.tables import SessionRow
from operator_sdk.contract.codes import SuspenseKind, SuspenseOutcome

START_UNKNOWN = "start_unknown"


async def wait_for_word(unit: Unit, money_waits: MoneyWaits, session: SessionRow) -> None:
    """Put a session in suspense. No host claims anything yet, so no money is booked; the limit is at risk."""
    session.suspense = START_UNKNOWN
    await money_waits.open_suspense(
        unit,
        WaitingMoney(
            kind=SuspenseKind.SESSION,
            subject_id=session.session_id,
            home_party_id=session.home_party_id,
            host_party_id=session.host_party_id,
            amount_fen=0,
            currency="CNY",
            reason=START_UNKNOWN,
            evidence={"limit_fen": session.limit_fen, "state": session.state},
        ),
    )


async def explained(unit: Unit, money_waits: MoneyWaits, session: SessionRow) -> None:
    """The host has spoken: whatever the session is now, it is not unexplained."""
    if session.suspense is None:
        return
    session.suspense = None
    await money_waits.close_suspense(
        unit,
        SuspenseKind.SESSION,
        session.session_id,
        outcome=SuspenseOutcome.ACCEPTED,
        reason="the host explained it",
        by=session.host_party_id,
    )
