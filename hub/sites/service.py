"""The use cases of this room, built once."""

from hub.sites.commands import Commands
from hub.sites.connections import Connections
from hub.sites.context import SitesContext
from hub.sites.registry import Registry


class Sites:
    """One attribute per noun."""

    def __init__(self, context: SitesContext) -> None:
        self.registry = Registry(context)
        self.connections = Connections(context)
        self.commands = Commands(context)
