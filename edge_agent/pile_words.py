"""What a pile says on its bus, in the words of the session machine. Pure."""

from edge_agent.codecs.pile_bus_messages import PileState, Status, StopCause
from edge_agent.session import Flow
from operator_sdk.contract.codes import StopReason

_FLOWS = {
    PileState.IDLE: Flow.STILL,
    PileState.PLUGGED: Flow.STILL,
    PileState.STARTING: Flow.STARTING,
    PileState.CHARGING: Flow.CHARGING,
    PileState.PAUSED: Flow.PAUSED,
    PileState.STOPPING: Flow.STOPPING,
}

_CAUSES: dict[StopCause, StopReason | None] = {
    StopCause.NONE: None,
    # Not by us, or we would be stopping: before a restart of the agent, or by another agent.
    StopCause.COMMANDED: StopReason.UNKNOWN,
    StopCause.VEHICLE_FULL: StopReason.VEHICLE_FULL,
    StopCause.VEHICLE_STOPPED: StopReason.VEHICLE,
    StopCause.STOP_BUTTON: StopReason.DRIVER_LOCAL,
    StopCause.EMERGENCY_STOP: StopReason.EMERGENCY,
    StopCause.FAULT: StopReason.FAULT,
    StopCause.UNPLUGGED: StopReason.UNPLUGGED,
}


def flow_of(status: Status) -> Flow:
    """Whether energy flows. A faulted pile is still once its contactor is open."""
    if status.state is PileState.FAULTED:
        return Flow.STOPPING if status.contactor_closed else Flow.STILL
    return _FLOWS[status.state]


def cause_of(status: Status) -> StopReason | None:
    """Why the last charge stopped; None while it has not."""
    return _CAUSES[status.stop_cause]
