"""What FakeHub answers where a test says nothing else: the good case of every message."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from operator_sdk.clock import Clock, unix_ms
from operator_sdk.contract.codes import AuthorizationState, RecordState, SessionState, StartMode
from operator_sdk.contract.ids import AUTHORIZATION, RECORD, SESSION, hub_id, split_connector
from operator_sdk.contract.messages import directory, records, roaming
from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.pricing import published
from operator_sdk.contract.public_codes import Code
from operator_sdk.guard import Refuse

LIMIT_FEN = 5_000
_OWN_IDS = ("authorization_ref", "start_ref", "stop_ref", "record_ref", "settlement_ref", "number")


class Given(Protocol):
    """A message as the hub took it."""

    @property
    def operation_id(self) -> str:
        """The operation."""

    @property
    def party_id(self) -> str:
        """Its sender."""

    @property
    def message(self) -> Any:
        """The message."""

    @property
    def path(self) -> Mapping[str, str]:
        """The path's parameters."""


def senders_id(message: Message, path: Mapping[str, str]) -> str | None:
    """The id by which a repeat of this message is known."""
    for name in _OWN_IDS:
        own = getattr(message, name, None)
        if own is not None:
            return f"{path.get('session_id', '')}/{own}"
    return None


def new_id(prefix: str, clock: Clock) -> str:
    """A hub id."""
    return hub_id(prefix, unix_ms(clock.wall()), secrets.randbits(74))


def event(session_id: str, update: roaming.SessionUpdate) -> str:
    """A stored update as a server-sent event."""
    progress = roaming.SessionProgress(
        session_id=session_id,
        number=update.number,
        at=update.at,
        state=update.state,
        energy_wh=update.energy_wh,
        amount_fen=update.amount_fen,
        power_w=update.power_w,
        percent=None,
        seconds_left=None,
        stop_reason=update.stop_reason,
    )
    return f"id: {update.number}\ndata: {msgspec.json.encode(progress).decode()}\n\n"


def usual(given: Given, log: list[Any], clock: Clock) -> Message:
    """The good answer.

    Raises:
        Refuse: `not_found` for what this hub does not imitate.
    """
    answer = _USUAL.get(given.operation_id)
    if answer is None:
        raise Refuse(Code.NOT_FOUND)
    return answer(given, log, clock)


def _authorization(given: Given, log: list[Any], clock: Clock) -> Message:
    return roaming.Authorization(
        authorization_id=new_id(AUTHORIZATION, clock),
        authorization_ref=given.message.authorization_ref,
        state=AuthorizationState.GRANTED,
        session_id=new_id(SESSION, clock),
        limit_fen=LIMIT_FEN,
        tariff=_latest_tariff(given.party_id, log),
    )


def _released(given: Given, _log: list[Any], _clock: Clock) -> Message:
    return roaming.ReleaseReply(
        authorization_id=given.message.authorization_id, state=AuthorizationState.RELEASED
    )


def _stopping(given: Given, _log: list[Any], _clock: Clock) -> Message:
    return roaming.StopReply(session_id=given.path["session_id"], state=SessionState.STOPPING)


def _stored(given: Given, _log: list[Any], _clock: Clock) -> Message:
    return roaming.UpdateReply(
        session_id=given.path["session_id"],
        number=given.message.number,
        state=given.message.state,
    )


def _accepted(given: Given, _log: list[Any], clock: Clock) -> Message:
    return records.RecordReply(
        record_id=new_id(RECORD, clock),
        record_ref=given.message.record_ref,
        state=RecordState.ACCEPTED,
        owed_fen=given.message.amount_fen,
    )


def _suspended(given: Given, _log: list[Any], clock: Clock) -> Message:
    return records.RecordReply(
        record_id=new_id(RECORD, clock),
        record_ref=given.message.record_ref,
        state=RecordState.SUSPENDED,
        owed_fen=0,
    )


def _settled(given: Given, _log: list[Any], _clock: Clock) -> Message:
    return records.SettlementReply(record_id=given.message.record_id, state=RecordState.SETTLED)


def _tariff(given: Given, _log: list[Any], _clock: Clock) -> directory.Tariff:
    return published(
        given.message,
        party_id=given.party_id,
        tariff_id=given.path["tariff_id"],
        version=int(given.path["version"]),
    )


def _assigned(given: Given, _log: list[Any], clock: Clock) -> directory.TariffAssignment:
    said = {name: getattr(given.message, name) for name in given.message.__struct_fields__}
    return directory.TariffAssignment(host_party_id=given.party_id, assigned_at=clock.business(), **said)


def _station(given: Given, _log: list[Any], clock: Clock) -> Message:
    put = {name: getattr(given.message, name) for name in given.message.__struct_fields__}
    return directory.Station(
        party_id=given.party_id,
        station_id=given.path["station_id"],
        updated_at=clock.wall(),
        **put,
    )


def _pushed(given: Given, _log: list[Any], _clock: Clock) -> Message:
    return directory.StatusPushed(written=len(given.message.statuses), unknown=[])


def _latest_tariff(party_id: str, log: list[Any]) -> directory.Tariff | None:
    put = [one for one in log if one.operation_id == "put_tariff" and one.party_id == party_id]
    return _tariff(put[-1], log, Clock()) if put else None


def _session(given: Given, _log: list[Any], clock: Clock) -> Message:
    asked, now = given.message, clock.business()
    return roaming.Session(
        session_id=new_id(SESSION, clock),
        start_mode=StartMode.HOME,
        state=SessionState.STARTING,
        home_party_id=given.party_id,
        host_party_id=split_connector(asked.connector)[0],
        connector=asked.connector,
        target=asked.target,
        energy_wh=0,
        amount_fen=0,
        power_w=0,
        last_number=0,
        created_at=now,
        updated_at=now,
        ref=asked.start_ref,
        authorization_id=new_id(AUTHORIZATION, clock),
        limit_fen=asked.limit_fen,
    )


_USUAL: dict[str, Callable[[Given, list[Any], Clock], Message]] = {
    "put_tariff": _tariff,
    "assign_tariff": _assigned,
    "put_station": _station,
    "push_status": _pushed,
    "authorize": _authorization,
    "release_authorization": _released,
    "start_session": _session,
    "stop_session": _stopping,
    "push_session": _stored,
    "push_record": _accepted,
    "push_unmatched_record": _suspended,
    "push_credit": _accepted,
    "push_settlement": _settled,
}
