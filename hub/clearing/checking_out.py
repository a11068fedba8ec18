"""Daily checks that the hub begins: after midnight every operator that answers gets the hub's list of the day.

When the next list goes to whom is a row, so whoever looks next does the work, and days on which nobody looked
are made up for one by one. The list is kept as it was when it was made: its parts leave through the outbox, in
order, and are sent again until they are answered.
"""

import logging
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta

import msgspec

from hub.clearing.comparing import Comparison, parts_of
from hub.clearing.model_checks import heard_whole, implied
from hub.clearing.tables_checks import (
    CheckDue,
    CheckRow,
    add_part,
    day_rows,
    get_check,
    known_dues,
    lines_of,
    next_due,
    open_days,
    part_lines,
)
from hub.clearing.times import day_start
from hub.core.clock import Clock, local_day
from hub.core.database import Database, Unit
from hub.core.errors import UNDECIDED, NotFoundError
from hub.core.ids import Ids
from hub.core.outbox import Dead, Later, Letter, Outbox
from hub.core.tables import Evidence, claim_message, insert_new
from hub.parties.link import Capability, LinkError, LinkRefused, Links
from hub.parties.scope import HUB
from hub.parties.service import PartiesService
from hub.roaming.ports import MoneyWaits
from operator_sdk.contract.codes import CheckSource, CheckState, Role
from operator_sdk.contract.ids import CHECK
from operator_sdk.contract.messages.checks import CheckTotals, ListedRecord, RecordListPart, RecordListReply
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.record_check import compare

log = logging.getLogger("interpile.clearing.checking")

LETTER = "check_records"
ANSWER = "record_check_answer"
AGAIN_AFTER = timedelta(minutes=1)
"""After this long a list is sent anew to an operator that lost parts which it had acknowledged."""

AGAIN_DAYS = 7
"""So long a day of which something waits is checked again every night: late records have come by then."""

PAGE = 200


