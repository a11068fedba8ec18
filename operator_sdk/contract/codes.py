"""States, reasons and public codes: lower_snake on the wire and in the database.

A reader keeps a value it does not know as text; a writer uses only the members listed here.
"""

from enum import StrEnum


class Role(StrEnum):
    """What a party does on the hub."""

    HOME = "home"
    HOST = "host"
    HUB = "hub"
    APP = "app"


class StartMode(StrEnum):
    """Who began the charge."""

    HUB = "hub"
    HOST = "host"
    HOME = "home"


class TokenKind(StrEnum):
    """What the driver shows to be known by."""

    CARD = "card"
    APP_USER = "app_user"
    VIN = "vin"
    PLATE = "plate"


class TargetKind(StrEnum):
    """Where a charge is meant to end."""

    FULL = "full"
    ENERGY = "energy"
    AMOUNT = "amount"
    TIME = "time"


class SessionState(StrEnum):
    """A charge while it runs. `SESSION_RANK` orders the states; a session never goes back in rank."""

    REQUESTED = "requested"
    AUTHORIZED = "authorized"
    STARTING = "starting"
    CHARGING = "charging"
    PAUSED = "paused"
    STOPPING = "stopping"
    ENDED = "ended"
    BILLED = "billed"
    SETTLED = "settled"
    REFUSED = "refused"
    START_FAILED = "start_failed"
    UNKNOWN = "unknown"


SESSION_RANK: dict[SessionState, int] = {
    SessionState.REQUESTED: 0,
    SessionState.AUTHORIZED: 1,
    SessionState.STARTING: 2,
    # Beside the line: left by a query, a record or staff, so anything after `starting` may follow it.
    SessionState.UNKNOWN: 2,
    SessionState.CHARGING: 3,
    SessionState.PAUSED: 3,
    SessionState.STOPPING: 4,
    SessionState.ENDED: 5,
    SessionState.BILLED: 6,
    SessionState.SETTLED: 7,
    SessionState.REFUSED: 8,
    SessionState.START_FAILED: 5,
}


class AuthorizationState(StrEnum):
    """May this token charge here, up to which limit."""

    PENDING = "pending"
    GRANTED = "granted"
    REFUSED = "refused"
    CONSUMED = "consumed"
    RELEASED = "released"
    EXPIRED = "expired"


class RecordState(StrEnum):
    """A charge record at the hub."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    SUSPENDED = "suspended"
    REJECTED = "rejected"
    DISPUTED = "disputed"
    CREDITED = "credited"
    SETTLED = "settled"


class ConnectorState(StrEnum):
    """What a plug is doing now."""

    OFFLINE = "offline"
    AVAILABLE = "available"
    OCCUPIED = "occupied"
    CHARGING = "charging"
    RESERVED = "reserved"
    FAULTED = "faulted"


class StopReason(StrEnum):
    """Why a charge ended."""

    DRIVER_REMOTE = "driver_remote"
    DRIVER_LOCAL = "driver_local"
    CARD = "card"
    TARGET_ENERGY = "target_energy"
    TARGET_AMOUNT = "target_amount"
    TARGET_TIME = "target_time"
    LIMIT_REACHED = "limit_reached"
    VEHICLE_FULL = "vehicle_full"
    VEHICLE = "vehicle"
    FAULT = "fault"
    UNPLUGGED = "unplugged"
    EMERGENCY = "emergency"
    HOST = "host"
    HUB = "hub"
    UNKNOWN = "unknown"


TARGET_STOPS = frozenset(
    {
        StopReason.TARGET_ENERGY,
        StopReason.TARGET_AMOUNT,
        StopReason.TARGET_TIME,
        StopReason.VEHICLE_FULL,
        StopReason.LIMIT_REACHED,
    }
)
"""The stops at which the charge came to where it was meant to end: progress is 100."""


class CycleState(StrEnum):
    """A clearing cycle; never backward."""

    OPEN = "open"
    CUT_OFF = "cut_off"
    PROPOSED = "proposed"
    FIXED = "fixed"
    PAYING = "paying"
    PARTIALLY_PAID = "partially_paid"
    SETTLED = "settled"


class Frequency(StrEnum):
    """How often the obligations of an agreement are netted."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class FeeKind(StrEnum):
    """What the parts of a charge's price are for."""

    ELECTRICITY = "electricity"
    SERVICE = "service"
    PARKING = "parking"
    IDLE = "idle"


