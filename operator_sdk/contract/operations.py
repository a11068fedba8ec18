"""The one table of operations: hub routes, SDK calls and OpenAPI all come from it.

`HUB` holds what the hub serves, `OPERATOR` what an operator's platform serves to the hub. Paths are below the
server's root; `{name}` marks a path parameter. A `signed` operation is signed both ways (request and answer);
everything the hub asks of an operator carries at least the hub's request signature.
"""

from dataclasses import dataclass
from enum import StrEnum

from operator_sdk.contract.messages import access, admin, clearing, directory, records, roaming
from operator_sdk.contract.messages.common import Empty, Message
from operator_sdk.contract.public_codes import Code


class Scope(StrEnum):
    """Who may call: anyone, an operator's platform, a driver, the hub's staff, or the hub itself."""

    PUBLIC = "public"
    OPERATOR = "operator"
    DRIVER = "driver"
    STAFF = "staff"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. `role` narrows the scope: a party's role (home, host) or the staff function needed."""

    id: str
    method: str
    path: str
    request: type[Message]
    reply: type[Message]
    scopes: frozenset[Scope]
    summary: str
    signed: bool = False
    role: str | None = None
    errors: tuple[Code, ...] = ()
    form: bool = False
    stream: bool = False
    paged: bool = False
    success: int = 200
    max_body: int = 262_144


def _op(
    operation_id: str,
    route: str,
    request: type[Message],
    reply: type[Message],
    scope: Scope | tuple[Scope, ...],
    summary: str,
    **more: object,
) -> Operation:
    method, path = route.split(" ")
    scopes = frozenset(scope if isinstance(scope, tuple) else (scope,))
    return Operation(operation_id, method, path, request, reply, scopes, summary, **more)  # type: ignore[arg-type]


_WRITE = (Code.ID_REUSED, Code.IN_PROGRESS)
_OPERATOR, _DRIVER, _STAFF, _PUBLIC = Scope.OPERATOR, Scope.DRIVER, Scope.STAFF, Scope.PUBLIC
_READERS = (_OPERATOR, _DRIVER)

_ACCESS = (
    _op("jwks", "GET /.well-known/jwks.json", Empty, access.JwkSet, _PUBLIC, "The hub's public keys"),
    _op(
        "issue_token",
        "POST /v1/oauth/token",
        access.TokenRequest,
        access.AccessToken,
        _PUBLIC,
        "An operator's access token",
        form=True,
        errors=(Code.SIGN_IN_FAILED, Code.REPLAYED),
        max_body=16_384,
    ),
    _op(
        "send_code",
        "POST /v1/driver/codes",
        access.CodeRequest,
        access.CodeSent,
        _PUBLIC,
        "Send a hosted driver a one-time code",
        max_body=4_096,
    ),
    _op(
        "issue_driver_token",
        "POST /v1/driver/tokens",
        access.DriverTokenRequest,
        access.DriverTokens,
        _PUBLIC,
        "A driver signs in",
        errors=(Code.SIGN_IN_FAILED, Code.REPLAYED),
        max_body=16_384,
    ),
    _op(
        "staff_sign_in",
        "POST /v1/staff/sign-in",
        access.StaffSignIn,
        access.StaffSession,
        _PUBLIC,
        "Staff sign in",
        errors=(Code.SIGN_IN_FAILED, Code.LOCKED_OUT),
        max_body=4_096,
    ),
)

