"""Answers the hub's calls by asking the site that has the connector or the session."""

from collections.abc import Container
from typing import TypeVar

from operator_sdk.clock import Clock
from operator_sdk.contract.codes import ConnectorState, RecordState, SessionState, StopReason
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
from operator_sdk.contract.messages.checks import RecordListPart, RecordListReply
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.messages.records import RecordReply, SettlementRecord, SettlementReply
from operator_sdk.contract.messages.roaming import (
    CheckConnectorReply,
    CheckConnectorRequest,
    HostSession,
    HostStartReply,
    HostStartRequest,
    StopReply,
    StopRequest,
)
from operator_sdk.contract.public_codes import Code
from operator_sdk.errors import SiteOffline, SiteSilent
from operator_sdk.examples.host.fleet import Fleet, is_taken
from operator_sdk.examples.host.store import Session, Store
from operator_sdk.guard import Refuse
from operator_sdk.operator import Call, OperatorApp

R = TypeVar("R")


class Desk:
    """What the host answers. A site that is silent leaves the hub without an answer: it asks again."""

    def __init__(self, fleet: Fleet, store: Store, connectors: Container[str], clock: Clock) -> None:
        self._fleet, self._store, self._connectors, self._clock = fleet, store, connectors, clock

    def answer_for(self, app: OperatorApp) -> None:
        """Register with the app that the hub calls."""

        @app.start
        async def start(message: HostStartRequest, _: Call) -> HostStartReply:
            return await self.start(message)

        @app.stop
        async def stop(message: StopRequest, call: Call) -> StopReply:
            known = message.reason in set(StopReason)
            state = await self.stop(call.session_id, message.reason if known else StopReason.HUB)
            return StopReply(session_id=call.session_id, state=state)

        @app.query_session
        async def query_session(_: Empty, call: Call) -> HostSession:
            return await self.query(call.session_id)

        @app.check_connector
        async def check_connector(message: CheckConnectorRequest, _: Call) -> CheckConnectorReply:
            return await self.check(message.connector_id)

        @app.check_records
        async def check_records(message: RecordListPart, _: Call) -> RecordListReply:
            return self._store.check_records(message)

        @app.push_settlement
        async def push_settlement(message: SettlementRecord, _: Call) -> SettlementReply:
            self.settle(message)
            return SettlementReply(record_id=message.record_id, state=RecordState.SETTLED)

    async def start(self, asked: HostStartRequest) -> HostStartReply:
        """Start at the connector's site; the same session again gets the same answer.

        Raises:
            Refuse: `unavailable`, the site may have started and has not said so.
        """
        session = self._store.session(asked.session_id) or Session(session_id=asked.session_id)
        if session.reply is not None:
            return session.reply
        site_id = self._fleet.site_of(asked.connector_id)
        if site_id is None:
            known = asked.connector_id in self._connectors
            return self._refuse(session, Code.CONNECTOR_OFFLINE if known else Code.CONNECTOR_UNKNOWN)
        was_sent, session.may_be_sent = session.may_be_sent, True
        session.site_id, session.connector_id = site_id, asked.connector_id
        session.limit_fen = asked.limit_fen
        self._store.save_sessions(session)
        try:
            # One id for all attempts: the site that heard the first gives its first result again.
            command_id = f"start-{asked.session_id.replace('_', '-')}"
            result = await self._ask(site_id, StartCommand(request=asked), command_id=command_id)
        except SiteOffline as problem:
            if was_sent:
                raise Refuse(Code.UNAVAILABLE, retry_after_s=1) from problem
            return self._refuse(session, Code.CONNECTOR_OFFLINE)
        if isinstance(result, Refused):
            return self._refuse(session, result.code)
        return self._decide(session, _expected(result, StartResult).reply)

    async def stop(self, session_id: str, reason: str) -> str:
        """Stop a session, at once or when its site is back; one never started is kept from starting.

        Raises:
            Refuse: `not_found`; `unavailable`, the site is silent.
        """
        session = self._store.session(session_id)
        if session is None or session.site_id is None or not session.may_be_sent:
            if session is None or session.reply is None:
                self._refuse(session or Session(session_id=session_id), Code.HOST_REFUSED)
            raise Refuse(Code.NOT_FOUND)
        if session.over is not None:
            return session.over
        self._store.keep_stop(session_id, session.site_id, reason)
        try:
            result = await self._ask(session.site_id, StopCommand(session_id=session_id, reason=reason))
        except SiteOffline:
            return SessionState.STOPPING
        if is_taken(result):
            self._store.drop_stop(session_id)
        else:
            self._fleet.owes(session.site_id)
        return _expected(result, StopResult).state

    async def query(self, session_id: str) -> HostSession:
        """What is known of a session: by its site, or here while the site is away.

        Raises:
            Refuse: `unavailable`, nothing was heard of it and its site does not answer.
        """
        session = self._store.session(session_id)
        if session is None or session.site_id is None or not session.may_be_sent:
            return HostSession(known=False)
        try:
            result = await self._ask(session.site_id, QueryCommand(session_id=session_id))
        except SiteOffline as problem:
            if session.last is None:
                raise Refuse(Code.UNAVAILABLE, retry_after_s=1) from problem
            return HostSession(
                known=True,
                state=session.last.state,
                last_number=session.last.number,
                energy_wh=session.last.energy_wh,
                stop_reason=session.last.stop_reason,
                update=session.last,
            )
        return _expected(result, QueryResult).session

    async def check(self, connector_id: str) -> CheckConnectorReply:
        """Whether a charge could start now.

        Raises:
            Refuse: `not_found`; `unavailable`, the site is silent.
        """
        site_id = self._fleet.site_of(connector_id)
        offline = CheckConnectorReply(state=ConnectorState.OFFLINE, at=self._clock.business())
        if site_id is None:
            if connector_id in self._connectors:
                return offline
            raise Refuse(Code.NOT_FOUND)
        try:
            result = await self._ask(site_id, CheckCommand(connector_id=connector_id))
        except SiteOffline:
            return offline
        return _expected(result, CheckResult).reply

    def settle(self, settlement: SettlementRecord) -> None:
        """How the home settled a record of ours.

        Raises:
            Refuse: `not_found`.
        """
        session = self._store.session(settlement.session_id or "")
        if session is None:
            raise Refuse(Code.NOT_FOUND)
        session.settlement = settlement
        self._store.save_sessions(session)

    def record_answered(self, session_id: str, reply: RecordReply) -> None:
        """What the hub said to a bill."""
        session = self._store.session(session_id)
        if session is not None:
            session.record = reply
            self._store.save_sessions(session)

    async def _ask(self, site_id: str, command: Command, *, command_id: str | None = None) -> Result:
        try:
            return await self._fleet.gateway.command(site_id, command, command_id=command_id)
        except SiteSilent as problem:
            raise Refuse(Code.UNAVAILABLE, retry_after_s=1) from problem

    def _refuse(self, session: Session, code: str) -> HostStartReply:
        """Refused stays refused."""
        session.may_be_sent = False
        return self._decide(session, HostStartReply(accepted=False, refusal=code))

    def _decide(self, session: Session, reply: HostStartReply) -> HostStartReply:
        # Updates may have come in while the site was asked.
        newest = self._store.session(session.session_id) or session
        newest.reply, newest.may_be_sent = reply, session.may_be_sent
        self._store.save_sessions(newest)
        return reply


def _expected(result: Result, kind: type[R]) -> R:
    """The result that belongs to the command.

    Raises:
        Refuse: what the site refused with; `unavailable`, it said something else.
    """
    if isinstance(result, kind):
        return result
    if isinstance(result, Refused):
        raise Refuse(result.code, result.detail or None)
    raise Refuse(Code.UNAVAILABLE, "the site gave another answer", retry_after_s=1)