class Band(StrEnum):
    """The time-of-use bands of the day: 尖, 峰, 平, 谷."""

    SHARP = "sharp"
    PEAK = "peak"
    FLAT = "flat"
    VALLEY = "valley"


class ObligationKind(StrEnum):
    """What is owed for. A credit is owed by the host to the home; a claim is what a default left unpaid."""

    CHARGE = "charge"
    CREDIT = "credit"
    COMMISSION = "commission"
    CLAIM = "claim"


class RecordKind(StrEnum):
    """A bill, or its reversal."""

    CHARGE = "charge"
    CREDIT = "credit"


class DisputeState(StrEnum):
    """A dispute over an accepted record; resolved ones stay resolved."""

    RAISED = "raised"
    ANSWERED = "answered"
    ACCEPTED = "accepted"
    CREDITED = "credited"


class CheckSource(StrEnum):
    """Who began a daily check: the operator, the hub, or staff with a file of the operator's."""

    PARTNER = "partner"
    HUB = "hub"
    STAFF = "staff"


class CheckState(StrEnum):
    """A daily check; `compared` and `declined` are its ends."""

    COLLECTING = "collecting"
    SENDING = "sending"
    COMPARED = "compared"
    DECLINED = "declined"


class DifferenceKind(StrEnum):
    """How two lists differ about a charge record. The last two are no difference about money."""

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    AMOUNT = "amount"
    ENERGY = "energy"
    DOUBLE = "double"
    REJECTED_HERE = "rejected_here"
    SUSPENDED_HERE = "suspended_here"


class SuspenseKind(StrEnum):
    """Why money waits."""

    RECORD = "record"
    DISPUTE = "dispute"
    OVER_LIMIT = "over_limit"
    SESSION = "session"
    CHECK = "check"
    BANK = "bank"


class SuspenseOutcome(StrEnum):
    """What became of money that waited."""

    ACCEPTED = "accepted"
    WRITTEN_OFF = "written_off"
    RETURNED = "returned"


class PaymentDirection(StrEnum):
    """Between a party and the settlement account: in before out."""

    PAY_IN = "pay_in"
    PAY_OUT = "pay_out"


class PaymentState(StrEnum):
    """A payment of a cycle. `short`: the time for it is over and part of it is missing."""

    DUE = "due"
    PAID = "paid"
    SHORT = "short"


class Verdict(StrEnum):
    """What a rule says of a charge record."""

    PASS = "pass"
    WARN = "warn"
    SUSPEND = "suspend"
    REJECT = "reject"
    NOT_APPLICABLE = "not_applicable"


class FaultKind(StrEnum):
    """What a driver says is wrong."""

    WONT_START = "wont_start"
    WONT_STOP = "wont_stop"
    DAMAGED = "damaged"
    DISPLAY = "display"
    CABLE_STUCK = "cable_stuck"
    PRICE_WRONG = "price_wrong"
    BLOCKED_BY_CAR = "blocked_by_car"
    OTHER = "other"


class FaultState(StrEnum):
    """A driver's fault report: until its order is confirmed or cancelled it is open."""

    OPEN = "open"
    RESOLVED = "resolved"
    REJECTED = "rejected"


class OrderState(StrEnum):
    """A work order; cancelled is its only state that nothing follows."""

    OPEN = "open"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    CONFIRMED = "confirmed"
    REOPENED = "reopened"
    CANCELLED = "cancelled"


class OrderPriority(StrEnum):
    """How soon a work order is to be done, least first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class AlarmState(StrEnum):
    """An alarm; cleared ones stay cleared, the same fault later is another alarm."""

    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"
