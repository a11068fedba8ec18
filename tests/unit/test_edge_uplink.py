"""The uplink over a line that breaks while a command is carried out."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.spool import Spool
from edge_agent.store import Store
from edge_agent.uplink import Ears, Home, Uplink
from operator_sdk.contract.edge_link.frames import Command, Done, QueryCommand, Result, UnlockCommand
from tests.edge_receiver import GATEWAY_ID, Receiver
from tests.edge_rig import new_id

Commanded = Callable[[str, Command], Awaitable[Result]]
UNLOCK = UnlockCommand(connector_id="P1")


def uplink(receiver: Receiver, key: Ed25519PrivateKey, store: Store, commanded: Commanded) -> Uplink:
    """An uplink whose agent does nothing but carry out commands."""
    home = Home(
        url=receiver.url,
        site_id="site",
        key=key,
        gateway_id=GATEWAY_ID,
        gateway_key=receiver.key.public_key(),
        connectors=("P1",),
    )
    ears = Ears(
        commanded=commanded,
        answered_late=lambda *_: None,
        opened=lambda: None,
        lost=lambda _: None,
        superseded=lambda: None,
        mismatched=lambda _: None,
    )
    return Uplink(home, Spool(store), ears)


async def test_a_command_that_outlives_its_connection_is_answered_on_the_next_where_it_was_sent_again(
    tmp_path: Path,
) -> None:
    key = Ed25519PrivateKey.generate()
    receiver = Receiver(tmp_path / "gateway.sqlite3", {"site": key.public_key()})
    begun, may_end, carried_out = asyncio.Event(), asyncio.Event(), 0

    async def commanded(_: str, command: Command) -> Result:
        nonlocal carried_out
        if isinstance(command, QueryCommand):
            return Done()
        carried_out += 1
        begun.set()
        await may_end.wait()
        return Done()

    store = Store(tmp_path / "edge.sqlite3", new_spool_id="spool-1")
    async with receiver.serving():
        running = asyncio.create_task(uplink(receiver, key, store, commanded).run())
        try:
            asked = asyncio.create_task(receiver.command(UNLOCK, Done, command_id="cmd-1"))
            await asyncio.wait_for(begun.wait(), 20)
            asked.cancel()
            await receiver.cut()
            await receiver.until(lambda: receiver.connections == 2)
            asked = asyncio.create_task(receiver.command(UNLOCK, Done, command_id="cmd-1"))
            # What was sent after it is answered, so it was heard, while the work still goes on.
            await asyncio.create_task(receiver.command(QueryCommand(session_id=new_id("ses")), Done))
            may_end.set()
            assert await asked == Done()
            assert carried_out == 1
        finally:
            running.cancel()
            await asyncio.wait({running})
    store.close()
    receiver.db.close()
