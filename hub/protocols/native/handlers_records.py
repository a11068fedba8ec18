"""Handlers: charge records, credits, settlement records, and what staff decide about them."""

from hub.core.paging import cut_page
from hub.protocols.native.call import Call, Handler
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.messages.records import (
    ChargeRecord,
    CreditRecord,
    PartnerTrust,
    PartnerTrustPage,
    Record,
    RecordDecided,
    RecordDecision,
    RecordPage,
    RecordQuery,
    RecordReply,
    SettlementRecord,
    SettlementReply,
    TrustRestore,
    UnmatchedRecord,
)
from operator_sdk.contract.messages.roaming import SessionRelease, SessionReleased


async def push_record(call: Call, record: ChargeRecord) -> RecordReply:
    """A host's bill."""
    return await call.services.roaming.records.push(call.party_id, record, call.evidence)


async def push_unmatched_record(call: Call, record: UnmatchedRecord) -> RecordReply:
    """A host's bill of a charge unknown here."""
    return await call.services.roaming.records.push_unmatched(call.party_id, record, call.evidence)


async def push_credit(call: Call, credit: CreditRecord) -> RecordReply:
    """A host undoes a bill."""
    return await call.services.roaming.credits.push(call.party_id, credit, call.evidence)


async def push_settlement(call: Call, settlement: SettlementRecord) -> SettlementReply:
    """A home's answer to a bill."""
    return await call.services.roaming.records.settle(call.party_id, settlement, call.evidence)


async def get_record(call: Call, _: Empty) -> Record:
    """One record."""
    return await call.services.roaming.reading.record(call.viewer, call.path["record_id"])


async def list_records(call: Call, _: Empty) -> RecordPage:
    """The caller's records."""
    asked = call.asked(RecordQuery)
    found = await call.services.roaming.reading.records(
        call.viewer,
        after=call.after,
        updated_since=call.updated_since,
        limit=call.limit + 1,
        newest=asked.order == "newest",
        state=asked.state,
    )
    items, after = cut_page(found, call.limit, lambda item: (item.updated_at, item.record_id))
    return RecordPage(items=items, next_after=after)


async def decide_record(call: Call, decision: RecordDecision) -> RecordDecided:
    """What becomes of a suspended record."""
    return await call.services.roaming.deciding.decide(call.path["record_id"], decision, actor=call.subject)


async def release_session(call: Call, message: SessionRelease) -> SessionReleased:
    """No bill stands for a session: what is held for it goes."""
    return await call.services.roaming.releasing.release(call.path["session_id"], message, actor=call.subject)


async def list_partner_trust(call: Call, _: Empty) -> PartnerTrustPage:
    """Hosts whose records are disputed."""
    found = await call.services.roaming.trust.hosts(after=call.query.get("after"), limit=call.limit + 1)
    page = found[: call.limit]
    return PartnerTrustPage(items=page, next_after=page[-1].party_id if len(found) > call.limit else None)


async def restore_trust(call: Call, request: TrustRestore) -> PartnerTrust:
    """A host is taken at its word again."""
    return await call.services.roaming.trust.restore(call.path["party_id"], request, actor=call.subject)


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler
    for handler in (
        push_record,
        push_unmatched_record,
        push_credit,
        push_settlement,
        get_record,
        list_records,
        decide_record,
        release_session,
        list_partner_trust,
        restore_trust,
    )
}