_DIRECTORY = (
    _op(
        "put_tariff",
        "PUT /v1/tariffs/{tariff_id}/versions/{version}",
        directory.TariffPut,
        directory.Tariff,
        _OPERATOR,
        "Publish a version of a tariff",
        role="host",
        errors=(Code.ID_REUSED, Code.RULE_VIOLATED),
    ),
    _op(
        "put_station",
        "PUT /v1/stations/{station_id}",
        directory.StationPut,
        directory.Station,
        _OPERATOR,
        "Describe a station",
        role="host",
        errors=(Code.RULE_VIOLATED, Code.TARIFF_UNKNOWN),
        max_body=1_048_576,
    ),
    _op(
        "push_status",
        "POST /v1/connector-statuses",
        directory.StatusPush,
        directory.StatusPushed,
        _OPERATOR,
        "Report connector states",
        role="host",
    ),
    _op(
        "list_stations",
        "GET /v1/stations",
        Empty,
        directory.StationPage,
        _READERS,
        "Stations on the hub",
        paged=True,
    ),
    _op(
        "get_station",
        "GET /v1/stations/{party_id}/{station_id}",
        Empty,
        directory.Station,
        _READERS,
        "One station",
    ),
    _op(
        "get_connector",
        "GET /v1/connectors/{connector}",
        Empty,
        directory.ConnectorInfo,
        _READERS,
        "One connector with its state and tariff",
    ),
)

_ROAMING = (
    _op(
        "authorize",
        "POST /v1/authorizations",
        roaming.AuthorizeRequest,
        roaming.Authorization,
        _OPERATOR,
        "A token was shown at my connector",
        role="host",
        signed=True,
        errors=_WRITE,
    ),
    _op(
        "release_authorization",
        "POST /v1/authorizations/{authorization_id}/release",
        roaming.ReleaseRequest,
        roaming.ReleaseReply,
        _OPERATOR,
        "Nothing was started on this authorization",
        role="host",
        signed=True,
        errors=(Code.STATE_CONFLICT,),
    ),
    _op(
        "start_session",
        "POST /v1/sessions",
        roaming.StartRequest,
        roaming.Session,
        _OPERATOR,
        "Start a charge for my driver",
        role="home",
        signed=True,
        errors=_WRITE,
    ),
    _op(
        "stop_session",
        "POST /v1/sessions/{session_id}/stop",
        roaming.StopRequest,
        roaming.StopReply,
        _OPERATOR,
        "Stop my driver's charge",
        role="home",
        signed=True,
        errors=(*_WRITE, Code.STATE_CONFLICT),
    ),
    _op(
        "push_session",
        "POST /v1/sessions/{session_id}/updates",
        roaming.SessionUpdate,
        roaming.UpdateReply,
        _OPERATOR,
        "A live update",
        role="host",
        max_body=8_192,
    ),
    _op(
        "push_record",
        "POST /v1/charge-records",
        records.ChargeRecord,
        records.RecordReply,
        _OPERATOR,
        "The final bill of a session",
        role="host",
        signed=True,
        errors=_WRITE,
    ),
    _op(
        "push_settlement",
        "POST /v1/settlement-records",
        records.SettlementRecord,
        records.SettlementReply,
        _OPERATOR,
        "What the driver was charged",
        role="home",
        signed=True,
        errors=(*_WRITE, Code.RULE_VIOLATED),
    ),
    _op(
        "get_session",
        "GET /v1/sessions/{session_id}",
        Empty,
        roaming.Session,
        _READERS,
        "One session",
    ),
    _op(
        "list_sessions",
        "GET /v1/sessions",
        Empty,
        roaming.SessionPage,
        _READERS,
        "The caller's sessions",
        paged=True,
    ),
    _op(
        "session_events",
        "GET /v1/sessions/{session_id}/events",
        Empty,
        roaming.SessionProgress,
        _READERS,
        "Server-sent events; Last-Event-ID is an update number",
        stream=True,
    ),
    _op(
        "get_record",
        "GET /v1/charge-records/{record_id}",
        Empty,
        records.Record,
        _READERS,
        "One record",
    ),
    _op(
        "list_records",
        "GET /v1/charge-records",
        Empty,
        records.RecordPage,
        _READERS,
        "The caller's charge records",
        paged=True,
    ),
    _op(
        "scan",
        "POST /v1/scans",
        roaming.ScanRequest,
        roaming.Scan,
        _DRIVER,
        "What is this code?",
        errors=(Code.CODE_FORGED, Code.CODE_UNKNOWN),
        success=201,
    ),
    _op(
        "start_charging",
        "POST /v1/driver/sessions",
        roaming.StartChargingRequest,
        roaming.Session,
        _DRIVER,
        "Start what was scanned",
        errors=(*_WRITE, Code.SCAN_UNKNOWN, Code.SCAN_EXPIRED, Code.SCAN_USED, Code.PRICE_CHANGED),
    ),
    _op(
        "stop_charging",
        "POST /v1/driver/sessions/{session_id}/stop",
        roaming.StopRequest,
        roaming.StopReply,
        _DRIVER,
        "Stop my charge",
        errors=(*_WRITE, Code.STATE_CONFLICT),
    ),
    _op(
        "get_driver_account",
        "GET /v1/driver/account",
        Empty,
        roaming.DriverAccount,
        _DRIVER,
        "My balance and holds, where my home can say",
    ),
)

