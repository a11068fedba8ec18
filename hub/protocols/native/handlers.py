"""Every operation's handler."""

from hub.protocols.native import (
    handlers_access,
    handlers_admin,
    handlers_checks,
    handlers_clearing,
    handlers_directory,
    handlers_disputes,
    handlers_payments,
    handlers_places,
    handlers_records,
    handlers_roaming,
    handlers_sites,
    handlers_suspense,
    handlers_tariffs,
    handlers_upkeep,
)
from hub.protocols.native.call import Handler

HANDLERS: dict[str, Handler] = {
    **handlers_access.HANDLERS,
    **handlers_directory.HANDLERS,
    **handlers_tariffs.HANDLERS,
    **handlers_places.HANDLERS,
    **handlers_roaming.HANDLERS,
    **handlers_records.HANDLERS,
    **handlers_disputes.HANDLERS,
    **handlers_checks.HANDLERS,
    **handlers_sites.HANDLERS,
    **handlers_upkeep.HANDLERS,
    **handlers_clearing.HANDLERS,
    **handlers_suspense.HANDLERS,
    **handlers_payments.HANDLERS,
    **handlers_admin.HANDLERS,
}
