"""The typed calls, one function each: what both clients' methods send."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from operator_sdk.client.request import Call, QueryValue, hub_operation
from operator_sdk.contract.messages import access, clearing, directory, places, records, roaming
from operator_sdk.contract.messages.common import Message

Reply = TypeVar("Reply")


def _call(
    operation_id: str,
    reply: type[Reply],
    message: Message | None = None,
    *,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, QueryValue] | None = None,
) -> Call[Reply]:
    return Call(hub_operation(operation_id), reply, message, path or {}, query or {})


def _page(
    operation_id: str,
    reply: type[Reply],
    limit: int | None,
    after: str | None,
    updated_since: datetime | None,
) -> Call[Reply]:
    query = {"limit": limit, "after": after, "updated_since": updated_since}
    return _call(operation_id, reply, query=query)


def put_station(station_id: str, message: directory.StationPut) -> Call[directory.Station]:
    """Describe a station whole."""
    return _call("put_station", directory.Station, message, path={"station_id": station_id})


def push_status(message: directory.StatusPush) -> Call[directory.StatusPushed]:
    """Report connector states."""
    return _call("push_status", directory.StatusPushed, message)


def list_stations(
    *, limit: int | None, after: str | None, updated_since: datetime | None
) -> Call[directory.StationPage]:
    """Stations on the hub."""
    return _page("list_stations", directory.StationPage, limit, after, updated_since)


def get_station(party_id: str, station_id: str) -> Call[directory.Station]:
    """One station."""
    return _call("get_station", directory.Station, path={"party_id": party_id, "station_id": station_id})


def get_connector(connector: str) -> Call[directory.ConnectorInfo]:
    """One connector with its state and tariff."""
    return _call("get_connector", directory.ConnectorInfo, path={"connector": connector})


def search_stations(query: places.StationQuery) -> Call[places.StationHits]:
    """Stations near a place or by name."""
    asked: dict[str, QueryValue] = {
        "latitude_e6": query.latitude_e6,
        "longitude_e6": query.longitude_e6,
        "text": query.text or None,
        "limit": query.limit,
        "after": query.after,
    }
    return _call("search_stations", places.StationHits, query=asked)


def get_station_detail(party_id: str, station_id: str) -> Call[places.StationDetail]:
    """One station with its connectors' states and its tariff."""
    path = {"party_id": party_id, "station_id": station_id}
    return _call("get_station_detail", places.StationDetail, path=path)


def get_connector_code(connector: str) -> Call[places.ConnectorCode]:
    """The codes for a connector's label."""
    return _call("get_connector_code", places.ConnectorCode, path={"connector": connector})


def list_connector_codes(party_id: str, station_id: str) -> Call[places.ConnectorCodes]:
    """The codes for the labels of a station."""
    path = {"party_id": party_id, "station_id": station_id}
    return _call("list_connector_codes", places.ConnectorCodes, path=path)


def list_home_operators(*, limit: int | None, after: str | None) -> Call[places.HomeOperatorPage]:
    """Homes whose drivers can sign in, oldest member first."""
    return _call("list_home_operators", places.HomeOperatorPage, query={"limit": limit, "after": after})


def authorize(message: roaming.AuthorizeRequest) -> Call[roaming.Authorization]:
    """A token was shown at a connector of mine."""
    return _call("authorize", roaming.Authorization, message)


def release_authorization(message: roaming.ReleaseRequest) -> Call[roaming.ReleaseReply]:
    """Nothing was started on this authorization."""
    return _call(
        "release_authorization",
        roaming.ReleaseReply,
        message,
        path={"authorization_id": message.authorization_id},
    )


def start_session(message: roaming.StartRequest) -> Call[roaming.Session]:
    """Start a charge for my driver."""
    return _call("start_session", roaming.Session, message)


def stop_session(session_id: str, message: roaming.StopRequest) -> Call[roaming.StopReply]:
    """Stop my driver's charge."""
    return _call("stop_session", roaming.StopReply, message, path={"session_id": session_id})


def push_session(session_id: str, message: roaming.SessionUpdate) -> Call[roaming.UpdateReply]:
    """Send a live update."""
    return _call("push_session", roaming.UpdateReply, message, path={"session_id": session_id})


def push_record(message: records.ChargeRecord) -> Call[records.RecordReply]:
    """Send the final bill of a session."""
    return _call("push_record", records.RecordReply, message)


