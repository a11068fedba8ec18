"""What the database itself refuses to do to a charge record, asked in plain SQL. Both engines."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hub.core.database import Database
from hub.roaming.model_records import BEGINS, FOLLOWS, may_become
from hub.roaming.tables_records import RecordRow
from hub.roaming.tables_trust import RecordDecisionRow, SessionReleaseRow
from hub.roaming.triggers import BILLED
from operator_sdk.contract.codes import RecordState

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
EDITED = "a charge record is never edited"


def row(record_id: str, state: str, **changes: Any) -> RecordRow:
    """A record of an hour, 10 kWh, 15.00 yuan."""
    values: dict[str, Any] = {
        "record_id": record_id,
        "record_ref": record_id,
        "session_id": "ses",
        "home_party_id": "MA5BBBBB2",
        "host_party_id": "MA5AAAAA1",
        "connector_id": "A1",
        "state": state,
        "started_at": NOON - timedelta(hours=1),
        "ended_at": NOON,
        "meter_start_wh": 0,
        "meter_end_wh": 10_000,
        "energy_wh": 10_000,
        "lines": "[]",
        "findings": "[]",
        "electricity_fen": 1_000,
        "service_fen": 500,
        "amount_fen": 1_500,
        "owed_fen": 1_500,
        "currency": "CNY",
        "tariff_id": "t",
        "tariff_version": 1,
        "stop_reason": "card",
        "booked_day": "2026-03-02",
        "service_day": "2026-03-02",
        "updated_at": NOON,
    }
    return RecordRow(**(values | changes))


async def run(database: Database, *statements: str) -> None:
    async with database.unit() as unit:
        connection = await unit.session.connection()
        for statement in statements:
            await connection.execute(text(statement))


async def refused(database: Database, *statements: str, because: str = EDITED) -> None:
    with pytest.raises(DBAPIError, match=because):
        await run(database, *statements)


async def add(database: Database, *rows: RecordRow | RecordDecisionRow | SessionReleaseRow) -> None:
    async with database.unit() as unit:
        unit.session.add_all(rows)


WAYS = {
    "received": [],
    "accepted": ["accepted"],
    "suspended": ["suspended"],
    "rejected": ["rejected"],
    "disputed": ["accepted", "disputed"],
    "credited": ["accepted", "credited"],
    "settled": ["accepted", "settled"],
}
"""How a record that was received comes into each state."""


async def test_a_state_is_followed_only_by_those_of_the_table(database: Database) -> None:
    for old in RecordState:
        for new in RecordState:
            record_id = f"{old}-{new}"
            await add(database, row(record_id, "received"))
            steps = [
                f"UPDATE charge_record SET state = '{state}' WHERE record_id = '{record_id}'"
                for state in WAYS[old]
            ]
            await run(database, *steps)
            step = f"UPDATE charge_record SET state = '{new}' WHERE record_id = '{record_id}'"
            if may_become(old, new) or old is new:
                await run(database, step)
            else:
                await refused(database, step)
    assert sum(len(new) for new in FOLLOWS.values()) == 11


async def test_a_record_begins_as_it_was_judged(database: Database) -> None:
    for state in RecordState:
        if state in BEGINS:
            await add(database, row(state, state))
        else:
            with pytest.raises(DBAPIError, match=EDITED):
                await add(database, row(state, state))


async def test_what_was_billed_never_changes(database: Database, kind: str) -> None:
    await add(database, row("r", "suspended"))
    for column in BILLED:
        value = "'x'" if isinstance(getattr(row("r", "suspended"), column), str) else "77"
        if column.endswith("_at"):
            value = "'2026-03-01 00:00:00+00'" if kind == "postgresql" else "77"
        if column in {"credit_of", "session_ref", "fees", "repriced"}:
            value = "'x'"
        if column == "metered":
            value = "false"
        await refused(database, f"UPDATE charge_record SET {column} = {value}")
    await refused(database, "DELETE FROM charge_record")
    await run(
        database, "UPDATE charge_record SET amount_fen = amount_fen, booked_day = '2026-03-03', reason = 'x'"
    )


async def test_a_home_is_named_once(database: Database) -> None:
    await add(database, row("r", "suspended", home_party_id=None, session_id=None))
    await run(database, "UPDATE charge_record SET home_party_id = 'MA5BBBBB2'")
    await refused(database, "UPDATE charge_record SET home_party_id = 'MA5DDDDD4'")
    await refused(database, "UPDATE charge_record SET home_party_id = NULL")


async def test_a_record_has_one_credit_and_any_number_that_were_rejected(database: Database) -> None:
    await add(database, *(row(f"no-{n}", "rejected", kind="credit", credit_of="r") for n in range(2)))
    await add(database, row("yes", "accepted", kind="credit", credit_of="r"))
    with pytest.raises(DBAPIError, match=r"(?i)unique"):
        await add(database, row("again", "accepted", kind="credit", credit_of="r"))


async def test_what_people_decided_only_grows(database: Database) -> None:
    said = RecordDecisionRow(
        record_id="r", number=1, decision="accept", reason="seen", said_by="boss", said_at=NOON, final=False
    )
    await add(database, said)
    for statement in ("UPDATE record_decision SET final = true", "DELETE FROM record_decision"):
        await refused(database, statement, because="record_decision only grows")


async def test_what_people_let_go_only_grows(database: Database) -> None:
    said = SessionReleaseRow(session_id="s", number=1, reason="no bill", said_by="boss", said_at=NOON)
    await add(database, said)
    for statement in ("UPDATE session_release SET final = true", "DELETE FROM session_release"):
        await refused(database, statement, because="session_release only grows")
