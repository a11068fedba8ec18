"""The edge agent: runs in a station, drives its piles and keeps charging when the hub is away."""
