"""What hosts tell the hub (T/CEC 102.2 and 102.3-2016): states, charges, orders and their lists of a day.

Everything is keyed by the StartChargeSeq that the hub gave the charge. A number of another host's is as unknown
as one that never was.
"""

import hashlib
from datetime import timedelta

import msgspec

from hub.core.memory import Memory
from hub.parties.scope import of_party
from hub.protocols.tcec102 import translate_checks_in as checks
from hub.protocols.tcec102 import translate_orders as orders
from hub.protocols.tcec102 import translate_status as status
from hub.protocols.tcec102.followed import followed_of, tariff_at_start
from hub.protocols.tcec102.ident_codes import keep_ident_code
from hub.protocols.tcec102.replay import ToldStates
from hub.protocols.tcec102.server import Context, Handlers
from hub.protocols.tcec102.tables_host import host_records
from hub.roaming.tables import SessionRow
from operator_sdk.contract.codes import Role, SessionState
from operator_sdk.contract.messages.checks import LINES_MOST, RecordCheck, RecordDifference, RecordListPart
from operator_sdk.contract.messages.directory import ConnectorStatus, StatusPush
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.tcec102 import messages

RECEIVED, NOT_RECEIVED = 0, 1
"""SuccStat, and Status of a state: 1 is dropped, and not sent again."""

NO_SUCH_CHARGE = 1
"""FailReason."""

SEQ_MOST = 51
"""Characters of a list's number that are kept in its check's, with a point and twelve more behind them."""

REMEMBERED = timedelta(hours=1)
"""What is remembered of a session never changes; this only bounds it."""


