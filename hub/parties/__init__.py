"""Operators, roles, keys, agreements, exposure; the hub's staff and the audit log; the PartyLink port."""
