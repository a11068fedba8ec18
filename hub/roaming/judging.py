"""A bill is held against the 25 rules: the facts around it are collected, once, and every outcome is kept."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hub.core.database import Unit
from hub.directory.distance import metres, place_at
from hub.parties.model import Protocol
from hub.parties.scope import HUB
from hub.parties.tables import AgreementRow, find_agreement, find_party
from hub.roaming.context import RoamingContext
from hub.roaming.model_facts import (
    STRANGERS,
    ConnectorFacts,
    Elsewhere,
    Facts,
    LiveFacts,
    SessionFacts,
    Terms,
)
from hub.roaming.model_repricing import explained, reprice
from hub.roaming.model_rules import judge
from hub.roaming.model_rules_money import can_be_priced
from hub.roaming.tables import AuthorizationRow, SessionRow, get_authorization
from hub.roaming.tables_facts import Around, hints_of, last_update, place_of, records_around
from operator_sdk.contract.codes import AuthorizationState, SessionState
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import (
    Bill,
    ChargeRecord,
    Finding,
    Repriced,
    UnmatchedRecord,
)
from operator_sdk.contract.pricing import PricingError

NEVER_GRANTED = frozenset({AuthorizationState.PENDING.value, AuthorizationState.REFUSED.value})
TELL_READINGS = frozenset({Protocol.NATIVE, Protocol.HOSTED})
"""Protocols in which a host bills with the readings of its meter, and tells them when a charge ends."""

GIVEN_BACK = frozenset({AuthorizationState.RELEASED.value, AuthorizationState.EXPIRED.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What came of a bill: every outcome, its re-pricing where anything differs, and where it was made."""

    outcomes: list[Finding]
    repriced: Repriced | None
    station_id: str | None
    agreement: AgreementRow | None
    limit_fen: int | None


class Judging:
    """Collects facts and judges."""

    def __init__(self, context: RoamingContext) -> None:
        self._c = context

    async def of_session(
        self, unit: Unit, sender: str, session: SessionRow, record: ChargeRecord
    ) -> tuple[Judged, AuthorizationRow]:
        """Judge a session's bill; the session is locked, and its authorization is from here on."""
        authorization = await get_authorization(HUB, unit, session.authorization_id, lock=True)
        assert authorization is not None
        agreement = await find_agreement(
            unit, home_party_id=session.home_party_id, host_party_id=session.host_party_id
        )
        tariff = await self._c.directory.tariff_version(
            unit, session.host_party_id, session.tariff_id, session.tariff_version
        )
        hints = await hints_of(unit, host_party_id=sender, tariff=tariff, session=session)
        place = await place_of(unit, session.host_party_id, record, session.home_party_id)
        update = await last_update(unit, session.session_id)
        around = Around(
            bill=record,
            host_party_id=session.host_party_id,
            session_id=session.session_id,
            driver_ref=session.driver_ref,
            token_ref=session.token_ref,
        )
        facts = Facts(
            sender=sender,
            now=self._c.clock.business(),
            session=_session_facts(session, authorization, hints.blocked_at),
            opened_at=session.created_at,
            connector=_connector_facts(place),
            terms=terms_of(agreement),
            tariff=tariff,
            published_at=hints.published_at,
            live=await self._live(unit, sender, record, update),
            auto_accept=hints.stopped_day is None,
            readings_due=await self._tells_readings(unit, sender, record),
            limits=self._c.record_limits,
            **_neighbours(around.host_party_id, await records_around(unit, around), place),
        )
        return _judged(record, facts, agreement), authorization

    async def of_stranger(self, unit: Unit, sender: str, record: UnmatchedRecord) -> Judged:
        """Judge the bill of a charge that the hub opened no session for."""
        home = record.home_party_id
        agreement = None
        if home is not None:
            agreement = await find_agreement(unit, home_party_id=home, host_party_id=sender)
        place = await place_of(unit, sender, record, home)
        tariff = await self._tariff_then(unit, sender, record, place)
        hints = await hints_of(unit, host_party_id=sender, tariff=tariff, session=None)
        around = Around(bill=record, host_party_id=sender)
        facts = Facts(
            sender=sender,
            now=self._c.clock.business(),
            connector=_connector_facts(place),
            terms=terms_of(agreement),
            tariff=tariff,
            published_at=hints.published_at,
            auto_accept=hints.stopped_day is None,
            readings_due=await self._tells_readings(unit, sender, record),
            limits=self._c.record_limits,
            **_neighbours(around.host_party_id, await records_around(unit, around), place),
        )
        return _judged(record, facts, agreement)

    async def _tells_readings(self, unit: Unit, sender: str, record: Bill) -> bool:
        """Whether a bill of this sender ought to have meter readings; of one that has them nobody asks."""
        host = None if record.metered else await find_party(unit, sender)
        return host is None or host.protocol in TELL_READINGS

    async def _live(self, unit: Unit, sender: str, record: Bill, update: Any) -> LiveFacts | None:
        """What was heard last. An end that is told without its energy does not say how much flowed."""
        if update is None:
            return None
        ended = update.state == SessionState.ENDED
        if ended and update.energy_wh != record.energy_wh:
            host = await find_party(unit, sender)
            ended = host is None or host.protocol in TELL_READINGS
        return LiveFacts(energy_wh=update.energy_wh, at=update.at, ended=ended)

    async def _tariff_then(self, unit: Unit, host_party_id: str, record: Bill, place: Any) -> Tariff | None:
        if place is None:
            return None
        return await self._c.directory.tariff_at(unit, host_party_id, place.tariff_id, record.started_at)


