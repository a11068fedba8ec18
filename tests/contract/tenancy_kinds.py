"""What each operation of the hub is to other tenants; one that nobody has thought about fails test_tenancy."""

from tests.rig import A, B, C

PUBLIC, SHARED, OWN, LIST, CLOSED = "public", "shared", "own", "list", "closed"
"""Open to all; the directory, the same for all; writes below the caller's own name; lists the caller's own
rows; refuses whoever is not a part of the object."""

KIND: dict[str, str] = {
    "jwks": PUBLIC,
    "issue_token": PUBLIC,
    "send_code": PUBLIC,
    "issue_driver_token": PUBLIC,
    "staff_sign_in": PUBLIC,
    "list_stations": SHARED,
    "get_station": SHARED,
    "get_connector": SHARED,
    "search_stations": SHARED,
    "get_station_detail": SHARED,
    "put_tariff": OWN,
    "put_station": OWN,
    "push_status": OWN,
    "authorize": OWN,
    "start_session": OWN,
    "scan": OWN,
    "get_driver_account": OWN,
    "report_fault": OWN,
    "list_sessions": LIST,
    "list_records": LIST,
    "list_obligations": LIST,
    "list_cycles": LIST,
    "list_my_dead_letters": LIST,
    "list_my_faults": LIST,
    "list_my_work_orders": LIST,
    "get_statement": OWN,
    "release_authorization": CLOSED,
    "stop_session": CLOSED,
    "push_session": CLOSED,
    "push_record": CLOSED,
    "push_settlement": CLOSED,
    "get_session": CLOSED,
    "session_events": CLOSED,
    "get_record": CLOSED,
    "start_charging": CLOSED,
    "stop_charging": CLOSED,
    "get_my_fault": CLOSED,
    "replay_my_dead_letter": CLOSED,
    "get_connector_code": CLOSED,
    "list_connector_codes": CLOSED,
}

RIGHTFUL: dict[str, tuple[str, bool]] = {
    "release_authorization": (A, False),
    "stop_session": (B, False),
    "push_session": (A, False),
    "push_record": (A, False),
    "push_settlement": (B, False),
    "get_session": (B, False),
    "session_events": (B, False),
    "get_record": (A, False),
    "start_charging": (C, True),
    "stop_charging": (C, True),
    "get_my_fault": (C, True),
    "replay_my_dead_letter": (B, False),
    "get_connector_code": (A, False),
    "list_connector_codes": (A, False),
}
"""Who may, of the closed ones: (party, whether its driver)."""
