"""Every operation's handler."""

from hub.protocols.native import (
    handlers_access,
    handlers_admin,
    handlers_clearing,
    handlers_directory,
    handlers_places,
    handlers_roaming,
    handlers_sites,
    handlers_upkeep,
)
from hub.protocols.native.call import Handler

HANDLERS: dict[str, Handler] = {
    **handlers_access.HANDLERS,
    **handlers_directory.HANDLERS,
    **handlers_places.HANDLERS,
    **handlers_roaming.HANDLERS,
    **handlers_sites.HANDLERS,
    **handlers_upkeep.HANDLERS,
    **handlers_clearing.HANDLERS,
    **handlers_admin.HANDLERS,
}
