"""What a check is, what it works with, and how it is carried out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

from operator_sdk.contract.tcec102.messages import StationInfo
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.errors import InterpileError
from operator_sdk.tcec102.check.listener import Listener
from operator_sdk.tcec102.check.probe import Fails, Noted, Probe, Skipped
from operator_sdk.tcec102.check.report import EVIDENCE_MOST, FAILS, HOLDS, NOTE, SKIPPED, Evidence, Finding


@dataclass(slots=True)
class Bench:
    """One platform under check.

    `connector_id` is where a charge of ours may start, `scan` whether a driver of the platform's comes to us;
    `charge` and `guest` are the StartChargeSeqs of the two. `stations` are what it told.
    """

    probe: Probe
    listener: Listener | None = None
    connector_id: str | None = None
    patience_s: int = 90
    scan: bool = False
    charge: str | None = None
    guest: str | None = None
    stations: list[StationInfo] = field(default_factory=list)
    zero: Decimal = Decimal(0)

    @property
    def profile(self) -> Profile:
        """The platform's."""
        return self.probe.profile

    def connectors(self) -> list[str]:
        """The connectors of the stations, in order."""
        return [
            connector.connector_id
            for station in self.stations
            for pile in station.equipment_infos
            for connector in pile.connector_infos
        ]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at: `work` returns what it found, or raises Fails, Noted or Skipped."""

    name: str
    title: str
    work: Callable[[Bench], Awaitable[str]]


async def carry_out(check: Check, bench: Bench) -> Finding:
    """One check's finding, with the bytes of its last calls where it does not simply hold."""
    before = len(bench.probe.log)
    evidence: tuple[Evidence, ...] = ()
    try:
        state, said = HOLDS, await check.work(bench)
    except Fails as problem:
        state, said, evidence = FAILS, str(problem), problem.evidence
    except Noted as remark:
        state, said = NOTE, str(remark)
    except Skipped as reason:
        state, said = SKIPPED, str(reason)
    except InterpileError as problem:
        state, said = FAILS, f"{type(problem).__name__}: {problem}"
    shown = bench.probe.log[before:][-EVIDENCE_MOST:] if state in {FAILS, NOTE} else []
    return Finding(check.name, check.title, state, said, evidence or tuple(one.evidence() for one in shown))
