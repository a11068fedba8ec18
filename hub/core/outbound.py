"""Calls to partners: exact registered hosts, addresses checked after resolving and pinned, no redirects.

A call inside an open unit of work is refused at run time. The pool of connections (`outbound_pool`) is loaded
with the first call: most commands make none.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.core.database import refuse_inside_unit

if TYPE_CHECKING:
    from hub.core.outbound_pool import Pool


TOO_LARGE = "answer too large"
"""The reason where an answer is longer than anybody reads."""


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


class Outbound:
    """One pooled client for all partners."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._pool: Pool | None = None

    async def call(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: int
    ) -> OutboundAnswer:
        """One attempt.

        Raises:
            OutboundError: unreachable, too slow, too large, or an address that may not be called.
            UnitOpenError: called inside an open unit of work.
        """
        pool = self._open(url)
        return await pool.call(method, url, headers=headers, body=body, timeout_s=timeout_s)

    async def call_pinned(
        self, url: str, pins: frozenset[str], *, headers: Mapping[str, str], body: bytes, timeout_s: int
    ) -> OutboundAnswer:
        """One attempt to POST, over TLS to a server whose certificate has one of these SHA-256 digests.

        The pin stands for the certificate: neither who signed it nor its name is checked.

        Raises:
            OutboundError, UnitOpenError: as `call`; another certificate is an address not to be called.
        """
        pool = self._open(url)
        return await pool.call("POST", url, headers=headers, body=body, timeout_s=timeout_s, pins=pins)

    async def call_plain(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: int
    ) -> OutboundAnswer:
        """One attempt to POST, over http too: for partners that offer no TLS and whose messages are sealed.

        Raises:
            OutboundError, UnitOpenError: as `call`; which addresses may be called is the same.
        """
        pool = self._open(url)
        return await pool.call("POST", url, headers=headers, body=body, timeout_s=timeout_s, plain=True)

    def _open(self, url: str) -> "Pool":
        refuse_inside_unit(url)
        if self._pool is None:
            from hub.core.outbound_pool import Pool

            self._pool = Pool(private=self._private)
        return self._pool

    async def close(self) -> None:
        """Close the pool."""
        if self._pool is not None:
            await self._pool.close()

    async def __aenter__(self) -> "Outbound":
        """Itself."""
        return self

    async def __aexit__(self, *_: Any) -> None:
        """Close."""
        await self.close()
