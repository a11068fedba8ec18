"""Example operators, written with the SDK alone: a host with simulated piles and a home with drivers."""
