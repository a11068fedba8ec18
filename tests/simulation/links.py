"""PartyLink in the simulator: native operators are reached over the network, hosted ones inside the hub."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from hub.core.database import refuse_inside_unit
from hub.core.tables import Evidence
from hub.parties.link import Capability, LinkError, LinkRefused, Links, MissingLink, PartyLink
from hub.protocols.native.link import AUTHORIZE_S, OTHER_S, START_S, NativeLink
from operator_sdk.contract.messages.common import Empty, Message, Token
from operator_sdk.contract.messages.records import HomeRecord, RecordAnswer, SettlementRecord, SettlementReply
from operator_sdk.contract.messages.roaming import (
    CheckConnectorReply,
    CheckConnectorRequest,
    DriverAccount,
    DriverAccountRequest,
    HomeAuthorization,
    HomeAuthorizeRequest,
    HostSession,
    HostStartReply,
    HostStartRequest,
    ReleaseReply,
    ReleaseRequest,
    SessionProgress,
    StopReply,
    StopRequest,
)
from tests.simulation.network import Network, Refusal, Silence, Unavailable
from tests.simulation.operators import Operator
from tests.simulation.process import HubProcess

M = TypeVar("M", bound=Message)


class SimLink(MissingLink):
    """One operator's platform: the contract's messages as bytes, answers told apart as the native link does."""

    capabilities = NativeLink.capabilities

    def __init__(self, process: HubProcess, network: Network, operator: Operator) -> None:
        self._process, self._network, self._operator = process, network, operator

    async def check_connector(self, connector_id: str) -> CheckConnectorReply:
        request = CheckConnectorRequest(connector_id=connector_id)
        return await self._ask(CheckConnectorReply, "check_connector", request)

    async def authorize(self, request: HomeAuthorizeRequest) -> tuple[HomeAuthorization, Evidence | None]:
        return await self._ask(HomeAuthorization, "authorize", request, timeout_s=AUTHORIZE_S), None

    async def release_authorization(
        self, authorization_id: str, reason: str, home_ref: str | None = None
    ) -> None:
        request = ReleaseRequest(authorization_id=authorization_id, reason=reason, home_ref=home_ref)
        await self._ask(ReleaseReply, "release_authorization", request)

    async def start(self, request: HostStartRequest) -> HostStartReply:
        return await self._ask(HostStartReply, "start", request, timeout_s=START_S)

    async def stop(self, session_id: str, request: StopRequest) -> StopReply:
        return await self._ask(StopReply, "stop", request, path=session_id)

    async def query_session(self, session_id: str) -> HostSession:
        return await self._ask(HostSession, "query_session", Empty(), path=session_id)

    async def push_session(self, progress: SessionProgress) -> None:
        await self._ask(Empty, "push_session", progress)

    async def push_record(self, record: HomeRecord) -> tuple[RecordAnswer, Evidence | None]:
        return await self._ask(RecordAnswer, "push_record", record), None

    async def push_settlement(self, settlement: SettlementRecord) -> None:
        await self._ask(SettlementReply, "push_settlement", settlement)

    async def driver_account(self, token: Token) -> DriverAccount:
        return await self._ask(DriverAccount, "driver_account", DriverAccountRequest(token=token))

    async def _ask(
        self, reply: type[M], operation: str, message: Message, *, timeout_s: int = OTHER_S, path: str = ""
    ) -> M:
        refuse_inside_unit(operation)
        self._process.life.port(f"before {operation}")
        what = f"{self._process.name} {self._operator.party_id} {operation}"
        try:
            answer = await self._network.ask(
                what,
                lambda body: self._operator.answer(operation, path, body),
                msgspec.json.encode(message),
                timeout_s=timeout_s,
            )
        except Silence as problem:
            raise LinkError("silent", sent=problem.sent) from problem
        except Unavailable as problem:
            raise LinkError("unavailable") from problem
        except Refusal as problem:
            raise LinkRefused(problem.code) from problem
        finally:
            self._process.life.port(f"after {operation}")
        return msgspec.json.decode(answer, type=reply)


class HostedPort:
    """A hosted operator's own link, with the ports before and after every call at which the hub may die."""

    def __init__(self, process: HubProcess, link: PartyLink) -> None:
        self._process, self._link = process, link
        self.capabilities: frozenset[Capability] = link.capabilities
        self.link_protocol, self.carries_limits = link.link_protocol, link.carries_limits
        self.asks_before_start, self.push_every_s = link.asks_before_start, link.push_every_s
        self.mint_host_ref, self.again_s = link.mint_host_ref, link.again_s

    def __getattr__(self, name: str) -> Any:
        call: Callable[..., Any] = getattr(self._link, name)

        async def with_ports(*arguments: Any, **named: Any) -> Any:
            self._process.life.port(f"before hosted {name}")
            said = await call(*arguments, **named)
            self._process.life.port(f"after hosted {name}")
            return said

        return with_ports


class SimLinks:
    """Implements `parties.Links` over the hub's own registry."""

    def __init__(
        self, process: HubProcess, inner: Links, network: Network, operators: dict[str, Operator]
    ) -> None:
        self._process, self._inner, self._network, self._operators = process, inner, network, operators

    async def of(self, party_id: str) -> PartyLink:
        if party_id in self._operators:
            return SimLink(self._process, self._network, self._operators[party_id])
        link: Any = HostedPort(self._process, await self._inner.of(party_id))
        return link  # type: ignore[no-any-return]