class RecordChecksOut:
    """Sends the hub's lists, and takes what operators say about them. `minute` counts from midnight."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        parties: PartiesService,
        links: Links,
        outbox: Outbox,
        money_waits: MoneyWaits,
        minute: int,
    ) -> None:
        self._database, self._clock, self._ids = database, clock, ids
        self._parties, self._links, self._outbox = parties, links, outbox
        self._comparison, self._at = Comparison(clock, money_waits), timedelta(minutes=minute)
        outbox.handle(LETTER, self.send, stubborn=True)

    # When.

    async def advance(self) -> int:
        """Begin every check that is due; any number of processes may do it at once. Returns how many began."""
        await self._notice_parties()
        begun = 0
        while (one := await self._begin_next()) is not None:
            begun += one
        return begun

    async def _notice_parties(self) -> None:
        """Every operator has a time for each of its roles: from the day on on which it was first seen."""
        now = self._clock.business()
        async with self._database.reading() as unit:
            known = await known_dues(unit)
        due_at = day_start(now) + self._at
        if due_at < now:
            due_at += timedelta(days=1)
        day = local_day(due_at - timedelta(days=1))
        wanted = [pair async for pair in self._pairs() if pair not in known]
        if not wanted:
            return
        async with self._database.unit() as unit:
            for party_id, role in wanted:
                await insert_new(unit, CheckDue, party_id=party_id, role=role, day=day, due_at=due_at)

    async def _pairs(self) -> AsyncIterator[tuple[str, str]]:
        after: str | None = None
        while True:
            page = await self._parties.list_parties(after=after, limit=PAGE)
            for party in page.items:
                for role in party.roles:
                    if role in {Role.HOME, Role.HOST}:
                        yield party.party_id, str(role)
            after = page.next_after
            if after is None:
                return

    async def _begin_next(self) -> int | None:
        """Begin what is due longest. None: nothing is; 0: it was for an operator that cannot be asked."""
        now = self._clock.business()
        async with self._database.reading() as unit:
            due = await next_due(unit, now)
        if due is None:
            return None
        asked = await self._can_be_asked(due.party_id)
        async with self._database.unit() as unit:
            row = await unit.session.get(
                CheckDue, (due.party_id, due.role), with_for_update=True, populate_existing=True
            )
            if row is None or row.day != due.day:
                return 0  # another process was quicker
            if asked:
                again = await open_days(unit, row, since=_days_on(row.day, -AGAIN_DAYS))
                for day in (*again, row.day):
                    await self._begin(unit, row, day)
            row.day = _days_on(row.day, 1)
            row.due_at = _next_time(row.due_at)
        return int(asked)

    async def _can_be_asked(self, party_id: str) -> bool:
        try:
            link = await self._links.of(party_id)
        except NotFoundError:
            return False
        return Capability.CHECK_RECORDS in link.capabilities

    async def _begin(self, unit: Unit, due: CheckDue, day: str) -> None:
        """Keep the list as it is now, and hand its parts to the outbox."""
        now, check_id = self._clock.business(), self._ids.new(CHECK)
        blocks = [
            lines_of(rows) async for rows in day_rows(unit, party_id=due.party_id, role=due.role, day=day)
        ] or [[]]
        check = CheckRow(
            check_id=check_id,
            party_id=due.party_id,
            role=due.role,
            day=day,
            source=CheckSource.HUB.value,
            check_ref=check_id,
            state=CheckState.SENDING.value,
            parts=len(blocks),
            created_by="hub",
            created_at=now,
            updated_at=now,
        )
        unit.session.add(check)
        await unit.session.flush()
        for number, lines in enumerate(blocks, 1):
            await add_part(unit, check_id, number, lines)
        await self._post(unit, check)

    async def _post(self, unit: Unit, check: CheckRow, after: timedelta = timedelta(0)) -> None:
        for part in range(1, check.parts + 1):
            await self._outbox.post(
                unit,
                kind=LETTER,
                lane=f"check:{check.check_id}",
                subject=check.check_id,
                party_id=check.party_id,
                payload={"part": part},
                after=after,
            )

    # What.

    async def send(self, letter: Letter) -> None:
        """One part to the operator; with the last one comes its answer."""
        async with self._database.reading() as unit:
            check = await get_check(HUB, unit, letter.subject)
            if check is None:
                raise Dead("no such check")
            if check.state != CheckState.SENDING:
                return
            part = letter.payload["part"]
            lines = await part_lines(unit, check.check_id, part)
        link = await self._links.of(check.party_id)
        if Capability.CHECK_RECORDS not in link.capabilities:
            await self._decline(check.check_id, "not offered by its link")
            return
        try:
            reply, evidence = await link.check_records(
                RecordListPart(
                    check_ref=check.check_ref,
                    role=check.role,
                    day=check.day,
                    part=part,
                    parts=check.parts,
                    lines=lines,
                )
            )
        except LinkRefused as problem:
            if problem.reason != Code.NOT_FOUND:
                raise _put_off(problem) from problem
            await self._decline(check.check_id, "not offered by the operator")
        except LinkError as problem:
            raise Later(problem.reason) from problem
        else:
            await self._heard(check.check_id, part, reply, evidence)

    async def _decline(self, check_id: str, reason: str) -> None:
        async with self._database.unit() as unit:
            check = await get_check(HUB, unit, check_id, lock=True)
            if check is not None and check.state == CheckState.SENDING:
                check.state, check.reason = CheckState.DECLINED.value, reason
                check.updated_at = self._clock.business()

    async def _heard(self, check_id: str, part: int, reply: RecordListReply, evidence: Evidence | None) -> None:
        async with self._database.unit() as unit:
            check = await get_check(HUB, unit, check_id, lock=True)
            if check is None or check.state != CheckState.SENDING:
                return
            check.parts_done, check.updated_at = max(check.parts_done, part), self._clock.business()
            if reply.state == CheckState.COMPARED:
                await self._compared(unit, check, reply, evidence)
            elif part == check.parts:
                log.warning("an operator lost parts of a list", extra={"party_id": check.party_id})
                await self._post(unit, check, AGAIN_AFTER)

    async def _compared(
        self, unit: Unit, check: CheckRow, reply: RecordListReply, evidence: Evidence | None
    ) -> None:
        ours: list[ListedRecord] = []
        async for lines in parts_of(unit, check):
            ours += lines
        if not heard_whole(_totals(ours), reply.there):
            raise Dead("the operator's answer is about another list")
        await claim_message(
            unit,
            party_id=check.party_id,
            kind=ANSWER,
            external_id=check.check_id,
            canonical=msgspec.json.encode(reply),
            subject_id=check.check_id,
            now=self._clock.wall(),
            evidence=evidence,
        )
        if reply.differences_count > len(reply.differences):
            check.reason = f"the operator counts {reply.differences_count} differences"
        await self._comparison.with_theirs(unit, check, list(implied(ours, reply.differences)))


def _totals(lines: list[ListedRecord]) -> CheckTotals:
    return compare(lines, ()).here


def _days_on(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def _next_time(due_at: datetime) -> datetime:
    """The same time of the next day; Shanghai has no summer time."""
    return due_at + timedelta(days=1)


def _put_off(problem: LinkRefused) -> Dead | Later:
    """A refusal is the end of a letter; `not now` is none."""
    return Later(problem.reason) if problem.reason in UNDECIDED else Dead(problem.reason)
