"""Handlers: tariffs and where they apply."""

from hub.core.errors import HubError
from hub.protocols.native.call import Call, Handler
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.messages.directory import (
    Tariff,
    TariffAssignment,
    TariffAssignmentPage,
    TariffAssignmentPut,
    TariffPut,
)
from operator_sdk.contract.public_codes import Code

VERSION_DIGITS_MOST = 9


async def put_tariff(call: Call, put: TariffPut) -> Tariff:
    """Publish a version of the caller's tariff."""
    version = call.path["version"]
    if not version.isdigit() or len(version) > VERSION_DIGITS_MOST or int(version) < 1:
        raise HubError(Code.MALFORMED, field="version")
    return await call.services.directory.put_tariff(call.party_id, call.path["tariff_id"], int(version), put)


async def assign_tariff(call: Call, put: TariffAssignmentPut) -> TariffAssignment:
    """Where a tariff of the caller's applies."""
    return await call.services.directory.assign_tariff(call.party_id, put)


async def list_tariff_assignments(call: Call, _: Empty) -> TariffAssignmentPage:
    """The caller's assignments, and those made for its drivers."""
    return await call.services.directory.list_assignments(
        call.viewer, after=call.query.get("after") or None, limit=call.limit, updated_since=call.updated_since
    )


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (put_tariff, assign_tariff, list_tariff_assignments)
}
