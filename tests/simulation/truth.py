"""What really happened at the piles, whatever anybody was told: the ground the auditor stands on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Flow:
    """The current of one session. A host that lies about it answers for it alone."""

    session_id: str
    on: bool = False
    ever_on: bool = False
    released_at: datetime | None = None
    host_lied: bool = False


@dataclass(slots=True)
class Truth:
    """Where current flows, and whose money was let go while it did."""

    now: Callable[[], datetime]
    problem: Callable[[str], None]
    flows: dict[str, Flow] = field(default_factory=dict)

    def of(self, session_id: str) -> Flow:
        return self.flows.setdefault(session_id, Flow(session_id))

    def current_on(self, session_id: str) -> None:
        flow = self.of(session_id)
        flow.on = flow.ever_on = True
        if flow.released_at is not None and not flow.host_lied:
            self.problem(f"current flows in {session_id}, whose money was released at {flow.released_at}")

    def current_off(self, session_id: str) -> None:
        self.of(session_id).on = False

    def money_released(self, session_id: str, by: str) -> None:
        """A home gave back what it held, and no bill had come."""
        flow = self.of(session_id)
        if flow.host_lied or flow.released_at is not None:
            return
        flow.released_at = self.now()
        if flow.on:
            self.problem(f"{by} released the money of {session_id} while current flowed")
        elif flow.ever_on:
            self.problem(f"{by} released the money of {session_id}, which had charged and was not billed")
