"""What the simulated platform sends: a client with a journal and pains, and a courier for each charge."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.messages import Part
from operator_sdk.contract.tcec102.profile import Profile, Secrets
from operator_sdk.errors import InterpileError
from operator_sdk.tcec102.client import Tcec102Client
from operator_sdk.tcec102.pen import Pen
from operator_sdk.tcec102.sim.journal import Journal
from operator_sdk.tcec102.sim.pains import Pains

ORDER = "notification_charge_order_info"
_NOTICE_TRIES = 4
_FIRST_GAPS = 12
"""Beijing's timing: again at 150, 300, ... 1800 s, then every 1800 s."""
_MINUTE_PPM = 400_000
"""A notice that failed comes again after 60 s where an order does after 150."""


class SimulatedClient(Tcec102Client):
    """`Tcec102Client` with a journal, and with the pains of envelopes that come twice."""

    def __init__(
        self,
        profile: Profile,
        secrets: Secrets,
        *,
        operator_id: str,
        clock: Clock,
        pen: Pen,
        pains: Pains,
        journal: Journal,
        timeout_s: int,
        http: httpx.AsyncClient | None,
    ) -> None:
        super().__init__(
            profile, secrets, operator_id=operator_id, clock=clock, pen=pen, timeout_s=timeout_s, http=http
        )
        self._paths = {profile.base_url + profile.path_of(name): name for name in INTERFACES}
        self._urls = {name: url for url, name in self._paths.items()}
        self._pains, self._journal, self._wall = pains, journal, clock.wall

    async def call(self, interface: str, message: Part, *, timeout_s: int | None = None) -> Any:
        """As the client does it, and written down."""
        outcome = "ok"
        try:
            return await super().call(interface, message, timeout_s=timeout_s)
        except InterpileError as problem:
            outcome = type(problem).__name__
            raise
        finally:
            self._journal.said(interface, message, self._wall(), outcome)

    async def post(self, url: str, body: bytes, headers: dict[str, str], timeout_s: int | None) -> bytes:
        """Send; where a pain says so, send the same bytes again: there, or to another interface."""
        answer = await super().post(url, body, headers, timeout_s)
        name = self._paths[url]
        if name == ORDER and "order_twice" in self._pains:
            again = await super().post(url, body, headers, timeout_s)
            self._journal.counts["twice:same" if again == answer else "twice:other"] += 1
        if name != "query_token" and "replayed" in self._pains:
            await self._misuse(name, body, headers, timeout_s)
        return answer

    async def _misuse(self, name: str, body: bytes, headers: dict[str, str], timeout_s: int | None) -> None:
        side = INTERFACES[name].served_by
        others = [one for one, is_at in INTERFACES.items() if is_at.served_by == side and one != name]
        for other in others:
            answer = await super().post(self._urls[other], body, headers, timeout_s)
            self._journal.counts[f"replayed:{msgspec.json.decode(answer).get('Ret')}"] += 1


@dataclass(frozen=True, slots=True)
class Letter:
    """A message. `passing`: tried once, and dropped for a newer one; `endless`: until it is answered."""

    interface: str
    message: Part
    passing: bool = False
    endless: bool = False
    answered: Callable[[Any], None] | None = None
    tried: Callable[[], None] | None = None


class Courier:
    """Sends the letters of one charge in their order, one at a time (102.4, 4.6; Beijing's timings)."""

    def __init__(self, client: SimulatedClient, *, retry_ms: int) -> None:
        self._client, self._retry_ms = client, retry_ms
        self._letters: deque[Letter] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, letter: Letter) -> None:
        """Send it after those that wait; a passing one takes the place of the passing ones."""
        if letter.passing:
            self._letters = deque(one for one in self._letters if not one.passing)
        self._letters.append(letter)
        self._news.set()

    def close(self) -> None:
        """Send what waits, and end."""
        self._closed = True
        self._news.set()

    async def run(self) -> None:
        """Send until closed and done."""
        while self._letters or not self._closed:
            if self._letters:
                await self._send(self._letters.popleft())
            else:
                self._news.clear()
                await self._news.wait()

    async def _send(self, letter: Letter) -> None:
        attempt = 0
        while True:
            attempt += 1
            if letter.tried is not None:
                letter.tried()
            try:
                reply = await self._client.call(letter.interface, letter.message)
            except InterpileError:
                if letter.passing or (attempt >= _NOTICE_TRIES and not letter.endless):
                    return
                await asyncio.sleep(self._gap_ms(attempt, letter) / 1000)
                continue
            if letter.answered is not None:
                letter.answered(reply)
            return

    def _gap_ms(self, attempt: int, letter: Letter) -> int:
        if not letter.endless:
            return self._retry_ms * _MINUTE_PPM // 1_000_000
        return self._retry_ms * (1 if attempt <= _FIRST_GAPS else _FIRST_GAPS)
