"""Hosted operators' sites: which agents are connected, commands out, what arrived of their spools."""
