"""The doorbell over Celery: rings a worker for a lane. A lost ring loses nothing; the sweeper finds it."""

import logging
import queue
import threading

from celery import Celery
from kombu.exceptions import OperationalError

from hub.core.outbox import LocalDoorbell

log = logging.getLogger("interpile.doorbell")

TASK = "interpile.work_lane"


def celery_app(broker_url: str, queue_name: str) -> Celery:
    """The Celery application: JSON, ids only, quorum queue, nothing kept as a result."""
    app = Celery("interpile", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"confirm_publish": True},
        task_default_queue=queue_name,
        task_default_queue_type="quorum",
        task_default_exchange_type="topic",
        worker_detect_quorum_queues=True,
        broker_connection_timeout=2,
        task_publish_retry=False,
    )
    return app


class CeleryDoorbell:
    """Rings through a thread of its own, so that a slow or absent broker never holds up a request."""

    def __init__(self, broker_url: str, queue_name: str, local: LocalDoorbell) -> None:
        self._app, self._local = celery_app(broker_url, queue_name), local
        self._rings: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        connection = self._app.connection_for_write()
        self._trouble = (OperationalError, *connection.connection_errors, *connection.channel_errors)
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        self._thread.start()

    def ring(self, lane: str) -> None:
        """Ring; dropped when too many wait, for the sweeper finds the lane anyway."""
        self._local.ring(lane)
        if self._rings.qsize() < 1000:
            self._rings.put(lane)

    def _run(self) -> None:
        while (lane := self._rings.get()) is not None:
            try:
                self._app.send_task(TASK, args=[lane], retry=False)
            except self._trouble:
                log.warning("broker out of reach; the sweeper will find the work")

    def close(self) -> None:
        """Let the thread end."""
        self._rings.put(None)
