"""Counters for whoever watches the hub."""

import time
from functools import cache

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


class Observed:
    """Measures one call, for as long as the block lasts."""

    __slots__ = ("_begun", "_latency")

    def __init__(self, operation_id: str) -> None:
        self._latency = _latency_of(operation_id)

    def __enter__(self) -> None:
        self._begun = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._latency.observe(time.perf_counter() - self._begun)


def count_answer(operation_id: str, status: int) -> None:
    """Count one call by what it was answered."""
    _answers_of(operation_id, str(status)).inc()


# Operations and statuses are few, and the library looks labels up under a lock.
_latency_of = cache(LATENCY.labels)
_answers_of = cache(REQUESTS.labels)
