"""Whether a meter's total can be true, given the one before it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from edge_agent.drivers.meter_errors import MeterJumped, MeterWentBack
from edge_agent.drivers.meter_reading import MeterReading

_MS = timedelta(milliseconds=1)
_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterGuard:
    """The last total that was believed, and what the pile can deliver.

    Instants are business time, like everything about energy. tolerance_ppm: how far above its rating a pile
    may run; slack: what reading and stamping may differ by, so with a fast business clock it grows with the
    speed. A new meter needs a new guard; so does one whose register rolled over.
    """

    rated_power_w: int
    tolerance_ppm: int = 200_000
    slack: timedelta = timedelta(seconds=10)
    last: MeterReading | None = None
    last_at: datetime | None = None

    def accept(self, reading: MeterReading, at: datetime) -> "MeterGuard":
        """The guard to ask next time.

        Raises:
            MeterWentBack: the total is lower than the last one.
            MeterJumped: it rose by more than the rated power allows since then.
        """
        if self.last is not None and self.last_at is not None:
            if reading.total_wh < self.last.total_wh:
                raise MeterWentBack(self.last, reading)
            if reading.total_wh - self.last.total_wh > self._most_wh(reading, at - self.last_at):
                raise MeterJumped(self.last, reading)
        return MeterGuard(
            rated_power_w=self.rated_power_w,
            tolerance_ppm=self.tolerance_ppm,
            slack=self.slack,
            last=reading,
            last_at=at,
        )

    def _most_wh(self, reading: MeterReading, passed: timedelta) -> int:
        span_ms = (max(passed, timedelta(0)) + self.slack) // _MS
        power_ppm = self.rated_power_w * (1_000_000 + self.tolerance_ppm)
        # Both totals are cut to the meter's step, so their difference may be one step more than the truth.
        return power_ppm * span_ms // (1_000_000 * _MS_PER_HOUR) + reading.resolution_wh
