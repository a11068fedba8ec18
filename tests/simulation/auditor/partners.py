"""What partners believe: each operator's own books say what the hub's obligations say."""

from dataclasses import dataclass

from tests.simulation.auditor.rows import Source
from tests.simulation.auditor.testimony import Testimony

OWED = ("accepted", "settled", "credited", "disputed")


@dataclass
class Partners:
    """Compares beliefs, record by record."""

    source: Source
    said: Testimony

    def end(self) -> None:
        obligations = {
            row["record_id"]: row
            for row in self.source.rows("SELECT * FROM obligation WHERE kind IN ('charge', 'credit')")
        }
        for bill in self.said.bills:
            row = obligations.get(bill.record_id)
            if row is not None and bill.record_id not in self.said.by_hand:
                self.source.same(f"{bill.host} is owed for {bill.record_id}", row["amount_fen"], bill.owed_fen)
            record = self.source.one("SELECT * FROM charge_record WHERE record_id = ?", bill.record_id)
            at_home = record["home_party_id"] == record["host_party_id"]
            owes = bill.state == "accepted" and bill.owed_fen > 0 and not at_home
            self.source.expect(row is not None or not owes, f"{bill.record_id} is owed by nobody")
        for home, debts in self.said.home_owes.items():
            for record_id, fen in debts.items():
                row = obligations.get(record_id)
                if row is not None:
                    sign = 1 if row["kind"] == "charge" else -1
                    self.source.same(f"{home} owes for {record_id}", sign * row["amount_fen"], fen)
        self._heard()

    def _heard(self) -> None:
        """Every home has heard of every record it owes: paid it, or refused it."""
        for row in self.source.rows("SELECT * FROM charge_record WHERE kind = 'charge'"):
            home = row["home_party_id"]
            if row["state"] in OWED and home in self.said.home_owes:
                heard = row["record_id"] in self.said.home_owes[home]
                refused = row["record_id"] in self.said.home_refuses.get(home, set())
                self.source.expect(heard or refused, f"{home} never heard of {row['record_id']}")
            if row["settlement_ref"] is not None:
                whole = row["captured_fen"] <= row["driver_amount_fen"]
                self.source.expect(whole, f"{row['record_id']}: captured more than was charged")
