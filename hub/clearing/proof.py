"""Writes the proof of a cycle (operator_sdk.contract.cycle_proof): the same cycle gives the same bytes."""

import gzip
import hashlib
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from hub.clearing.closing import Progress, silent
from hub.clearing.tables import CycleRow, get_cycle
from hub.clearing.tables_cycles import positions_of, stream_lines, stream_pairs
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.parties.scope import HUB
from operator_sdk.contract import cycle_proof
from operator_sdk.contract.codes import Frequency
from operator_sdk.contract.public_codes import Code

COMPRESSION = 4


class Proofs:
    """Use cases of proofs. They name every operator's obligations, so they are for the hub's staff."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self, cycle_id: str, path: Path, *, progress: Progress = silent) -> None:
        """Write a netted cycle's proof, compressed for a name in .gz; the file is there when it is whole.

        Raises:
            NotFoundError: no such cycle.
            HubError: state_conflict, the cycle is not netted; rule_violated, its obligations are not what its
                digest says.
            OSError: the file cannot be written.
        """
        unfinished = path.with_name(f"{path.name}.part")
        try:
            with unfinished.open("wb") as raw, _packed(raw, path) as out:
                async for chunk in self.chunks(cycle_id, progress=progress):
                    out.write(chunk)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    async def chunks(self, cycle_id: str, *, progress: Progress = silent) -> AsyncIterator[bytes]:
        """The proof, whole lines at a time. Raises as `export`."""
        async with self._database.reading() as unit:
            cycle = await get_cycle(HUB, unit, cycle_id)
            if cycle is None:
                raise NotFoundError
            if cycle.netted_at is None:
                raise HubError(Code.STATE_CONFLICT, state=cycle.state)
            written = _Written(cycle)
            async for chunk in _body(unit, written, progress):
                written.seal.update(chunk)
                yield chunk
            yield cycle_proof.encode(written.foot())


def _packed(raw: IO[bytes], path: Path) -> AbstractContextManager[Any]:
    if path.suffix != ".gz":
        return nullcontext(raw)
    # No name and no time inside: the same cycle gives the same bytes.
    return gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0)


@dataclass(slots=True)
class _Written:
    """What the foot says of all that stands above it."""

    cycle: CycleRow
    seal: Any = field(default_factory=hashlib.sha256)
    digest: Any = field(default_factory=hashlib.sha256)
    obligations: int = 0
    total_fen: int = 0

    def head(self) -> cycle_proof.Head:
        cycle = self.cycle
        assert cycle.cutoff_at is not None, "a netted cycle was cut off"
        return cycle_proof.Head(
            cycle_id=cycle.cycle_id,
            currency=cycle.currency,
            frequency=Frequency(cycle.frequency),
            opened_at=cycle.opened_at,
            cutoff_at=cycle.cutoff_at,
            obligations=cycle.obligations,
        )

    def foot(self) -> cycle_proof.Foot:
        return cycle_proof.Foot(
            digest=self.digest.hexdigest(), total_fen=self.total_fen, seal=self.seal.hexdigest()
        )


async def _body(unit: Unit, written: _Written, progress: Progress) -> AsyncIterator[bytes]:
    cycle = written.cycle
    yield cycle_proof.encode(written.head())
    async for lines, count in stream_lines(unit, cycle.cycle_id):
        written.digest.update(lines)
        written.obligations += count
        progress("proof", written.obligations, cycle.obligations)
        yield lines
    if (written.digest.hexdigest(), written.obligations) != (cycle.digest, cycle.obligations):
        raise HubError(Code.RULE_VIOLATED, reason="the_obligations_are_not_what_the_digest_says")
    async for pairs in stream_pairs(unit, cycle.cycle_id):
        written.total_fen += sum(pair[2] for pair in pairs)
        yield b"".join(cycle_proof.encode(cycle_proof.Pair(pair)) for pair in pairs)
    for party, side in (await positions_of(unit, cycle.cycle_id)).items():
        sides = (party, side.owes_fen, side.is_owed_fen, side.net_fen)
        yield cycle_proof.encode(cycle_proof.Party(sides))
