"""The ground floor: clocks, ids, errors, units of work, outbox, live fan-out, outbound calls, security."""
