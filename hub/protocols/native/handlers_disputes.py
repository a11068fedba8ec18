"""Handlers: disputes, suspense and the daily check of records."""

from hub.protocols.native.call import Handler

HANDLERS: dict[str, Handler] = {}
