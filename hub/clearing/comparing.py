"""The step of a daily check in which both lists are there: what differs, and what waits in suspense for it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from hub.clearing.model_checks import (
    WHOLE_DAY,
    Change,
    Known,
    about_money,
    changes,
    explained,
    item_subject,
    said_of,
    subject_of,
)
from hub.clearing.tables_checks import (
    CheckRow,
    CheckWait,
    day_rows,
    doubled_among,
    known_records,
    lines_of,
    lock_day,
    lock_items,
    part_lines,
    waits_of,
    write_differences,
)
from hub.core.clock import Clock
from hub.core.database import Unit
from hub.roaming.ports import MoneyWaits, WaitingMoney
from operator_sdk.contract.codes import CheckState, Role, SuspenseKind, SuspenseOutcome
from operator_sdk.contract.messages.checks import ListedRecord, RecordDifference
from operator_sdk.contract.record_check import Comparing

AGREES, OTHERWISE = "a later check agrees", "a later check says otherwise"
BY = "hub"


class Comparison:
    """Compares, inside the unit that has the last piece."""

    def __init__(self, clock: Clock, money_waits: MoneyWaits) -> None:
        self._clock, self._money_waits = clock, money_waits

    async def with_ours(self, unit: Unit, check: CheckRow) -> None:
        """Hold the operator's list, which the parts are, against the hub's."""
        comparing, doubled = Comparing(), set()
        async for lines in parts_of(unit, check):
            comparing.there(lines)
        async for rows in day_rows(unit, party_id=check.party_id, role=check.role, day=check.day):
            comparing.here(lines_of(rows))
            doubled |= await doubled_among(unit, rows)
        await self._finish(unit, check, comparing, doubled)

    async def with_theirs(self, unit: Unit, check: CheckRow, theirs: Sequence[ListedRecord]) -> None:
        """Hold the hub's list, which the parts are, against what the operator's answer says it has."""
        comparing = Comparing()
        comparing.there(theirs)
        async for lines in parts_of(unit, check):
            comparing.here(lines)
        doubled = set()
        async for rows in day_rows(unit, party_id=check.party_id, role=check.role, day=check.day):
            doubled |= await doubled_among(unit, rows)
        await self._finish(unit, check, comparing, doubled)

    async def _finish(
        self, unit: Unit, check: CheckRow, comparing: Comparing, doubled: Collection[str]
    ) -> None:
        result = comparing.result(doubled)
        names = (one.record for one in result.differences)
        known = await known_records(unit, party_id=check.party_id, role=check.role, names=names)
        found = [
            explained(one, known.get(one.record), role=check.role, day=check.day) for one in result.differences
        ]
        now = self._clock.business()
        check.state, check.compared_at, check.updated_at = CheckState.COMPARED.value, now, now
        here, there = result.here, result.there
        check.here_records, check.here_fen, check.here_wh = here.records, here.amount_fen, here.energy_wh
        check.there_records, check.there_fen, check.there_wh = there.records, there.amount_fen, there.energy_wh
        check.differences, check.at_risk_fen = len(found), sum(one.at_risk_fen for one in found)
        await unit.session.flush()
        await write_differences(unit, check.check_id, found)
        day = await lock_day(unit, check)
        day.compared += 1
        await self._settle(unit, check, found, known)

    async def _settle(
        self, unit: Unit, check: CheckRow, found: Sequence[RecordDifference], known: Mapping[str, Known]
    ) -> None:
        """Open what is new and close what is gone, host by host: others post to the same accounts."""
        planned = list(changes(await waits_of(unit, check), about_money(found)))
        closing = {_subject(check, one.record, one.closes.turn): one for one in planned if one.closes}
        hosts = await lock_items(unit, closing)

        def host_of(change: Change) -> tuple[str, str]:
            if change.closes is not None:
                return hosts.get(_subject(check, change.record, change.closes.turn), ""), change.record
            return _sides(check, known.get(change.record))[1], change.record

        for change in sorted(planned, key=host_of):
            await self._apply(unit, check, change, known.get(change.record))

    async def _apply(self, unit: Unit, check: CheckRow, change: Change, known: Known | None) -> None:
        if change.closes is not None and change.closes.is_open:
            await self._money_waits.close_suspense(
                unit,
                SuspenseKind.CHECK,
                _subject(check, change.record, change.closes.turn),
                outcome=SuspenseOutcome.ACCEPTED,
                reason=AGREES if change.opens is None else OTHERWISE,
                by=BY,
            )
        if change.opens is not None:
            await self._money_waits.open_suspense(unit, _waiting(check, change, change.opens, known))
        await _note(unit, check, change)


async def parts_of(unit: Unit, check: CheckRow) -> AsyncIterator[list[ListedRecord]]:
    """The list that was sent, part by part."""
    for part in range(1, check.parts + 1):
        yield await part_lines(unit, check.check_id, part)


def _subject(check: CheckRow, record: str, turn: int) -> str:
    return item_subject(subject_of(check.party_id, check.role, check.day, record), turn)


def _sides(check: CheckRow, known: Known | None) -> tuple[str | None, str]:
    """Home and host of an item. Where nobody knows the host of what a home lists, the claim is its own."""
    if known is not None:
        return known.home_party_id, known.host_party_id
    return (check.party_id if check.role == Role.HOME else None), check.party_id


def _waiting(
    check: CheckRow, change: Change, difference: RecordDifference, known: Known | None
) -> WaitingMoney:
    home, host = _sides(check, known)
    what = "the whole day" if change.record == WHOLE_DAY else change.record
    return WaitingMoney(
        kind=SuspenseKind.CHECK,
        subject_id=_subject(check, change.record, change.turn),
        home_party_id=home,
        host_party_id=host,
        amount_fen=difference.at_risk_fen,
        currency="CNY" if known is None else known.currency,
        reason=f"daily check of {check.day}, {check.party_id} as {check.role}: {difference.kind}, {what}",
        evidence={
            "check_id": check.check_id,
            "source": check.source,
            "party_id": check.party_id,
            "role": check.role,
            "day": check.day,
            "record": change.record,
            "record_id": difference.record_id,
            "difference": difference.kind,
            "here": {"amount_fen": difference.here_fen, "energy_wh": difference.here_wh},
            "there": {"amount_fen": difference.there_fen, "energy_wh": difference.there_wh},
            "reason": difference.reason,
        },
    )


async def _note(unit: Unit, check: CheckRow, change: Change) -> None:
    """Remember what was done about a record."""
    if change.closes is None:
        assert change.opens is not None
        unit.session.add(
            CheckWait(
                subject=subject_of(check.party_id, check.role, check.day, change.record),
                party_id=check.party_id,
                role=check.role,
                day=check.day,
                record=change.record,
                turn=change.turn,
                said=said_of(change.opens),
                is_open=True,
            )
        )
        return
    row = await unit.session.get(CheckWait, subject_of(check.party_id, check.role, check.day, change.record))
    assert row is not None
    row.is_open = change.opens is not None
    if change.opens is not None:
        row.turn, row.said = change.turn, said_of(change.opens)