def terms_of(agreement: AgreementRow | None) -> Terms:
    """An agreement as the rules see it."""
    if agreement is None:
        return STRANGERS
    return Terms(
        tolerance_fen=agreement.amount_tolerance_fen,
        late_most=timedelta(days=agreement.late_days),
        currency=agreement.currency,
    )


def _judged(record: Bill, facts: Facts, agreement: AgreementRow | None) -> Judged:
    assert isinstance(record, ChargeRecord | UnmatchedRecord)
    return Judged(
        outcomes=judge(record, facts),
        repriced=_repriced(record, facts),
        station_id=facts.connector.station_id if facts.connector else None,
        agreement=agreement,
        limit_fen=facts.session.limit_fen if facts.session else None,
    )


def _repriced(record: Bill, facts: Facts) -> Repriced | None:
    if facts.tariff is None or not facts.tariff.binding or not can_be_priced(record, facts):
        return None
    try:
        parts = reprice(record, facts.tariff)
    except PricingError:
        return None
    return explained(parts, most_fen=facts.terms.tolerance_fen)


def _session_facts(session: SessionRow, authorization: AuthorizationRow, blocked_at: Any) -> SessionFacts:
    granted = authorization.limit_fen is not None or authorization.state not in NEVER_GRANTED
    given_back = authorization.state in GIVEN_BACK
    return SessionFacts(
        host_party_id=session.host_party_id,
        home_party_id=session.home_party_id,
        token_party_id=authorization.home_party_id,
        connector_id=session.connector_id,
        limit_fen=session.limit_fen,
        authorized_at=authorization.created_at if granted else None,
        released_at=authorization.updated_at if given_back else None,
        blocked_at=blocked_at,
    )


def _connector_facts(place: Any) -> ConnectorFacts | None:
    if place is None:
        return None
    return ConnectorFacts(
        kind=place.kind,
        # A rating that an import assumed for want of a better one proves nothing against a bill.
        rated_power_w=place.plug_power_w or (0 if place.power_assumed else place.pile_power_w),
        station_id=place.station_id,
        created_at=place.created_at,
        removed_at=place.removed_at,
    )


def _neighbours(host_party_id: str, rows: list[Any], place: Any) -> dict[str, Any]:
    """The facts that other records make."""
    before = [row.meter_end_wh for row in rows if row.about == "before"]
    overlap = [row.record_id for row in rows if row.about == "overlap"]
    return {
        "stands": any(row.about == "stands" for row in rows),
        "meter_end_wh": before[0] if before else None,
        "overlapping": overlap[0] if overlap else None,
        "elsewhere": tuple(_elsewhere(host_party_id, row, place) for row in rows if row.about == "driver"),
    }


def _elsewhere(host_party_id: str, row: Any, place: Any) -> Elsewhere:
    own = row.host_party_id == host_party_id
    distance_m = None
    if place is not None and row.latitude_e6 is not None:
        here = place_at(place.latitude_e6, place.longitude_e6)
        distance_m = metres(here.squares_to(row.latitude_e6, row.longitude_e6))
    return Elsewhere(
        # What is found goes to the host: where its rivals' drivers charge is nothing it may read.
        connector=connector_ref(host_party_id, row.connector_id) if own else None,
        started_at=row.started_at,
        ended_at=row.ended_at,
        distance_m=distance_m,
    )
