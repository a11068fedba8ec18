"""Daily checks that others begin: an operator sends its list of a day's charge records, or staff enter one."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from hub.clearing.comparing import Comparison
from hub.clearing.tables_checks import (
    CheckRow,
    add_part,
    get_check,
    list_checks,
    list_differences,
    lock_named,
)
from hub.core.clock import Clock, local_day
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.core.tables import Evidence, claim_message, insert_new
from hub.parties.audit import AuditLog
from hub.parties.scope import HUB, PartyScope
from hub.parties.service import PartiesService
from hub.roaming.ports import MoneyWaits
from operator_sdk.contract.codes import CheckSource, CheckState
from operator_sdk.contract.ids import CHECK
from operator_sdk.contract.messages import checks as messages
from operator_sdk.contract.messages.checks import LINES_MOST, PARTS_MOST, SHOWN_MOST
from operator_sdk.contract.public_codes import Code

KIND = "record_check"


class RecordChecks:
    """Takes lists, compares each once, and shows what came out."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        parties: PartiesService,
        money_waits: MoneyWaits,
        audit: AuditLog,
    ) -> None:
        self._database, self._clock, self._ids = database, clock, ids
        self._parties, self._audit = parties, audit
        self._comparison = Comparison(clock, money_waits)

    # Taking.

    async def take(
        self, party_id: str, part: messages.RecordListPart, evidence: Evidence | None = None
    ) -> messages.RecordCheck:
        """Take a part of an operator's list, once; with the last one the comparison is made, in the same step.

        Raises:
            HubError: malformed, no such day, or a part beyond the last; rule_violated, the day is not over;
                forbidden, the operator has no such role; id_reused, another body came under this name.
        """
        self._check_day(part.day)
        if part.part > part.parts:
            raise HubError(Code.MALFORMED, field="part")
        await self._check_role(party_id, part.role, Code.FORBIDDEN)
        async with self._database.unit() as unit:
            row = await self._named(unit, party_id, part)
            new, _ = await claim_message(
                unit,
                party_id=party_id,
                kind=KIND,
                external_id=f"{part.part}/{part.check_ref}",
                canonical=msgspec.json.encode(part),
                subject_id=row.check_id,
                now=self._clock.wall(),
                evidence=evidence,
            )
            if new:
                await add_part(unit, row.check_id, part.part, part.lines)
                row.parts_done, row.updated_at = row.parts_done + 1, self._clock.business()
                if row.parts_done == row.parts:
                    await self._comparison.with_ours(unit, row)
                await unit.session.flush()
            return await _shown(unit, row)

    async def _named(self, unit: Unit, party_id: str, part: messages.RecordListPart) -> CheckRow:
        """The check this part belongs to, locked; made by whichever part comes first."""
        source = CheckSource.PARTNER.value
        facts = {"role": part.role, "day": part.day, "parts": part.parts}
        name = {"party_id": party_id, "source": source, "check_ref": part.check_ref}
        row = await lock_named(unit, **name)
        if row is None:
            await insert_new(unit, CheckRow, **self._begun(**name, **facts, created_by=party_id))
            row = await lock_named(unit, **name)
            assert row is not None
        if any(getattr(row, field) != value for field, value in facts.items()):
            raise HubError(Code.ID_REUSED, kind=KIND)
        return row

    async def enter(
        self, party_id: str, role: str, day: str, lines: Sequence[messages.ListedRecord], *, by: str
    ) -> messages.RecordCheck:
        """Compare a list that an operator sent on paper or by mail. Each time it is a check of its own.

        Raises:
            NotFoundError: no such operator.
            HubError: malformed, no such day; rule_violated, the day is not over, the operator has no such
                role, or the list is longer than a check can be.
        """
        self._check_day(day)
        await self._parties.party(party_id)
        await self._check_role(party_id, role, Code.RULE_VIOLATED)
        parts = [lines[begin : begin + LINES_MOST] for begin in range(0, len(lines), LINES_MOST)] or [[]]
        if len(parts) > PARTS_MOST:
            raise HubError(Code.RULE_VIOLATED, reason=f"more than {PARTS_MOST * LINES_MOST} lines")
        async with self._database.unit() as unit:
            check_id = self._ids.new(CHECK)
            name = {"party_id": party_id, "source": CheckSource.STAFF.value, "check_ref": check_id}
            facts = {"role": role, "day": day, "parts": len(parts), "parts_done": len(parts)}
            row = CheckRow(**{**self._begun(**name, **facts, created_by=by), "check_id": check_id})
            unit.session.add(row)
            await unit.session.flush()
            for number, some in enumerate(parts, 1):
                await add_part(unit, check_id, number, some)
            await self._comparison.with_ours(unit, row)
            self._audit.note(
                unit, actor=by, action="check_records", subject=check_id, party_id=party_id, role=role, day=day
            )
            await unit.session.flush()
            return await _shown(unit, row)

    def _begun(self, **facts: Any) -> dict[str, Any]:
        now = self._clock.business()
        return {
            "check_id": self._ids.new(CHECK),
            "state": CheckState.COLLECTING.value,
            "parts_done": 0,
            "differences": 0,
            "at_risk_fen": 0,
            "created_at": now,
            "updated_at": now,
            **facts,
        }

    def _check_day(self, day: str) -> None:
        try:
            date.fromisoformat(day)
        except ValueError as problem:
            raise HubError(Code.MALFORMED, field="day") from problem
        if day >= local_day(self._clock.business()):
            raise HubError(Code.RULE_VIOLATED, reason="the day is not over")

    async def _check_role(self, party_id: str, role: str, code: Code) -> None:
        if role not in await self._parties.roles_of(party_id):
            raise HubError(code, role=role) if code is Code.RULE_VIOLATED else HubError(code)

    # Reading.

    async def check(self, viewer: PartyScope, check_id: str) -> messages.RecordCheck:
        """One check with its first differences.

        Raises:
            NotFoundError: unknown, or somebody else's.
        """
        async with self._database.reading() as unit:
            row = await get_check(viewer, unit, check_id)
            if row is None:
                raise NotFoundError
            return await _shown(unit, row)

    async def checks(
        self,
        viewer: PartyScope,
        *,
        day: str | None = None,
        after: tuple[datetime, str] | None = None,
        updated_since: datetime | None = None,
        limit: int = 50,
        newest: bool = False,
    ) -> list[messages.RecordCheck]:
        """Checks without their differences: the oldest change first, or the newest."""
        async with self._database.reading() as unit:
            rows = await list_checks(
                viewer, unit, day=day, after=after, updated_since=updated_since, limit=limit, newest=newest
            )
        return [check_message(row) for row in rows]

    async def differences(
        self, viewer: PartyScope, check_id: str, *, after: int = 0, limit: int = 50
    ) -> list[tuple[int, messages.RecordDifference]]:
        """A check's differences behind a number, each with its own.

        Raises:
            NotFoundError: unknown, or somebody else's.
        """
        async with self._database.reading() as unit:
            if await get_check(viewer, unit, check_id) is None:
                raise NotFoundError
            return await list_differences(viewer, unit, check_id, after=after, limit=limit)


async def _shown(unit: Unit, row: CheckRow) -> messages.RecordCheck:
    found = await list_differences(HUB, unit, row.check_id, limit=SHOWN_MOST) if row.differences else []
    return check_message(row, [one for _, one in found])


def check_message(row: CheckRow, differences: Sequence[messages.RecordDifference] = ()) -> messages.RecordCheck:
    """A row as the contract shows it."""
    return messages.RecordCheck(
        check_id=row.check_id,
        party_id=row.party_id,
        role=row.role,
        day=row.day,
        source=row.source,
        check_ref=row.check_ref,
        state=row.state,
        parts=row.parts,
        parts_done=row.parts_done,
        created_at=row.created_at,
        updated_at=row.updated_at,
        here=_totals(row.here_records, row.here_fen, row.here_wh),
        there=_totals(row.there_records, row.there_fen, row.there_wh),
        differences_count=row.differences,
        at_risk_fen=row.at_risk_fen,
        differences=list(differences),
        compared_at=row.compared_at,
        reason=row.reason,
    )


def _totals(records: int | None, fen: int | None, wh: int | None) -> messages.CheckTotals | None:
    if records is None or fen is None or wh is None:
        return None
    return messages.CheckTotals(records=records, amount_fen=fen, energy_wh=wh)
