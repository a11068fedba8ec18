"""Stations, piles, connectors, status with time-to-live, tariffs. Public to every operator on the hub."""
