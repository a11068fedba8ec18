"""The home's side of a charge, for hosted homes: authorize, release, settle. Each is one step.

Lock order: the authorization's row, then the ledger's accounts.
"""

import msgspec

from hub.accounts.model import Digests, divide_owed
from hub.accounts.service import Accounts, debt_of, moved, wallet_of
from hub.accounts.tables import (
    HostedAuthorization,
    HostedSettlement,
    authorization_for_update,
    credit_of_settlement,
)
from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.tables import insert_new
from hub.ledger.model import Account, Entry, HoldState
from hub.ledger.service import Ledger
from operator_sdk.contract.codes import AuthorizationState, RecordKind
from operator_sdk.contract.messages.records import HomeRecord, SettlementRecord
from operator_sdk.contract.messages.roaming import HomeAuthorization, HomeAuthorizeRequest
from operator_sdk.contract.public_codes import Code

_PENDING, _GRANTED = AuthorizationState.PENDING.value, AuthorizationState.GRANTED.value
_REFUSED, _RELEASED = AuthorizationState.REFUSED.value, AuthorizationState.RELEASED.value
_CONSUMED = AuthorizationState.CONSUMED.value

NOTHING = {
    "driver_amount_fen": 0,
    "captured_fen": 0,
    "released_fen": 0,
    "from_wallet_fen": 0,
    "debt_fen": 0,
}


