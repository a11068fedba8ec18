"""Operators without a platform of their own: their link ends in the hub's `accounts`."""
