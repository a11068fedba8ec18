"""What each side may see: one view per role, from the same rows."""

from dataclasses import dataclass
from datetime import datetime

from hub.core.errors import NotFoundError
from hub.parties.scope import PartyScope
from hub.roaming.context import RoamingContext
from hub.roaming.reading_records import record_view
from hub.roaming.tables import (
    SessionRow,
    get_authorization,
    get_session,
    list_known_as,
    list_sessions,
    session_of_leg,
)
from hub.roaming.tables_records import get_record, list_records
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.records import Record
from operator_sdk.contract.messages.roaming import Session


@dataclass(frozen=True, slots=True)
class Leg:
    """A session as one party knows it. `direction` in: the party came with its number; out: the hub has it."""

    side: str
    party_id: str
    protocol: str
    number: str
    direction: str


@dataclass(frozen=True, slots=True)
class KnownAs:
    """A session with its legs."""

    session: Session
    legs: list[Leg]


class Reading:
    """Answers questions about sessions and records."""

    def __init__(self, context: RoamingContext) -> None:
        self._c = context

    async def session(self, viewer: PartyScope, session_id: str) -> Session:
        """One session. Raises NotFoundError when the viewer does not see it."""
        async with self._c.database.reading() as unit:
            row = await get_session(viewer, unit, session_id)
        if row is None:
            raise NotFoundError
        return session_view(viewer, row)

    async def find_by_ref(self, viewer: PartyScope, side: str, ref: str) -> SessionRow | None:
        """The session that the viewer, as its `side` ("home" or "host"), knows by this number."""
        async with self._c.database.reading() as unit:
            return await session_of_leg(viewer, unit, side, ref)

    async def known_as(self, viewer: PartyScope, number: str) -> list[KnownAs]:
        """The sessions that somebody knows by a number: the hub's own id, the home's number or the host's."""
        async with self._c.database.reading() as unit:
            rows = await list_known_as(viewer, unit, number)
        found: dict[str, KnownAs] = {}
        for session, leg in rows:
            known = found.setdefault(session.session_id, KnownAs(session_view(viewer, session), []))
            if leg is not None:
                known.legs.append(Leg(leg.side, leg.party_id, leg.protocol, leg.external_ref, leg.direction))
        return list(found.values())

    async def session_of(self, viewer: PartyScope, authorization_id: str) -> str:
        """The session that an authorization is for. Raises NotFoundError when the viewer does not see it."""
        async with self._c.database.reading() as unit:
            row = await get_authorization(viewer, unit, authorization_id)
        if row is None:
            raise NotFoundError
        return row.session_id

    async def sessions(
        self,
        viewer: PartyScope,
        *,
        after: tuple[datetime, str] | None,
        updated_since: datetime | None,
        limit: int,
        newest: bool = False,
    ) -> list[Session]:
        """The viewer's sessions, oldest change first or newest first."""
        async with self._c.database.reading() as unit:
            rows = await list_sessions(
                viewer, unit, after=after, updated_since=updated_since, limit=limit, newest=newest
            )
        return [session_view(viewer, row) for row in rows]

    async def record(self, viewer: PartyScope, record_id: str) -> Record:
        """One record. Raises NotFoundError when the viewer does not see it."""
        async with self._c.database.reading() as unit:
            row = await get_record(viewer, unit, record_id)
        if row is None:
            raise NotFoundError
        return record_view(viewer, row)

    async def records(
        self,
        viewer: PartyScope,
        *,
        after: tuple[datetime, str] | None,
        updated_since: datetime | None,
        limit: int,
        newest: bool = False,
        state: str | None = None,
    ) -> list[Record]:
        """The viewer's records, of one state or of all, oldest change first or newest first."""
        async with self._c.database.reading() as unit:
            rows = await list_records(
                viewer,
                unit,
                after=after,
                updated_since=updated_since,
                limit=limit,
                newest=newest,
                state=state,
            )
        return [record_view(viewer, row) for row in rows]


def session_view(viewer: PartyScope, row: SessionRow) -> Session:
    """A session for a home, a host or a driver; each sees its own number for it."""
    is_home = viewer.everything or viewer.party_id == row.home_party_id
    is_host = viewer.everything or (viewer.party_id == row.host_party_id and viewer.driver_ref is None)
    own_ref = row.home_ref if is_home else row.host_ref
    return Session(
        session_id=row.session_id,
        start_mode=row.start_mode,
        state=row.state,
        home_party_id=row.home_party_id,
        host_party_id=row.host_party_id,
        connector=connector_ref(row.host_party_id, row.connector_id),
        target=row.target,
        energy_wh=row.energy_wh,
        amount_fen=row.amount_fen,
        power_w=row.power_w,
        last_number=row.last_number,
        created_at=row.created_at,
        updated_at=row.updated_at,
        ref=None if viewer.driver_ref is not None else own_ref,
        authorization_id=row.authorization_id if viewer.driver_ref is None else None,
        token_ref=row.token_ref if is_host else None,
        limit_fen=row.limit_fen,
        tariff_id=row.tariff_id,
        tariff_version=row.tariff_version,
        started_at=row.started_at,
        ended_at=row.ended_at,
        percent=row.percent if is_home else None,
        seconds_left=row.seconds_left if is_home else None,
        stop_reason=row.stop_reason,
        refusal=row.refusal,
    )
