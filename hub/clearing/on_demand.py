"""A statement as a file, when somebody asks for it.

A large paper takes seconds of a processor. So it is drawn by another process, one at a time, with a short queue
before it, and a length above which only the list of lines is to be had. (A thread that draws holds the
interpreter: whoever else is served meanwhile waits 5 ms at every turn, and longer at times.)
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hub.clearing.drawing import draw_apart
from hub.clearing.service import ClearingService
from hub.clearing.statement_words import CONTENT_TYPES, DRAWN
from hub.clearing.statements import render
from hub.clearing.tables_papers import count_lines
from hub.core.database import Database
from hub.core.errors import HubError, TooManyError
from hub.parties.scope import PartyScope, of_party
from operator_sdk.contract.messages.clearing import Statement
from operator_sdk.contract.public_codes import Code

LINES_MOST = 10_000
"""Lines of a statement that is drawn while its reader waits: about 5 s on one core."""

WAITING_MOST, COME_AGAIN_S = 8, 5

_drawing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="papers")
"""Waits for the process that draws."""

_places = threading.BoundedSemaphore(WAITING_MOST)


@dataclass(frozen=True, slots=True)
class Paper:
    """A file, with what it is served as."""

    content: bytes
    content_type: str
    file_name: str


async def statement_apart(
    clearing: ClearingService, viewer: PartyScope, cycle_id: str, party_id: str | None = None
) -> Statement:
    """`ClearingService.statement`, summed up beside the event loop."""
    source = await clearing.statement_source(viewer, cycle_id, party_id)
    return await asyncio.to_thread(source.make)


async def make_paper(
    clearing: ClearingService,
    database: Database,
    viewer: PartyScope,
    cycle_id: str,
    form: str,
    *,
    party_id: str | None = None,
) -> Paper:
    """The viewer's own statement in one of the formats of `render`; the hub names whose.

    Raises:
        NotFoundError: no such cycle, or not the viewer's party.
        HubError: state_conflict, the cycle has no positions yet; rule_violated, too many lines to be drawn.
        TooManyError: others wait for theirs.
    """
    if form in DRAWN:
        whose = of_party(party_id) if viewer.everything and party_id else viewer
        async with database.reading() as unit:
            lines = await count_lines(whose, unit, cycle_id)
        if lines > LINES_MOST:
            raise HubError(
                Code.RULE_VIOLATED, reason="statement_too_long", lines=lines, most=LINES_MOST, instead="csv"
            )
        if not _places.acquire(blocking=False):
            raise TooManyError(COME_AGAIN_S)
    try:
        statement = await statement_apart(clearing, viewer, cycle_id, party_id)
        names = await clearing.names()
        loop = asyncio.get_running_loop()
        if form in DRAWN:
            content = await loop.run_in_executor(_drawing, draw_apart, statement, form, names)
        else:
            content = await loop.run_in_executor(None, render, statement, form, names)
    finally:
        if form in DRAWN:
            _places.release()
    name = f"statement-{statement.cycle_id}-{statement.party_id}.{form}"
    return Paper(content, CONTENT_TYPES[form], name)
