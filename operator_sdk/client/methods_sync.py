"""The thin typed methods of the sync client."""

from datetime import datetime

from operator_sdk.client import calls
from operator_sdk.client.runner import SyncRunner
from operator_sdk.contract.messages import access, clearing, directory, places, records, roaming


class SyncMethods(SyncRunner):
    """One method per call of `operator_sdk.client.calls`, with the same names and arguments."""

    def put_station(self, station_id: str, message: directory.StationPut) -> directory.Station:
        """Describe a station whole."""
        return self.run(calls.put_station(station_id, message))

    def push_status(self, message: directory.StatusPush) -> directory.StatusPushed:
        """Report connector states."""
        return self.run(calls.push_status(message))

    def list_stations(
        self, *, limit: int | None = None, after: str | None = None, updated_since: datetime | None = None
    ) -> directory.StationPage:
        """Stations on the hub."""
        return self.run(calls.list_stations(limit=limit, after=after, updated_since=updated_since))

    def get_station(self, party_id: str, station_id: str) -> directory.Station:
        """One station."""
        return self.run(calls.get_station(party_id, station_id))

    def get_connector(self, connector: str) -> directory.ConnectorInfo:
        """One connector with its state and tariff."""
        return self.run(calls.get_connector(connector))

    def search_stations(self, query: places.StationQuery) -> places.StationHits:
        """Stations near a place or by name."""
        return self.run(calls.search_stations(query))

    def get_station_detail(self, party_id: str, station_id: str) -> places.StationDetail:
        """One station with its connectors' states and its tariff."""
        return self.run(calls.get_station_detail(party_id, station_id))

    def get_connector_code(self, connector: str) -> places.ConnectorCode:
        """The codes for the label of a connector of mine."""
        return self.run(calls.get_connector_code(connector))

    def list_connector_codes(self, party_id: str, station_id: str) -> places.ConnectorCodes:
        """The codes for the labels of a station of mine."""
        return self.run(calls.list_connector_codes(party_id, station_id))

    def list_home_operators(
        self, *, limit: int | None = None, after: str | None = None
    ) -> places.HomeOperatorPage:
        """Homes whose drivers can sign in, oldest member first."""
        return self.run(calls.list_home_operators(limit=limit, after=after))

    def authorize(self, message: roaming.AuthorizeRequest) -> roaming.Authorization:
        """A token was shown at a connector of mine."""
        return self.run(calls.authorize(message))

    def release_authorization(self, message: roaming.ReleaseRequest) -> roaming.ReleaseReply:
        """Nothing was started on this authorization."""
        return self.run(calls.release_authorization(message))

    def start_session(self, message: roaming.StartRequest) -> roaming.Session:
        """Start a charge for my driver."""
        return self.run(calls.start_session(message))

    def stop_session(self, session_id: str, message: roaming.StopRequest) -> roaming.StopReply:
        """Stop my driver's charge."""
        return self.run(calls.stop_session(session_id, message))

    def push_session(self, session_id: str, message: roaming.SessionUpdate) -> roaming.UpdateReply:
        """Send a live update."""
        return self.run(calls.push_session(session_id, message))

    def push_record(self, message: records.ChargeRecord) -> records.RecordReply:
        """Send the final bill of a session."""
        return self.run(calls.push_record(message))

    def push_unmatched_record(self, message: records.UnmatchedRecord) -> records.RecordReply:
        """Send the bill of a charge that the hub gave no session id for."""
        return self.run(calls.push_unmatched_record(message))

    def push_credit(self, message: records.CreditRecord) -> records.RecordReply:
        """Undo one of my records."""
        return self.run(calls.push_credit(message))

    def push_settlement(self, message: records.SettlementRecord) -> records.SettlementReply:
        """Say what the driver was charged."""
        return self.run(calls.push_settlement(message))

    def get_session(self, session_id: str) -> roaming.Session:
        """One session."""
        return self.run(calls.get_session(session_id))

    def list_sessions(
        self, *, limit: int | None = None, after: str | None = None, updated_since: datetime | None = None
    ) -> roaming.SessionPage:
        """My sessions, oldest change first."""
        return self.run(calls.list_sessions(limit=limit, after=after, updated_since=updated_since))

    def get_record(self, record_id: str) -> records.Record:
        """One charge record."""
        return self.run(calls.get_record(record_id))

    def list_records(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        updated_since: datetime | None = None,
        state: str | None = None,
    ) -> records.RecordPage:
        """My charge records, of one state or of all."""
        return self.run(calls.list_records(limit=limit, after=after, updated_since=updated_since, state=state))

    def decide_record(self, record_id: str, message: records.RecordDecision) -> records.RecordDecided:
        """Staff: accept or reject a suspended record."""
        return self.run(calls.decide_record(record_id, message))

    def release_session(self, session_id: str, message: roaming.SessionRelease) -> roaming.SessionReleased:
        """Staff: let go what is held for a session that no bill stands for."""
        return self.run(calls.release_session(session_id, message))

    def list_partner_trust(
        self, *, limit: int | None = None, after: str | None = None
    ) -> records.PartnerTrustPage:
        """Staff: hosts whose records are disputed."""
        return self.run(calls.list_partner_trust(limit=limit, after=after))

    def restore_trust(self, party_id: str, message: records.TrustRestore) -> records.PartnerTrust:
        """Staff: take a host at its word again."""
        return self.run(calls.restore_trust(party_id, message))

    def list_obligations(
        self, *, limit: int | None = None, after: str | None = None, updated_since: datetime | None = None
    ) -> clearing.ObligationPage:
        """What I owe and am owed."""
        return self.run(calls.list_obligations(limit=limit, after=after, updated_since=updated_since))

    def list_cycles(
        self, *, limit: int | None = None, after: str | None = None, updated_since: datetime | None = None
    ) -> clearing.CyclePage:
        """Clearing cycles."""
        return self.run(calls.list_cycles(limit=limit, after=after, updated_since=updated_since))

    def get_statement(self, cycle_id: str) -> clearing.Statement:
        """My statement for a cycle."""
        return self.run(calls.get_statement(cycle_id))

    def scan(self, message: roaming.ScanRequest) -> roaming.Scan:
        """Driver: what is this code?"""
        return self.run(calls.scan(message))

    def start_charging(self, message: roaming.StartChargingRequest) -> roaming.Session:
        """Driver: start what was scanned."""
        return self.run(calls.start_charging(message))

    def stop_charging(self, session_id: str, message: roaming.StopRequest) -> roaming.StopReply:
        """Driver: stop my charge."""
        return self.run(calls.stop_charging(session_id, message))

    def get_driver_account(self) -> roaming.DriverAccount:
        """Driver: my balance and holds, where my home can say."""
        return self.run(calls.get_driver_account())

    def send_code(self, message: access.CodeRequest) -> access.CodeSent:
        """Send a hosted driver a one-time code."""
        return self.run(calls.send_code(message))

    def issue_driver_token(self, message: access.DriverTokenRequest) -> access.DriverTokens:
        """A driver signs in."""
        return self.run(calls.issue_driver_token(message))

    def staff_sign_in(self, message: access.StaffSignIn) -> access.StaffSession:
        """Staff sign in."""
        return self.run(calls.staff_sign_in(message))
