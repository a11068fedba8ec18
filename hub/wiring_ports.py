"""The composition of the ports: which implementation of each the settings ask for."""

import logging
import os
import socket

from hub.accounts.model import Digests
from hub.accounts.service import Accounts
from hub.accounts.service_signin import CodeSender, FileCodeSender, SignIn
from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.ids import Ids
from hub.core.live import Live, LocalLive
from hub.core.outbox import Doorbell, LocalDoorbell, Outbox
from hub.settings import Settings

log = logging.getLogger("interpile.wiring")


class NoCodeSender:
    """Where no way to send codes is configured, nobody can sign in by phone, and the log says so."""

    async def send(self, phone: str, code: str) -> None:
        """Not sent."""
        log.error("no sender for one-time codes is configured")


def open_live(settings: Settings) -> Live:
    """Live fan-out: in the process, or over Redis."""
    if not settings.redis_url:
        return LocalLive()
    from hub.core.live_redis import RedisLive

    return RedisLive(settings.redis_url)


def make_doorbell(settings: Settings, local: LocalDoorbell) -> Doorbell:
    """What wakes the jobs: this process alone, or a broker beside it."""
    if not settings.broker_url:
        return local
    from hub.core.doorbell import CeleryDoorbell

    return CeleryDoorbell(settings.broker_url, settings.queue, local)


def make_outbox(database: Database, clock: Clock, ids: Ids, doorbell: Doorbell) -> Outbox:
    """The outbox; leases are held in this process's name."""
    owner = f"{socket.gethostname()[:30]}:{os.getpid()}:{ids.digits(6)}"
    return Outbox(database, clock, ids, doorbell, owner)


def make_sign_in(
    settings: Settings, database: Database, clock: Clock, ids: Ids, accounts: Accounts, digests: Digests
) -> SignIn:
    """Sign-in by one-time codes, and what sends them."""
    file = settings.code_file
    sender: CodeSender = NoCodeSender() if file is None else FileCodeSender(file, env=settings.env)
    return SignIn(database, clock, ids, accounts=accounts, digests=digests, sender=sender)
