"""What the methods of a client rest on: something that makes a call."""

from abc import ABC, abstractmethod
from typing import TypeVar

from operator_sdk.client.request import Call

Reply = TypeVar("Reply")


class SyncRunner(ABC):
    """Makes calls."""

    @abstractmethod
    def run(self, call: Call[Reply]) -> Reply:
        """Make a call.

        Raises:
            InterpileError: as drawn in `operator_sdk.errors`.
        """


class AsyncRunner(ABC):
    """Makes calls."""

    @abstractmethod
    async def run(self, call: Call[Reply]) -> Reply:
        """Make a call.

        Raises:
            InterpileError: as drawn in `operator_sdk.errors`.
        """
