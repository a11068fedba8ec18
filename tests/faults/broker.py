"""A queue of the test's own on RabbitMQ, and somebody at it who loses every message or doubles it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message
from kombu.messaging import Consumer, Producer

QUORUM = {"x-queue-type": "quorum"}


@dataclass
class Meddler:
    """Takes every message off a queue, in a thread of its own; hands it on as often as it is told."""

    url: str
    taken_from: str
    handed_to: str = ""
    times: int = 0
    taken: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until told to stop."""
        with Connection(self.url) as connection, connection.channel() as channel:
            source = Queue(self.taken_from, queue_arguments=QUORUM, durable=True)
            producer = Producer(channel)
            with Consumer(channel, [source], callbacks=[self._meddle(producer)]):
                while not self._stop.is_set():
                    try:
                        connection.drain_events(timeout=0.2)
                    except TimeoutError:
                        continue

    def _meddle(self, producer: Producer) -> Callable[[object, Message], None]:
        def take(_: object, message: Message) -> None:
            for _again in range(self.times):
                producer.publish(
                    message.body,
                    routing_key=self.handed_to,
                    headers=message.headers,
                    content_type=message.content_type,
                    content_encoding=message.content_encoding,
                    correlation_id=message.properties.get("correlation_id"),
                )
            message.ack()
            self.taken += 1

        return take

    @contextmanager
    def at_work(self) -> Iterator["Meddler"]:
        """While the block lasts."""
        thread = threading.Thread(target=self.run, name="meddler")
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(10)


@contextmanager
def own_queues(url: str, *names: str) -> Iterator[None]:
    """Queues that exist before anybody rings, and not after the test."""
    with Connection(url) as connection, connection.channel() as channel:
        for name in names:
            Queue(name, exchange=None, queue_arguments=QUORUM, durable=True)(channel).declare()
    try:
        yield
    finally:
        with Connection(url) as connection, connection.channel() as channel:
            for name in names:
                channel.queue_delete(name)
                channel.exchange_delete(name)
