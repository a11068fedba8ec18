"""Use cases of hosted customers: add, give tokens, top up, look."""

from datetime import datetime

import msgspec

from hub.accounts.model import Digests
from hub.accounts.tables import (
    CustomerRow,
    CustomerToken,
    customer_by_id,
    customer_by_phone,
    customer_by_ref,
    find_customer,
    is_hosted,
    note_block,
    token_by_digest,
)
from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.core.tables import claim_message, insert_new
from hub.ledger.model import Account, Entry
from hub.ledger.service import Ledger
from hub.parties.scope import HUB, PartyScope
from operator_sdk.contract.codes import TokenKind
from operator_sdk.contract.edge_link.proof import token_digest
from operator_sdk.contract.ids import CUSTOMER
from operator_sdk.contract.messages.admin import Customer, CustomerAdd, TopUp
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.roaming import DriverAccount
from operator_sdk.contract.public_codes import Code


def wallet_of(home_party_id: str, customer_id: str) -> Account:
    """A customer's wallet, in the home's book."""
    return Account(home_party_id, "wallet", customer_id)


def debt_of(home_party_id: str, customer_id: str) -> Account:
    """What a customer owes the home beyond the wallet."""
    return Account(home_party_id, "customer_debt", customer_id)


def site_digest(token: Token) -> str:
    """A token as its home's own sites know it, in hex. A hosted token's letters are the same in either case."""
    return token_digest(Token(kind=token.kind, ref=token.ref.strip().upper())).hex()


def moved(account: Account, amount_fen: int) -> Entry:
    """One entry; debit positive."""
    return Entry(**account._asdict(), amount_fen=amount_fen)


