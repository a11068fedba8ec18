"""What a campaign of fifteen seeds must have reached: what never happens was never tested.

Each of these came about ten times or more in ten seeds.
"""

FAULTS = (
    "dropped", "refused", "answer_lost", "slow", "late", "repeated", "ring_lost", "crash", "clock step",
    "closer asleep",
)  # fmt: skip

CRASHES = ("crash before commit", "crash after commit", "crash at a call")

STATES = (
    "session by hub", "session by host", "session by home", "session charging", "session ended",
    "session unknown", "session start_failed", "session refused", "session billed", "session settled",
    "record accepted", "record suspended", "cycle cut_off", "cycle proposed", "cycle fixed", "cycle paying",
    "cycle settled", "authorization granted", "authorization released", "obligation charge",
    "obligation credit", "obligation commission", "payment pay_in paid", "payment pay_out paid",
)  # fmt: skip

CONDUCT = (
    "home released", "home settles later", "host overruns the limit", "host refuses", "start fails", "pause",
    "stop before the start", "stop of an unknown session", "stopped by command", "release of an unknown id",
    "billed late", "record sent twice", "credit accepted", "operator down", "booked", "pays in prompt",
    "asked while on", "asked while ended",
)  # fmt: skip

MUST_BE_REACHED: tuple[str, ...] = (*FAULTS, *CRASHES, *STATES, *CONDUCT)
