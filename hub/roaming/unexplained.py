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
    why = "the host explained it", session.host_party_id
    await _close(unit, money_waits, session, SuspenseOutcome.ACCEPTED, why)


async def given_up(unit: Unit, money_waits: MoneyWaits, session: SessionRow, *, reason: str, by: str) -> None:
    """A person says that no bill is to be expected: the limit is at risk no more."""
    await _close(unit, money_waits, session, SuspenseOutcome.RETURNED, (reason, by))


async def _close(
    unit: Unit,
    money_waits: MoneyWaits,
    session: SessionRow,
    outcome: SuspenseOutcome,
    why: tuple[str, str],
) -> None:
    if session.suspense is None:
        return
    session.suspense = None
    reason, by = why
    await money_waits.close_suspense(
        unit, SuspenseKind.SESSION, session.session_id, outcome=outcome, reason=reason, by=by
    )
