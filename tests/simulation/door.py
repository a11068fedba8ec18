"""The hub's door for everybody outside: its own handlers, in whichever process lives, over the network."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from hub.core.database import OutOfReach
from hub.core.errors import UNDECIDED, HubError
from hub.core.tokens import Principal
from hub.protocols.native.call import Call
from hub.protocols.native.handlers import HANDLERS
from hub.wiring import Hub
from operator_sdk.contract.messages.common import Empty, Message
from operator_sdk.contract.operations import HUB, Operation
from tests.simulation.network import Network, Refusal, Silence, Unavailable
from tests.simulation.process import HubProcess, Surroundings

M = TypeVar("M", bound=Message)
PATIENCE_S = 10
WAITS_S = (1, 3, 10, 30, 120, 300)
"""Between tries; the last one again and again."""


class Door:
    """Calls the hub."""

    def __init__(self, around: Surroundings, network: Network, processes: Sequence[HubProcess]) -> None:
        self._around, self._network, self._processes = around, network, processes

    def living(self) -> HubProcess | None:
        """Any process that is up."""
        alive = [process for process in self._processes if process.alive]
        return self._around.chance.pick(alive) if alive else None

    async def ask(
        self,
        reply: type[M],
        operation_id: str,
        who: Principal,
        message: Message | None = None,
        **path: str,
    ) -> M:
        """Call once.

        Raises:
            Silence: the answer is not known. Refusal: decided. Unavailable: to be tried again.
        """
        operation = HUB[operation_id]

        async def receive(body: bytes) -> bytes:
            return await self._receive(operation, who, path, body)

        what = f"{who.subject or who.party_id} hub {operation_id}"
        body = msgspec.json.encode(message or Empty())
        answer = await self._network.ask(what, receive, body, timeout_s=PATIENCE_S)
        return msgspec.json.decode(answer, type=reply)

    async def insist(
        self,
        reply: type[M],
        operation_id: str,
        who: Principal,
        message: Message | None = None,
        *,
        tries: int | None = None,
        **path: str,
    ) -> M:
        """Call with the same message until it is decided, or so often.

        Raises:
            Refusal: decided. Silence: given up, and nobody knows.
        """
        tried = 0
        while True:
            try:
                return await self.ask(reply, operation_id, who, message, **path)
            except (Silence, Unavailable):
                tried += 1
                if tries is not None and tried >= tries:
                    raise Silence from None
                await asyncio.sleep(WAITS_S[min(tried, len(WAITS_S)) - 1])

    async def _receive(
        self, operation: Operation, who: Principal, path: Mapping[str, str], body: bytes
    ) -> bytes:
        process = self.living()
        if process is None:
            raise Silence
        message = msgspec.json.decode(body, type=operation.request)

        async def handle(hub: Hub) -> Any:
            call = Call(services=hub, operation=operation, principal=who, path=path, query={})
            return await HANDLERS[operation.id](call, message)

        try:
            return msgspec.json.encode(await process.serve(handle))
        except HubError as problem:
            if problem.code in UNDECIDED:
                raise Unavailable from problem
            raise Refusal(problem.code) from problem
        except OutOfReach as problem:
            raise Unavailable from problem
        except Exception as problem:
            # What the hub would answer with 500 is a bug of the hub's.
            self._around.problem(f"{operation.id} of {who.party_id} failed: {problem!r}")
            raise Unavailable from problem


def operator(party_id: str) -> Principal:
    """An operator's platform."""
    return Principal("operator", party_id)


def driver(home_party_id: str, subject: str) -> Principal:
    """A driver with a phone."""
    return Principal("driver", home_party_id, subject)


def staff(login: str) -> Principal:
    """A person on the hub's staff."""
    return Principal("staff", None, login)
