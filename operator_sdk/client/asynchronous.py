"""The async client."""

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self, TypeVar, overload

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from operator_sdk.client.answer import ANSWER_BYTES_MAX, Answer, error_of
from operator_sdk.client.credentials import Credentials
from operator_sdk.client.events import EventReader
from operator_sdk.client.exchange import (
    Core,
    Flow,
    Learn,
    Pause,
    Renew,
    Send,
    exchange,
    key_exchange,
    open_stream,
    token_exchange,
)
from operator_sdk.client.methods_async import AsyncMethods
from operator_sdk.client.methods_checks_async import AsyncChecksMethods
from operator_sdk.client.methods_clearing_async import AsyncClearingMethods
from operator_sdk.client.methods_disputes_async import AsyncDisputesMethods
from operator_sdk.client.methods_payments_async import AsyncPaymentsMethods
from operator_sdk.client.methods_suspense_async import AsyncSuspenseMethods
from operator_sdk.client.methods_tariffs_async import AsyncTariffsMethods
from operator_sdk.client.methods_upkeep_async import AsyncUpkeepMethods
from operator_sdk.client.patience import Patience, is_passing
from operator_sdk.client.request import Call, Prepared, QueryValue, checked_request_id, hub_operation
from operator_sdk.client.trust import authorities
from operator_sdk.client.uncut import Uncut
from operator_sdk.clock import Clock, unix_s
from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.messages.roaming import SessionProgress
from operator_sdk.errors import ConnectionFailed, InterpileError, MalformedAnswer, TimedOut

Reply = TypeVar("Reply")
EVENT_SILENCE_S = 60


