"""What the hub tells a T/CEC 102 home: towards it the hub is the infrastructure side (T/CEC 102.3)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hub.clearing.tables_checks import part_lines
from hub.core.tables import Evidence
from hub.parties.link import LinkCannot, LinkError, LinkRefused, LinkUntaken
from hub.parties.scope import of_party
from hub.protocols.tcec102.aliases import Kind
from hub.protocols.tcec102.ident_codes import ident_code_of
from hub.protocols.tcec102.tables_home import note_start_told, session_told, start_refs
from hub.protocols.tcec102.tools import RESEND_S, LinkBase, ToldCharge
from hub.protocols.tcec102.translate_checks import Told, orders_of, reply_to_check
from hub.protocols.tcec102.translate_out import (
    CHARGING,
    CONNECTOR_STATUS,
    ENDED,
    Charge,
    charge_status,
    order_of,
)
from hub.roaming.tables import SessionRow, get_authorization, get_session
from operator_sdk.contract.codes import RecordKind, Role, SessionState
from operator_sdk.contract.ids import split_connector
from operator_sdk.contract.messages.checks import ListedRecord, RecordListPart, RecordListReply
from operator_sdk.contract.messages.directory import ConnectorStatus
from operator_sdk.contract.messages.records import HomeRecord, RecordAnswer, SettlementRecord
from operator_sdk.contract.messages.roaming import SessionProgress
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.tcec102.messages import (
    ConnectorStatusInfo,
    NotificationEquipChargeStatus,
    NotificationStartChargeResult,
    NotificationStartChargeResultReply,
    NotificationStationStatus,
    NotificationStopChargeResult,
    NotificationStopChargeResultReply,
)
from operator_sdk.contract.tcec102.sequences import make_seq
from operator_sdk.contract.tcec102.values import format_time

LIST_S = 20
NEVER_CHARGED = frozenset({SessionState.REFUSED, SessionState.START_FAILED})


class HomePart(LinkBase):
    """The methods of the port that concern homes."""

    async def push_status(self, statuses: Mapping[str, ConnectorStatus]) -> None:
        """notification_stationStatus for each connector. Status 1 of an answer, `dropped`, is as good as 0.

        Raises:
            LinkCannot: the home was never told of any of these connectors.
        """
        keys = {split_connector(ref): status for ref, status in statuses.items()}
        known = await self._tools.aliases.known(Kind.CONNECTOR, keys.keys())
        if not known:
            raise LinkCannot("no connector that the home knows")
        for key, alias in known.items():
            info = ConnectorStatusInfo(connector_id=alias, status=CONNECTOR_STATUS[keys[key].state])
            message = NotificationStationStatus(connector_status_info=info)
            await self._call("notification_stationStatus", message)

    async def push_session(self, progress: SessionProgress) -> None:
        """How a charge goes: that it began, once; then its status, as often as it wants it; at the end that it
        stopped.

        A SuccStat of the home to a status changes nothing here. A charge that failed to start is told with the
        release of its authorization.

        Raises:
            LinkCannot: the home has no number for this charge.
            LinkUntaken: everything was told, and the home did not acknowledge the start or the stop.
        """
        key = (self._party_id, progress.session_id)
        if progress.state in NEVER_CHARGED:
            return
        told, taken = self._tools.told.get(key, self._tools.clock.wall()), True
        if told is None:
            told, taken = await self._begun(progress)
        if progress.state == SessionState.ENDED:
            # Whoever knows that it stopped need not be told any more that it began.
            taken = await self._tell_stop(told)
            self._tools.told.forget(key)
            self._tools.shown.forget(key)
        elif not self._is_too_soon(key, progress):
            await self._tell_status(told, progress)
            self._tools.shown.put(key, (progress.state, progress.at), self._tools.clock.wall())
        _check_taken(taken)

    async def push_result(self, progress: SessionProgress) -> None:
        """That a charge began, unless the home has acknowledged it; with its last update, that it stopped.

        Raises:
            LinkCannot: the home has no number for this charge.
            LinkUntaken: the home did not acknowledge it.
        """
        session, told, already = await self._charge(progress.session_id)
        if progress.state == SessionState.ENDED:
            _check_taken(await self._tell_stop(told))
        elif not already:
            _check_taken(await self._tell_begun(session, told))

    async def _tell_status(self, told: ToldCharge, progress: SessionProgress) -> None:
        charge = Charge(
            seq=told.seq,
            connector=told.connector,
            state=progress.state,
            started_at=told.started_at,
            at=progress.at,
            energy_wh=progress.energy_wh,
            amount_fen=progress.amount_fen,
            soc_percent=progress.soc_percent,
        )
        status = charge_status(NotificationEquipChargeStatus, charge, self._partner.profile)
        await self._call("notification_equip_charge_status", status)

    def _is_too_soon(self, key: tuple[str, str], progress: SessionProgress) -> bool:
        """Whether the home has a status of this state that is younger than it wants the next one.

        Then it gets none: another update is on its way, and the home may ask. A tenth early is not too soon,
        for hosts' clocks waver. Each process knows what it told itself: several of them may tell more often.
        """
        shown = self._tools.shown.get(key, self._tools.clock.wall())
        if shown is None or shown[0] != progress.state:
            return False
        every = timedelta(seconds=self._partner.profile.push.status_s)
        return progress.at - shown[1] < every - every // 10

    async def _begun(self, progress: SessionProgress) -> tuple[ToldCharge, bool]:
        """The charge, once its home has been told that it began, and whether it need not be told again."""
        session, told, already = await self._charge(progress.session_id)
        key, now = (self._party_id, session.session_id), self._tools.clock.wall()
        if not already:
            # Not with every status: it is on its way again by itself.
            if self._tools.untaken.get(key, now) is not None:
                return told, True
            if not await self._tell_begun(session, told):
                return told, False
        if session.started_at is not None:
            # None of this changes any more, and there is an update of it every few seconds.
            self._tools.told.put(key, told, now)
        return told, True

    async def _charge(self, session_id: str) -> tuple[SessionRow, ToldCharge, bool]:
        """A charge, and whether its home has acknowledged that it began."""
        async with self._tools.database.reading() as unit:
            found = await session_told(of_party(self._party_id), unit, session_id)
        if found is None or found[0].home_ref is None:
            raise LinkCannot("no StartChargeSeq")
        session, already = found
        connector = await self._connector(session.host_party_id, session.connector_id)
        told = ToldCharge(found[0].home_ref, connector, session.started_at or session.created_at)
        return session, told, already

    async def _tell_begun(self, session: SessionRow, told: ToldCharge) -> bool:
        """Whether the home acknowledged it."""
        key = (self._party_id, session.session_id)
        code = await ident_code_of(self._tools, session)
        taken = await self._tell_start(told.seq, told.connector, CHARGING, told.started_at, code)
        if not taken:
            self._tools.untaken.put(key, value=True, now=self._tools.clock.wall())
            return False
        async with self._tools.database.unit() as unit:
            await note_start_told(unit, session.session_id, self._tools.clock.wall())
        return True

    async def _tell_stop(self, told: ToldCharge) -> bool:
        stop = NotificationStopChargeResult(
            start_charge_seq=told.seq, start_charge_seq_stat=ENDED, connector_id=told.connector, succ_stat=0
        )
        reply: NotificationStopChargeResultReply = await self._call("notification_stop_charge_result", stop)
        return reply.succ_stat == 0

    async def release_authorization(
        self, authorization_id: str, reason: str, home_ref: str | None = None
    ) -> None:
        """A charge that never began is told as failed; the standard has no word for any other release.

        Raises:
            LinkUntaken: the home did not acknowledge it.
        """
        viewer = of_party(self._party_id)
        async with self._tools.database.reading() as unit:
            authorization = await get_authorization(viewer, unit, authorization_id)
            session = None
            if authorization is not None:
                session = await get_session(viewer, unit, authorization.session_id)
        if session is None or home_ref is None or session.state not in NEVER_CHARGED:
            return
        connector = await self._connector(session.host_party_id, session.connector_id)
        _check_taken(await self._tell_start(home_ref, connector, ENDED, session.created_at))

    async def push_record(self, record: HomeRecord) -> tuple[RecordAnswer, Evidence | None]:
        """The order of a charge. ConfirmResult 0: the driver was charged what is owed; any other refuses.

        Raises:
            LinkCannot: a credit, or a charge that the home has no number for.
            LinkError: no ConfirmResult of this order. 4003 and 4004 are about the message, not about the bill.
        """
        if record.kind == RecordKind.CREDIT:
            raise LinkCannot("the standard has no credit")
        if record.home_ref is None or record.session_id is None:
            raise LinkCannot("no StartChargeSeq")
        host_party_id, connector_id = split_connector(record.connector)
        connector = await self._connector(host_party_id, connector_id)
        order = order_of(record, connector, self._partner.profile)
        try:
            reply = await self._call("notification_charge_order_info", order)
        except LinkRefused as problem:
            raise LinkError(problem.reason) from problem
        if reply.start_charge_seq != record.home_ref:
            raise LinkError("answer: another charge")
        if reply.confirm_result != 0:
            return RecordAnswer(state="refused", reason=f"ConfirmResult {reply.confirm_result}"), None
        async with self._tools.database.reading() as unit:
            session = await get_session(of_party(self._party_id), unit, record.session_id)
        limit_fen = session.limit_fen if session is not None else None
        captured_fen = record.owed_fen if limit_fen is None else min(record.owed_fen, limit_fen)
        settlement = SettlementRecord(
            settlement_ref=record.record_id,
            record_id=record.record_id,
            session_id=record.session_id,
            driver_amount_fen=record.owed_fen,
            captured_fen=captured_fen,
            released_fen=0 if limit_fen is None else limit_fen - captured_fen,
            settled_at=self._tools.clock.business(),
        )
        return RecordAnswer(state="settled", settlement=settlement), None

    async def check_records(self, part: RecordListPart) -> tuple[RecordListReply, Evidence | None]:
        """The hub's list of a day as check_charge_orders, whole, once its last part is due: it has no pages.

        Credits, and charges that the home has no number for, cannot be told; they are on neither side.

        Raises:
            LinkRefused: it is a host's list; in this protocol a host sends its own.
        """
        if part.role != Role.HOME:
            raise LinkRefused(Code.NOT_FOUND, sent=False)
        if part.part < part.parts:
            return RecordListReply(state="collecting"), None
        lines = await self._lines(part)
        charges = (one.record for one in lines if not one.credit)
        async with self._tools.database.reading() as unit:
            refs = await start_refs(of_party(self._party_id), unit, charges)
        told = Told(lines, refs, self._partner.profile)
        seq = make_seq(self._partner.operator_id, part.check_ref)
        reply = await self._call("check_charge_orders", orders_of(told, part.day, seq), timeout_s=LIST_S)
        return reply_to_check(told, reply), None

    async def _lines(self, last: RecordListPart) -> list[ListedRecord]:
        """All parts of a list, as they are kept under its check's name, which is its reference."""
        lines: list[ListedRecord] = []
        async with self._tools.database.reading() as unit:
            for number in range(1, last.parts):
                lines += await part_lines(unit, last.check_ref, number)
        return lines + last.lines

    async def _connector(self, host_party_id: str, connector_id: str) -> str:
        return await self._tools.aliases.alias(Kind.CONNECTOR, (host_party_id, connector_id))

    async def _tell_start(
        self, seq: str, connector: str, stat: int, at: datetime, ident_code: str | None = None
    ) -> bool:
        """Whether the home acknowledged it."""
        result = NotificationStartChargeResult(
            start_charge_seq=seq,
            start_charge_seq_stat=stat,
            connector_id=connector,
            start_time=format_time(at, self._partner.profile.time.zone),
            ident_code=ident_code,
        )
        reply: NotificationStartChargeResultReply = await self._call("notification_start_charge_result", result)
        return reply.succ_stat == 0

    async def _call(self, interface: str, message: object, *, timeout_s: int = 10) -> Any:
        return await self._tools.caller.call(self._party_id, interface, message, timeout_s=timeout_s)


def _check_taken(taken: bool) -> None:  # noqa: FBT001 - it is what is checked
    if not taken:
        raise LinkUntaken("SuccStat 1", again_s=RESEND_S)
