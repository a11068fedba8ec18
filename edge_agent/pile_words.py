"""What a pile says on its bus, in the words of the session machine. Pure."""

from edge_agent.codecs.pile_bus_messages import Measure, PileState, Status, StopCause
from edge_agent.session import Flow, Moment, PileSaid
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
    # The agent was away, or its word did not get through: neither the driver's doing nor the vehicle's.
    StopCause.AGENT_SILENT: StopReason.FAULT,
}


def flow_of(status: Status) -> Flow:
    """Whether energy flows. A faulted pile is still once its contactor is open."""
    if status.state is PileState.FAULTED:
        return Flow.STOPPING if status.contactor_closed else Flow.STILL
    return _FLOWS[status.state]


def cause_of(status: Status) -> StopReason | None:
    """Why the last charge stopped; None while it has not."""
    return _CAUSES[status.stop_cause]


def pile_said(status: Status, measure: Measure | None, at: Moment) -> PileSaid:
    """A status with the power that was last measured."""
    return PileSaid(
        at=at,
        flow=flow_of(status),
        is_plugged=status.plugged,
        cause=cause_of(status),
        power_w=measure.power_w if measure else 0,
        soc_percent=status.soc_percent,
    )
