"""Handlers: daily checks of charge records."""

from hub.core.errors import HubError
from hub.core.paging import cut_page
from hub.protocols.native.call import Call, Handler
from operator_sdk.contract.messages import checks
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.public_codes import Code


async def check_records(call: Call, part: checks.RecordListPart) -> checks.RecordCheck:
    """An operator's list of a day, or a part of it."""
    return await call.services.record_checks.take(call.party_id, part, call.evidence)


async def list_record_checks(call: Call, _: Empty) -> checks.RecordCheckPage:
    """Checks of either side's list."""
    found = await call.services.record_checks.checks(
        call.viewer,
        day=call.asked(checks.RecordCheckQuery).day,
        after=call.after,
        updated_since=call.updated_since,
        limit=call.limit + 1,
    )
    items, after = cut_page(found, call.limit, lambda one: (one.updated_at, one.check_id))
    return checks.RecordCheckPage(items=items, next_after=after)


async def get_record_check(call: Call, _: Empty) -> checks.RecordCheck:
    """One check."""
    return await call.services.record_checks.check(call.viewer, call.path["check_id"])


async def list_record_differences(call: Call, _: Empty) -> checks.RecordDifferencePage:
    """Everything a check found, by number."""
    text = call.query.get("after") or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise HubError(Code.MALFORMED, field="after")
    found = await call.services.record_checks.differences(
        call.viewer, call.path["check_id"], after=int(text), limit=call.limit + 1
    )
    page = found[: call.limit]
    after = str(page[-1][0]) if len(found) > call.limit else None
    return checks.RecordDifferencePage(items=[one for _, one in page], next_after=after)


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (check_records, list_record_checks, get_record_check, list_record_differences)
}