_CLEARING = (
    _op("list_obligations", "GET /v1/obligations", Empty, clearing.ObligationPage, _OPERATOR,
        "What I owe and am owed", paged=True),
    _op("list_cycles", "GET /v1/cycles", Empty, clearing.CyclePage, (_OPERATOR, _STAFF), "Clearing cycles",
        paged=True),
    _op("get_statement", "GET /v1/cycles/{cycle_id}/statement", Empty, clearing.Statement, _OPERATOR,
        "My statement; ?format=json|csv|html"),
    _op("list_my_dead_letters", "GET /v1/dead-letters", Empty, admin.DeadLetterPage, _OPERATOR,
        "Messages to me that gave up", paged=True),
    _op("replay_my_dead_letter", "POST /v1/dead-letters/{letter_id}/replay", Empty, admin.DeadLetter,
        _OPERATOR, "Try a message to me again", errors=(Code.STATE_CONFLICT,)),
)  # fmt: skip

_ADMIN = (
    _op("add_party", "POST /v1/staff/parties", admin.PartyAdd, admin.Party, _STAFF, "Add an operator",
        role="parties", errors=(Code.ID_REUSED, Code.RULE_VIOLATED), success=201),
    _op("list_parties", "GET /v1/staff/parties", Empty, admin.PartyPage, _STAFF, "Operators",
        role="parties_read", paged=True),
    _op("add_key", "POST /v1/staff/parties/{party_id}/keys", access.KeyAdd, access.Key, _STAFF,
        "Propose a key", role="keys", errors=(Code.ID_REUSED,), success=201),
    _op("approve_key", "POST /v1/staff/parties/{party_id}/keys/{key_id}/approve", Empty, access.Key, _STAFF,
        "Approve a proposed key (another person)", role="keys", errors=(Code.SECOND_PERSON_NEEDED,)),
    _op("revoke_key", "POST /v1/staff/parties/{party_id}/keys/{key_id}/revoke", Empty, access.Key, _STAFF,
        "Revoke a key at once", role="keys"),
    _op("list_keys", "GET /v1/staff/parties/{party_id}/keys", Empty, access.KeyList, _STAFF, "Keys",
        role="parties_read"),
    _op("add_agreement", "POST /v1/staff/agreements", admin.AgreementAdd, admin.Agreement, _STAFF,
        "Add an agreement", role="parties", errors=(Code.ID_REUSED, Code.RULE_VIOLATED), success=201),
    _op("add_staff", "POST /v1/staff/members", admin.StaffAdd, admin.Staff, _STAFF, "Add a person",
        role="staff", errors=(Code.ID_REUSED, Code.RULE_VIOLATED), success=201),
    _op("import_stations", "POST /v1/staff/station-imports", admin.StationImport, admin.ImportReport, _STAFF,
        "Import stations from CSV", role="stations", max_body=9_000_000),
    _op("add_customer", "POST /v1/staff/customers", admin.CustomerAdd, admin.Customer, _STAFF,
        "Add a hosted driver", role="customers", errors=(Code.ID_REUSED,), success=201),
    _op("get_customer", "GET /v1/staff/customers/{customer_id}", Empty, admin.Customer, _STAFF,
        "A hosted driver's wallet", role="customers"),
    _op("add_driver_token", "POST /v1/staff/customers/{customer_id}/tokens", admin.DriverTokenAdd,
        admin.Customer, _STAFF, "Give a hosted driver a token", role="customers", errors=(Code.ID_REUSED,)),
    _op("block_driver_token", "POST /v1/staff/customers/{customer_id}/token-blocks", admin.DriverTokenBlock,
        admin.Customer, _STAFF, "Block a token", role="customers"),
    _op("top_up_wallet", "POST /v1/staff/customers/{customer_id}/top-ups", admin.TopUp, admin.Customer,
        _STAFF, "Book money into a wallet", role="wallets", errors=(Code.ID_REUSED,)),
    _op("verify_ledger", "GET /v1/staff/ledger/verification", Empty, admin.LedgerReport, _STAFF,
        "Recompute the ledger from raw entries", role="ledger"),
    _op("close_cycle", "POST /v1/staff/cycles/close", clearing.CycleClose, clearing.CycleResult, _STAFF,
        "Cut the open cycle off", role="clearing", errors=(Code.STATE_CONFLICT, Code.RULE_VIOLATED)),
    _op("get_cycle", "GET /v1/staff/cycles/{cycle_id}", Empty, clearing.CycleResult, _STAFF,
        "A cycle with everybody's position", role="clearing"),
    _op("list_suspense", "GET /v1/staff/suspense", Empty, admin.SuspenseList, _STAFF, "What is in suspense",
        role="clearing", paged=True),
    _op("list_dead_letters", "GET /v1/staff/dead-letters", Empty, admin.DeadLetterPage, _STAFF,
        "Messages that gave up", role="outbox", paged=True),
    _op("replay_dead_letter", "POST /v1/staff/dead-letters/{letter_id}/replay", Empty, admin.DeadLetter,
        _STAFF, "Try a message again", role="outbox", errors=(Code.STATE_CONFLICT,)),
)  # fmt: skip

