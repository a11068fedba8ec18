"""The simulator: one seed, a market of operators around the hub, virtual time, and faults everywhere."""
