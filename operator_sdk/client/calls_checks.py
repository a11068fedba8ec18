"""The typed calls about daily checks of charge records."""

from datetime import datetime

from operator_sdk.client.request import Call, QueryValue, hub_operation
from operator_sdk.contract.messages import checks


def check_records(message: checks.RecordListPart) -> Call[checks.RecordCheck]:
    """A part of my list of a day."""
    return Call(hub_operation("check_records"), checks.RecordCheck, message, {})


def list_record_checks(
    *,
    day: str | None = None,
    limit: int | None = None,
    after: str | None = None,
    updated_since: datetime | None = None,
) -> Call[checks.RecordCheckPage]:
    """Daily checks, of one day or of all."""
    query: dict[str, QueryValue] = {"day": day, "limit": limit, "after": after, "updated_since": updated_since}
    return Call(hub_operation("list_record_checks"), checks.RecordCheckPage, None, {}, query)


def get_record_check(check_id: str) -> Call[checks.RecordCheck]:
    """One check with its first differences."""
    return Call(hub_operation("get_record_check"), checks.RecordCheck, None, {"check_id": check_id})


def list_record_differences(
    check_id: str, *, limit: int | None = None, after: str | None = None
) -> Call[checks.RecordDifferencePage]:
    """Everything a check found."""
    query: dict[str, QueryValue] = {"limit": limit, "after": after}
    path = {"check_id": check_id}
    return Call(hub_operation("list_record_differences"), checks.RecordDifferencePage, None, path, query)
