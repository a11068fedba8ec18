"""What an agent does all the time goes on: none of it ends unnoticed, and none of it takes the agent down."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_agent import agent as working
from edge_agent.agent import Agent
from edge_agent.clock import Clock
from edge_agent.desk import NOT_KEPT, Desk
from edge_agent.keeper import Keeper
from edge_agent.local import Cards
from edge_agent.spool import Spool
from edge_agent.store import Store, StoreFull, Written
from edge_agent.uplink import Uplink
from operator_sdk.contract.edge_link.frames import FaultItem, QueryCommand, StartCommand, StopCommand, Stream
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.roaming import HostStartRequest
from tests.edge_receiver import GATEWAY_ID, Receiver
from tests.edge_rig import EPOCH, new_id
from tests.unit.test_edge_attendant import PILE, settings_of, until


def damage(store: Store) -> None:
    """Nothing of the file makes sense any more, and nothing of it is remembered."""
    store.db.execute("pragma cache_size = 0")
    store.db.execute("pragma wal_checkpoint(truncate)")
    ((_, _, name),) = store.db.execute("pragma database_list").fetchall()
    path = Path(name)
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))


@asynccontextmanager
async def at_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Agent, Receiver]]:
    """An agent that is linked, all of whose works come round quickly; it still runs at the end."""
    every = working._every
    monkeypatch.setattr(working, "_every", lambda _, work: every(0.02, work))
    monkeypatch.setattr(working, "RETRY_S", 0.02)
    monkeypatch.setattr("edge_agent.local.SETTLE_S", 0.02)
    settings = settings_of(folder, PILE)
    receiver = Receiver(folder / "gateway.sqlite3", {"s": settings.key.public_key()})
    async with receiver.serving():
        gateway = msgspec.structs.replace(settings.gateway, url=receiver.url, id=GATEWAY_ID)
        agent = Agent(
            msgspec.structs.replace(settings, gateway=gateway, gateway_key=receiver.key.public_key()),
            Clock(),
        )
        work = asyncio.create_task(agent.run())
        try:
            await receiver.until(lambda: agent._uplink.is_open or work.done())
            yield agent, receiver
            assert not work.done()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            receiver.db.close()


@pytest.mark.parametrize(
    ("owner", "method", "name"),
    [
        (Uplink, "_connection", "link"),
        (Cards, "settle", "cards"),
        (Agent, "_report_states", "states"),
        (Agent, "_report_health", "health"),
        (Agent, "_keep_counts", "counts"),
        (Keeper, "retry", "keeper"),
    ],
)
async def test_a_work_that_fails_begins_again_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type[Any], method: str, name: str
) -> None:
    real: Callable[..., Any] = getattr(owner, method)
    done: list[bool] = []

    def surprising(self: object) -> Any:
        done.append(len(done) not in {1, 2})
        if not done[-1]:
            raise RuntimeError("a surprise")
        return real(self)

    monkeypatch.setattr(owner, method, surprising)
    async with at_work(tmp_path, monkeypatch) as (_, receiver):
        if name == "link":
            await receiver.cut()
        await until(lambda: len(done) >= 5 or (name == "link" and len(done) >= 4))
        await receiver.until(lambda: ("agent_failed", True) in receiver.faults())
        told = [item for item in receiver.items if isinstance(item, FaultItem) and item.code == "agent_failed"]
        assert [(item.text, item.cleared) for item in told] == [(name, False), ("", True)]


async def test_a_file_that_is_damaged_stops_every_charge_and_not_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "interpile.edge")
    async with at_work(tmp_path, monkeypatch) as (agent, _):
        damage(agent._store)
        await until(lambda: agent._keeper.is_full)
        for words in ("all charges are stopped", "still no room", "frame counts not kept", "nothing forgotten"):
            await until(lambda: words in caplog.text)  # noqa: B023 - awaited here
        assert "failed and begins again" not in caplog.text


async def test_a_connection_on_which_nothing_can_be_sent_ends_with_what_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(tmp_path, monkeypatch) as (agent, receiver):

        def none(*_: object) -> list[bytes]:
            raise RuntimeError("a surprise")

        with monkeypatch.context() as patch:
            patch.setattr(Spool, "batch", none)
            agent._store.write(Written(at=EPOCH, live=[FaultItem(code="door", at=EPOCH)]))
            agent._uplink.wake()
            await receiver.until(lambda: receiver.connections >= 2)
        await receiver.until(lambda: ("door", False) in receiver.faults())


async def test_a_start_that_may_have_been_answered_before_is_not_answered_from_a_file_that_cannot_be_read(
    tmp_path: Path,
) -> None:
    agent = Agent(settings_of(tmp_path, PILE), Clock())
    desk = Desk("s", agent._attendants, agent._keeper, Clock(), 55)
    damage(agent._store)
    session_id = new_id("ses")
    request = HostStartRequest(
        session_id=session_id,
        authorization_id=session_id.replace("ses", "aut"),
        connector_id="P1",
        home_party_id="HOMEPARTY",
        token_ref="t-1",
        start_mode="home",
        tariff_id="tou",
        tariff_version=1,
        limit_fen=None,
        target=Target(),
    )
    assert await desk.commanded("cmd-1", StartCommand(request=request)) is None
    assert await desk.commanded("cmd-2", QueryCommand(session_id=session_id)) == NOT_KEPT
    assert await desk.commanded("cmd-3", StopCommand(session_id=session_id, reason="hub")) == NOT_KEPT
    agent._store.close()


def test_whatever_reads_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "edge.sqlite3"
    store = Store(path, new_spool_id="spool-1")
    spool = Spool(store)
    damage(store)
    reads: list[Callable[[], object]] = [
        lambda: spool.spool_id,
        spool.waiting,
        lambda: spool.batch(Stream.LIVE, 1),
        lambda: spool.mismatch({}),
        store.open_charges,
        lambda: store.charge("ses"),
        lambda: store.reply("ses"),
        lambda: store.result("cmd"),
        lambda: store.tariff("tou", 1),
        lambda: store.is_blacklisted(b"a"),
        store.asks,
        store.releases,
        store.faults,
        store.statuses,
        store.taps,
    ]
    for read in reads:
        with pytest.raises(StoreFull, match="not a database"):
            read()
    store.close()
    for _ in range(2):
        with pytest.raises(StoreFull, match=str(path)):
            Store(path, new_spool_id="spool-1")