def push_unmatched_record(message: records.UnmatchedRecord) -> Call[records.RecordReply]:
    """Send the bill of a charge that the hub gave no session id for."""
    return _call("push_unmatched_record", records.RecordReply, message)


def push_credit(message: records.CreditRecord) -> Call[records.RecordReply]:
    """Undo one of my records."""
    return _call("push_credit", records.RecordReply, message)


def push_settlement(message: records.SettlementRecord) -> Call[records.SettlementReply]:
    """Say what the driver was charged."""
    return _call("push_settlement", records.SettlementReply, message)


def get_session(session_id: str) -> Call[roaming.Session]:
    """One session."""
    return _call("get_session", roaming.Session, path={"session_id": session_id})


def list_sessions(
    *, limit: int | None, after: str | None, updated_since: datetime | None
) -> Call[roaming.SessionPage]:
    """My sessions, oldest change first."""
    return _page("list_sessions", roaming.SessionPage, limit, after, updated_since)


def get_record(record_id: str) -> Call[records.Record]:
    """One charge record."""
    return _call("get_record", records.Record, path={"record_id": record_id})


def list_records(
    *, limit: int | None, after: str | None, updated_since: datetime | None, state: str | None = None
) -> Call[records.RecordPage]:
    """My charge records, of one state or of all."""
    query = {"limit": limit, "after": after, "updated_since": updated_since, "state": state}
    return _call("list_records", records.RecordPage, query=query)


def decide_record(record_id: str, message: records.RecordDecision) -> Call[records.RecordDecided]:
    """Staff: accept or reject a suspended record."""
    return _call("decide_record", records.RecordDecided, message, path={"record_id": record_id})


def release_session(session_id: str, message: roaming.SessionRelease) -> Call[roaming.SessionReleased]:
    """Staff: let go what is held for a session that no bill stands for."""
    return _call("release_session", roaming.SessionReleased, message, path={"session_id": session_id})


def list_partner_trust(*, limit: int | None, after: str | None) -> Call[records.PartnerTrustPage]:
    """Staff: hosts whose records are disputed."""
    return _call("list_partner_trust", records.PartnerTrustPage, query={"limit": limit, "after": after})


def restore_trust(party_id: str, message: records.TrustRestore) -> Call[records.PartnerTrust]:
    """Staff: take a host at its word again."""
    return _call("restore_trust", records.PartnerTrust, message, path={"party_id": party_id})


def list_obligations(
    *, limit: int | None, after: str | None, updated_since: datetime | None
) -> Call[clearing.ObligationPage]:
    """What I owe and am owed."""
    return _page("list_obligations", clearing.ObligationPage, limit, after, updated_since)


def list_cycles(
    *, limit: int | None, after: str | None, updated_since: datetime | None
) -> Call[clearing.CyclePage]:
    """Clearing cycles."""
    return _page("list_cycles", clearing.CyclePage, limit, after, updated_since)


def get_statement(cycle_id: str) -> Call[clearing.Statement]:
    """My statement for a cycle."""
    return _call("get_statement", clearing.Statement, path={"cycle_id": cycle_id})


def scan(message: roaming.ScanRequest) -> Call[roaming.Scan]:
    """Driver: what is this code?"""
    return _call("scan", roaming.Scan, message)


def start_charging(message: roaming.StartChargingRequest) -> Call[roaming.Session]:
    """Driver: start what was scanned."""
    return _call("start_charging", roaming.Session, message)


def stop_charging(session_id: str, message: roaming.StopRequest) -> Call[roaming.StopReply]:
    """Driver: stop my charge."""
    return _call("stop_charging", roaming.StopReply, message, path={"session_id": session_id})


def get_driver_account() -> Call[roaming.DriverAccount]:
    """Driver: my balance and holds, where my home can say."""
    return _call("get_driver_account", roaming.DriverAccount)


def send_code(message: access.CodeRequest) -> Call[access.CodeSent]:
    """Send a hosted driver a one-time code."""
    return _call("send_code", access.CodeSent, message)


def issue_driver_token(message: access.DriverTokenRequest) -> Call[access.DriverTokens]:
    """A driver signs in."""
    return _call("issue_driver_token", access.DriverTokens, message)


def staff_sign_in(message: access.StaffSignIn) -> Call[access.StaffSession]:
    """Staff sign in."""
    return _call("staff_sign_in", access.StaffSession, message)
