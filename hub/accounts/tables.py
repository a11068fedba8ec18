"""Rows of hosted customers, their tokens, authorizations and settlements. Every query is bound to a home."""

from datetime import datetime

from sqlalchemy import UniqueConstraint, delete, update
from sqlmodel import Field, col, select

from hub.core.database import Unit
from hub.core.tables import Counter, insert_new, table_of
from hub.core.types import TableRow, big, instant
from hub.parties.scope import PartyScope
from hub.parties.tables import PartyRow


class CustomerRow(TableRow, table=True):
    """A driver of a hosted home. The phone is a keyed digest; the wallet is in the ledger."""

    __tablename__ = "customer"
    customer_id: str = Field(primary_key=True, max_length=40)
    home_party_id: str = Field(max_length=9, foreign_key="party.party_id")
    customer_ref: str = Field(max_length=64)
    phone_digest: str = Field(max_length=64)
    name: str = Field(max_length=200)
    created_at: datetime = instant()

    __table_args__ = (
        UniqueConstraint("home_party_id", "customer_ref"),
        UniqueConstraint("home_party_id", "phone_digest"),
    )


class CustomerToken(TableRow, table=True):
    """A card, VIN or plate, as a keyed digest."""

    __tablename__ = "customer_token"
    home_party_id: str = Field(primary_key=True, max_length=9)
    kind: str = Field(primary_key=True, max_length=10)
    token_digest: str = Field(primary_key=True, max_length=64)
    customer_id: str = Field(max_length=40, foreign_key="customer.customer_id", index=True)
    blocked: bool = False
    expires_at: datetime | None = instant(nullable=True)


class BlockedToken(TableRow, table=True):
    """A blocked token as its home's own sites know it: `token_digest` of the edge link's contract, in hex.

    That digest has no key, so it is kept for as long as the token is blocked and no longer.
    """

    __tablename__ = "blocked_token"
    home_party_id: str = Field(primary_key=True, max_length=9)
    digest: str = Field(primary_key=True, max_length=32)


class HostedAuthorization(TableRow, table=True):
    """What a hosted home answered, for ever. Without `request_digest`: released before it was asked."""

    __tablename__ = "hosted_authorization"
    authorization_id: str = Field(primary_key=True, max_length=40)
    home_party_id: str = Field(max_length=9)
    customer_id: str | None = Field(default=None, max_length=40)
    request_digest: str | None = Field(default=None, max_length=64)
    state: str = Field(max_length=10)
    refusal: str | None = Field(default=None, max_length=40)
    limit_fen: int = big()
    made_at: datetime = instant()


class HostedSettlement(TableRow, table=True):
    """How a hosted home paid a charge record, or gave back what the record `credit_of` took.

    Of a credit, `driver_amount_fen` is what the driver got back; what went into the wallet and off the debt is
    negative.
    """

    __tablename__ = "hosted_settlement"
    record_id: str = Field(primary_key=True, max_length=40)
    credit_of: str | None = Field(default=None, max_length=40, index=True)
    home_party_id: str = Field(max_length=9)
    session_id: str = Field(max_length=40)
    authorization_id: str = Field(max_length=40)
    request_digest: str = Field(max_length=64)
    driver_amount_fen: int = big()
    captured_fen: int = big()
    released_fen: int = big()
    from_wallet_fen: int = big()
    debt_fen: int = big()
    settled_at: datetime = instant()


async def find_customer(viewer: PartyScope, unit: Unit, customer_id: str) -> CustomerRow | None:
    """A customer, for staff or the own home; no host sees one."""
    home = col(CustomerRow.home_party_id)
    statement = select(CustomerRow).where(CustomerRow.customer_id == customer_id, viewer.sees(home, home))
    return (await unit.session.exec(statement)).first()


async def credit_of_settlement(unit: Unit, record_id: str) -> str | None:
    """The credit by which what a record took was given back, if there is one."""
    row = table_of(HostedSettlement).c
    statement = select(row.record_id).where(row.credit_of == record_id)
    return (await unit.execute(statement)).scalar_one_or_none()


async def is_hosted(unit: Unit, home_party_id: str) -> bool:
    """Whether this party's customers are kept here."""
    party = await unit.session.get(PartyRow, home_party_id)
    return party is not None and party.protocol == "hosted"


async def customer_by_ref(unit: Unit, home_party_id: str, customer_ref: str) -> CustomerRow | None:
    """By the home's own number for the customer."""
    statement = select(CustomerRow).where(
        CustomerRow.home_party_id == home_party_id, CustomerRow.customer_ref == customer_ref
    )
    return (await unit.session.exec(statement)).first()


async def customer_by_id(unit: Unit, home_party_id: str, customer_id: str) -> CustomerRow | None:
    """By the hub's id, within one home."""
    row = await unit.session.get(CustomerRow, customer_id)
    return row if row is not None and row.home_party_id == home_party_id else None


async def customer_by_phone(unit: Unit, home_party_id: str, phone_digest: str) -> CustomerRow | None:
    """By the digest of the phone."""
    statement = select(CustomerRow).where(
        CustomerRow.home_party_id == home_party_id, CustomerRow.phone_digest == phone_digest
    )
    return (await unit.session.exec(statement)).first()


async def token_by_digest(unit: Unit, home_party_id: str, kind: str, token_digest: str) -> CustomerToken | None:
    """By the digest of a card, VIN or plate."""
    return await unit.session.get(CustomerToken, (home_party_id, kind, token_digest))


async def note_block(unit: Unit, home_party_id: str, digest: str, *, blocked: bool) -> None:
    """Put a token on its home's blacklist or take it off; the list's version moves with each change."""
    row = table_of(BlockedToken)
    if blocked:
        changed = await insert_new(unit, BlockedToken, home_party_id=home_party_id, digest=digest)
    else:
        own = (row.c.home_party_id == home_party_id, row.c.digest == digest)
        changed = bool((await unit.execute(delete(row).where(*own))).rowcount)
    if changed:
        counter = table_of(Counter)
        name = blacklist_counter(home_party_id)
        await insert_new(unit, Counter, name=name, value=0)
        await unit.execute(update(counter).where(counter.c.name == name).values(value=counter.c.value + 1))


def blacklist_counter(home_party_id: str) -> str:
    """The counter that is a blacklist's version."""
    return f"blacklist:{home_party_id}"


async def blacklist_version(unit: Unit, home_party_id: str) -> int:
    """The version of a home's blacklist; 0 while nothing was ever blocked."""
    row = table_of(Counter).c
    statement = select(row.value).where(row.name == blacklist_counter(home_party_id))
    return (await unit.execute(statement)).scalar_one_or_none() or 0


async def blacklist_digests(unit: Unit, home_party_id: str, *, most: int) -> list[str]:
    """The blacklist of a home, in order."""
    row = table_of(BlockedToken).c
    own = row.home_party_id == home_party_id
    statement = select(row.digest).where(own).order_by(row.digest).limit(most)
    return list((await unit.execute(statement)).scalars())


async def authorization_for_update(unit: Unit, authorization_id: str) -> HostedAuthorization | None:
    """An authorization, locked until the unit ends."""
    return await unit.session.get(
        HostedAuthorization, authorization_id, with_for_update=True, populate_existing=True
    )
