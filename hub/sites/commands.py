"""Commands to sites: any process writes one down, the process that holds the site's connection sends it.

The row is the command: it outlives either process, and its first result stays. What must not be late expires,
and is never sent after that; what must arrive waits for the site.
"""

import asyncio
import contextlib
from collections.abc import Collection
from datetime import timedelta

import msgspec

from hub.core.tables import insert_new
from hub.parties.link import LinkError
from hub.sites.connections import is_online
from hub.sites.context import SitesContext, command_topic, site_topic
from hub.sites.model import ANSWER_WITHIN
from hub.sites.tables import (
    SiteCommandRow,
    command_row,
    never_sent,
    not_expired,
    of_site,
    open_commands,
    set_command,
    standing_site_at,
    station_of,
)
from operator_sdk.contract.edge_link.frames import Command, Result, encode

LOOK_AGAIN_MS = 200
"""A waiter looks for itself this often, should a notice be lost or come from a process that cannot send any."""

FLUSH_WITHIN_S = 1
OFFLINE, SILENT = "site_offline", "site_silent"

_command: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_result: msgspec.msgpack.Decoder[Result] = msgspec.msgpack.Decoder(Result)


class Commands:
    """Issues commands, and hands them to whoever holds the connection."""

    def __init__(self, context: SitesContext) -> None:
        self._c = context

    # Whoever wants something.

    async def site_of(self, host_party_id: str, connector_id: str) -> str | None:
        """The site that serves a connector; None when none does."""
        async with self._c.database.reading() as unit:
            station_id = await station_of(unit, host_party_id, connector_id)
            if station_id is None:
                return None
            row = await standing_site_at(unit, host_party_id, station_id)
        return row.site_id if row is not None else None

    async def run(
        self,
        site_id: str,
        command: Command,
        *,
        command_id: str | None = None,
        within: timedelta = ANSWER_WITHIN,
        keep: bool = False,
    ) -> Result:
        """Have a site do something `within` a time; what became of it. The same id gets the first result.

        `keep`: it waits for a site that is offline, though nobody waits for its result then.

        Raises:
            LinkError: the site is offline or silent; `sent` is False where it certainly never heard of it.
        """
        command_id = command_id or self._c.ids.new("cmd")
        async with self._c.live.follow(command_topic(command_id)) as news:
            online = await self._write(site_id, command_id, command, None if keep else within)
            if not online:
                if (result := await self._answer(command_id)) is not None:
                    return result
                raise LinkError(OFFLINE, sent=False)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_WITHIN_S):
                    await self._c.live.flush()
            return await self._wait(command_id, news, within, keep=keep)

    async def _write(self, site_id: str, command_id: str, command: Command, life: timedelta | None) -> bool:
        """Write the command down, unless it is there or nobody could send it in time; is the site online?"""
        now = self._c.clock.wall()
        async with self._c.database.unit() as unit:
            online = await is_online(unit, site_id, now)
            if online or life is None:
                await insert_new(
                    unit,
                    SiteCommandRow,
                    command_id=command_id,
                    site_id=site_id,
                    kind=str(command.__struct_config__.tag),
                    command=encode(command),
                    created_at=now,
                    expires_at=None if life is None else now + life,
                )
                unit.after_commit(lambda: self._c.live.publish(site_topic(site_id)))
        return online

    async def _wait(self, command_id: str, news: asyncio.Event, within: timedelta, *, keep: bool) -> Result:
        loop = asyncio.get_running_loop()
        until = loop.time() + within.total_seconds()
        while True:
            news.clear()
            if (result := await self._answer(command_id)) is not None:
                return result
            if loop.time() >= until:
                sent = keep or not await self._withdraw(command_id)
                raise LinkError(SILENT, sent=sent)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_MS / 1000):
                    await news.wait()

    async def _answer(self, command_id: str) -> Result | None:
        async with self._c.database.reading() as unit:
            row = await command_row(unit, command_id)
        return _result.decode(row.result) if row is not None and row.result is not None else None

    async def _withdraw(self, command_id: str) -> bool:
        """Take back what nobody has sent yet; says whether that is certain."""
        now = self._c.clock.wall()
        async with self._c.database.unit() as unit:
            return await set_command(unit, command_id, never_sent(), expires_at=now)

    # Whoever holds the connection.

    async def waiting(self, site_ids: Collection[str]) -> list[SiteCommandRow]:
        """What these sites are to do, oldest first."""
        async with self._c.database.reading() as unit:
            return await open_commands(unit, site_ids, self._c.clock.wall())

    async def take(self, row: SiteCommandRow) -> Command | None:
        """A command to be sent now; None when it has expired or was answered in the meantime."""
        now = self._c.clock.wall()
        async with self._c.database.unit() as unit:
            still = await set_command(unit, row.command_id, not_expired(now), sent_at=now)
        return _command.decode(row.command) if still else None

    async def note_result(self, site_id: str, command_id: str, result: Result) -> None:
        """Keep the first result of a site's command and tell whoever waits. Others are let fall."""
        now = self._c.clock.wall()
        async with self._c.database.unit() as unit:
            kept = await set_command(unit, command_id, of_site(site_id), result=encode(result), answered_at=now)
            if kept:
                unit.after_commit(lambda: self._c.live.publish(command_topic(command_id)))
