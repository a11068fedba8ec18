"""Handlers: authorizations, sessions, scans."""

import logging
from collections.abc import AsyncIterator

import msgspec
from starlette.responses import Response, StreamingResponse

from hub.core.database import OutOfReach
from hub.core.errors import HubError, NotFoundError
from hub.core.paging import cut_page
from hub.parties.link import Capability, LinkError
from hub.protocols.native.call import Call, Handler
from hub.roaming.following import LOOK_AGAIN_S
from hub.roaming.reading import session_view
from operator_sdk.contract.codes import TokenKind
from operator_sdk.contract.messages.common import Empty, Token
from operator_sdk.contract.messages.roaming import (
    Authorization,
    AuthorizeRequest,
    DriverAccount,
    ReleaseReply,
    ReleaseRequest,
    Scan,
    ScanRequest,
    Session,
    SessionPage,
    SessionUpdate,
    StartChargingRequest,
    StartRequest,
    StopReply,
    StopRequest,
    UpdateReply,
)
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.native")

HEARTBEAT_S = 3 * LOOK_AGAIN_S
NUMBER_MOST = 2_000_000_000


async def authorize(call: Call, request: AuthorizeRequest) -> Authorization:
    """A token was shown at the caller's connector."""
    return await call.services.roaming.authorizing.authorize(call.party_id, request, call.evidence)


async def release_authorization(call: Call, request: ReleaseRequest) -> ReleaseReply:
    """Nothing was started."""
    if request.authorization_id != call.path["authorization_id"]:
        raise HubError(Code.MALFORMED, field="authorization_id")
    return await call.services.roaming.authorizing.release(call.party_id, request, call.evidence)


async def start_session(call: Call, request: StartRequest) -> Session:
    """A home starts."""
    row = await call.services.roaming.starting.for_home(call.party_id, request, call.evidence)
    return session_view(call.viewer, row)


async def stop_session(call: Call, request: StopRequest) -> StopReply:
    """A home stops."""
    return await call.services.roaming.stopping.stop(
        call.viewer, call.path["session_id"], request, call.evidence
    )


async def push_session(call: Call, update: SessionUpdate) -> UpdateReply:
    """A host's live update."""
    return await call.services.roaming.following.push(call.party_id, call.path["session_id"], update)


async def get_session(call: Call, _: Empty) -> Session:
    """One session."""
    return await call.services.roaming.reading.session(call.viewer, call.path["session_id"])


async def list_sessions(call: Call, _: Empty) -> SessionPage:
    """The caller's sessions."""
    found = await call.services.roaming.reading.sessions(
        call.viewer,
        after=call.after,
        updated_since=call.updated_since,
        limit=call.limit + 1,
        newest=call.newest_first,
    )
    items, after = cut_page(found, call.limit, lambda item: (item.updated_at, item.session_id))
    return SessionPage(items=items, next_after=after)


async def session_events(call: Call, _: Empty) -> Response:
    """Updates as server-sent events; `Last-Event-ID` is an update number."""
    text = call.last_event_id or call.query.get("above") or "0"
    if not (text.isascii() and text.isdigit()) or int(text[:11]) > NUMBER_MOST:
        raise HubError(Code.MALFORMED, field="last-event-id")
    session_id = call.path["session_id"]
    await call.services.roaming.reading.session(call.viewer, session_id)
    return StreamingResponse(
        _events(call, session_id, int(text)),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _events(call: Call, session_id: str, above: int) -> AsyncIterator[bytes]:
    quiet_s = 0
    try:
        async for progress in call.services.roaming.following.events(call.viewer, session_id, above=above):
            quiet_s = quiet_s + LOOK_AGAIN_S if progress is None else 0
            if progress is not None:
                yield b"id: %d\nevent: progress\ndata: %b\n\n" % (
                    progress.number,
                    msgspec.json.encode(progress),
                )
            elif quiet_s % HEARTBEAT_S == 0:
                yield b": still here\n\n"
    except NotFoundError:
        pass
    except OutOfReach:
        # The stream is cut, and its reader comes again.
        log.warning("database out of reach", extra={"operation": call.operation.id})
        return
    yield b"event: end\ndata: {}\n\n"


async def scan(call: Call, request: ScanRequest) -> Scan:
    """What is this code?"""
    return await call.services.roaming.scans.resolve(call.party_id, call.subject, request.code)


async def start_charging(call: Call, request: StartChargingRequest) -> Session:
    """A driver starts what was scanned."""
    row = await call.services.roaming.starting.for_driver(call.party_id, call.subject, request)
    return session_view(call.viewer, row)


async def stop_charging(call: Call, request: StopRequest) -> StopReply:
    """A driver stops."""
    return await call.services.roaming.stopping.stop(call.viewer, call.path["session_id"], request)


async def get_driver_account(call: Call, _: Empty) -> DriverAccount:
    """The driver's balance and holds, where the home can say."""
    link = await call.services.links.of(call.party_id)
    if Capability.DRIVER_ACCOUNT not in link.capabilities:
        return DriverAccount(home_party_id=call.party_id)
    try:
        return await link.driver_account(Token(kind=TokenKind.APP_USER, ref=call.subject))
    except LinkError as problem:
        raise HubError(Code.UNAVAILABLE) from problem


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (
        authorize,
        release_authorization,
        start_session,
        stop_session,
        push_session,
        get_session,
        list_sessions,
        session_events,
        scan,
        start_charging,
        stop_charging,
        get_driver_account,
    )
}
