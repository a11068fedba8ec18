"""What the directory's use cases ask of whoever calls them."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.directory.tables import lock_host
from hub.parties.tables import PartyRow
from operator_sdk.contract.codes import Role
from operator_sdk.contract.public_codes import Code

T = TypeVar("T")


async def host_for_update(unit: Unit, party_id: str) -> PartyRow:
    """A host, whose rows are held until the unit ends.

    Raises:
        NotFoundError: no such party, or not a host.
    """
    party = await lock_host(unit, party_id)
    if party is None or Role.HOST not in party.roles.split(","):
        raise NotFoundError
    return party


def in_utc(at: datetime) -> datetime:
    """The same instant in UTC.

    Raises:
        HubError: malformed, an instant at the end of the calendar.
    """
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise HubError(Code.MALFORMED, reason="implausible time") from None


def checked(value: T, kind: Any) -> T:
    """A value that is as the contract describes it.

    Raises:
        HubError: malformed.
    """
    try:
        return msgspec.convert(value, type=kind)  # type: ignore[no-any-return]
    except msgspec.ValidationError as problem:
        raise HubError(Code.MALFORMED, reason=str(problem)) from None
