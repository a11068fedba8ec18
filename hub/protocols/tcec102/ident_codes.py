"""IdentCode: what a driver types at the pile to stop, on its way from the host's start result to the home's.

The hub has no use for it and no word of its own: it is kept, sealed, with the message that it came in.
"""

import hashlib

from hub.core.tables import BusinessMessage, insert_new
from hub.protocols.tcec102.tools import LinkTools
from hub.roaming.tables import SessionRow

KIND = "tcec102_ident_code"

LONGEST = 64
"""No keypad asks for more; some put a fault's text there."""


async def keep_ident_code(tools: LinkTools, session: SessionRow, code: str | None) -> None:
    """Keep the code of a session; the first one stays."""
    code = (code or "").strip()
    if session.host_ref is None or not 0 < len(code) <= LONGEST:
        return
    async with tools.database.unit() as unit:
        await insert_new(
            unit,
            BusinessMessage,
            party_id=session.host_party_id,
            kind=KIND,
            external_id=session.host_ref,
            digest=hashlib.sha256(code.encode()).hexdigest(),
            subject_id=session.session_id,
            received_at=tools.clock.wall(),
            key_id=None,
            signature=None,
            body=tools.seal.close(code.encode()),
        )


async def ident_code_of(tools: LinkTools, session: SessionRow) -> str | None:
    """The code of a session; None where its host gave none."""
    async with tools.database.reading() as unit:
        kept = await unit.session.get(BusinessMessage, (session.host_party_id, KIND, session.host_ref or ""))
    return None if kept is None or kept.body is None else tools.seal.open(kept.body).decode()
