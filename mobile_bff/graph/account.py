"""The driver's own: sign-in, wallet and fault reports."""

from datetime import datetime

import strawberry

from mobile_bff.graph.scalars import FaultKind, FaultState, Fen, OrderState, known
from operator_sdk.contract.messages import access, places, roaming, upkeep


@strawberry.type(
    description="A home whose drivers can sign in: with phone and one-time code, or with an assertion that its "
    "own app shows."
)
class HomeOperator:
    party_id: strawberry.ID
    name: str
    by_code: bool
    by_assertion: bool


@strawberry.type(description="If the phone belongs to a driver, a code is on its way.")
class SignInCodeSent:
    expires_in_s: int


@strawberry.type(description="The driver's own tokens; the refresh token is spent when used.")
class SignedIn:
    access_token: str
    expires_in_s: int
    refresh_token: str


@strawberry.type(description="What the home says of the account.")
class Wallet:
    balance: Fen
    held: Fen | None
    debt: Fen | None


@strawberry.type(description="The driver. `wallet` is null where the home cannot say.")
class Me:
    home_party_id: strawberry.ID
    subject: strawberry.ID
    name: str
    wallet: Wallet | None


@strawberry.input(description="Something is wrong with this connector; photos are https links.")
class ReportFaultInput:
    connector: strawberry.ID
    kind: FaultKind
    idempotency_key: str
    text: str = ""
    photos: list[str] = strawberry.field(default_factory=list)
    session_id: strawberry.ID | None = None


@strawberry.type(description="A fault that the driver reported, and what came of it.")
class Fault:
    id: strawberry.ID
    connector: strawberry.ID
    station_name: str
    kind: FaultKind | None
    kind_text: str
    text: str
    photos: list[str]
    session_id: strawberry.ID | None
    state: FaultState | None
    state_text: str
    order_state: OrderState | None
    order_state_text: str
    outcome: str
    reported_at: datetime
    updated_at: datetime


def home_of(message: places.HomeOperator) -> HomeOperator:
    """A home."""
    return HomeOperator(
        party_id=strawberry.ID(message.party_id),
        name=message.name,
        by_code="code" in message.grants,
        by_assertion="assertion" in message.grants,
    )


def signed_in_of(message: access.DriverTokens) -> SignedIn:
    """Tokens."""
    return SignedIn(
        access_token=message.access_token,
        expires_in_s=message.expires_in,
        refresh_token=message.refresh_token,
    )


def me_of(message: roaming.DriverAccount, subject: str) -> Me:
    """The driver."""
    wallet = None
    if message.balance_fen is not None:
        wallet = Wallet(
            balance=Fen(message.balance_fen),
            held=None if message.held_fen is None else Fen(message.held_fen),
            debt=None if message.debt_fen is None else Fen(message.debt_fen),
        )
    return Me(
        home_party_id=strawberry.ID(message.home_party_id),
        subject=strawberry.ID(subject),
        name=message.name,
        wallet=wallet,
    )


def fault_of(message: upkeep.Fault) -> Fault:
    """A fault."""
    return Fault(
        id=strawberry.ID(message.fault_id),
        connector=strawberry.ID(message.connector),
        station_name=message.station_name,
        kind=known(FaultKind, message.kind),
        kind_text=message.kind,
        text=message.text,
        photos=message.photos,
        session_id=None if message.session_id is None else strawberry.ID(message.session_id),
        state=known(FaultState, message.state),
        state_text=message.state,
        order_state=known(OrderState, message.order_state),
        order_state_text=message.order_state,
        outcome=message.outcome,
        reported_at=message.reported_at,
        updated_at=message.updated_at,
    )
