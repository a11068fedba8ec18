"""Handlers: payments, deposits and bank working days."""

from hub.protocols.native.call import Handler

HANDLERS: dict[str, Handler] = {}
