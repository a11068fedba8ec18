"""Rooms on real databases and brokers."""
