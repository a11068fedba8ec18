"""Cycles: who is in each, what it comes to, and that nothing about a fixed one ever changes."""

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from tests.simulation.auditor.rows import HUB_PARTY, Row, Source, half_up, local_day
from tests.simulation.auditor.testimony import Testimony

PPM = 1_000_000
FIXED = frozenset({"fixed", "paying", "settled", "partially_paid"})
FEES = ("electricity", "service", "parking", "idle")
LINE = ("obligation_id", "kind", "debtor_party_id", "creditor_party_id", "amount_fen", "currency", "booked_day")
MEMBERS = "SELECT * FROM obligation WHERE cycle_id = ? ORDER BY obligation_id"


@dataclass
class Cycles:
    """Recomputes cycles from their members."""

    source: Source
    said: Testimony
    frozen: dict[str, str] = field(default_factory=dict)

    def step(self) -> None:
        """A fixed cycle is what it was when it was fixed."""
        for cycle in self.source.rows("SELECT * FROM cycle WHERE fixed_at IS NOT NULL"):
            cycle_id = cycle["cycle_id"]
            members = self._digest(self.source.rows(MEMBERS, cycle_id))
            positions = [tuple(row) for row in self._positions(cycle_id)]
            now = f"{members} {positions}"
            self.source.same(f"{cycle_id} since it was fixed", now, self.frozen.setdefault(cycle_id, now))

    def end(self) -> None:
        self.step()
        for row in self.source.rows("SELECT * FROM obligation"):
            self._obligation(row)
        for cycle in self.source.rows("SELECT * FROM cycle ORDER BY opened_at"):
            self._cycle(cycle)
        self._windows()
        self._statements()

    def _positions(self, cycle_id: str) -> list[Row]:
        return self.source.rows(
            "SELECT party_id, amount_fen FROM cycle_position WHERE cycle_id = ? ORDER BY party_id", cycle_id
        )

    def _obligation(self, row: Row) -> None:
        name, kind = row["obligation_id"], row["kind"]
        self.source.expect(row["amount_fen"] > 0, f"{name} owes nothing")
        self.source.expect(row["debtor_party_id"] != row["creditor_party_id"], f"{name}: a debt to oneself")
        in_cycle = row["state"] == "in_cycle"
        self.source.same(f"{name}: has a cycle", row["cycle_id"] is not None, in_cycle)
        self.source.same(f"{name}: day", row["booked_day"], local_day(row["accepted_at"]))
        if kind in {"charge", "credit"}:
            self._of_record(row)

    def _of_record(self, row: Row) -> None:
        name = row["obligation_id"]
        record = self.source.one("SELECT * FROM charge_record WHERE record_id = ?", row["record_id"])
        self.source.same(f"{name}: amount", row["amount_fen"], record["owed_fen"])
        pair = (record["home_party_id"], record["host_party_id"])
        pair = pair if row["kind"] == "charge" else pair[::-1]
        self.source.same(f"{name}: pair", (row["debtor_party_id"], row["creditor_party_id"]), pair)
        fees = [row[f"{kind}_fen"] for kind in FEES]
        self.source.same(f"{name}: fees together", sum(fees), row["amount_fen"])
        billed = [record[f"{kind}_fen"] for kind in FEES]
        if row["amount_fen"] == sum(billed):
            self.source.same(f"{name}: fees", fees, billed)
        host, home = record["host_party_id"], record["home_party_id"]
        rate = self.said.commission_ppm[home, host]
        due = sum(half_up(Fraction(fee * rate, PPM)) for fee in fees)
        self.source.same(f"{name}: commission", row["commission_fen"], due)
        self.source.same(f"{name}: frequency", row["frequency"], self.said.frequencies[home, host])

    def _cycle(self, cycle: Row) -> None:
        cycle_id, members = cycle["cycle_id"], self.source.rows(MEMBERS, cycle["cycle_id"])
        for row in members:
            self.source.same(f"{row['obligation_id']}: currency", row["currency"], cycle["currency"])
            self.source.same(f"{row['obligation_id']}: cycle of", row["frequency"], cycle["frequency"])
            if cycle["frozen_at"] is not None:
                in_time = row["accepted_at"] < cycle["cutoff_at"] or row["kind"] == "commission"
                self.source.expect(in_time, f"{row['obligation_id']} was accepted after {cycle_id} was cut off")
        if cycle["netted_at"] is None:
            return
        net: defaultdict[str, int] = defaultdict(int)
        for row in members:
            net[row["debtor_party_id"]] -= row["amount_fen"]
            net[row["creditor_party_id"]] += row["amount_fen"]
        stored = {row["party_id"]: row["amount_fen"] for row in self._positions(cycle_id)}
        self.source.same(f"{cycle_id}: positions together", sum(stored.values()), 0)
        self.source.same(f"{cycle_id}: positions", {p: f for p, f in stored.items() if f}, _not_zero(net))
        self.source.same(f"{cycle_id}: digest", cycle["digest"], self._digest(members))
        self.source.same(f"{cycle_id}: obligations", cycle["obligations"], len(members))
        self._commissions(cycle_id, members)

    def _commissions(self, cycle_id: str, members: list[Row]) -> None:
        """Each host owes the hub the sum of its records' commissions, less those of its credits."""
        due: defaultdict[str, int] = defaultdict(int)
        booked: defaultdict[str, int] = defaultdict(int)
        for row in members:
            match row["kind"]:
                case "charge":
                    due[row["creditor_party_id"]] += row["commission_fen"]
                case "credit":
                    due[row["debtor_party_id"]] -= row["commission_fen"]
                case "commission" if row["creditor_party_id"] == HUB_PARTY:
                    booked[row["debtor_party_id"]] += row["amount_fen"]
                case "commission":
                    booked[row["creditor_party_id"]] -= row["amount_fen"]
        self.source.same(f"{cycle_id}: commissions", _not_zero(booked), _not_zero(due))

    def _digest(self, members: list[Row]) -> str:
        """SHA-256 over one line of JSON an obligation, in order of id."""
        whole = hashlib.sha256()
        for row in sorted(members, key=lambda one: one["obligation_id"].encode()):
            fields = [row[name] for name in LINE] + [row["record_id"]]
            whole.update(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        return whole.hexdigest()

    def _windows(self) -> None:
        """Cycles of one kind follow each other without a gap, and one is open."""
        by_kind: defaultdict[str, list[Row]] = defaultdict(list)
        for cycle in self.source.rows("SELECT * FROM cycle ORDER BY opened_at"):
            by_kind[f"{cycle['currency']} {cycle['frequency']}"].append(cycle)
        for kind, cycles in by_kind.items():
            for earlier, later in pairwise(cycles):
                self.source.same(f"{kind}: the next begins", later["opened_at"], earlier["cutoff_at"])
            self.source.same(f"{kind}: open", sum(one["state"] == "open" for one in cycles), 1)

    def _statements(self) -> None:
        """Papers say what the members say, and what their readers wrote down themselves."""
        for (cycle_id, party), lines in self.said.statements.items():
            signed = {}
            for row in self.source.rows(MEMBERS, cycle_id):
                if party in {row["debtor_party_id"], row["creditor_party_id"]}:
                    sign = 1 if row["creditor_party_id"] == party else -1
                    signed[row["obligation_id"]] = sign * row["amount_fen"]
            self.source.same(f"statement of {party} in {cycle_id}", lines, signed)


def _not_zero(sums: dict[str, int]) -> dict[str, int]:
    return {party: fen for party, fen in sorted(sums.items()) if fen}
