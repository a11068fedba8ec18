"""Handlers: obligations, cycles, statements, rates of commission, a party's own dead letters."""

import re
from datetime import datetime

from starlette.responses import Response

from hub.clearing.on_demand import make_paper, statement_apart
from hub.core.errors import HubError
from hub.core.outbox import list_dead
from hub.core.paging import cut_page, encode_cursor
from hub.core.tables import OutboxLetter
from hub.protocols.native.call import Call, Handler
from operator_sdk.contract.messages.admin import DeadLetter, DeadLetterPage
from operator_sdk.contract.messages.clearing import (
    CommissionRate,
    CommissionRateAdd,
    CommissionRateList,
    CyclePage,
    Obligation,
    ObligationPage,
    Statement,
    StatementQuery,
    StationGroupPut,
    StationGroups,
    TaxCode,
    TaxCodeAdd,
    TaxCodeList,
)
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.public_codes import Code

_OBLIGATION_ID = re.compile(r"[a-z0-9_-]{0,40}\Z")


async def list_obligations(call: Call, _: Empty) -> ObligationPage:
    """What the caller owes and is owed."""
    found = await call.services.clearing.obligations(
        call.viewer, after=call.after, updated_since=call.updated_since, limit=call.limit + 1
    )
    items, after = cut_page(found, call.limit, _place_of_obligation)
    return ObligationPage(items=items, next_after=after)


def _place_of_obligation(item: Obligation) -> tuple[datetime, str]:
    assert item.updated_at is not None
    return item.updated_at, item.obligation_id


async def list_cycles(call: Call, _: Empty) -> CyclePage:
    """Clearing cycles."""
    found = await call.services.clearing.cycles(
        call.viewer, after=call.after, updated_since=call.updated_since, limit=call.limit + 1
    )
    page = found[: call.limit]
    after = encode_cursor(*page[-1][0]) if len(found) > call.limit else None
    return CyclePage(items=[cycle for _, cycle in page], next_after=after)


async def get_statement(call: Call, _: Empty) -> Statement | Response:
    """The caller's own statement, as a message or as a file."""
    return await _statement(call, None)


async def get_party_statement(call: Call, _: Empty) -> Statement | Response:
    """Anybody's statement, as a message or as a file."""
    return await _statement(call, call.path["party_id"])


async def _statement(call: Call, party_id: str | None) -> Statement | Response:
    form, cycle_id, services = call.asked(StatementQuery).format, call.path["cycle_id"], call.services
    if form == "json":
        return await statement_apart(services.clearing, call.viewer, cycle_id, party_id)
    paper = await make_paper(
        services.clearing, services.database, call.viewer, cycle_id, form, party_id=party_id
    )
    how = "inline" if form == "html" else "attachment"
    headers = {
        "content-disposition": f'{how}; filename="{paper.file_name}"',
        "x-content-type-options": "nosniff",
    }
    return Response(paper.content, media_type=paper.content_type, headers=headers)


async def list_cycle_obligations(call: Call, _: Empty) -> ObligationPage:
    """All obligations of a cycle."""
    after = call.query.get("after", "")
    if not _OBLIGATION_ID.fullmatch(after):
        raise HubError(Code.MALFORMED, field="after")
    found = await call.services.clearing.members(
        call.viewer, call.path["cycle_id"], after=after, limit=call.limit + 1
    )
    page = found[: call.limit]
    more = page[-1].obligation_id if len(found) > call.limit else None
    return ObligationPage(items=page, next_after=more)


async def add_commission_rate(call: Call, request: CommissionRateAdd) -> CommissionRate:
    """What the hub takes of a fee from a day on."""
    return await call.services.rates.add_rate(request, actor=call.subject)


async def list_commission_rates(call: Call, _: Empty) -> CommissionRateList:
    """Every rate there ever was."""
    return await call.services.rates.rates()


async def put_station_group(call: Call, request: StationGroupPut) -> StationGroups:
    """The stations of a group."""
    return await call.services.rates.put_station_group(call.path["party_id"], request, actor=call.subject)


async def list_station_groups(call: Call, _: Empty) -> StationGroups:
    """An owner's groups of stations."""
    return await call.services.rates.station_groups(call.path["party_id"])


async def add_tax_code(call: Call, request: TaxCodeAdd) -> TaxCode:
    """A tax code from a day on."""
    return await call.services.rates.add_tax_code(request, actor=call.subject)


async def list_tax_codes(call: Call, _: Empty) -> TaxCodeList:
    """Every tax code there ever was."""
    return await call.services.rates.tax_codes()


async def list_my_dead_letters(call: Call, _: Empty) -> DeadLetterPage:
    """Messages to the caller that gave up."""
    return await dead_letters(call, call.party_id)


async def dead_letters(call: Call, party_id: str | None) -> DeadLetterPage:
    """A page of dead letters, of one party or of all."""
    after = call.query.get("after") or None
    async with call.services.database.reading() as unit:
        rows = await list_dead(unit, party_id=party_id, after=after, limit=call.limit + 1)
    page = rows[: call.limit]
    more = page[-1].letter_id if len(rows) > call.limit else None
    return DeadLetterPage(items=[_letter(row) for row in page], next_after=more)


async def replay_my_dead_letter(call: Call, _: Empty) -> DeadLetter:
    """Try a message to the caller again."""
    return await replay(call, call.party_id)


async def replay(call: Call, party_id: str | None) -> DeadLetter:
    """Put a dead letter back."""
    async with call.services.database.unit() as unit:
        row = await call.services.outbox.replay(unit, call.path["letter_id"], party_id=party_id)
        return _letter(row)


def _letter(row: OutboxLetter) -> DeadLetter:
    return DeadLetter(
        letter_id=row.letter_id,
        kind=row.kind,
        party_id=row.party_id,
        subject=row.subject,
        attempts=row.attempts,
        reason=row.reason or "",
        created_at=row.created_at,
        dead_at=row.dead_at or row.created_at,
    )


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (
        list_obligations,
        list_cycles,
        get_statement,
        get_party_statement,
        list_cycle_obligations,
        add_commission_rate,
        list_commission_rates,
        put_station_group,
        list_station_groups,
        add_tax_code,
        list_tax_codes,
        list_my_dead_letters,
        replay_my_dead_letter,
    )
}