HUB: dict[str, Operation] = {op.id: op for op in (*_ACCESS, *_DIRECTORY, *_ROAMING, *_CLEARING, *_ADMIN)}

_FROM_HUB = Scope.HUB
OPERATOR: dict[str, Operation] = {
    op.id: op
    for op in (
        _op("authorize", "POST /v1/authorizations", roaming.HomeAuthorizeRequest, roaming.HomeAuthorization,
            _FROM_HUB, "Home: may this token of yours charge there?", signed=True, role="home"),
        _op("release_authorization", "POST /v1/authorizations/{authorization_id}/release",
            roaming.ReleaseRequest, roaming.ReleaseReply, _FROM_HUB,
            "Home: give back what this id held; unknown ids succeed and are burnt", signed=True, role="home"),
        _op("driver_account", "POST /v1/driver-accounts", roaming.DriverAccountRequest,
            roaming.DriverAccount, _FROM_HUB, "Home: a driver's balance and holds", role="home"),
        _op("push_session", "POST /v1/sessions/{session_id}/updates", roaming.SessionProgress, Empty,
            _FROM_HUB, "Home: how your driver's charge goes", role="home"),
        _op("push_record", "POST /v1/charge-records", records.HomeRecord, records.RecordAnswer, _FROM_HUB,
            "Home: the bill; answer with the settlement record", signed=True, role="home"),
        _op("check_connector", "POST /v1/connector-checks", roaming.CheckConnectorRequest,
            roaming.CheckConnectorReply, _FROM_HUB, "Host: could a charge start there now?", role="host"),
        _op("start", "POST /v1/sessions", roaming.HostStartRequest, roaming.HostStartReply, _FROM_HUB,
            "Host: start", signed=True, role="host"),
        _op("stop", "POST /v1/sessions/{session_id}/stop", roaming.StopRequest, roaming.StopReply, _FROM_HUB,
            "Host: stop", signed=True, role="host"),
        _op("query_session", "GET /v1/sessions/{session_id}", Empty, roaming.HostSession, _FROM_HUB,
            "Host: what do you know of this session?", role="host"),
        _op("push_settlement", "POST /v1/settlement-records", records.SettlementRecord,
            records.SettlementReply, _FROM_HUB, "Host: how your record was settled", signed=True, role="host"),
    )
}  # fmt: skip
