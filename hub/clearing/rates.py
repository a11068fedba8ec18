"""What the hub takes: staff say it ahead, acceptance chooses it, and the obligation keeps what was chosen."""

from datetime import date

from hub.clearing.model_rates import ANY, Rate, Terms, terms
from hub.clearing.tables import owed_for
from hub.clearing.tables_rates import (
    CommissionRate,
    TaxCode,
    add_rate,
    add_tax_code,
    all_rates,
    fitting_rates,
    groups_of,
    put_group,
    rate_of,
    tax_code_of,
    tax_code_rows,
)
from hub.core.clock import Clock, local_day
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.parties.audit import AuditLog
from hub.parties.tables import find_party
from hub.roaming.ports import AcceptedRecord
from operator_sdk.contract.codes import ObligationKind
from operator_sdk.contract.messages import clearing
from operator_sdk.contract.public_codes import Code


class Rates:
    """Use cases of commission rates, station groups and tax codes. `actor` is who acts, for the audit log."""

    def __init__(self, database: Database, clock: Clock, *, audit: AuditLog) -> None:
        self._database, self._clock, self._audit = database, clock, audit

    async def add_rate(self, add: clearing.CommissionRateAdd, *, actor: str) -> clearing.CommissionRate:
        """Let a rate hold from a day on; the same again changes nothing.

        Raises:
            NotFoundError: no such owner or seller.
            HubError: rule_violated, the day is gone by or a station group has no owner; id_reused, another
                rate names the same from that day on.
        """
        rate = Rate(
            owner=add.owner or ANY,
            seller=add.seller or ANY,
            station_group=add.station_group or ANY,
            fee_kind=add.fee_kind or ANY,
            ppm=add.ppm,
            valid_from=self._not_gone_by(add.valid_from),
            tax_code=add.tax_code,
        )
        if rate.station_group and not rate.owner:
            raise HubError(Code.RULE_VIOLATED, reason="a_station_group_is_an_owners")
        async with self._database.unit() as unit:
            for party_id in filter(None, (rate.owner, rate.seller)):
                await _party(unit, party_id)
            row = await rate_of(unit, rate)
            if row is None:
                row = await add_rate(unit, rate, now=self._clock.business(), by=actor)
                said = f"{rate.owner}/{rate.seller}/{rate.station_group}/{rate.fee_kind}"
                self._audit.note(
                    unit, actor=actor, action="add_commission_rate", subject=said, ppm=rate.ppm,
                    valid_from=rate.valid_from, tax_code=rate.tax_code,
                )  # fmt: skip
            if (row.ppm, row.tax_code) != (rate.ppm, rate.tax_code):
                raise HubError(Code.ID_REUSED, valid_from=rate.valid_from)
            return _rate_message(row)

    async def rates(self) -> clearing.CommissionRateList:
        """Every rate there ever was."""
        async with self._database.reading() as unit:
            return clearing.CommissionRateList(items=[_rate_message(row) for row in await all_rates(unit)])

    async def put_station_group(
        self, party_id: str, put: clearing.StationGroupPut, *, actor: str
    ) -> clearing.StationGroups:
        """Let a group be these stations of an owner, for records accepted from now on.

        Raises:
            NotFoundError: no such owner.
        """
        async with self._database.unit() as unit:
            await _party(unit, party_id)
            await put_group(unit, party_id, put.station_group, put.station_ids)
            self._audit.note(
                unit, actor=actor, action="put_station_group", subject=f"{party_id}/{put.station_group}",
                station_ids=sorted(put.station_ids),
            )  # fmt: skip
            return await _groups(unit, party_id)

    async def station_groups(self, party_id: str) -> clearing.StationGroups:
        """An owner's groups.

        Raises:
            NotFoundError: no such owner.
        """
        async with self._database.reading() as unit:
            await _party(unit, party_id)
            return await _groups(unit, party_id)

    async def add_tax_code(self, add: clearing.TaxCodeAdd, *, actor: str) -> clearing.TaxCode:
        """Let a tax code hold from a day on; the same again changes nothing.

        Raises:
            HubError: rule_violated, the day is gone by; id_reused, another one holds from that day on.
        """
        day = self._not_gone_by(add.valid_from)
        async with self._database.unit() as unit:
            row = await tax_code_of(unit, add.kind, day)
            if row is None:
                row = await add_tax_code(unit, add, now=self._clock.business(), by=actor)
                self._audit.note(
                    unit, actor=actor, action="add_tax_code", subject=add.kind, tax_code=add.tax_code,
                    valid_from=day,
                )  # fmt: skip
            if row.tax_code != add.tax_code:
                raise HubError(Code.ID_REUSED, valid_from=day)
            return _tax_code_message(row)

    async def tax_codes(self) -> clearing.TaxCodeList:
        """Every tax code there ever was."""
        async with self._database.reading() as unit:
            return clearing.TaxCodeList(items=[_tax_code_message(row) for row in await tax_code_rows(unit)])

    def _not_gone_by(self, day: date) -> str:
        text = day.isoformat()
        if text < local_day(self._clock.business()):
            raise HubError(Code.RULE_VIOLATED, reason="the_day_is_gone_by")
        return text


async def terms_of(unit: Unit, record: AcceptedRecord) -> Terms:
    """The rates of a record that is being accepted; a credit gives back at those of what it reverses."""
    if record.credit_of is not None:
        reversed_ = await owed_for(unit, ObligationKind.CHARGE, record.credit_of)
        if reversed_ is not None:
            return Terms(
                electricity_ppm=reversed_.electricity_ppm,
                service_ppm=reversed_.service_ppm,
                parking_ppm=reversed_.parking_ppm,
                idle_ppm=reversed_.idle_ppm,
                tax_code=reversed_.commission_tax_code,
            )
    fitting = await fitting_rates(
        unit,
        owner=record.host_party_id,
        seller=record.home_party_id,
        station_id=record.station_id,
        day=record.booked_day,
    )
    return terms(fitting, record.booked_day, otherwise_ppm=record.commission_ppm)


async def _party(unit: Unit, party_id: str) -> None:
    if await find_party(unit, party_id) is None:
        raise NotFoundError


async def _groups(unit: Unit, party_id: str) -> clearing.StationGroups:
    groups = await groups_of(unit, party_id)
    return clearing.StationGroups(
        party_id=party_id,
        groups=[clearing.StationGroup(station_group=one, station_ids=ids) for one, ids in groups.items()],
    )


def _rate_message(row: CommissionRate) -> clearing.CommissionRate:
    return clearing.CommissionRate(
        owner=row.owner or None,
        seller=row.seller or None,
        station_group=row.station_group or None,
        fee_kind=row.fee_kind or None,
        ppm=row.ppm,
        valid_from=date.fromisoformat(row.valid_from),
        tax_code=row.tax_code,
        made_at=row.made_at,
        made_by=row.made_by,
    )


def _tax_code_message(row: TaxCode) -> clearing.TaxCode:
    return clearing.TaxCode(
        kind=row.kind,
        tax_code=row.tax_code,
        valid_from=date.fromisoformat(row.valid_from),
        made_at=row.made_at,
        made_by=row.made_by,
    )
