"""What can go wrong between the agent and a meter.

    MeterError
    ├── MeterLost           there is no reading now; asking again later may help
    │   ├── MeterGone       the port does not open, or vanished while in use
    │   ├── MeterSilent     nobody answered in time (another meter's frames do not count)
    │   └── MeterGarbled    something answered, but never a whole frame
    ├── MeterRefused        the meter answered that it will not; `code` is its byte of reasons
    ├── MeterUnreadable     the meter answered with a value that its data identifier does not allow
    └── MeterImplausible    a total that cannot be true; `before` and `now` are the two readings
        ├── MeterWentBack   it is lower than it was
        └── MeterJumped     it rose by more than the rated power allows

Each class has the `fault` that the agent reports.
"""

from typing import ClassVar

from edge_agent.codecs.dlt645_messages import Refusal
from edge_agent.drivers.meter_reading import MeterReading


class MeterError(Exception):
    """Anything about a meter that keeps the agent from a trustworthy reading."""

    fault: ClassVar[str]


class MeterLost(MeterError):
    """No reading now."""


class MeterGone(MeterLost):
    """The port does not open or has vanished; the next question tries to open it again."""

    fault = "meter_gone"


class MeterSilent(MeterLost):
    """No answer in time."""

    fault = "meter_silent"


class MeterGarbled(MeterLost):
    """Bytes, but no answer among them."""

    fault = "meter_garbled"


class MeterRefused(MeterError):
    """The meter's own refusal; asking again will not help."""

    fault = "meter_refused"

    def __init__(self, refusal: Refusal) -> None:
        reasons = ", ".join(refusal.reasons) or "no reason"
        super().__init__(f"meter {refusal.address} refuses {refusal.control:02X}: {reasons}")
        self.code = refusal.code
        self.reasons = refusal.reasons


class MeterUnreadable(MeterError):
    """An answer whose value is not BCD, or not of its length."""

    fault = "meter_unreadable"


class MeterImplausible(MeterError):
    """A reading that contradicts the one before it."""

    def __init__(self, before: MeterReading, now: MeterReading) -> None:
        super().__init__(f"meter {now.address}: {before.total_wh} Wh, then {now.total_wh} Wh")
        self.before = before
        self.now = now


class MeterWentBack(MeterImplausible):
    """The total is lower than before."""

    fault = "meter_went_back"


class MeterJumped(MeterImplausible):
    """The total rose by more than the rated power allows."""

    fault = "meter_jumped"
