"""Defaults: what is missing is borne by those who were owed it, in proportion to their claims, to the fen."""

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction

from tests.simulation.auditor.rows import Row, Source

SHORT = "SELECT DISTINCT cycle_id FROM payment WHERE missing_fen > 0"
PAIRS = """
SELECT debtor_party_id AS debtor, creditor_party_id AS creditor, SUM(amount_fen) AS fen FROM obligation
WHERE cycle_id = ? GROUP BY debtor_party_id, creditor_party_id
"""
CLAIMS = """
SELECT debtor_party_id AS debtor, creditor_party_id AS creditor, amount_fen AS fen FROM obligation
WHERE claim_of = ?
"""
PAYMENTS = "SELECT * FROM payment WHERE cycle_id = ?"


@dataclass
class Defaults:
    """Recomputes who bears what a debtor left unpaid."""

    source: Source

    def end(self) -> None:
        for row in self.source.rows(SHORT):
            self._cycle(row["cycle_id"])

    def _cycle(self, cycle_id: str) -> None:
        payments = self.source.rows(PAYMENTS, cycle_id)
        missing = {row["party_id"]: row["missing_fen"] for row in payments if row["missing_fen"]}
        withheld = {row["party_id"]: row["withheld_fen"] for row in payments if row["withheld_fen"]}
        claims = self.source.rows(CLAIMS, cycle_id)
        name = f"{cycle_id}: of the default"
        self.source.same(f"{name}, withheld in all", sum(withheld.values()), sum(missing.values()))
        left: defaultdict[str, int] = defaultdict(int)
        for claim in claims:
            left[claim["debtor"]] += claim["fen"]
            left[claim["creditor"]] -= claim["fen"]
        for party in sorted({*left, *missing, *withheld}):
            due = missing.get(party, 0) - withheld.get(party, 0)
            self.source.same(f"{name}, claims against {party} less its own", left[party], due)
        if not {claim["debtor"] for claim in claims} & {claim["creditor"] for claim in claims}:
            self._in_proportion(name, claims, self.source.rows(PAIRS, cycle_id), missing)

    def _in_proportion(self, name: str, claims: list[Row], pairs: list[Row], missing: dict[str, int]) -> None:
        """Nobody passed its loss on, so each part is the exact share, less than a fen off."""
        borne = {(claim["debtor"], claim["creditor"]): claim["fen"] for claim in claims}
        for debtor, fen in missing.items():
            gross = {pair["creditor"]: pair["fen"] for pair in pairs if pair["debtor"] == debtor}
            for creditor, owed in gross.items():
                exact = Fraction(fen * owed, sum(gross.values()))
                part = borne.get((debtor, creditor), 0)
                self.source.expect(
                    abs(part - exact) < 1, f"{name} of {debtor}, {creditor} bears {part} fen and not {exact}"
                )
