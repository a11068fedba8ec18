"""A meter's total."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeterReading:
    """total_wh: cumulative; resolution_wh: the step in which this meter counts (10 for 0.01 kWh)."""

    address: str
    total_wh: int
    resolution_wh: int
