"""The home's decisions: authorize, release, charge for a record. Every message may come twice."""

from operator_sdk.clock import Clock
from operator_sdk.contract.codes import AuthorizationState, RecordKind
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.records import HomeRecord, RecordAnswer, SettlementRecord
from operator_sdk.contract.messages.roaming import (
    DriverAccount,
    HomeAuthorization,
    HomeAuthorizeRequest,
    ReleaseReply,
)
from operator_sdk.contract.public_codes import Code
from operator_sdk.examples.home.book import can_hold, refund, settle
from operator_sdk.examples.home.store import Hold, Store
from operator_sdk.guard import Refuse

_AFTER = {
    "open": AuthorizationState.GRANTED,
    "captured": AuthorizationState.CONSUMED,
    "released": AuthorizationState.RELEASED,
}


class Desk:
    """Answers the hub's questions about money."""

    def __init__(self, *, party_id: str, store: Store, clock: Clock) -> None:
        self._party_id = party_id
        self._store = store
        self._clock = clock

    def authorize(self, asked: HomeAuthorizeRequest) -> HomeAuthorization:
        """Hold the whole amount, or refuse; a hold made before answers the same again."""
        with self._store.unit():
            hold = self._store.hold_of(asked.authorization_id)
            if hold is not None:
                return _answer_for(hold)
            if self._store.is_burnt(asked.authorization_id):
                return _refused(Code.RELEASED)
            return self._hold(asked)

    def _hold(self, asked: HomeAuthorizeRequest) -> HomeAuthorization:
        driver = self._store.driver_by_token(asked.token.kind, asked.token.ref)
        if driver is None:
            return _refused(Code.TOKEN_UNKNOWN)
        if driver.blocked:
            return _refused(Code.TOKEN_BLOCKED)
        if not can_hold(self._store.account(driver.driver_id), asked.hold_fen):
            return _refused(Code.INSUFFICIENT_FUNDS)
        # The hub's name for the authorization serves as the home's own: both are unique.
        hold = Hold(
            asked.authorization_id,
            driver.driver_id,
            asked.hold_fen,
            "open",
            asked.authorization_id,
        )
        self._store.add_hold(hold)
        return _answer_for(hold)

    def release(self, authorization_id: str, home_ref: str | None = None) -> ReleaseReply:
        """Give the hold back. What is unknown is burnt; what was captured stays captured.

        `home_ref` finds a hold whose authorization id never reached us.
        """
        with self._store.unit():
            hold = self._store.hold_of(authorization_id)
            if hold is None and home_ref is not None:
                hold = self._store.hold(home_ref)
            state = AuthorizationState.RELEASED
            if hold is None:
                self._store.burn(authorization_id)
            elif hold.state == "captured":
                state = AuthorizationState.CONSUMED
            else:
                self._store.close_hold(hold.hold_ref, "released")
        return ReleaseReply(authorization_id=authorization_id, state=state)

    def settle(self, record: HomeRecord) -> RecordAnswer:
        """Charge the driver, once per record and once per authorization; a credit gives it back, once."""
        with self._store.unit():
            answered = self._store.answer_to(record.record_id)
            if answered is not None:
                return answered
            hold = self._store.hold_of(record.authorization_id or "")
            if hold is None and record.home_ref is not None:
                hold = self._store.hold(record.home_ref)
            is_credit = record.kind == RecordKind.CREDIT
            if hold is None:
                answer = RecordAnswer(state="refused", reason="no such authorization here")
            elif is_credit:
                answer = RecordAnswer(state="settled", settlement=self._give_back(record, hold))
            elif hold.state == "captured":
                answer = RecordAnswer(state="refused", reason="this authorization is settled")
            else:
                answer = RecordAnswer(state="settled", settlement=self._charge(record, hold))
            # How a charge was settled is asked for by its authorization: there is one of those.
            named = "" if is_credit else record.authorization_id or ""
            self._store.save_answer(record.record_id, named, answer)
            self._store.list_record(record)
        return answer

    def _give_back(self, record: HomeRecord, hold: Hold) -> SettlementRecord:
        """What the credited record took: off the driver's debt first, then into the balance."""
        charged = self._store.answer_to(record.credit_of or "")
        taken = charged.settlement.driver_amount_fen if charged and charged.settlement else 0
        self._store.set_money(hold.driver_id, refund(self._store.account(hold.driver_id), taken))
        return SettlementRecord(
            settlement_ref=f"settled-{record.record_id}",
            record_id=record.record_id,
            session_id=record.session_id,
            driver_amount_fen=taken,
            captured_fen=0,
            released_fen=0,
            settled_at=self._clock.business(),
        )

    def _charge(self, record: HomeRecord, hold: Hold) -> SettlementRecord:
        settled = settle(
            self._store.account(hold.driver_id),
            hold_fen=hold.amount_fen,
            hold_is_open=hold.state == "open",
            owed_fen=record.owed_fen,
        )
        self._store.close_hold(hold.hold_ref, "captured")
        self._store.set_money(hold.driver_id, settled.account)
        return SettlementRecord(
            settlement_ref=f"settled-{record.record_id}",
            record_id=record.record_id,
            session_id=record.session_id,
            driver_amount_fen=record.owed_fen,
            captured_fen=settled.captured_fen,
            released_fen=settled.released_fen,
            settled_at=self._clock.business(),
        )

    def driver_account(self, token: Token) -> DriverAccount:
        """Balance, holds and debt.

        Raises:
            Refuse: `not_found`.
        """
        driver = self._store.driver_by_token(token.kind, token.ref)
        if driver is None:
            raise Refuse(Code.NOT_FOUND)
        account = self._store.account(driver.driver_id)
        return DriverAccount(
            home_party_id=self._party_id,
            balance_fen=account.balance_fen,
            held_fen=account.held_fen,
            debt_fen=account.debt_fen,
            name=driver.name,
        )


def _refused(code: Code) -> HomeAuthorization:
    return HomeAuthorization(state=AuthorizationState.REFUSED, refusal=code)


def _answer_for(hold: Hold) -> HomeAuthorization:
    if hold.state == "released":
        return _refused(Code.RELEASED)
    return HomeAuthorization(
        state=AuthorizationState.GRANTED,
        limit_fen=hold.amount_fen,
        home_ref=hold.hold_ref,
        subject=hold.driver_id,
    )
