"""The port that makes ids and nonces; the only place that draws randomness."""

import secrets
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from hub.core.clock import Clock, unix_ms
from operator_sdk.contract.ids import hub_id


class Ids(Protocol):
    """Makes ids."""

    def new(self, prefix: str) -> str:
        """A hub id: prefix + UUIDv7."""

    def secret(self) -> str:
        """256 unguessable bits as base64url text, for nonces and bearer secrets."""

    def digits(self, count: int) -> str:
        """That many unguessable decimal digits."""


@dataclass(frozen=True, slots=True)
class SystemIds:
    """Ids from the system's randomness and the wall clock."""

    clock: Clock

    def new(self, prefix: str) -> str:
        """A hub id."""
        return hub_id(prefix, unix_ms(self.clock.wall()), secrets.randbits(74))

    def secret(self) -> str:
        """A bearer secret."""
        return secrets.token_urlsafe(32)

    def digits(self, count: int) -> str:
        """A one-time code."""
        return f"{secrets.randbelow(10**count):0{count}d}"


@dataclass(slots=True)
class SeededIds:
    """The same ids for the same seed: for tests and simulation, never for serving."""

    clock: Clock
    random: Random = field(default_factory=lambda: Random(1))

    def new(self, prefix: str) -> str:
        """A hub id."""
        return hub_id(prefix, unix_ms(self.clock.wall()), self.random.getrandbits(74))

    def secret(self) -> str:
        """A repeatable secret."""
        return f"{self.random.getrandbits(256):064x}"

    def digits(self, count: int) -> str:
        """A repeatable code."""
        return f"{self.random.randrange(10**count):0{count}d}"