class HostedCharging:
    """Answers for hosted homes what other homes answer for themselves."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        accounts: Accounts,
        ledger: Ledger,
        digests: Digests,
    ) -> None:
        self._database, self._clock = database, clock
        self._accounts, self._ledger, self._digests = accounts, ledger, digests

    async def authorize(self, home_party_id: str, request: HomeAuthorizeRequest) -> HomeAuthorization:
        """Hold `hold_fen` in the driver's wallet, or refuse; decided once per authorization id.

        Raises:
            HubError: id_reused, the id came with another question before.
        """
        token = self._digests.token(home_party_id, request.token.kind, request.token.ref)
        asked = self._digests.request(token, request.session_id, str(request.hold_fen))
        async with self._database.unit() as unit:
            new = await insert_new(
                unit,
                HostedAuthorization,
                authorization_id=request.authorization_id,
                home_party_id=home_party_id,
                request_digest=asked,
                state=_PENDING,
                limit_fen=request.hold_fen,
                made_at=self._clock.business(),
            )
            row = await authorization_for_update(unit, request.authorization_id)
            assert row is not None
            if row.home_party_id != home_party_id:
                raise NotFoundError
            if row.request_digest not in {None, asked}:
                raise HubError(Code.ID_REUSED, kind="authorization")
            if new:
                await self._decide(unit, row, request)
            return _answer(row)

    async def _decide(self, unit: Unit, row: HostedAuthorization, request: HomeAuthorizeRequest) -> None:
        home = row.home_party_id
        customer, refusal = await self._accounts.customer_of_token(unit, home, request.token)
        if customer is not None and refusal is None:
            row.customer_id = customer.customer_id
            await self._pay_debt(unit, row, customer.customer_id)
            # It stays until it is released or billed: money is never given back on a timer while energy
            # may flow.
            hold = await self._ledger.make_hold(
                unit,
                wallet_of(home, customer.customer_id),
                row.authorization_id,
                request.hold_fen,
                None,
            )
            if hold.state is not HoldState.OPEN:
                refusal = Code.INSUFFICIENT_FUNDS
        row.state = _GRANTED if refusal is None else _REFUSED
        row.refusal = refusal.value if refusal else None

    async def _pay_debt(self, unit: Unit, row: HostedAuthorization, customer_id: str) -> None:
        """Old debt comes before a new charge."""
        wallet, debt = (of(row.home_party_id, customer_id) for of in (wallet_of, debt_of))
        locked = await self._ledger.lock(unit, [wallet, debt])
        paid_fen = min(locked[debt].balance_fen, locked[wallet].available_fen)
        if paid_fen > 0:
            await self._ledger.post(
                unit,
                kind="debt_paid",
                reference=row.authorization_id,
                event_at=self._clock.business(),
                entries=[moved(wallet, paid_fen), moved(debt, -paid_fen)],
            )

    async def release(self, home_party_id: str, authorization_id: str) -> str:
        """Give back what an authorization holds; its state then. An unknown id succeeds and is burnt.

        Raises:
            NotFoundError: it is another home's.
        """
        async with self._database.unit() as unit:
            await insert_new(
                unit,
                HostedAuthorization,
                authorization_id=authorization_id,
                home_party_id=home_party_id,
                state=_RELEASED,
                limit_fen=0,
                made_at=self._clock.business(),
            )
            row = await authorization_for_update(unit, authorization_id)
            assert row is not None
            if row.home_party_id != home_party_id:
                raise NotFoundError
            if row.state == _GRANTED:
                await self._ledger.void_hold(unit, authorization_id)
                row.state = _RELEASED
            return row.state

    async def settle(self, home_party_id: str, record: HomeRecord) -> SettlementRecord:
        """Pay a record: from the hold, then the wallet's free balance, then as debt. Once per record id.

        A record after the release is owed all the same, and is paid without the hold. A credit gives back what
        its record took, which is nothing where it was not granted; a record that comes behind its credit takes
        nothing.

        Raises:
            NotFoundError: this home never authorized it.
            HubError: state_conflict, it was refused; id_reused, the record came with other content before.
        """
        if record.authorization_id is None or record.session_id is None:
            raise NotFoundError
        paid = self._content_of(record, record.authorization_id, record.session_id)
        async with self._database.unit() as unit:
            row = await authorization_for_update(unit, record.authorization_id)
            if row is not None and row.home_party_id != home_party_id:
                raise NotFoundError
            known = await unit.session.get(HostedSettlement, record.record_id)
            if known is not None:
                if known.request_digest != paid:
                    raise HubError(Code.ID_REUSED, kind="record")
                return _settlement(known)
            money = await self._move(unit, row, record)
            settled = HostedSettlement(
                record_id=record.record_id,
                credit_of=record.credit_of,
                home_party_id=home_party_id,
                session_id=record.session_id or "",
                authorization_id=record.authorization_id,
                request_digest=paid,
                settled_at=self._clock.business(),
                **money,
            )
            unit.session.add(settled)
            return _settlement(settled)

    async def _move(self, unit: Unit, row: HostedAuthorization | None, record: HomeRecord) -> dict[str, int]:
        """What a record takes, or a credit gives back; of what was never granted nothing was taken."""
        if row is None or row.customer_id is None or row.state not in {_GRANTED, _RELEASED, _CONSUMED}:
            if record.kind == RecordKind.CREDIT:
                return dict(NOTHING)
            raise NotFoundError if row is None else HubError(Code.STATE_CONFLICT, state=row.state)
        if record.kind == RecordKind.CREDIT:
            return await self._give_back(unit, row, row.customer_id, record)
        if await credit_of_settlement(unit, record.record_id) is not None:
            record = msgspec.structs.replace(record, owed_fen=0)
        money = await self._pay(unit, row, row.customer_id, record)
        row.state = _CONSUMED
        return money

    def _content_of(self, record: HomeRecord, authorization_id: str, session_id: str) -> str:
        reversed_one = () if record.credit_of is None else (record.credit_of,)
        return self._digests.request(
            authorization_id,
            session_id,
            record.host_party_id,
            str(record.owed_fen),
            record.currency,
            *reversed_one,
        )

    async def _pay(
        self,
        unit: Unit,
        row: HostedAuthorization,
        customer_id: str,
        record: HomeRecord,
    ) -> dict[str, int]:
        home = row.home_party_id
        wallet, debt = wallet_of(home, customer_id), debt_of(home, customer_id)
        earner = _earner(home, record.host_party_id)
        locked = await self._ledger.lock(unit, [wallet, debt, earner])
        hold = await self._ledger.hold(unit, row.authorization_id)
        still_held = hold.amount_fen if hold is not None and hold.state is HoldState.OPEN else 0
        shares = divide_owed(
            owed_fen=record.owed_fen,
            held_fen=still_held,
            free_fen=locked[wallet].available_fen,
        )
        if still_held:
            await self._capture(unit, record, row.authorization_id, (wallet, earner), shares.captured_fen)
        parts = [(wallet, shares.from_wallet_fen), (debt, shares.debt_fen)]
        await self._book_excess(unit, record, [moved(a, fen) for a, fen in parts if fen], earner)
        return {
            "driver_amount_fen": record.owed_fen,
            "captured_fen": shares.captured_fen,
            # What was given back before the bill came counts as released too.
            "released_fen": row.limit_fen - shares.captured_fen,
            "from_wallet_fen": shares.from_wallet_fen,
            "debt_fen": shares.debt_fen,
        }

    async def _give_back(
        self, unit: Unit, row: HostedAuthorization, customer_id: str, record: HomeRecord
    ) -> dict[str, int]:
        """What the credited record took: off the debt it left, as far as that stands, then into the wallet."""
        home = row.home_party_id
        wallet, debt = wallet_of(home, customer_id), debt_of(home, customer_id)
        earner = _earner(home, record.host_party_id)
        locked = await self._ledger.lock(unit, [wallet, debt, earner])
        taken = await unit.session.get(HostedSettlement, record.credit_of)
        taken_fen = taken.driver_amount_fen if taken is not None else 0
        off_debt_fen = min(taken.debt_fen, locked[debt].balance_fen) if taken is not None else 0
        to_wallet_fen = taken_fen - off_debt_fen
        parts = [(wallet, -to_wallet_fen), (debt, -off_debt_fen)]
        if taken_fen:
            await self._ledger.post(
                unit,
                kind="refund",
                reference=record.record_id,
                event_at=self._clock.business(),
                entries=[moved(earner, taken_fen), *(moved(account, fen) for account, fen in parts if fen)],
            )
        return {
            "driver_amount_fen": taken_fen,
            "captured_fen": 0,
            "released_fen": 0,
            "from_wallet_fen": -to_wallet_fen,
            "debt_fen": -off_debt_fen,
        }

    async def _capture(
        self,
        unit: Unit,
        record: HomeRecord,
        hold_id: str,
        between: tuple[Account, Account],
        amount_fen: int,
    ) -> None:
        wallet, earner = between
        await self._ledger.capture_hold(
            unit,
            hold_id,
            amount_fen,
            kind="capture",
            posting_reference=record.record_id,
            event_at=record.ended_at,
            entries=[moved(wallet, amount_fen), moved(earner, -amount_fen)] if amount_fen else [],
        )

    async def _book_excess(self, unit: Unit, record: HomeRecord, entries: list[Entry], earner: Account) -> None:
        if entries:
            total_fen = sum(entry.amount_fen for entry in entries)
            await self._ledger.post(
                unit,
                kind="excess",
                reference=record.record_id,
                event_at=record.ended_at,
                entries=[*entries, moved(earner, -total_fen)],
            )


def _earner(home: str, host: str) -> Account:
    return Account(home, "charging_sales") if home == host else Account(home, "payable", host)


def _answer(row: HostedAuthorization) -> HomeAuthorization:
    if row.state == _REFUSED:
        return HomeAuthorization(state=AuthorizationState.REFUSED, refusal=row.refusal)
    if row.state == _RELEASED:
        return HomeAuthorization(state=AuthorizationState.REFUSED, refusal=Code.RELEASED.value)
    return HomeAuthorization(
        state=AuthorizationState.GRANTED,
        limit_fen=row.limit_fen,
        home_ref=row.authorization_id,
        subject=row.customer_id,
    )


def _settlement(row: HostedSettlement) -> SettlementRecord:
    return SettlementRecord(
        settlement_ref=f"stl:{row.record_id}",
        record_id=row.record_id,
        session_id=row.session_id,
        driver_amount_fen=row.driver_amount_fen,
        captured_fen=row.captured_fen,
        released_fen=row.released_fen,
        settled_at=row.settled_at,
    )
