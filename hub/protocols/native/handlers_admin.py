"""Handlers: what the hub's staff see and do."""

from hub.auditor.verify import audit
from hub.protocols.native.call import Call, Handler
from hub.protocols.native.handlers_clearing import dead_letters, replay
from operator_sdk.contract.messages.access import Key, KeyAdd, KeyList
from operator_sdk.contract.messages.admin import (
    Agreement,
    AgreementAdd,
    Customer,
    CustomerAdd,
    DeadLetter,
    DeadLetterPage,
    DriverTokenAdd,
    DriverTokenBlock,
    ExposurePut,
    ImportReport,
    LedgerReport,
    Party,
    PartyAdd,
    PartyPage,
    Staff,
    StaffAdd,
    StationImport,
    TopUp,
)
from operator_sdk.contract.messages.clearing import CycleClose, CycleResult
from operator_sdk.contract.messages.common import Empty, Token


async def _note(call: Call, **detail: object) -> None:
    """Put on the audit log, before it is done, what the service behind it does not log by itself."""
    subject = "/".join(call.path.values())
    await call.services.staff.note(call.subject, call.operation.id, subject, **detail)


async def add_party(call: Call, request: PartyAdd) -> Party:
    """A new operator."""
    return await call.services.parties.add_party(request, actor=call.subject)


async def list_parties(call: Call, _: Empty) -> PartyPage:
    """Operators."""
    return await call.services.parties.list_parties(after=call.query.get("after"), limit=call.limit)


async def set_exposure(call: Call, request: ExposurePut) -> Party:
    """What a home may owe."""
    return await call.services.parties.set_exposure(call.path["party_id"], request, actor=call.subject)


async def add_key(call: Call, request: KeyAdd) -> Key:
    """Propose a key; somebody else approves it."""
    return await call.services.parties.add_key(call.path["party_id"], request, actor=call.subject, alone=False)


async def approve_key(call: Call, _: Empty) -> Key:
    """Approve a key that somebody else proposed."""
    return await call.services.parties.approve_key(
        call.path["party_id"], call.path["key_id"], actor=call.subject
    )


async def revoke_key(call: Call, _: Empty) -> Key:
    """Revoke a key at once."""
    return await call.services.parties.revoke_key(
        call.path["party_id"], call.path["key_id"], actor=call.subject
    )


async def list_keys(call: Call, _: Empty) -> KeyList:
    """A party's keys."""
    return await call.services.parties.list_keys(call.path["party_id"])


async def add_agreement(call: Call, request: AgreementAdd) -> Agreement:
    """A new agreement."""
    return await call.services.parties.add_agreement(request, actor=call.subject)


async def add_staff(call: Call, request: StaffAdd) -> Staff:
    """A new person."""
    return await call.services.staff.add_staff(request, actor=call.subject)


async def import_stations(call: Call, request: StationImport) -> ImportReport:
    """Stations from CSV."""
    return await call.services.importer.run(request, actor=call.subject)


async def add_customer(call: Call, request: CustomerAdd) -> Customer:
    """A hosted driver."""
    await _note(call, home_party_id=request.home_party_id, customer_ref=request.customer_ref)
    return await call.services.accounts.add_customer(request)


async def get_customer(call: Call, _: Empty) -> Customer:
    """A hosted driver's wallet."""
    return await call.services.accounts.customer(call.viewer, call.path["customer_id"])


async def add_driver_token(call: Call, request: DriverTokenAdd) -> Customer:
    """A card, VIN or plate for a hosted driver."""
    await _note(call, kind=request.kind)
    token = Token(kind=request.kind, ref=request.ref)
    return await call.services.accounts.add_token(call.path["customer_id"], token)


async def block_driver_token(call: Call, request: DriverTokenBlock) -> Customer:
    """Block or unblock a token."""
    await _note(call, kind=request.kind, blocked=request.blocked)
    token = Token(kind=request.kind, ref=request.ref)
    return await call.services.accounts.block_token(call.path["customer_id"], token, blocked=request.blocked)


async def top_up_wallet(call: Call, request: TopUp) -> Customer:
    """Money into a wallet."""
    await _note(call, top_up_ref=request.top_up_ref, amount_fen=request.amount_fen)
    return await call.services.accounts.top_up(call.path["customer_id"], request)


async def verify_ledger(call: Call, _: Empty) -> LedgerReport:
    """Recompute the ledger."""
    return await audit(call.services.database.url)


async def close_cycle(call: Call, request: CycleClose) -> CycleResult:
    """Cut the open cycle off."""
    await _note(call, cutoff_at=request.cutoff_at.isoformat(), frequency=request.frequency)
    return await call.services.clearing.close_cycle(request.cutoff_at, frequency=request.frequency)


async def get_cycle(call: Call, _: Empty) -> CycleResult:
    """A cycle with everybody's position."""
    return await call.services.clearing.cycle_result(call.path["cycle_id"])


async def list_dead_letters(call: Call, _: Empty) -> DeadLetterPage:
    """Messages that gave up."""
    return await dead_letters(call, None)


async def replay_dead_letter(call: Call, _: Empty) -> DeadLetter:
    """Try a message again."""
    await _note(call)
    return await replay(call, None)


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (
        add_party,
        list_parties,
        set_exposure,
        add_key,
        approve_key,
        revoke_key,
        list_keys,
        add_agreement,
        add_staff,
        import_stations,
        add_customer,
        get_customer,
        add_driver_token,
        block_driver_token,
        top_up_wallet,
        verify_ledger,
        close_cycle,
        get_cycle,
        list_dead_letters,
        replay_dead_letter,
    )
}
