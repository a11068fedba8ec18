"""Use cases of the books. All of them run inside somebody's unit: money moves with what it belongs to.

Lock order everywhere: accounts, sorted, then holds. A unit that books several postings over common accounts
locks them all first with `lock`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from hub.core.clock import Clock, cut_to_ms, local_day
from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.ledger import tables_moves as moves
from hub.ledger.model import (
    CNY,
    Account,
    Balance,
    Entry,
    Hold,
    HoldState,
    PostingFacts,
    check_posting,
    kind_of,
    natural_fen,
    posting_digest,
    same_content,
)
from hub.ledger.tables_hot import Locked
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
        known = await moves.posting_id_of(unit, kind, reference)
        if known is not None:
            if not same_content(entries, await moves.entries_of(unit, known)):
                raise HubError(Code.ID_REUSED, kind=kind)
            return known
        facts = self._facts(kind, reference, event_at, note)
        await self._book(unit, facts, entries, locked, {})
        return facts.posting_id

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

    async def _book(
        self,
        unit: Unit,
        facts: PostingFacts,
        entries: Sequence[Entry],
        locked: Mapping[Account, Locked],
        held_change: Mapping[Account, int],
    ) -> None:
        lines, after = moves.apply_entries(entries, locked, held_change)
        for account in after:
            balance = after[account].balance(account)
            if not kind_of(account).may_overdraw and balance.available_fen < 0:
                raise HubError(Code.INSUFFICIENT_FUNDS)
        await moves.insert_entries(unit, facts.posting_id, lines)
        await moves.move_accounts(unit, [row for a, row in after.items() if row != locked[a]])
        digest = posting_digest(facts, [line for _, line in lines])
        new = await moves.insert_posting(unit, facts, digest)
        if not new:
            # Whoever shares an account with us was waited for; so this was booked over other accounts.
            raise HubError(Code.ID_REUSED, kind=facts.kind)

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
        known = await moves.read_hold(unit, reference)
        if known is None:
            enough = kind_of(account).may_overdraw or row.balance(account).available_fen >= amount_fen
            hold = Hold(
                hold_id=self._ids.new(HOLD),
                reference=reference,
                account=account,
                amount_fen=amount_fen,
                captured_fen=0,
                released_fen=0,
                state=HoldState.OPEN if enough else HoldState.REFUSED,
                made_at=self._clock.business(),
                expires_at=expires_at,
            )
            if await moves.insert_hold(unit, hold, row.account_id):
                if enough:
                    await moves.move_accounts(unit, [row._replace(held_fen=row.held_fen + amount_fen)])
                return hold
            known = await moves.read_hold(unit, reference)
        assert known is not None
        if known.account is not None and (known.account, known.amount_fen) != (account, amount_fen):
            raise HubError(Code.ID_REUSED, kind="hold")
        return known

    async def hold(self, unit: Unit, reference: str) -> Hold | None:
        """The hold under a reference, as it stands."""
        return await moves.read_hold(unit, reference)

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
        seen = await self._known(unit, reference)
        if seen.account is None or seen.state is HoldState.REFUSED:
            raise HubError(Code.STATE_CONFLICT, state=seen.state.value)
        _check_capture(seen, seen.account, amount_fen, entries)
        locked = await moves.lock_accounts(unit, [seen.account, *(e.account for e in entries)])
        hold = await self._known(unit, reference)
        if hold.state is not HoldState.OPEN:
            return await self._captured_before(
                unit,
                hold,
                amount_fen=amount_fen,
                kind=kind,
                posting_reference=posting_reference,
                entries=entries,
            )
        posting_id = None
        freed = {seen.account: -hold.amount_fen}
        if entries:
            if await moves.posting_id_of(unit, kind, posting_reference) is not None:
                raise HubError(Code.ID_REUSED, kind=kind)
            facts = self._facts(kind, posting_reference, event_at, note)
            await self._book(unit, facts, entries, locked, freed)
            posting_id = facts.posting_id
        else:
            _, after = moves.apply_entries((), {seen.account: locked[seen.account]}, freed)
            await moves.move_accounts(unit, after.values())
        return await self._end(unit, hold, HoldState.CAPTURED, amount_fen, posting_id)

    async def _known(self, unit: Unit, reference: str) -> Hold:
        hold = await moves.read_hold(unit, reference)
        if hold is None:
            raise NotFoundError
        return hold

    async def _captured_before(
        self,
        unit: Unit,
        hold: Hold,
        *,
        amount_fen: int,
        kind: str,
        posting_reference: str,
        entries: Sequence[Entry],
    ) -> Hold:
        if hold.state is not HoldState.CAPTURED or hold.captured_fen != amount_fen:
            raise HubError(Code.STATE_CONFLICT, state=hold.state.value)
        if entries:
            booked = await moves.posting_id_of(unit, kind, posting_reference)
            if booked is None or not same_content(entries, await moves.entries_of(unit, booked)):
                raise HubError(Code.STATE_CONFLICT, state=hold.state.value)
        return hold

    async def _end(
        self, unit: Unit, hold: Hold, state: HoldState, captured_fen: int, posting_id: str | None
    ) -> Hold:
        ended = replace(
            hold,
            state=state,
            captured_fen=captured_fen,
            released_fen=hold.amount_fen - captured_fen,
        )
        await moves.end_hold(unit, ended, at=self._clock.business(), posting_id=posting_id)
        return ended

    async def void_hold(self, unit: Unit, reference: str) -> Hold:
        """Give a hold back. One that has ended stays as it ended; an unknown reference is burnt."""
        seen = await moves.read_hold(unit, reference)
        if seen is None:
            burnt = Hold(
                hold_id=self._ids.new(HOLD),
                reference=reference,
                account=None,
                amount_fen=0,
                captured_fen=0,
                released_fen=0,
                state=HoldState.VOIDED,
                made_at=self._clock.business(),
                expires_at=None,
            )
            if await moves.insert_hold(unit, burnt, None):
                return burnt
            seen = await self._known(unit, reference)
        if seen.account is None or seen.state is not HoldState.OPEN:
            return seen
        return await self._give_back(unit, seen.account, reference, HoldState.VOIDED)

    async def _give_back(self, unit: Unit, account: Account, reference: str, state: HoldState) -> Hold:
        row = (await moves.lock_accounts(unit, [account]))[account]
        hold = await self._known(unit, reference)
        if hold.state is not HoldState.OPEN:
            return hold
        await moves.move_accounts(unit, [row._replace(held_fen=row.held_fen - hold.amount_fen)])
        return await self._end(unit, hold, state, 0, None)

    async def expire_due(self, unit: Unit, now: datetime, *, limit: int = 100) -> list[Hold]:
        """Expire open holds whose time (business) has come; the expired ones, at most `limit`."""
        due = [hold for hold in await moves.due_holds(unit, now, limit) if hold.account is not None]
        await moves.lock_accounts(unit, [hold.account for hold in due if hold.account is not None])
        expired = []
        for hold in due:
            assert hold.account is not None
            ended = await self._give_back(unit, hold.account, hold.reference, HoldState.EXPIRED)
            if ended.state is HoldState.EXPIRED:
                expired.append(ended)
        return expired


def _check_capture(hold: Hold, account: Account, amount_fen: int, entries: Sequence[Entry]) -> None:
    if not 0 <= amount_fen <= hold.amount_fen:
        raise HubError(Code.RULE_VIOLATED, at_most_fen=hold.amount_fen)
    if amount_fen or entries:
        check_posting(entries)
    moved = sum(entry.amount_fen for entry in entries if entry.account == account)
    if natural_fen(kind_of(account).side, moved) != -amount_fen:
        raise ValueError("the entries must take exactly the captured amount from the held account")
