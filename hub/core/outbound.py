"""Calls to partners: exact registered hosts, addresses checked after resolving and pinned, no redirects.

A call inside an open unit of work is refused at run time. Answers are read up to a limit.
"""

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from hub.core.database import refuse_inside_unit

ANSWER_MOST = 1_048_576


class OutboundError(Exception):
    """No answer. `sent` is False only when the request certainly never left."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason, self.sent = reason, sent


@dataclass(frozen=True, slots=True)
class OutboundAnswer:
    """Status, headers (lower-case names) and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def address_allowed(address: str, *, private: bool) -> bool:
    """Whether an IP address may be called: public ones, and private ones only in demo and test."""
    try:
        ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    if ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return False
    return private or ip.is_global


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


class Outbound:
    """One pooled client for all partners."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: int
    ) -> OutboundAnswer:
        """One attempt.

        Raises:
            OutboundError: unreachable, too slow, too large, or an address that may not be called.
            UnitOpenError: called inside an open unit of work.
        """
        refuse_inside_unit(url)
        target = URL(url, encoded=True)
        self._check(target)
        limit = aiohttp.ClientTimeout(total=timeout_s, connect=min(timeout_s, 3))
        try:
            async with self._client().request(
                method, target, headers=headers, data=body, timeout=limit, allow_redirects=False
            ) as answer:
                content = await answer.content.read(ANSWER_MOST + 1)
                while len(content) <= ANSWER_MOST and not answer.content.at_eof():
                    content += await answer.content.read(ANSWER_MOST + 1 - len(content))
                if len(content) > ANSWER_MOST:
                    raise OutboundError("answer too large", sent=True)
                lowered = {name.lower(): value for name, value in answer.headers.items()}
                return OutboundAnswer(answer.status, lowered, content)
        except aiohttp.ClientConnectorError as problem:
            raise OutboundError("unreachable", sent=False) from problem
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise OutboundError(type(problem).__name__, sent=True) from problem

    def _check(self, target: URL) -> None:
        if target.scheme not in {"https", "http"} or (target.scheme == "http" and not self._private):
            raise OutboundError("scheme not allowed", sent=False)
        if target.user or target.password or not target.host:
            raise OutboundError("address not allowed", sent=False)
        literal = target.host.replace(".", "").isdigit() or ":" in target.host
        if literal and not address_allowed(target.host, private=self._private):
            raise OutboundError("address not allowed", sent=False)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(
                resolver=CheckedResolver(private=self._private),
                limit=200,
                limit_per_host=50,
                keepalive_timeout=20,
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

    async def __aenter__(self) -> "Outbound":
        """Itself."""
        return self

    async def __aexit__(self, *_: Any) -> None:
        """Close."""
        await self.close()
