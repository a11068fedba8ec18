"""Fifteen seeds, others every day: nothing happens that never may, and everything that can happen does."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.pool import Pool

import pytest

from tests.simulation.chance import Tally
from tests.simulation.coverage import MUST_BE_REACHED
from tests.simulation.report import again, closing_line, story_of
from tests.simulation.run import Outcome, run_seed

SEEDS, WORKERS, PATIENCE_S = 15, 2, 600


class Campaign:
    """Today's seeds, each run once, two at a time."""

    def __init__(self, pool: Pool) -> None:
        self.first = datetime.now(UTC).date().toordinal() * SEEDS
        self._running = [pool.apply_async(run_seed, (self.first + index,)) for index in range(SEEDS)]

    def outcome(self, index: int) -> Outcome:
        return self._running[index].get(PATIENCE_S)

    def all(self) -> list[Outcome]:
        return [self.outcome(index) for index in range(SEEDS)]


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    with get_context("spawn").Pool(WORKERS) as pool:
        yield Campaign(pool)


@pytest.mark.parametrize("index", range(SEEDS))
def test_no_money_goes_missing_whatever_happens(index: int, campaign: Campaign) -> None:
    outcome = campaign.outcome(index)
    if outcome.problems:
        pytest.fail(f"{story_of(outcome)}\n{again(outcome)}", pytrace=False)


@pytest.mark.timeout(900)  # by itself it runs all seeds
def test_every_state_and_fault_is_reached(
    campaign: Campaign, record_property: Callable[[str, object], None]
) -> None:
    tally = Tally()
    for outcome in campaign.all():
        tally.add(outcome.tally)
    record_property("simulated", f"{closing_line(campaign.all())}\nagain: {_rerun(campaign)}")
    missed = [name for name in MUST_BE_REACHED if not (tally.reached[name] or tally.faults[name])]
    assert not missed, f"not reached by seeds {campaign.first} to {campaign.first + SEEDS - 1}: {missed}"


def _rerun(campaign: Campaign) -> str:
    return f"make simulate SEEDS={SEEDS} FROM={campaign.first}"