class Accounts:
    """Hosted customers and their wallets."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, *, ledger: Ledger, digests: Digests) -> None:
        self._database, self._clock, self._ids = database, clock, ids
        self._ledger, self._digests = ledger, digests

    async def add_customer(self, add: CustomerAdd) -> Customer:
        """A new customer; the same one again is answered again.

        Raises:
            NotFoundError: no such hosted home.
            HubError: id_reused, the reference or the phone belongs to another customer.
        """
        phone_digest = self._digests.phone(add.home_party_id, add.phone)
        async with self._database.unit() as unit:
            if not await is_hosted(unit, add.home_party_id):
                raise NotFoundError
            new = await insert_new(
                unit,
                CustomerRow,
                customer_id=self._ids.new(CUSTOMER),
                home_party_id=add.home_party_id,
                customer_ref=add.customer_ref,
                phone_digest=phone_digest,
                name=add.name,
                created_at=self._clock.wall(),
            )
            row = await customer_by_ref(unit, add.home_party_id, add.customer_ref)
            if row is None:
                raise HubError(Code.ID_REUSED, kind="phone")
            if not new and (row.phone_digest, row.name) != (phone_digest, add.name):
                raise HubError(Code.ID_REUSED, kind="customer")
            return await self._view(unit, row)

    async def customer(self, viewer: PartyScope, customer_id: str) -> Customer:
        """A customer and the wallet.

        Raises:
            NotFoundError: unknown, or somebody else's.
        """
        async with self._database.reading() as unit:
            return await self._view(unit, await self._customer(viewer, unit, customer_id))

    async def add_token(
        self, customer_id: str, token: Token, *, expires_at: datetime | None = None
    ) -> Customer:
        """Give a customer a card, VIN or plate; only its digest is kept.

        Raises:
            NotFoundError: no such customer.
            HubError: id_reused, it is another customer's; rule_violated, an app user is no token to give.
        """
        if token.kind is TokenKind.APP_USER:
            raise HubError(Code.RULE_VIOLATED)
        async with self._database.unit() as unit:
            row = await self._customer(HUB, unit, customer_id)
            digest = self._digests.token(row.home_party_id, token.kind, token.ref)
            await insert_new(
                unit,
                CustomerToken,
                home_party_id=row.home_party_id,
                kind=token.kind.value,
                token_digest=digest,
                customer_id=customer_id,
                blocked=False,
                expires_at=expires_at,
            )
            kept = await token_by_digest(unit, row.home_party_id, token.kind, digest)
            if kept is None or (kept.customer_id, kept.expires_at) != (customer_id, expires_at):
                raise HubError(Code.ID_REUSED, kind="token")
            return await self._view(unit, row)

    async def block_token(self, customer_id: str, token: Token, *, blocked: bool = True) -> Customer:
        """Block a token or let it be used again.

        Raises:
            NotFoundError: no such customer, or not this customer's token.
        """
        async with self._database.unit() as unit:
            row = await self._customer(HUB, unit, customer_id)
            digest = self._digests.token(row.home_party_id, token.kind, token.ref)
            kept = await token_by_digest(unit, row.home_party_id, token.kind, digest)
            if kept is None or kept.customer_id != customer_id:
                raise NotFoundError
            kept.blocked = blocked
            await note_block(unit, row.home_party_id, site_digest(token), blocked=blocked)
            return await self._view(unit, row)

    async def top_up(self, customer_id: str, top_up: TopUp) -> Customer:
        """Book money that reached the home's bank account; debt is paid first. Once per reference and home.

        Raises:
            NotFoundError: no such customer.
            HubError: id_reused, the reference was used for another customer or amount.
        """
        async with self._database.unit() as unit:
            row = await self._customer(HUB, unit, customer_id)
            home = row.home_party_id
            new, _ = await claim_message(
                unit,
                party_id=home,
                kind="top_up",
                external_id=top_up.top_up_ref,
                canonical=msgspec.json.encode([customer_id, top_up.amount_fen]),
                subject_id=customer_id,
                now=self._clock.wall(),
            )
            if new:
                await self._book_top_up(unit, row, top_up)
            return await self._view(unit, row)

    async def _book_top_up(self, unit: Unit, row: CustomerRow, top_up: TopUp) -> None:
        home, customer_id = row.home_party_id, row.customer_id
        bank = Account(home, "funds_at_bank")
        wallet, debt = wallet_of(home, customer_id), debt_of(home, customer_id)
        owed_fen = (await self._ledger.lock(unit, [bank, wallet, debt]))[debt].balance_fen
        paid_fen = min(owed_fen, top_up.amount_fen)
        parts = [(debt, -paid_fen), (wallet, paid_fen - top_up.amount_fen)]
        await self._ledger.post(
            unit,
            kind="top_up",
            reference=f"{home}:{top_up.top_up_ref}",
            event_at=self._clock.business(),
            entries=[moved(bank, top_up.amount_fen), *(moved(a, fen) for a, fen in parts if fen)],
        )

    async def driver_account(self, home_party_id: str, token: Token) -> DriverAccount:
        """What the account behind a token says.

        Raises:
            NotFoundError: this home knows no such token.
        """
        async with self._database.reading() as unit:
            row, _ = await self.customer_of_token(unit, home_party_id, token)
            if row is None:
                raise NotFoundError
            seen = await self._view(unit, row)
        return DriverAccount(
            home_party_id=home_party_id,
            balance_fen=seen.balance_fen,
            held_fen=seen.held_fen,
            debt_fen=seen.debt_fen,
            name=row.name,
        )

    async def customer_of_token(
        self, unit: Unit, home_party_id: str, token: Token
    ) -> tuple[CustomerRow | None, Code | None]:
        """Whose token it is, and why it may not charge. An app user is named by the hub's or the home's id."""
        if token.kind is TokenKind.APP_USER:
            row = await customer_by_id(unit, home_party_id, token.ref)
            row = row or await customer_by_ref(unit, home_party_id, token.ref)
            return row, None if row else Code.TOKEN_UNKNOWN
        digest = self._digests.token(home_party_id, token.kind, token.ref)
        kept = await token_by_digest(unit, home_party_id, token.kind, digest)
        if kept is None:
            return None, Code.TOKEN_UNKNOWN
        row = await customer_by_id(unit, home_party_id, kept.customer_id)
        if kept.blocked:
            return row, Code.TOKEN_BLOCKED
        if kept.expires_at is not None and kept.expires_at <= self._clock.wall():
            return row, Code.TOKEN_EXPIRED
        return row, None

    async def customer_id_of_phone(self, unit: Unit, home_party_id: str, phone_digest: str) -> str | None:
        """Whose phone it is."""
        row = await customer_by_phone(unit, home_party_id, phone_digest)
        return row.customer_id if row else None

    async def _customer(self, viewer: PartyScope, unit: Unit, customer_id: str) -> CustomerRow:
        row = await find_customer(viewer, unit, customer_id)
        if row is None:
            raise NotFoundError
        return row

    async def _view(self, unit: Unit, row: CustomerRow) -> Customer:
        home, customer_id = row.home_party_id, row.customer_id
        wallet = await self._ledger.balances(unit, *wallet_of(home, customer_id))
        debt = await self._ledger.balances(unit, *debt_of(home, customer_id))
        return Customer(
            customer_id=customer_id,
            home_party_id=home,
            customer_ref=row.customer_ref,
            balance_fen=wallet.balance_fen,
            held_fen=wallet.held_fen,
            debt_fen=debt.balance_fen,
        )
