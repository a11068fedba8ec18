"""Every operation's handler."""

from hub.protocols.native import (
    handlers_access,
    handlers_admin,
    handlers_clearing,
    handlers_directory,
    handlers_roaming,
)
from hub.protocols.native.call import Handler

HANDLERS: dict[str, Handler] = {
    **handlers_access.HANDLERS,
    **handlers_directory.HANDLERS,
    **handlers_roaming.HANDLERS,
    **handlers_clearing.HANDLERS,
    **handlers_admin.HANDLERS,
}
