"""Handlers: tariffs and where they apply."""

from hub.protocols.native.call import Handler

HANDLERS: dict[str, Handler] = {}
