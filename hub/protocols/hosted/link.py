"""PartyLink to a hosted operator: as a home our own `accounts` answer, as a host the agents of its sites."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hub.accounts.service import Accounts
from hub.accounts.service_charging import HostedCharging
from hub.core.database import Database
from hub.core.errors import UNDECIDED, HubError
from hub.core.tables import Evidence
from hub.parties.link import Capability, LinkError, LinkRefused, MissingLink
from hub.parties.scope import of_party
from hub.roaming.tables import get_session
from hub.sites.commands import OFFLINE, Commands
from operator_sdk.contract.codes import Role
from operator_sdk.contract.edge_link.frames import (
    CheckCommand,
    CheckResult,
    Command,
    QueryCommand,
    QueryResult,
    Refused,
    Result,
    StartCommand,
    StartResult,
    StopCommand,
    StopResult,
)
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.records import HomeRecord, RecordAnswer
from operator_sdk.contract.messages.roaming import (
    CheckConnectorReply,
    DriverAccount,
    HomeAuthorization,
    HomeAuthorizeRequest,
    HostSession,
    HostStartReply,
    HostStartRequest,
    StopReply,
    StopRequest,
)
from operator_sdk.contract.public_codes import Code

CAPABILITIES = {
    Role.HOME: frozenset(
        {
            Capability.AUTHORIZE,
            Capability.RELEASE_AUTHORIZATION,
            Capability.PUSH_RECORD,
            Capability.DRIVER_ACCOUNT,
        }
    ),
    # How a bill was settled is in the hub's books, which are the hosted operator's own: no site is told.
    Role.HOST: frozenset(
        {Capability.START, Capability.STOP, Capability.QUERY_SESSION, Capability.CHECK_CONNECTOR}
    ),
}


@dataclass(frozen=True, slots=True)
class HostedTools:
    """What every hosted operator's link works with."""

    accounts: Accounts
    charging: HostedCharging
    commands: Commands
    database: Database


class HostedLink(MissingLink):
    """Hosted as home, as host, or as both, by the party's roles."""

    link_protocol = "hosted"

    def __init__(self, party_id: str, roles: Collection[str], tools: HostedTools) -> None:
        self._party_id, self._database = party_id, tools.database
        self._accounts, self._charging = tools.accounts, tools.charging
        self._commands = tools.commands
        self.capabilities = frozenset(
            capability for role, offered in CAPABILITIES.items() if role in roles for capability in offered
        )

    # As a home.

    async def authorize(self, request: HomeAuthorizeRequest) -> tuple[HomeAuthorization, Evidence | None]:
        """Hold in the driver's wallet."""
        with _as_answered():
            return await self._charging.authorize(self._party_id, request), None

    async def release_authorization(
        self, authorization_id: str, reason: str, home_ref: str | None = None
    ) -> None:
        """Void the hold."""
        with _as_answered():
            await self._charging.release(self._party_id, authorization_id)

    async def push_record(self, record: HomeRecord) -> tuple[RecordAnswer, Evidence | None]:
        """Capture, release the rest, and settle at once; a credit gives back.

        Where the hub never knew the charge, nobody here knows the driver: the home finds him by itself.
        """
        if record.authorization_id is None:
            return RecordAnswer(state="received"), None
        with _as_answered():
            settlement = await self._charging.settle(self._party_id, record)
        return RecordAnswer(state="settled", settlement=settlement), None

    async def driver_account(self, token: Token) -> DriverAccount:
        """The wallet."""
        return await self._accounts.driver_account(self._party_id, token)

    # As a host.

    async def start(self, request: HostStartRequest) -> HostStartReply:
        """Start at the connector's site; refused at once where that is offline."""
        site_id = await self._commands.site_of(self._party_id, request.connector_id)
        if site_id is None:
            return HostStartReply(accepted=False, refusal=Code.CONNECTOR_OFFLINE)
        command_id = f"start:{request.session_id}"
        try:
            result = await self._commands.run(site_id, StartCommand(request=request), command_id=command_id)
        except LinkError as problem:
            if problem.reason != OFFLINE:
                raise
            return HostStartReply(accepted=False, refusal=Code.CONNECTOR_OFFLINE)
        if isinstance(result, StartResult):
            return result.reply
        if isinstance(result, Refused):
            return HostStartReply(accepted=False, refusal=result.code)
        raise _out_of_place(result)

    async def stop(self, session_id: str, request: StopRequest) -> StopReply:
        """Stop at the session's site. A site that is offline finds the command when it comes back."""
        command = StopCommand(session_id=session_id, reason=request.reason)
        result = await self._at_session(session_id, command, command_id=f"stop:{request.stop_ref}", keep=True)
        if isinstance(result, StopResult):
            return StopReply(session_id=session_id, state=result.state)
        raise _out_of_place(result)

    async def query_session(self, session_id: str) -> HostSession:
        """What the session's site knows of it."""
        result = await self._at_session(session_id, QueryCommand(session_id=session_id))
        if isinstance(result, QueryResult):
            return result.session
        raise _out_of_place(result)

    async def check_connector(self, connector_id: str) -> CheckConnectorReply:
        """Could a charge start there now?"""
        site_id = await self._commands.site_of(self._party_id, connector_id)
        if site_id is None:
            raise LinkRefused(Code.CONNECTOR_UNKNOWN, sent=False)
        result = await self._commands.run(site_id, CheckCommand(connector_id=connector_id))
        if isinstance(result, CheckResult):
            return result.reply
        raise _out_of_place(result)

    async def _at_session(
        self, session_id: str, command: Command, *, command_id: str | None = None, keep: bool = False
    ) -> Result:
        async with self._database.reading() as unit:
            session = await get_session(of_party(self._party_id), unit, session_id)
        if session is None or session.host_party_id != self._party_id:
            raise LinkRefused(Code.NOT_FOUND, sent=False)
        site_id = await self._commands.site_of(self._party_id, session.connector_id)
        if site_id is None:
            raise LinkError("no site", sent=False)
        return await self._commands.run(site_id, command, command_id=command_id, keep=keep)


@contextmanager
def _as_answered() -> Iterator[None]:
    """What `accounts` decides is the home's word, as any home's 4xx is; what is down says nothing."""
    try:
        yield
    except HubError as problem:
        kind = LinkError if problem.code in UNDECIDED else LinkRefused
        raise kind(problem.code.value) from problem


def _out_of_place(result: Result) -> LinkError:
    """A refusal, or a result of another kind of command."""
    if isinstance(result, Refused):
        return LinkRefused(result.code)
    return LinkError(f"answered with {type(result).__name__}")
