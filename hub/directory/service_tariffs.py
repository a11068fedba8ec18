"""Use cases of prices: hosts publish versions of tariffs and say where they apply."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError
from hub.core.paging import cut_page, decode_cursor, page_limit
from hub.directory import tables_tariffs as tables
from hub.directory.checks import checked, host_for_update, in_utc
from hub.directory.model import DirectoryProblem, check_bands, check_begins, check_version, is_plausible
from hub.directory.tables import stored_stations
from hub.directory.tables_tariffs import ANY, TariffAssignmentRow, TariffVersionRow
from hub.parties.model import Protocol
from hub.parties.scope import PartyScope
from hub.parties.tables import PartyRow, find_agreement
from operator_sdk.contract.codes import Role
from operator_sdk.contract.messages.common import ForeignId, Number
from operator_sdk.contract.messages.directory import (
    Tariff,
    TariffAssignment,
    TariffAssignmentPage,
    TariffAssignmentPut,
    TariffPeriod,
    TariffPut,
    TimeFee,
)
from operator_sdk.contract.pricing import PricingError, check_tariff, published
from operator_sdk.contract.public_codes import Code

TELL_PRICES = frozenset({Protocol.NATIVE, Protocol.HOSTED})
"""Hosts that publish the prices they bill. Of others a tariff may be an estimate."""

_PERIODS = msgspec.json.Decoder(list[TariffPeriod])
_TIME_FEE = msgspec.json.Decoder(TimeFee)


class TariffService:
    """Tariffs. Methods that take a unit run within it; the others are steps of their own."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def put_tariff(self, party_id: str, tariff_id: str, version: int, put: TariffPut) -> Tariff:
        """Publish a version; publishing the same again changes nothing.

        Raises:
            NotFoundError: no such host.
            HubError: malformed, id_reused (the version says something else) or rule_violated.
        """
        with _as_refusals():
            tariff = _version(put, party_id, tariff_id, version)
            async with self._database.unit() as unit:
                return await self._publish(unit, tariff)

    async def keep_prices(self, party_id: str, tariff_id: str, put: TariffPut) -> Tariff:
        """The version in force that has these prices; the next version, from `valid_from` on, where none does.

        For hosts that tell a price when they are asked, and do not number their versions.

        Raises:
            NotFoundError: no such host.
            HubError: malformed or rule_violated.
        """
        async with self._database.reading(once=True) as unit:
            known = await self.tariff_at(unit, party_id, tariff_id, put.valid_from)
        if known is not None and _same_prices(known, put):
            return known
        with _as_refusals():
            async with self._database.unit() as unit:
                await host_for_update(unit, party_id)
                # Another one may have asked at the same moment.
                known = await self.tariff_at(unit, party_id, tariff_id, put.valid_from)
                if known is not None and _same_prices(known, put):
                    return known
                newest = await tables.newest_version(unit, party_id=party_id, tariff_id=tariff_id)
                return await self._publish(unit, _version(put, party_id, tariff_id, (newest or 0) + 1))

    async def _publish(self, unit: Unit, tariff: Tariff) -> Tariff:
        host = await host_for_update(unit, tariff.party_id)
        if not tariff.binding and host.protocol in TELL_PRICES:
            raise HubError(Code.RULE_VIOLATED, reason="this host bills what it publishes: no estimates")
        stored = await self.tariff_version(unit, tariff.party_id, tariff.tariff_id, tariff.version)
        if stored is not None:
            if stored != tariff:
                raise HubError(Code.ID_REUSED)
            return stored
        newest = await tables.newest_version(unit, party_id=tariff.party_id, tariff_id=tariff.tariff_id)
        now = self._clock.business()
        check_version(tariff.version, tariff.valid_from, newest=newest, now=now)
        unit.session.add(
            TariffVersionRow(
                host_party_id=tariff.party_id,
                tariff_id=tariff.tariff_id,
                version=tariff.version,
                valid_from=tariff.valid_from,
                periods=msgspec.json.encode(tariff.periods).decode(),
                currency=tariff.currency,
                utc_offset_minutes=tariff.utc_offset_minutes,
                published_at=now,
                parking=_time_fee_text(tariff.parking),
                idle=_time_fee_text(tariff.idle),
                binding=tariff.binding,
            )
        )
        return tariff

    async def tariff_at(self, unit: Unit, party_id: str, tariff_id: str, at: datetime) -> Tariff | None:
        """The version in force at an instant: the greatest that has begun by then."""
        row = await tables.find_version_at(unit, party_id=party_id, tariff_id=tariff_id, at=at)
        return None if row is None else tariff_of(row)

    async def tariff_version(self, unit: Unit, party_id: str, tariff_id: str, version: int) -> Tariff | None:
        """One version of a tariff."""
        row = await tables.find_version(unit, party_id=party_id, tariff_id=tariff_id, version=version)
        return None if row is None else tariff_of(row.model_dump())

    async def assign_tariff(self, party_id: str, put: TariffAssignmentPut) -> TariffAssignment:
        """Say where a tariff applies, from when; saying the same again changes nothing.

        Raises:
            NotFoundError: no such host.
            HubError: malformed; id_reused, something else begins there at that instant; rule_violated, no such
                station or the instant is past; tariff_unknown, no version is in force by then; no_agreement.
        """
        row = TariffAssignmentRow(
            host_party_id=party_id,
            home_party_id=put.home_party_id or ANY,
            station_id=put.station_id or ANY,
            kind=put.kind or ANY,
            valid_from=in_utc(put.valid_from),
            tariff_id=put.tariff_id,
            assigned_at=self._clock.business(),
        )
        async with self._database.unit() as unit:
            host = await host_for_update(unit, party_id)
            stored = await unit.session.get(TariffAssignmentRow, row.key)
            if stored is not None:
                if stored.tariff_id != row.tariff_id:
                    raise HubError(Code.ID_REUSED)
                return _assignment(stored)
            try:
                check_begins(row.valid_from, now=row.assigned_at)
            except DirectoryProblem as problem:
                raise HubError(Code.RULE_VIOLATED, reason=str(problem)) from problem
            await self._check_names(unit, host, row)
            unit.session.add(row)
            return _assignment(row)

    async def _check_names(self, unit: Unit, host: PartyRow, row: TariffAssignmentRow) -> None:
        party_id, home, key = row.host_party_id, row.home_party_id, (row.host_party_id, row.station_id)
        # Once a version is in force there always is one: an assignment never leads to no price.
        if row.tariff_id and await self.tariff_at(unit, party_id, row.tariff_id, row.valid_from) is None:
            raise HubError(Code.TARIFF_UNKNOWN)
        if row.station_id != ANY:
            station = (await stored_stations(unit, [key])).get(key)
            if station is None or station.facts.removed:
                raise HubError(Code.RULE_VIOLATED, reason="no such station")
        if home == party_id:
            if Role.HOME not in host.roles.split(","):
                raise HubError(Code.NO_AGREEMENT)
        elif home != ANY and await find_agreement(unit, home_party_id=home, host_party_id=party_id) is None:
            raise HubError(Code.NO_AGREEMENT)

    async def list_assignments(
        self,
        viewer: PartyScope,
        *,
        after: str | None = None,
        limit: int | None = None,
        updated_since: datetime | None = None,
    ) -> TariffAssignmentPage:
        """A page of a host's assignments and of those that name the viewer as home, in the order of making.

        Raises:
            HubError: malformed cursor or limit.
        """
        most = page_limit(limit)
        begin = _place(after) if after is not None else None
        since = in_utc(updated_since) if updated_since is not None else None
        async with self._database.reading() as unit:
            rows = await tables.page_of_assignments(
                viewer, unit, after=begin, updated_since=since, count=most + 1
            )
        page, next_after = cut_page(rows, most, lambda row: (row.assigned_at, _key_text(row)))
        return TariffAssignmentPage(items=[_assignment(row) for row in page], next_after=next_after)


