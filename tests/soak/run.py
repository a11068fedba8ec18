"""The scenario: a quiet stretch, trouble, rest, and the reckoning."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.soak.chaos import Chaos
from tests.soak.load import Load
from tests.soak.probes import Probes
from tests.soak.reckoning import Reckoning, comes_to_rest, log_is_clean, reckon, timed
from tests.soak.town import DISTURBED, open_town

WINDOWS = 8


@dataclass(frozen=True)
class Plan:
    """How long each part lasts; `least_ms`: below this, answers are quick enough whatever they were before."""

    warm_s: float
    quiet_s: float
    chaos_s: float
    hold_s: float
    least_ms: int


@dataclass(frozen=True)
class Outcome:
    """What was seen."""

    reckoning: Reckoning
    quiet_ms: float
    chaos_ms: float
    asked: int
    rest_s: float
    seen: dict[str, int]

    def line(self) -> str:
        """One line about it."""
        one = self.reckoning
        return (
            f"{one.accepted} orders accepted once, {one.refused} refused, {one.never_began} never began,"
            f" {one.native} native bills;"
            f" {sum(self.seen.values())} troubles, at rest after {self.rest_s:.1f} s;"
            f" p99 of others {self.quiet_ms:.0f} ms quiet, {self.chaos_ms:.0f} ms in trouble"
            f" ({self.asked} answers)"
        )


async def run(folder: Path, plan: Plan, tell: Callable[[str], None]) -> Outcome:
    """All of it. What is not as promised is an AssertionError."""
    async with AsyncExitStack() as stack:
        town = await stack.enter_async_context(open_town(folder))
        chaos = Chaos(town, tell)
        load = await stack.enter_async_context(Load(town))
        async with Probes(town) as probes:
            await load.begin()
            await asyncio.sleep(plan.warm_s)
            gc.collect()
            gc.freeze()  # or what is timed would be this process looking through what it has
            tell("all is quiet")
            quiet = probes.begin()
            await asyncio.sleep(plan.quiet_s)
            troubled = probes.begin()
            await chaos.run(plan.chaos_s, plan.hold_s)
            probes.stop()
        load.broken()
        tell("no more trouble")
        await load.end()
        rest_s = await timed(partial(comes_to_rest, town))
        reckoning = await reckon(town, load)
        await log_is_clean(town)
        _others_went_on(load)
        _replays_did_nothing(chaos)
        quiet_ms, chaos_ms = quiet.p99_ms(WINDOWS), troubled.p99_ms(WINDOWS)
        outcome = Outcome(reckoning, quiet_ms, chaos_ms, len(troubled.times), rest_s, chaos.seen)
        tell(outcome.line())
        of_each = troubled.by_name(chaos.spans).items()
        tell("p99 while partners were " + ", ".join(f"{name}: {ms:.0f} ms" for name, ms in of_each))
        assert chaos_ms <= max(2 * quiet_ms, plan.least_ms), outcome.line()
        return outcome


def _others_went_on(load: Load) -> None:
    """Where neither side is disturbed, no start came to nothing."""
    undisturbed = {pair: why for pair, why in load.refused.items() if not set(pair) & set(DISTURBED)}
    assert not undisturbed, undisturbed
    assert load.native


def _replays_did_nothing(chaos: Chaos) -> None:
    """An envelope at another interface was refused, the same order in the same envelope answered alike."""
    assert not chaos.counts.get("replayed:0"), chaos.counts
    assert chaos.counts["replayed:4004"] > 0
    assert not chaos.counts.get("twice:other"), chaos.counts
