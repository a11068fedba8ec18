"""The pool of connections to partners."""

import asyncio
import hashlib
import socket
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from hub.core.outbound import TOO_LARGE, OutboundAnswer, OutboundError, address_allowed

ANSWER_MOST = 1_048_576
"""Bytes of an answer: two hundred connections at once must not fill the memory. Lists come in smaller pages."""

KEEP_IDLE_S = 4
"""Many servers close an idle connection after 5 s; one that is used at that moment costs its message."""


class CheckedResolver(AbstractResolver):
    """Resolves once and hands on only addresses that may be called; the connection goes to those."""

    def __init__(self, *, private: bool) -> None:
        self._inner, self._private = ThreadedResolver(), private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All of a name's addresses must be allowed; one that is not spoils the name."""
        found = await self._inner.resolve(host, port, family)
        if not found or any(not address_allowed(entry["host"], private=self._private) for entry in found):
            raise OSError(None, "address not allowed")
        return found

    async def close(self) -> None:
        """Nothing to give back."""
        await self._inner.close()


class Pins(aiohttp.Fingerprint):
    """Certificates by their SHA-256, in hex; any of them will do, so that one can be replaced."""

    def __init__(self, digests: frozenset[str]) -> None:
        super().__init__(bytes.fromhex(min(digests)))
        self._digests = digests

    def check(self, transport: asyncio.Transport) -> None:
        """Called once the other side has shown its certificate, before anything is sent.

        Raises:
            ServerFingerprintMismatch: it is another one.
        """
        shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        digest = hashlib.sha256(shown)
        if digest.hexdigest() not in self._digests:
            host, port, *_ = transport.get_extra_info("peername")
            raise aiohttp.ServerFingerprintMismatch(self.fingerprint, digest.digest(), host, port)


class Pool:
    """One pooled client for all partners: what `Outbound` calls through."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._session: aiohttp.ClientSession | None = None
        self._pins: dict[frozenset[str], Pins] = {}

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeout_s: int,
        pins: frozenset[str] = frozenset(),
        plain: bool = False,
    ) -> OutboundAnswer:
        """One attempt; answers are read up to a limit. `pins` and `plain`: see `call_pinned`, `call_plain`.

        Raises:
            OutboundError: unreachable, too slow, too large, or an address that may not be called.
        """
        target = URL(url, encoded=True)
        self._check(target, plain=plain)
        tls = self._tls(target, pins)
        limit = aiohttp.ClientTimeout(total=timeout_s, connect=min(timeout_s, 3))
        try:
            async with self._client().request(
                method, target, headers=headers, data=body, timeout=limit, allow_redirects=False, ssl=tls
            ) as answer:
                content = await answer.content.read(ANSWER_MOST + 1)
                while len(content) <= ANSWER_MOST and not answer.content.at_eof():
                    content += await answer.content.read(ANSWER_MOST + 1 - len(content))
                if len(content) > ANSWER_MOST:
                    raise OutboundError(TOO_LARGE, sent=True)
                lowered = {name.lower(): value for name, value in answer.headers.items()}
                return OutboundAnswer(answer.status, lowered, content)
        except aiohttp.ServerFingerprintMismatch as problem:
            raise OutboundError("certificate not pinned", sent=False) from problem
        except aiohttp.ClientConnectorError as problem:
            raise OutboundError("unreachable", sent=False) from problem
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise OutboundError(type(problem).__name__, sent=True) from problem

    def _check(self, target: URL, *, plain: bool) -> None:
        allowed = {"https", "http"} if plain or self._private else {"https"}
        if target.scheme not in allowed:
            raise OutboundError("scheme not allowed", sent=False)
        if target.user or target.password or not target.host:
            raise OutboundError("address not allowed", sent=False)
        literal = target.host.replace(".", "").isdigit() or ":" in target.host
        if literal and not address_allowed(target.host, private=self._private):
            raise OutboundError("address not allowed", sent=False)

    def _tls(self, target: URL, pins: frozenset[str]) -> bool | Pins:
        if not pins:
            return True
        if target.scheme != "https":
            raise OutboundError("certificate not pinned", sent=False)
        # One object for the same pins, for connections are found again by it.
        return self._pins.setdefault(pins, Pins(pins))

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(
                resolver=CheckedResolver(private=self._private),
                limit=200,
                limit_per_host=50,
                keepalive_timeout=KEEP_IDLE_S,
                use_dns_cache=False,
            )
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
