"""What an operator's platform serves to the hub."""

from operator_sdk.contract.messages import records, roaming
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.operations.checks import OF_OPERATORS
from operator_sdk.contract.operations.model import Operation, Scope, op

_FROM_HUB = Scope.HUB
OPERATOR: dict[str, Operation] = {
    entry.id: entry
    for entry in (
        op("authorize", "POST /v1/authorizations", roaming.HomeAuthorizeRequest, roaming.HomeAuthorization,
            _FROM_HUB, "Home: may this token of yours charge there?", signed=True, role="home"),
        op("release_authorization", "POST /v1/authorizations/{authorization_id}/release",
            roaming.ReleaseRequest, roaming.ReleaseReply, _FROM_HUB,
            "Home: give back what this id held; unknown ids succeed and are burnt", signed=True, role="home"),
        op("driver_account", "POST /v1/driver-accounts", roaming.DriverAccountRequest,
            roaming.DriverAccount, _FROM_HUB, "Home: a driver's balance and holds", role="home"),
        op("push_session", "POST /v1/sessions/{session_id}/updates", roaming.SessionProgress, Empty,
            _FROM_HUB, "Home: how your driver's charge goes", role="home"),
        op("push_record", "POST /v1/charge-records", records.HomeRecord, records.RecordAnswer, _FROM_HUB,
            "Home: the bill; answer with the settlement record", signed=True, role="home"),
        op("check_connector", "POST /v1/connector-checks", roaming.CheckConnectorRequest,
            roaming.CheckConnectorReply, _FROM_HUB, "Host: could a charge start there now?", role="host"),
        op("start", "POST /v1/sessions", roaming.HostStartRequest, roaming.HostStartReply, _FROM_HUB,
            "Host: start", signed=True, role="host"),
        op("stop", "POST /v1/sessions/{session_id}/stop", roaming.StopRequest, roaming.StopReply, _FROM_HUB,
            "Host: stop", signed=True, role="host"),
        op("query_session", "GET /v1/sessions/{session_id}", Empty, roaming.HostSession, _FROM_HUB,
            "Host: what do you know of this session?", role="host"),
        op("push_settlement", "POST /v1/settlement-records", records.SettlementRecord,
            records.SettlementReply, _FROM_HUB, "Host: how your record was settled", signed=True, role="host"),
        *OF_OPERATORS,
    )
}  # fmt: skip
