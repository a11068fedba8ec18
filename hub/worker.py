"""A Celery worker: works the lane that was rung. What nobody rang for, or in vain, `interpile jobs` finds."""

import asyncio
import contextlib
import os
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_process_init, worker_process_shutdown

from hub.commands.shell import TROUBLE, complain
from hub.core.doorbell import TASK, celery_app
from hub.core.logs import configure_logs
from hub.settings import DEFAULT_QUEUE, Settings
from hub.wiring import Hub, open_hub, try_to_open

DEFAULT_BROKER = "amqp://guest:guest@127.0.0.1:5672//"


class WorkerProcess:
    """One event loop and one engine per worker process, made after the fork."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self._hub: Hub = self._runner.run(self._stack.enter_async_context(open_hub(Settings.from_env())))

    def work(self, lane: str) -> int:
        """Work a lane if it is due and nobody else holds it."""
        return self._runner.run(self._work(lane))

    async def _work(self, lane: str) -> int:
        lease = await self._hub.outbox.claim(lane)
        if lease is None:
            return 0
        done = await self._hub.outbox.work_lane(lease)
        await self._hub.live.flush()
        return done

    def close(self) -> None:
        """Give everything back."""
        self._runner.run(self._stack.aclose())
        self._runner.close()


_process: WorkerProcess | None = None


def make_worker() -> Celery:
    """The Celery application with its one task."""
    queue = os.environ.get("INTERPILE_QUEUE") or DEFAULT_QUEUE
    application = celery_app(os.environ.get("BROKER_URL") or DEFAULT_BROKER, queue)

    @application.task(name=TASK, max_retries=0)
    def work_lane(lane: str) -> int:
        """Work one lane; a message lost or doubled changes nothing."""
        return _this_process().work(lane)

    return application


def _this_process() -> WorkerProcess:
    global _process  # noqa: PLW0603 - Celery gives a process no other place to keep its own
    if _process is None:
        _process = WorkerProcess()
    return _process


@worker_init.connect
def _check(**_: Any) -> None:
    """Refuse before anything is forked: a process of the pool would only die and be made again."""
    try:
        asyncio.run(try_to_open(Settings.from_env()))
    except TROUBLE as problem:
        raise SystemExit(complain(problem)) from problem


@worker_process_init.connect
def _begin(**_: Any) -> None:
    configure_logs()
    _this_process()


@worker_process_shutdown.connect
def _end(**_: Any) -> None:
    if _process is not None:
        _process.close()


app = make_worker()
