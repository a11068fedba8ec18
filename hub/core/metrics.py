"""Counters for whoever watches the hub."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("interpile_requests_total", "Calls answered", ["operation", "status"])
LATENCY = Histogram(
    "interpile_request_seconds",
    "Time to answer",
    ["operation"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10),
)
OLDEST_LATE = Gauge("interpile_outbox_oldest_late_seconds", "Age of the oldest letter tried in vain")
OLDEST_DUE = Gauge("interpile_outbox_oldest_due_seconds", "Age of the oldest lane that is due")

EDGE_SITES = Gauge("interpile_edge_sites_connected", "Sites connected to this process")
EDGE_ITEMS = Counter("interpile_edge_items_total", "Items of sites' spools taken", ["stream", "outcome"])
EDGE_REFUSED = Counter("interpile_edge_links_closed_total", "Edge links the hub closed", ["code"])


@contextmanager
def observed(operation_id: str) -> Iterator[None]:
    """Measure one call."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        LATENCY.labels(operation_id).observe(time.perf_counter() - begun)
