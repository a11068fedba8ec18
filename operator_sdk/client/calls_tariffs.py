"""The typed calls about tariffs and where they apply."""

from datetime import datetime

from operator_sdk.client.request import Call, hub_operation
from operator_sdk.contract.messages import directory


def put_tariff(tariff_id: str, version: int, message: directory.TariffPut) -> Call[directory.Tariff]:
    """Publish a version of a tariff."""
    path = {"tariff_id": tariff_id, "version": str(version)}
    return Call(hub_operation("put_tariff"), directory.Tariff, message, path, {})


def assign_tariff(message: directory.TariffAssignmentPut) -> Call[directory.TariffAssignment]:
    """Say where a tariff applies."""
    return Call(hub_operation("assign_tariff"), directory.TariffAssignment, message, {}, {})


def list_tariff_assignments(
    *, limit: int | None, after: str | None, updated_since: datetime | None
) -> Call[directory.TariffAssignmentPage]:
    """Where my tariffs apply, and the tariffs that hosts have agreed with me."""
    query = {"limit": limit, "after": after, "updated_since": updated_since}
    operation = hub_operation("list_tariff_assignments")
    return Call(operation, directory.TariffAssignmentPage, None, {}, query)
