"""Operators, their roles, keys, agreements and exposure; the hub's staff and the audit log; the PartyLink port."""
