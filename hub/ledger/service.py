"""Use cases of the books. All of them run inside somebody's unit: money moves with what it belongs to.

Lock order everywhere: accounts, sorted, then holds. A unit that books several postings over common accounts
locks them all first with `lock`, or books them at once with `post_many`.
"""

from collections.abc import Sequence
from datetime import datetime

from hub.core.clock import Clock, cut_to_ms, local_day
from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.ledger import tables_moves as moves
from hub.ledger.batch import book_all
from hub.ledger.model import (
    CNY,
    Account,
    Balance,
    Entry,
    Hold,
    HoldState,
    Posting,
    PostingFacts,
    check_posting,
    kind_of,
    natural_fen,
    same_content,
)
from hub.ledger.model_booking import Key, Locked, beginning, booking, ending
from operator_sdk.contract.ids import HOLD, POSTING
from operator_sdk.contract.public_codes import Code


class Ledger:
    """Books, balances and holds."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock, self._ids = clock, ids

    async def lock(self, unit: Unit, accounts: Sequence[Account]) -> dict[Account, Balance]:
        """Lock accounts until the unit ends, making those never used; their balances, now certain."""
        locked = await moves.lock_accounts(unit, accounts)
        return {account: row.balance(account) for account, row in locked.items()}

    async def balances(
        self, unit: Unit, book: str, kind: str, subject: str = "", currency: str = CNY
    ) -> Balance:
        """What an account holds; zeros when it was never used."""
        return await moves.read_balance(unit, Account(book, kind, subject, currency))

    async def post(
        self,
        unit: Unit,
        *,
        kind: str,
        reference: str,
        event_at: datetime,
        entries: Sequence[Entry],
        note: str = "",
    ) -> str:
        """Book a posting once; the same (kind, reference) with the same entries gives the same id again.

        Raises:
            ValueError: not a posting (see model.check_posting).
            HubError: insufficient_funds; id_reused, the reference was booked with other entries.
        """
        check_posting(entries)
        locked = await moves.lock_accounts(unit, [entry.account for entry in entries])
        statements = await moves.hot(unit)
        new = booking(self._facts(kind, reference, event_at, note), entries, locked)
        if new.overdraws():
            key = Key(kind, reference)
            known_id = (await statements.postings([key])).get(key)
            if known_id is None:
                raise HubError(Code.INSUFFICIENT_FUNDS)
        else:
            known_id, is_new = await statements.book(new)
            if is_new:
                return new.facts.posting_id
        # Neither known nor new: whoever shares an account with us was waited for, so this was taken by a
        # posting over other accounts.
        if known_id is None or not await self._is_same(unit, known_id, entries):
            raise HubError(Code.ID_REUSED, kind=kind)
        return known_id

    async def post_many(self, unit: Unit, postings: Sequence[Posting]) -> list[str]:
        """Book postings in their order, as `post` does each; their ids. When one is refused, none is booked.

        All accounts are locked once. Made for thousands: memory and the unit's time grow with their number.

        Raises:
            ValueError: one is not a posting.
            HubError: insufficient_funds; id_reused, one's reference was booked with other entries. The unit
                must be rolled back.
        """
        return await book_all(unit, postings, self._facts)

    def _facts(self, kind: str, reference: str, event_at: datetime, note: str) -> PostingFacts:
        booked_at = self._clock.business()
        return PostingFacts(
            posting_id=self._ids.new(POSTING),
            kind=kind,
            reference=reference,
            event_at=cut_to_ms(event_at),
            booked_at=booked_at,
            business_day=local_day(booked_at),
            note=note,
        )

    async def _is_same(self, unit: Unit, posting_id: str, entries: Sequence[Entry]) -> bool:
        return same_content(entries, (await moves.entries_of(unit, [posting_id]))[posting_id])

    async def make_hold(
        self,
        unit: Unit,
        account: Account,
        reference: str,
        amount_fen: int,
        expires_at: datetime | None,
    ) -> Hold:
        """Reserve money, once per reference. Look at `state`: open, or refused for want of funds, for ever.

        A reference that was released before it was held comes back voided, without an account. `expires_at`
        None: the hold stays until it is captured or voided.

        Raises:
            ValueError: the amount is not positive.
            HubError: id_reused, the reference was held with another account or amount.
        """
        if amount_fen <= 0:
            raise ValueError("a hold reserves something")
        row = (await moves.lock_accounts(unit, [account]))[account]
        enough = kind_of(account).may_overdraw or row.balance(account).available_fen >= amount_fen
        state = HoldState.OPEN if enough else HoldState.REFUSED
        hold = self._new_hold(reference, account, amount_fen=amount_fen, state=state, expires_at=expires_at)
        if enough:
            row = row._replace(held_fen=row.held_fen + amount_fen)
        if await (await moves.hot(unit)).add_hold(beginning(hold), row):
            return hold
        known = await self._known(unit, reference)
        if known.account is not None and (known.account, known.amount_fen) != (account, amount_fen):
            raise HubError(Code.ID_REUSED, kind="hold")
        return known

    def _new_hold(
        self,
        reference: str,
        account: Account | None,
        *,
        amount_fen: int,
        state: HoldState,
        expires_at: datetime | None = None,
    ) -> Hold:
        return Hold(
            hold_id=self._ids.new(HOLD),
            reference=reference,
            account=account,
            amount_fen=amount_fen,
            captured_fen=0,
            released_fen=0,
            state=state,
            made_at=self._clock.business(),
            expires_at=None if expires_at is None else cut_to_ms(expires_at),
        )

    async def hold(self, unit: Unit, reference: str) -> Hold | None:
        """The hold under a reference, as it stands."""
        return await (await moves.hot(unit)).hold(reference)

    async def _known(self, unit: Unit, reference: str) -> Hold:
        hold = await self.hold(unit, reference)
        if hold is None:
            raise NotFoundError
        return hold

    async def capture_hold(
        self,
        unit: Unit,
        reference: str,
        amount_fen: int,
        *,
        kind: str,
        posting_reference: str,
        event_at: datetime,
        entries: Sequence[Entry],
        note: str = "",
    ) -> Hold:
        """End a hold by a posting that takes at most what it holds; the rest is released in the same unit.

        Capturing nothing takes no entries and books no posting. A second capture of the same amount under the
        same posting reference changes nothing and gives the same answer.

        Raises:
            ValueError: the entries do not take exactly `amount_fen` from the held account.
            NotFoundError: no such hold.
            HubError: rule_violated, more than the hold; state_conflict, it ended otherwise; id_reused.
        """
        hold = await self._known(unit, reference)
        if hold.account is None or hold.state is HoldState.REFUSED:
            raise HubError(Code.STATE_CONFLICT, state=hold.state.value)
        _check_capture(hold, hold.account, amount_fen, entries)
        if hold.state is HoldState.OPEN:
            facts = self._facts(kind, posting_reference, event_at, note)
            captured = await self._capture(unit, hold, hold.account, facts, amount_fen, entries)
            if captured is not None:
                return captured
            # It ended while its account was waited for.
            hold = await self._known(unit, reference)
        if hold.state is not HoldState.CAPTURED or hold.captured_fen != amount_fen:
            raise HubError(Code.STATE_CONFLICT, state=hold.state.value)
        key = Key(kind, posting_reference)
        booked = (await (await moves.hot(unit)).postings([key])).get(key)
        if entries and (booked is None or not await self._is_same(unit, booked, entries)):
            raise HubError(Code.STATE_CONFLICT, state=hold.state.value)
        return hold

    async def _capture(
        self,
        unit: Unit,
        hold: Hold,
        account: Account,
        facts: PostingFacts,
        amount_fen: int,
        entries: Sequence[Entry],
    ) -> Hold | None:
        """Capture a hold that was open when it was read. None: it is not any more, and nothing was written."""
        locked = await moves.lock_accounts(unit, [account, *(entry.account for entry in entries)])
        statements = await moves.hot(unit)
        at = self._clock.business()
        locked[account] = _freed(locked[account], hold)
        if not entries:
            end = ending(hold, HoldState.CAPTURED, captured_fen=0, at=at)
            return end.hold if await statements.end_hold(end, locked[account]) else None
        new = booking(facts, entries, locked)
        end = ending(hold, HoldState.CAPTURED, captured_fen=amount_fen, at=at, posting_id=facts.posting_id)
        overdraws = new.overdraws()
        if not overdraws and (await statements.capture(new, end)).is_new:
            return end.hold
        if (await self._known(unit, hold.reference)).state is not HoldState.OPEN:
            return None
        if overdraws and not await statements.postings([Key(facts.kind, facts.reference)]):
            raise HubError(Code.INSUFFICIENT_FUNDS)
        raise HubError(Code.ID_REUSED, kind=facts.kind)

    async def void_hold(self, unit: Unit, reference: str) -> Hold:
        """Give a hold back. One that has ended stays as it ended; an unknown reference is burnt."""
        seen = await self.hold(unit, reference)
        if seen is None:
            burnt = self._new_hold(reference, None, amount_fen=0, state=HoldState.VOIDED)
            if await (await moves.hot(unit)).add_hold(beginning(burnt), None):
                return burnt
            seen = await self._known(unit, reference)
        if seen.account is None or seen.state is not HoldState.OPEN:
            return seen
        row = (await moves.lock_accounts(unit, [seen.account]))[seen.account]
        end = ending(seen, HoldState.VOIDED, captured_fen=0, at=self._clock.business())
        if await (await moves.hot(unit)).end_hold(end, _freed(row, seen)):
            return end.hold
        return await self._known(unit, reference)

    async def expire_due(self, unit: Unit, now: datetime, *, limit: int = 100) -> list[Hold]:
        """Expire open holds whose time (business) has come; the expired ones, at most `limit`."""
        statements = await moves.hot(unit)
        seen = [await statements.hold(one) for one in await moves.due_holds(unit, now, limit)]
        due = [(hold, hold.account) for hold in seen if hold is not None and hold.account is not None]
        locked = await moves.lock_accounts(unit, [account for _, account in due])
        expired = []
        for hold, account in due:
            end = ending(hold, HoldState.EXPIRED, captured_fen=0, at=now)
            freed = _freed(locked[account], hold)
            if await statements.end_hold(end, freed):
                locked[account] = freed
                expired.append(end.hold)
        return expired


def _freed(row: Locked, hold: Hold) -> Locked:
    return row._replace(held_fen=row.held_fen - hold.amount_fen)


def _check_capture(hold: Hold, account: Account, amount_fen: int, entries: Sequence[Entry]) -> None:
    if not 0 <= amount_fen <= hold.amount_fen:
        raise HubError(Code.RULE_VIOLATED, at_most_fen=hold.amount_fen)
    if amount_fen or entries:
        check_posting(entries)
    moved = sum(entry.amount_fen for entry in entries if entry.account == account)
    if natural_fen(kind_of(account).side, moved) != -amount_fen:
        raise ValueError("the entries must take exactly the captured amount from the held account")
