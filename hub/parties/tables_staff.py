"""Wrong passwords by login, known or not; forgetting what has run out."""

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Field, col

from hub.core.database import Unit
from hub.core.tables import insert_for
from hub.core.types import TableRow, instant
from hub.parties.model import functions_of
from hub.parties.tables import StaffRow, StaffSessionRow


class SignInFailure(TableRow, table=True):
    """Wrong passwords in a row. Logins that do not exist are counted too, so that they behave the same."""

    __tablename__ = "sign_in_failure"
    login: str = Field(primary_key=True, max_length=40)
    failures: int = 0
    last_at: datetime | None = instant(nullable=True, index=True)


async def failures_for_update(unit: Unit, login: str) -> SignInFailure:
    """The login's row, held until the unit ends; made when there is none."""
    # DO UPDATE, not DO NOTHING: it waits for whoever is deleting the row, and then inserts.
    statement = insert_for(unit, SignInFailure).values(login=login, failures=0, last_at=None)
    statement = statement.on_conflict_do_update(index_elements=["login"], set_={"login": login})
    await (await unit.session.connection()).execute(statement)
    row = await unit.session.get(SignInFailure, login, with_for_update=True)
    assert row is not None
    return row


async def forget_failures(unit: Unit, *, before: datetime) -> None:
    """Failures that count no more, so that guessing at logins does not fill the table."""
    await unit.session.exec(delete(SignInFailure).where(col(SignInFailure.last_at) < before))


async def forget_sessions(unit: Unit, *, before: datetime) -> None:
    """Sessions that have ended."""
    await unit.session.exec(delete(StaffSessionRow).where(col(StaffSessionRow.expires_at) < before))


async def same_person(unit: Unit, one: str, other: str) -> bool:
    """Whether two logins may be one person's: the same, or one made by the other."""
    rows = [await unit.session.get(StaffRow, login) for login in (one, other)]
    makers = {row.created_by for row in rows if row is not None}
    return one == other or not makers.isdisjoint({one, other})


async def functions_of_login(unit: Unit, login: str) -> frozenset[str]:
    """What a person may do, one by one; nothing where there is no such login."""
    row = await unit.session.get(StaffRow, login)
    return frozenset() if row is None else functions_of(row.roles.split(","))
