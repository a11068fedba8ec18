"""What the hub serves."""

from operator_sdk.contract.messages import access, admin, directory, roaming
from operator_sdk.contract.messages.common import Empty, ListQuery
from operator_sdk.contract.operations.checks import CHECKS
from operator_sdk.contract.operations.clearing import CLEARING
from operator_sdk.contract.operations.disputes import DISPUTES
from operator_sdk.contract.operations.model import Operation, Scope, op
from operator_sdk.contract.operations.payments import PAYMENTS
from operator_sdk.contract.operations.places import PLACES
from operator_sdk.contract.operations.records import RECORDS
from operator_sdk.contract.operations.sites import SITES
from operator_sdk.contract.operations.suspense import SUSPENSE
from operator_sdk.contract.operations.tariffs import TARIFFS
from operator_sdk.contract.operations.upkeep import UPKEEP
from operator_sdk.contract.public_codes import Code

_WRITE = (Code.ID_REUSED, Code.IN_PROGRESS)
_OPERATOR, _DRIVER, _STAFF, _PUBLIC = Scope.OPERATOR, Scope.DRIVER, Scope.STAFF, Scope.PUBLIC
_READERS = (_OPERATOR, _DRIVER)

_ACCESS = (
    op("jwks", "GET /.well-known/jwks.json", Empty, access.JwkSet, _PUBLIC, "The hub's public keys"),
    op(
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
    op(
        "send_code",
        "POST /v1/driver/codes",
        access.CodeRequest,
        access.CodeSent,
        _PUBLIC,
        "Send a hosted driver a one-time code",
        max_body=4_096,
    ),
    op(
        "issue_driver_token",
        "POST /v1/driver/tokens",
        access.DriverTokenRequest,
        access.DriverTokens,
        _PUBLIC,
        "A driver signs in",
        errors=(Code.SIGN_IN_FAILED, Code.REPLAYED),
        max_body=16_384,
    ),
    op(
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
    op(
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
    op(
        "push_status",
        "POST /v1/connector-statuses",
        directory.StatusPush,
        directory.StatusPushed,
        _OPERATOR,
        "Report connector states",
        role="host",
        errors=(Code.RULE_VIOLATED,),
    ),
    op(
        "list_stations",
        "GET /v1/stations",
        Empty,
        directory.StationPage,
        _READERS,
        "Stations on the hub",
        paged=True,
        apps=True,
    ),
    op(
        "get_station",
        "GET /v1/stations/{party_id}/{station_id}",
        Empty,
        directory.Station,
        _READERS,
        "One station",
        apps=True,
    ),
    op(
        "get_connector",
        "GET /v1/connectors/{connector}",
        Empty,
        directory.ConnectorInfo,
        _READERS,
        "One connector with its state and tariff",
        apps=True,
    ),
)

_ROAMING = (
    op(
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
    op(
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
    op(
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
    op(
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
    op(
        "push_session",
        "POST /v1/sessions/{session_id}/updates",
        roaming.SessionUpdate,
        roaming.UpdateReply,
        _OPERATOR,
        "A live update",
        role="host",
        errors=(Code.RULE_VIOLATED, Code.STATE_CONFLICT),
        max_body=8_192,
    ),
    op(
        "get_session",
        "GET /v1/sessions/{session_id}",
        Empty,
        roaming.Session,
        _READERS,
        "One session",
    ),
    op(
        "list_sessions",
        "GET /v1/sessions",
        Empty,
        roaming.SessionPage,
        _READERS,
        "The caller's sessions",
        paged=True,
        query=ListQuery,
    ),
    op(
        "session_events",
        "GET /v1/sessions/{session_id}/events",
        Empty,
        roaming.SessionProgress,
        _READERS,
        "Server-sent events; Last-Event-ID is an update number",
        stream=True,
    ),
    op(
        "scan",
        "POST /v1/scans",
        roaming.ScanRequest,
        roaming.Scan,
        _DRIVER,
        "What is this code?",
        errors=(Code.CODE_FORGED, Code.CODE_UNKNOWN),
        success=201,
    ),
    op(
        "start_charging",
        "POST /v1/driver/sessions",
        roaming.StartChargingRequest,
        roaming.Session,
        _DRIVER,
        "Start what was scanned",
        errors=(*_WRITE, Code.SCAN_UNKNOWN, Code.SCAN_EXPIRED, Code.SCAN_USED, Code.PRICE_CHANGED),
    ),
    op(
        "stop_charging",
        "POST /v1/driver/sessions/{session_id}/stop",
        roaming.StopRequest,
        roaming.StopReply,
        _DRIVER,
        "Stop my charge",
        errors=(*_WRITE, Code.STATE_CONFLICT),
    ),
    op(
        "get_driver_account",
        "GET /v1/driver/account",
        Empty,
        roaming.DriverAccount,
        _DRIVER,
        "My balance and holds, where my home can say",
    ),
)

_LETTERS = (
    op("list_my_dead_letters", "GET /v1/dead-letters", Empty, admin.DeadLetterPage, _OPERATOR,
        "Messages to me that gave up", paged=True),
    op("replay_my_dead_letter", "POST /v1/dead-letters/{letter_id}/replay", Empty, admin.DeadLetter,
        _OPERATOR, "Try a message to me again", errors=(Code.STATE_CONFLICT,)),
)  # fmt: skip

_ADMIN = (
    op("add_party", "POST /v1/staff/parties", admin.PartyAdd, admin.Party, _STAFF, "Add an operator",
        role="parties", errors=(Code.ID_REUSED, Code.RULE_VIOLATED), success=201),
    op("list_parties", "GET /v1/staff/parties", Empty, admin.PartyPage, _STAFF, "Operators",
        role="parties_read", paged=True),
    op("set_exposure", "PUT /v1/staff/parties/{party_id}/exposure", admin.ExposurePut, admin.Party, _STAFF,
        "Change what a home has deposited and may owe", role="parties"),
    op("add_key", "POST /v1/staff/parties/{party_id}/keys", access.KeyAdd, access.Key, _STAFF,
        "Propose a key", role="keys", errors=(Code.ID_REUSED,), success=201),
    op("approve_key", "POST /v1/staff/parties/{party_id}/keys/{key_id}/approve", Empty, access.Key, _STAFF,
        "Approve a proposed key (another person)", role="keys", errors=(Code.SECOND_PERSON_NEEDED,)),
    op("revoke_key", "POST /v1/staff/parties/{party_id}/keys/{key_id}/revoke", Empty, access.Key, _STAFF,
        "Revoke a key at once", role="keys"),
    op("list_keys", "GET /v1/staff/parties/{party_id}/keys", Empty, access.KeyList, _STAFF, "Keys",
        role="parties_read"),
    op("add_agreement", "POST /v1/staff/agreements", admin.AgreementAdd, admin.Agreement, _STAFF,
        "Add an agreement", role="parties", errors=(Code.ID_REUSED, Code.RULE_VIOLATED), success=201),
    op("add_staff", "POST /v1/staff/members", admin.StaffAdd, admin.Staff, _STAFF, "Add a person",
        role="staff", errors=(Code.ID_REUSED, Code.RULE_VIOLATED), success=201),
    op("import_stations", "POST /v1/staff/station-imports", admin.StationImport, admin.ImportReport, _STAFF,
        "Import stations from CSV", role="stations", max_body=9_000_000),
    op("add_customer", "POST /v1/staff/customers", admin.CustomerAdd, admin.Customer, _STAFF,
        "Add a hosted driver", role="customers", errors=(Code.ID_REUSED,), success=201),
    op("get_customer", "GET /v1/staff/customers/{customer_id}", Empty, admin.Customer, _STAFF,
        "A hosted driver's wallet", role="customers"),
    op("add_driver_token", "POST /v1/staff/customers/{customer_id}/tokens", admin.DriverTokenAdd,
        admin.Customer, _STAFF, "Give a hosted driver a token", role="customers", errors=(Code.ID_REUSED,)),
    op("block_driver_token", "POST /v1/staff/customers/{customer_id}/token-blocks", admin.DriverTokenBlock,
        admin.Customer, _STAFF, "Block a token", role="customers"),
    op("top_up_wallet", "POST /v1/staff/customers/{customer_id}/top-ups", admin.TopUp, admin.Customer,
        _STAFF, "Book money into a wallet", role="wallets", errors=(Code.ID_REUSED,)),
    op("verify_ledger", "GET /v1/staff/ledger/verification", Empty, admin.LedgerReport, _STAFF,
        "Recompute the ledger from raw entries", role="ledger"),
    op("list_dead_letters", "GET /v1/staff/dead-letters", Empty, admin.DeadLetterPage, _STAFF,
        "Messages that gave up", role="outbox", paged=True),
    op("replay_dead_letter", "POST /v1/staff/dead-letters/{letter_id}/replay", Empty, admin.DeadLetter,
        _STAFF, "Try a message again", role="outbox", errors=(Code.STATE_CONFLICT,)),
)  # fmt: skip

HUB: dict[str, Operation] = {
    entry.id: entry
    for entry in (
        *_ACCESS,
        *_DIRECTORY,
        *TARIFFS,
        *PLACES,
        *_ROAMING,
        *RECORDS,
        *DISPUTES,
        *CHECKS,
        *SUSPENSE,
        *UPKEEP,
        *CLEARING,
        *PAYMENTS,
        *_LETTERS,
        *_ADMIN,
        *SITES,
    )
}