class HostHandlers:
    """Takes what hosts say."""

    def __init__(self) -> None:
        self._followed: Memory[tuple[str, str], status.Followed] = Memory(REMEMBERED)
        self._told = ToldStates()

    def handlers(self) -> Handlers:
        """By interface."""
        return {
            "notification_stationStatus": self.station_status,
            "notification_start_charge_result": self.start_result,
            "notification_equip_charge_status": self.charge_status,
            "notification_stop_charge_result": self.stop_result,
            "notification_charge_order_info": self.order,
            "check_charge_orders": self.check_orders,
        }

    async def station_status(
        self, context: Context, message: messages.NotificationStationStatus
    ) -> messages.NotificationStationStatusReply:
        """A connector's state, dropped where the connector or the state is not known.

        It has no time of its own and is of when it came; an envelope that comes again is not news any more.
        """
        said, clock = message.connector_status_info, context.tools.clock
        state = status.connector_state(said.status)
        if state is None:
            return messages.NotificationStationStatusReply(status=NOT_RECEIVED)
        if self._told.is_over(context.party_id, said.connector_id, context.envelope, clock.wall()):
            return messages.NotificationStationStatusReply(status=RECEIVED)
        push = StatusPush(
            statuses=[ConnectorStatus(connector_id=said.connector_id, state=state, at=clock.business())]
        )
        pushed = await context.tools.directory.push_status(context.party_id, push)
        if pushed.unknown:
            return messages.NotificationStationStatusReply(status=NOT_RECEIVED)
        self._told.took(context.profile, said.connector_id, context.envelope, clock.wall())
        return messages.NotificationStationStatusReply(status=RECEIVED)

    async def start_result(
        self, context: Context, message: messages.NotificationStartChargeResult
    ) -> messages.NotificationStartChargeResultReply:
        """What became of a start. `IdentCode` is for the pile's own keys, and kept for the home to know."""
        seq = message.start_charge_seq
        session = await _session(context, seq)
        if session is None:
            return messages.NotificationStartChargeResultReply(
                start_charge_seq=seq, succ_stat=NOT_RECEIVED, fail_reason=NO_SUCH_CHARGE
            )
        update = status.start_update(message, context.profile, context.tools.clock.business())
        if update is not None:
            if update.state == SessionState.CHARGING:
                await keep_ident_code(context.tools, session, message.ident_code)
            await context.tools.roaming.following.push(context.party_id, session.session_id, update)
        return messages.NotificationStartChargeResultReply(start_charge_seq=seq, succ_stat=RECEIVED)

    async def charge_status(
        self, context: Context, message: messages.NotificationEquipChargeStatus
    ) -> messages.NotificationEquipChargeStatusReply:
        """How a charge goes."""
        seq = message.start_charge_seq
        followed = await self._of(context, seq)
        if followed is None:
            return messages.NotificationEquipChargeStatusReply(start_charge_seq=seq, succ_stat=NOT_RECEIVED)
        tools = context.tools
        update, tolerated = status.update_of(message, context.profile, followed, tools.clock.business())
        tools.tolerance.note(context.party_id, tolerated)
        if update is not None:
            await tools.roaming.following.push(context.party_id, followed.session_id, update)
        return messages.NotificationEquipChargeStatusReply(start_charge_seq=seq, succ_stat=RECEIVED)

    async def stop_result(
        self, context: Context, message: messages.NotificationStopChargeResult
    ) -> messages.NotificationStopChargeResultReply:
        """The pile has stopped, asked or not."""
        seq, tools = message.start_charge_seq, context.tools
        session = await _session(context, seq)
        if session is None:
            return messages.NotificationStopChargeResultReply(
                start_charge_seq=seq, succ_stat=NOT_RECEIVED, fail_reason=NO_SUCH_CHARGE
            )
        seen = status.Seen(session.last_at or session.created_at, session.energy_wh, session.amount_fen)
        update = status.stop_update(message, seen)
        if update is not None:
            await tools.roaming.following.push_next(context.party_id, session.session_id, update)
        return messages.NotificationStopChargeResultReply(start_charge_seq=seq, succ_stat=RECEIVED)

    async def order(
        self, context: Context, message: messages.NotificationChargeOrderInfo
    ) -> messages.NotificationChargeOrderInfoReply:
        """A charge's bill: judged at once, and never waiting for the home."""
        tools = context.tools
        session = await _session(context, message.start_charge_seq)
        billed = None
        if session is not None:
            tariff = await tariff_at_start(tools, session)
            billed = orders.Billed(session.session_id, session.tariff_id, session.tariff_version, tariff)
        record, tolerated = orders.record_of(message, context.profile, billed)
        tools.tolerance.note(context.party_id, tolerated)
        evidence, records = context.evidence(with_plain=True), tools.roaming.records
        said = record.record_ref.encode()  # has the order's digest; the record has the profile's decimals too
        if isinstance(record, ChargeRecord):
            reply = await records.push(context.party_id, record, evidence, said=said)
        else:
            reply = await records.push_unmatched(context.party_id, record, evidence, said=said)
        return messages.NotificationChargeOrderInfoReply(
            start_charge_seq=message.start_charge_seq,
            connector_id=message.connector_id,
            confirm_result=orders.confirm_result(reply),
        )

    async def check_orders(
        self, context: Context, message: messages.CheckChargeOrders
    ) -> messages.CheckChargeOrdersReply:
        """A host's list of a day, compared as every operator's is; what differs waits in suspense.

        The same list again is the same check, unless the hub's records of it have changed since.
        """
        tools, window = context.tools, checks.window_of(message, context.profile)
        async with tools.database.reading() as unit:
            kept = await host_records(of_party(context.party_id), unit, window.days)
        lines = checks.lines_of(message.charge_orders, kept, window)
        parts = [lines[begin : begin + LINES_MOST] for begin in range(0, len(lines), LINES_MOST)] or [[]]
        digest = hashlib.sha256(msgspec.json.encode(lines)).hexdigest()[:12]
        check: RecordCheck | None = None
        for number, some in enumerate(parts, 1):
            part = RecordListPart(
                check_ref=f"{message.check_order_seq[:SEQ_MOST]}.{digest}",
                role=Role.HOST,
                day=window.day,
                part=number,
                parts=len(parts),
                lines=some,
            )
            check = await tools.record_checks.take(context.party_id, part, context.evidence())
        assert check is not None
        return checks.reply_of(message, await _differences(context, check))

    async def _of(self, context: Context, seq: str) -> status.Followed | None:
        now, key = context.tools.clock.wall(), (context.party_id, seq)
        known = self._followed.get(key, now)
        if known is None:
            session = await _session(context, seq)
            if session is not None:
                known = await followed_of(context.tools, session)
                self._followed.put(key, known, now)
        return known


async def _session(context: Context, seq: str) -> SessionRow | None:
    reading = context.tools.roaming.reading
    return await reading.find_by_ref(of_party(context.party_id), Role.HOST, seq)


async def _differences(context: Context, check: RecordCheck) -> list[RecordDifference]:
    """All that a check found; its own answer has the first only."""
    found = list(check.differences)
    while len(found) < check.differences_count:
        more = await context.tools.record_checks.differences(
            of_party(context.party_id), check.check_id, after=len(found), limit=LINES_MOST
        )
        if not more:
            break
        found += [difference for _, difference in more]
    return found
