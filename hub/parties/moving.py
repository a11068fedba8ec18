"""What a party's protocol adds to it, and a party that answers at another address from now on."""

from collections.abc import Awaitable, Callable, Sequence

from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.parties.model import PartyProblem, check_base_url, join_roles
from hub.parties.tables import PartyRow
from operator_sdk.contract.public_codes import Code

Equip = Callable[[Unit], Awaitable[None]]
"""Adds, within the unit that adds a party, what its protocol needs."""


async def move_party(
    unit: Unit, party_id: str, *, roles: Sequence[str], base_url: str, relaxed: bool, plain: bool = False
) -> None:
    """Change where a party is called; its roles stay what they are. Known everywhere within seconds.

    `relaxed` and `plain` as in `check_base_url`.

    Raises:
        NotFoundError: no such party.
        HubError: rule_violated, other roles or an address that may not be.
    """
    row = await unit.session.get(PartyRow, party_id, with_for_update=True)
    if row is None:
        raise NotFoundError
    if join_roles(roles) != row.roles:
        raise HubError(Code.RULE_VIOLATED, reason=f"its roles are {row.roles}, and stay")
    try:
        row.base_url = check_base_url(base_url, relaxed=relaxed, plain=plain)
    except PartyProblem as problem:
        raise HubError(Code.RULE_VIOLATED, reason=str(problem)) from problem
