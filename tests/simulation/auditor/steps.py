"""What must hold after every commit: states go forward only, and what belongs together was written together."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.auditor.rows import Source

SESSION_RANKS = {
    "requested": 0, "authorized": 1, "starting": 2, "unknown": 2, "charging": 3, "paused": 3, "stopping": 4,
    "ended": 5, "start_failed": 5, "billed": 6, "settled": 7, "refused": 8,
}  # fmt: skip
RECORD_NEXT = {
    "suspended": {"accepted", "rejected"},
    "accepted": {"disputed", "settled", "credited"},
    "disputed": {"accepted", "credited"},
    "settled": {"credited"},
    "rejected": set(),
    "credited": set(),
}
CYCLE_ORDER = ("open", "cut_off", "proposed", "fixed", "paying")
CYCLE_ENDS = frozenset({"settled", "partially_paid"})
OWED = "('accepted', 'disputed', 'settled', 'credited')"

WITHOUT_OBLIGATION = f"""
SELECT COUNT(*) FROM charge_record r WHERE r.state IN {OWED} AND r.kind = 'charge'
AND r.home_party_id <> r.host_party_id AND r.owed_fen > 0
AND (SELECT COUNT(*) FROM obligation o WHERE o.record_id = r.record_id AND o.kind = 'charge') <> 1
"""
WITHOUT_RECORD = f"""
SELECT COUNT(*) FROM obligation o WHERE o.kind = 'charge' AND NOT EXISTS
(SELECT 1 FROM charge_record r WHERE r.record_id = o.record_id AND r.state IN {OWED})
"""
TWO_STANDING = f"""
SELECT COUNT(*) FROM (SELECT 1 FROM charge_record WHERE kind = 'charge' AND state IN {OWED}
AND session_id IS NOT NULL AND state <> 'credited' GROUP BY session_id HAVING COUNT(*) > 1)
"""
RESERVED = """
SELECT e.home_party_id, e.open_limits_fen AS stored, COALESCE(SUM(a.reserved_fen), 0) AS computed
FROM exposure e LEFT JOIN authorization a ON a.home_party_id = e.home_party_id GROUP BY e.home_party_id
"""
SUSPENSE = """
SELECT (SELECT COALESCE(SUM(amount_fen), 0) FROM suspense_item WHERE closed_at IS NULL) AS items,
  COALESCE(SUM(CASE kind WHEN 'suspense' THEN posted_fen END), 0) AS suspense,
  COALESCE(SUM(CASE kind WHEN 'claimed' THEN posted_fen END), 0) AS claimed
FROM ledger_account WHERE book = 'clearing' AND kind IN ('suspense', 'claimed')
"""


COUNTED = {
    "authorization": "SELECT state FROM authorization",
    "refusal": "SELECT refusal FROM session WHERE refusal IS NOT NULL",
    "hold": "SELECT state FROM ledger_hold",
    "obligation": "SELECT kind FROM obligation",
    "payment": "SELECT direction || ' ' || state FROM payment",
    "suspense": "SELECT kind || ' ' || COALESCE(outcome, 'open') FROM suspense_item",
    "dispute": "SELECT CASE WHEN in_time THEN 'in time ' ELSE 'late ' END || state FROM dispute",
    "letter": "SELECT CASE WHEN dead_at IS NOT NULL THEN 'dead' ELSE COALESCE(reason, 'done') END"
    " FROM outbox_letter",
}
"""Words worth counting, each with where they stand."""


@dataclass
class Steps:
    """Follows states commit by commit."""

    source: Source
    reach: Callable[[str], None]
    sessions: dict[str, str] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)
    cycles: dict[str, str] = field(default_factory=dict)
    seen: int = -1

    def step(self) -> None:
        """What was just committed."""
        source = self.source
        for row in source.rows("SELECT session_id, state FROM session"):
            self._session(row["session_id"], row["state"])
        for row in source.rows("SELECT record_id, state FROM charge_record"):
            self._record(row["record_id"], row["state"])
        for row in source.rows("SELECT cycle_id, state FROM cycle"):
            self._cycle(row["cycle_id"], row["state"])
        source.same("owed records without their one obligation", source.number(WITHOUT_OBLIGATION), 0)
        source.same("obligations without their record", source.number(WITHOUT_RECORD), 0)
        source.same("sessions billed twice", source.number(TWO_STANDING), 0)
        for row in source.rows(RESERVED):
            source.same(f"{row['home_party_id']}: open limits", row["stored"], row["computed"])
        row = source.one(SUSPENSE)
        source.same("suspense", row["suspense"], row["items"])
        source.same("claimed", -row["claimed"], row["items"])

    def _session(self, session_id: str, state: str) -> None:
        before = self.sessions.get(session_id, state)
        if before != state:
            forward = SESSION_RANKS[state] >= SESSION_RANKS[before]
            believed = before == "start_failed" and state in {"billed", "settled"}
            final = before in {"settled", "refused"} or (before == "start_failed" and not believed)
            self.source.expect(forward and not final, f"{session_id} went from {before} to {state}")
        self._note(self.sessions, "session", session_id, state)

    def _record(self, record_id: str, state: str) -> None:
        before = self.records.get(record_id, state)
        if before != state:
            self.source.expect(state in RECORD_NEXT[before], f"{record_id} went from {before} to {state}")
        self._note(self.records, "record", record_id, state)

    def _cycle(self, cycle_id: str, state: str) -> None:
        before = self.cycles.get(cycle_id, state)
        if before != state:
            after = CYCLE_ENDS if before == "paying" else {CYCLE_ORDER[CYCLE_ORDER.index(before) + 1]}
            self.source.expect(state in after, f"{cycle_id} went from {before} to {state}")
        self._note(self.cycles, "cycle", cycle_id, state)

    def _note(self, known: dict[str, str], noun: str, name: str, state: str) -> None:
        if known.get(name) != state:
            known[name] = state
            self.reach(f"{noun} {state}")

    def end(self) -> None:
        """Count what else came about."""
        for noun, query in COUNTED.items():
            for (word,) in self.source.rows(query):
                self.reach(f"{noun} {word}")