class AsyncHubClient(
    AsyncMethods,
    AsyncTariffsMethods,
    AsyncDisputesMethods,
    AsyncSuspenseMethods,
    AsyncChecksMethods,
    AsyncClearingMethods,
    AsyncPaymentsMethods,
    AsyncUpkeepMethods,
):
    """Calls the hub within one event loop; close it, or use it as a context manager.

        async with AsyncHubClient("https://hub.example", OperatorCredentials("MA5AAAAA1", key)) as hub:
            await hub.push_record(record)

    `issuer` is the hub's own public URL where it is reached by another (through a tunnel, say): signatures
    and sign-in name that one. `transport` takes the place of the network; `connections` bounds the calls
    under way.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | None = None,
        *,
        clock: Clock | None = None,
        issuer: str | None = None,
        timeout_s: float = 10,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        connections: int = 8,
    ) -> None:
        base_url = base_url.rstrip("/")
        self._core = Core(
            base_url,
            (issuer or base_url).rstrip("/"),
            credentials,
            clock or Clock(),
            patience or Patience(),
        )
        self._request_id: str | None = None
        self._lock = asyncio.Lock()
        self._key_lock = asyncio.Lock()
        self._uncut = Uncut()
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections // 2),
            transport=transport,
            trust_env=False,
            verify=authorities(),
        )
        # Streams live long: in the same pool they would starve the calls.
        self._streams = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, read=EVENT_SILENCE_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            transport=transport,
            trust_env=False,
            verify=authorities(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, also those of `acting_as`."""
        await self._uncut.close()
        await self._http.aclose()
        await self._streams.aclose()

    def acting_as(self, credentials: Credentials) -> "AsyncHubClient":
        """A client for another caller over the same connections; close the first one only."""
        other = copy.copy(self)
        other._core = self._core.acting_as(credentials)
        other._lock = asyncio.Lock()
        return other

    def carrying(self, request_id: str) -> "AsyncHubClient":
        """This caller's client for work on behalf of one request, whose id goes with every call of it.

        The id is in the hub's log lines and error bodies, and goes on to whomever the hub asks. Close the first
        client only.

        Raises:
            ValueError: more than 64 characters, or others than letters, digits and `. _ : -`.
        """
        other = copy.copy(self)
        other._request_id = checked_request_id(request_id)
        return other

    async def run(self, call: Call[Reply]) -> Reply:
        """Make a call.

        Raises:
            InterpileError: as drawn in `operator_sdk.errors`.
        """
        return await self._drive(exchange(self._core, call, self._request_id))

    @overload
    async def call(
        self,
        operation_id: str,
        message: Message | None = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, QueryValue] | None = None,
    ) -> Any: ...

    @overload
    async def call(
        self,
        operation_id: str,
        message: Message | None = None,
        *,
        reply: type[Reply],
        path: Mapping[str, str] | None = None,
        query: Mapping[str, QueryValue] | None = None,
    ) -> Reply: ...

    async def call(
        self,
        operation_id: str,
        message: Message | None = None,
        *,
        reply: type[Any] | None = None,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, QueryValue] | None = None,
    ) -> Any:
        """Any operation of the hub by its id; with `reply`, the answer has that type.

        Raises:
            InterpileError: as drawn in `operator_sdk.errors`.
            ValueError: no such operation, or a path parameter is missing.
            TypeError: another message than the operation's.
        """
        operation = hub_operation(operation_id)
        return await self.run(Call(operation, reply or operation.reply, message, path or {}, query or {}))

    async def session_events(
        self, session_id: str, *, after: int | None = None
    ) -> AsyncIterator[SessionProgress]:
        """A session's updates as they come, until it has ended; connects again by itself.

        Raises:
            InterpileError: refused, or the stream cannot be had any more.
        """
        call = Call(hub_operation("session_events"), SessionProgress, path={"session_id": session_id})
        reader = EventReader(self._core.patience, after)
        while not reader.finished:
            problem: InterpileError | None = None
            try:
                prepared = await self._drive(
                    open_stream(self._core, call, reader.last_event_id, self._request_id)
                )
                async for update in self._updates(prepared, reader):
                    yield update
            except InterpileError as caught:
                if not is_passing(caught) and not self._core.token_refused(caught):
                    raise
                problem = caught
            if not reader.finished:
                await asyncio.sleep(reader.broke(problem) / 1000)

    async def find_key(self, key_id: str) -> Ed25519PublicKey | None:
        """The hub's public key of that id, fetched where it is not known yet.

        Raises:
            InterpileError: the keys cannot be fetched.
        """
        async with self._key_lock:
            now_s = unix_s(self._core.clock.wall())
            if self._core.keys.find(key_id) is None and self._core.keys.may_fetch(now_s):
                self._core.keys.replace(await self._drive(key_exchange(self._core)), now_s)
            return self._core.keys.find(key_id)

    async def _access_token(self) -> str:
        async with self._lock:
            return self._core.token() or self._core.keep_token(await self._drive(token_exchange(self._core)))

    async def _drive(self, flow: Flow[Reply]) -> Reply:
        result: Any = None
        problem: InterpileError | None = None
        while True:
            try:
                effect = flow.send(result) if problem is None else flow.throw(problem)
            except StopIteration as done:
                value: Reply = done.value
                return value
            result, problem = None, None
            match effect:
                case Send(prepared):
                    try:
                        result = await self._send(prepared)
                    except (TimedOut, ConnectionFailed) as silence:
                        problem = silence
                case Pause(ms):
                    await asyncio.sleep(ms / 1000)
                case Renew():
                    result = await self._access_token()
                case Learn(key_id):
                    result = await self.find_key(key_id)

    async def _send(self, prepared: Prepared) -> Answer:
        return await self._uncut.run(self._exchanged(prepared))

    async def _exchanged(self, prepared: Prepared) -> Answer:
        request_id = prepared.headers["x-request-id"]
        try:
            async with self._http.stream(
                prepared.method, prepared.url, headers=prepared.headers, content=prepared.body
            ) as response:
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > ANSWER_BYTES_MAX:
                        raise MalformedAnswer("an answer larger than allowed")
                return Answer(response.status_code, response.headers, body)
        except httpx.TimeoutException as silence:
            raise TimedOut("no answer in time", request_id=request_id) from silence
        except httpx.TransportError as broken:
            raise ConnectionFailed("no connection", request_id=request_id) from broken

    async def _updates(self, prepared: Prepared, reader: EventReader) -> AsyncIterator[SessionProgress]:
        request = self._streams.build_request(prepared.method, prepared.url, headers=prepared.headers)
        try:
            response = await self._uncut.run(
                self._streams.send(request, stream=True), give_back=httpx.Response.aclose
            )
            try:
                if response.status_code != 200:
                    answer = Answer(response.status_code, response.headers, await response.aread())
                    reader.refused(error_of(answer))
                    return
                async for chunk in response.aiter_bytes():
                    for update in reader.feed(chunk):
                        yield update
                    if reader.finished:
                        return  # the hub leaves the stream open until the bill has come
            finally:
                await self._uncut.run(response.aclose())
        except httpx.TimeoutException as silence:
            raise TimedOut("the event stream fell silent") from silence
        except httpx.TransportError as broken:
            raise ConnectionFailed("the event stream broke") from broken
