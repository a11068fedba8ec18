"""Readers of a charge's event stream who hang up cost the hub nothing: no connection, no line in its log."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest
from sqlalchemy import event

from tests.faults.test_database_down import outage
from tests.rig import B, Rig, open_rig
from tests.rig_charges import begin_by_home, charge_of

READERS = 50
ROUNDS = 4
"""Of the loop, that the hub has had with the news when they hang up: it is reading for as many as it can."""


async def reads(rig: Rig, session_id: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A reader who has heard the first update: his line."""
    at = urlsplit(rig.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    head = f"GET /v1/sessions/{session_id}/events HTTP/1.1\r\nHost: {at.netloc}\r\n"
    writer.write(f"{head}Authorization: Bearer {rig.token(B)}\r\n\r\n".encode())
    await reader.readuntil(b"event: progress")
    return reader, writer


def thrown_away(rig: Rig) -> list[str]:
    """Fills with whatever made the hub give a connection of its database up."""
    reasons: list[str] = []
    event.listen(
        rig.hub.database.engine.sync_engine,
        "invalidate",
        lambda _connection, _record, problem: reasons.append(type(problem).__name__),
    )
    return reasons


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
async def test_fifty_readers_who_drop_while_the_hub_reads_for_them_leave_no_error_and_no_connection_behind(
    kind: str,
) -> None:
    async with open_rig(kind) as rig:
        charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
        await charge.runs(0)
        reasons = thrown_away(rig)
        rig.logs.lines.clear()
        lines = await asyncio.gather(*(reads(rig, charge.session_id) for _ in range(READERS)))
        rig.hub.live.publish(charge.session_id)
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        for _, writer in lines:
            writer.transport.abort()
        async with asyncio.timeout(20):
            while rig.hub.live._followers:  # type: ignore[attr-defined]  # noqa: ASYNC110 (nobody is told)
                await asyncio.sleep(0.01)
        assert reasons == []
        levels = [json.loads(line)["level"] for line in rig.logs.lines]
        assert not {"ERROR", "CRITICAL"} & set(levels), rig.logs.lines
        await charge.ends(2)
        await charge.bill()
        await rig.work()


@pytest.mark.integration
async def test_a_reader_whose_update_cannot_be_read_is_cut_off_and_comes_again() -> None:
    """The end of the stream would have told him that there is nothing more to come."""
    async with open_rig("postgresql") as rig:
        charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
        await charge.runs(0)
        reader, writer = await reads(rig, charge.session_id)
        await outage(rig, 0)
        rig.logs.lines.clear()
        rig.hub.live.publish(charge.session_id)
        async with asyncio.timeout(20):
            rest = await reader.readuntil(b"\r\n0\r\n\r\n")
        assert b"event: end" not in rest
        told = [json.loads(line) for line in rig.logs.lines]
        assert [(one["level"], one.get("operation")) for one in told] == [("WARNING", "session_events")]
        writer.close()
        _, again = await reads(rig, charge.session_id)
        again.close()
        await charge.ends(2)
        await charge.bill()
        await rig.work()
