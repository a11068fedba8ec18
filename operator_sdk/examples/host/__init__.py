"""An example host operator: simulated piles, a durable spool to the hub, a small control page."""
