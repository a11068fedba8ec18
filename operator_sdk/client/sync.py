"""The sync client."""

import copy
import threading
import time
from collections.abc import Iterator, Mapping
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
from operator_sdk.client.methods_checks_sync import SyncChecksMethods
from operator_sdk.client.methods_clearing_sync import SyncClearingMethods
from operator_sdk.client.methods_disputes_sync import SyncDisputesMethods
from operator_sdk.client.methods_payments_sync import SyncPaymentsMethods
from operator_sdk.client.methods_suspense_sync import SyncSuspenseMethods
from operator_sdk.client.methods_sync import SyncMethods
from operator_sdk.client.methods_tariffs_sync import SyncTariffsMethods
from operator_sdk.client.methods_upkeep_sync import SyncUpkeepMethods
from operator_sdk.client.patience import Patience, is_passing
from operator_sdk.client.request import Call, Prepared, QueryValue, checked_request_id, hub_operation
from operator_sdk.client.trust import authorities
from operator_sdk.clock import Clock, unix_s
from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.messages.roaming import SessionProgress
from operator_sdk.errors import ConnectionFailed, InterpileError, MalformedAnswer, TimedOut

Reply = TypeVar("Reply")
EVENT_SILENCE_S = 60


class HubClient(
    SyncMethods,
    SyncTariffsMethods,
    SyncDisputesMethods,
    SyncSuspenseMethods,
    SyncChecksMethods,
    SyncClearingMethods,
    SyncPaymentsMethods,
    SyncUpkeepMethods,
):
    """Calls the hub. Thread-safe; close it, or use it as a context manager.

        with HubClient("https://hub.example", OperatorCredentials("MA5AAAAA1", key)) as hub:
            hub.push_record(record)

    `issuer` is the hub's own public URL where it is reached by another (through a tunnel, say): signatures
    and sign-in name that one. `transport` takes the place of the network.
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
        transport: httpx.BaseTransport | None = None,
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
        self._lock = threading.RLock()
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout_s),
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=4),
            transport=transport,
            trust_env=False,
            verify=authorities(),
        )
        # Streams live long: in the same pool they would starve the calls.
        self._streams = httpx.Client(
            timeout=httpx.Timeout(timeout_s, read=EVENT_SILENCE_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            transport=transport,
            trust_env=False,
            verify=authorities(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, also those of `acting_as`."""
        self._http.close()
        self._streams.close()

    def acting_as(self, credentials: Credentials) -> "HubClient":
        """A client for another caller over the same connections; close the first one only."""
        other = copy.copy(self)
        other._core = self._core.acting_as(credentials)
        other._lock = threading.RLock()
        return other

    def carrying(self, request_id: str) -> "HubClient":
        """This caller's client for work on behalf of one request, whose id goes with every call of it.

        The id is in the hub's log lines and error bodies, and goes on to whomever the hub asks. Close the first
        client only.

        Raises:
            ValueError: more than 64 characters, or others than letters, digits and `. _ : -`.
        """
        other = copy.copy(self)
        other._request_id = checked_request_id(request_id)
        return other

    def run(self, call: Call[Reply]) -> Reply:
        """Make a call.

        Raises:
            InterpileError: as drawn in `operator_sdk.errors`.
        """
        return self._drive(exchange(self._core, call, self._request_id))

    @overload
    def call(
        self,
        operation_id: str,
        message: Message | None = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, QueryValue] | None = None,
    ) -> Any: ...

    @overload
    def call(
        self,
        operation_id: str,
        message: Message | None = None,
        *,
        reply: type[Reply],
        path: Mapping[str, str] | None = None,
        query: Mapping[str, QueryValue] | None = None,
    ) -> Reply: ...

    def call(
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
        return self.run(Call(operation, reply or operation.reply, message, path or {}, query or {}))

    def session_events(self, session_id: str, *, after: int | None = None) -> Iterator[SessionProgress]:
        """A session's updates as they come, until it has ended; connects again by itself.

        Raises:
            InterpileError: refused, or the stream cannot be had any more.
        """
        call = Call(hub_operation("session_events"), SessionProgress, path={"session_id": session_id})
        reader = EventReader(self._core.patience, after)
        while not reader.finished:
            problem: InterpileError | None = None
            try:
                prepared = self._drive(open_stream(self._core, call, reader.last_event_id, self._request_id))
                yield from self._updates(prepared, reader)
            except InterpileError as caught:
                if not is_passing(caught) and not self._core.token_refused(caught):
                    raise
                problem = caught
            if not reader.finished:
                time.sleep(reader.broke(problem) / 1000)

    def find_key(self, key_id: str) -> Ed25519PublicKey | None:
        """The hub's public key of that id, fetched where it is not known yet.

        Raises:
            InterpileError: the keys cannot be fetched.
        """
        with self._lock:
            now_s = unix_s(self._core.clock.wall())
            if self._core.keys.find(key_id) is None and self._core.keys.may_fetch(now_s):
                self._core.keys.replace(self._drive(key_exchange(self._core)), now_s)
            return self._core.keys.find(key_id)

    def _access_token(self) -> str:
        with self._lock:
            return self._core.token() or self._core.keep_token(self._drive(token_exchange(self._core)))

    def _drive(self, flow: Flow[Reply]) -> Reply:
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
                        result = self._send(prepared)
                    except (TimedOut, ConnectionFailed) as silence:
                        problem = silence
                case Pause(ms):
                    time.sleep(ms / 1000)
                case Renew():
                    result = self._access_token()
                case Learn(key_id):
                    result = self.find_key(key_id)

    def _send(self, prepared: Prepared) -> Answer:
        request_id = prepared.headers["x-request-id"]
        try:
            with self._http.stream(
                prepared.method, prepared.url, headers=prepared.headers, content=prepared.body
            ) as response:
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > ANSWER_BYTES_MAX:
                        raise MalformedAnswer("an answer larger than allowed")
                return Answer(response.status_code, response.headers, body)
        except httpx.TimeoutException as silence:
            raise TimedOut("no answer in time", request_id=request_id) from silence
        except httpx.TransportError as broken:
            raise ConnectionFailed("no connection", request_id=request_id) from broken

    def _updates(self, prepared: Prepared, reader: EventReader) -> Iterator[SessionProgress]:
        try:
            with self._streams.stream(prepared.method, prepared.url, headers=prepared.headers) as response:
                if response.status_code != 200:
                    answer = Answer(response.status_code, response.headers, response.read())
                    reader.refused(error_of(answer))
                    return
                for chunk in response.iter_bytes():
                    yield from reader.feed(chunk)
                    if reader.finished:
                        return  # the hub leaves the stream open until the bill has come
        except httpx.TimeoutException as silence:
            raise TimedOut("the event stream fell silent") from silence
        except httpx.TransportError as broken:
            raise ConnectionFailed("the event stream broke") from broken
