"""Where a gateway keeps what its sites send."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from operator_sdk.contract.edge_link.frames import BadItem, Item, Stream


class Inbox(Protocol):
    """Durable memory, told apart by site, spool (the numbering of one agent's disk) and stream.

    Whatever a method raises closes the connection; the site comes back and sends again.
    """

    async def acknowledged(self, site_id: str, spool_id: str) -> Mapping[Stream, int]:
        """The highest number of each stream below which nothing is missing; a stream not named counts as 0."""

    async def store(
        self,
        site_id: str,
        spool_id: str,
        stream: Stream,
        first: int,
        items: Sequence[Item | BadItem],
    ) -> None:
        """Make the items `first`, `first` + 1, ... durable before returning, all or none.

        Items that are stored already come again after a cut: each number is kept once.
        """