@contextmanager
def _as_refusals() -> Iterator[None]:
    """What is wrong with a tariff is the host's to mend."""
    try:
        yield
    except (PricingError, DirectoryProblem) as problem:
        raise HubError(Code.RULE_VIOLATED, reason=str(problem)) from problem


def _version(put: TariffPut, party_id: str, tariff_id: str, version: int) -> Tariff:
    """The version that a message publishes.

    Raises:
        HubError: malformed.
        PricingError, DirectoryProblem: it prices no whole day, or names an unknown band.
    """
    tariff = published(
        msgspec.structs.replace(put, valid_from=in_utc(put.valid_from)),
        party_id=party_id,
        tariff_id=checked(tariff_id, ForeignId),
        version=checked(version, Number),
    )
    check_tariff(tariff)
    check_bands(tariff.periods)
    return tariff


def _same_prices(known: Tariff, put: TariffPut) -> bool:
    names = set(TariffPut.__struct_fields__) - {"valid_from"}
    return all(getattr(known, name) == getattr(put, name) for name in names)


def tariff_of(row: Mapping[Any, Any]) -> Tariff:
    """A tariff from a row of its version."""
    return Tariff(
        party_id=row["host_party_id"],
        tariff_id=row["tariff_id"],
        version=row["version"],
        valid_from=row["valid_from"],
        periods=_PERIODS.decode(row["periods"]),
        currency=row["currency"],
        utc_offset_minutes=row["utc_offset_minutes"],
        parking=_time_fee(row["parking"]),
        idle=_time_fee(row["idle"]),
        binding=bool(row["binding"]),
    )


def _time_fee(text: str | None) -> TimeFee | None:
    return None if text is None else _TIME_FEE.decode(text)


def _time_fee_text(fee: TimeFee | None) -> str | None:
    return None if fee is None else msgspec.json.encode(fee).decode()


def _assignment(row: TariffAssignmentRow) -> TariffAssignment:
    return TariffAssignment(
        host_party_id=row.host_party_id,
        tariff_id=row.tariff_id,
        valid_from=row.valid_from,
        station_id=row.station_id or None,
        kind=row.kind or None,
        home_party_id=row.home_party_id or None,
        assigned_at=row.assigned_at,
    )


def _key_text(row: TariffAssignmentRow) -> str:
    names = row.host_party_id, row.home_party_id, row.station_id, row.kind
    return "/".join((*names, row.valid_from.isoformat()))


def _place(after: str) -> tables.Place:
    """What `_key_text` was made of.

    Raises:
        HubError: malformed.
    """
    at, row_id = decode_cursor(after)
    try:
        host, home, station, kind, begins = row_id.split("/")
        valid_from = datetime.fromisoformat(begins)
    except ValueError:
        raise _bad_cursor() from None
    if valid_from.tzinfo is None or not is_plausible(valid_from):
        raise _bad_cursor()
    return at, host, home, station, kind, valid_from


def _bad_cursor() -> HubError:
    return HubError(Code.MALFORMED, after="not a cursor of this list")
