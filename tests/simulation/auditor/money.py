"""Where all money is in the end: the clearing book, the bank, wallets, exposures, suspense."""

from collections import defaultdict
from dataclasses import dataclass

from tests.simulation.auditor.books import Books
from tests.simulation.auditor.cycles import FIXED
from tests.simulation.auditor.rows import HUB_PARTY, Source
from tests.simulation.auditor.testimony import Testimony

Sums = defaultdict[tuple[str, str], int]
ENDED = frozenset({"settled", "partially_paid"})
WITH_CYCLE = """
SELECT o.*, c.state AS cycle_state, EXISTS (
  SELECT 1 FROM suspense_item i JOIN dispute d ON d.dispute_id = i.subject_id
  WHERE i.kind = 'dispute' AND d.record_id = o.record_id AND i.closed_at IS NULL) AS set_aside
FROM obligation o LEFT JOIN cycle c ON c.cycle_id = o.cycle_id
"""
WALLETS = """
SELECT r.*, h.customer_id FROM charge_record r JOIN session s ON s.session_id = r.session_id
JOIN hosted_authorization h ON h.authorization_id = s.authorization_id
WHERE r.settlement_ref IS NOT NULL AND h.customer_id IS NOT NULL
"""
MAY_STILL_BILL = ("requested", "authorized", "starting", "unknown", "charging", "paused", "stopping", "ended")
OPEN_HOLDS = """
SELECT h.reference, s.session_id, s.state FROM ledger_hold h
JOIN authorization a ON a.authorization_id = h.reference JOIN session s ON s.session_id = a.session_id
WHERE h.state = 'open'
"""


OF_CUSTOMER = """
SELECT posted_fen FROM ledger_account WHERE subject = ? AND kind IN ('wallet', 'customer_debt')
"""


@dataclass
class Money:
    """Adds everything up from outside, and compares."""

    source: Source
    said: Testimony
    books: Books

    def end(self) -> None:
        self._clearing_book()
        self._bank()
        self._exposures()
        self._wallets()
        self._holds()
        self._suspense()

    def _clearing_book(self) -> None:
        """What stands under receivable and payable is what is owed and not yet paid."""
        computed: Sums = defaultdict(int)
        self._owed(computed)
        self._paid(computed)
        self._set_aside(computed)
        stored = self.books.balances("clearing")
        for key in sorted({*stored, *computed}):
            self.source.same(f"clearing {key[0]}:{key[1]}", stored.get(key, 0), computed.get(key, 0))

    def _owed(self, computed: Sums) -> None:
        for row in self.source.rows(WITH_CYCLE):
            counted = row["state"] == "in_cycle" and row["cycle_state"] not in FIXED
            # A disputed claim keeps standing gross, unless an item of suspense has taken it over.
            counted = counted or (row["state"] == "disputed" and not row["set_aside"])
            if counted and row["kind"] != "commission":
                computed["receivable", row["debtor_party_id"]] += row["amount_fen"]
                computed["payable", row["creditor_party_id"]] -= row["amount_fen"]
        for row in self.source.rows(
            "SELECT p.* FROM cycle_position p JOIN cycle c ON c.cycle_id = p.cycle_id WHERE c.state = 'fixed'"
        ):
            kind = "payable" if row["amount_fen"] > 0 else "receivable"
            computed[kind, row["party_id"]] -= row["amount_fen"]

    def _paid(self, computed: Sums) -> None:
        for row in self.source.rows("SELECT * FROM payment"):
            gone = row["paid_fen"] + row["deposit_fen"] + row["missing_fen"] + row["withheld_fen"]
            if row["direction"] == "pay_in":
                computed["receivable", row["party_id"]] += row["amount_fen"] - gone
            else:
                computed["payable", row["party_id"]] -= row["amount_fen"] - gone

    def _set_aside(self, computed: Sums) -> None:
        for item in self.source.rows("SELECT * FROM suspense_item WHERE closed_at IS NULL"):
            computed["suspense", item["item_id"]] += item["amount_fen"]
            computed["claimed", item["host_party_id"]] -= item["amount_fen"]
        for moved in self.said.movements:
            computed["settlement_cash", ""] += moved.amount_fen
            if moved.deposit:
                computed["deposit", moved.party_id] -= moved.amount_fen
        for row in self.source.rows("SELECT party_id, deposit_fen FROM payment WHERE deposit_fen > 0"):
            computed["deposit", row["party_id"]] += row["deposit_fen"]

    def _bank(self) -> None:
        """Every movement of the bank is booked once, as it was; the hub's own money is in its own book."""
        booked = {
            row["movement_ref"]: (row["party_id"], row["fen"])
            for row in self.source.rows(
                "SELECT m.movement_ref, p.party_id,"
                " CASE p.direction WHEN 'pay_in' THEN m.amount_fen ELSE -m.amount_fen END AS fen"
                " FROM payment_movement m JOIN payment p ON p.payment_id = m.payment_id"
                " UNION ALL SELECT movement_ref, party_id, amount_fen FROM deposit_movement"
                " WHERE payment_id IS NULL"
            )
        }
        moved = {one.ref: (one.party_id, one.amount_fen) for one in self.said.movements}
        self.source.same("movements at the bank", booked, moved)
        earned = -sum(fen for party, fen in moved.values() if party == HUB_PARTY)
        stored = self.books.balances("hub")
        self.source.same("the hub's bank", stored.get(("bank", ""), 0), earned)
        self.source.same("the hub's commission", stored.get(("commission", ""), 0), -earned)

    def _exposures(self) -> None:
        owed: defaultdict[str, int] = defaultdict(int)
        for row in self.source.rows(WITH_CYCLE):
            if row["state"] == "withdrawn" or row["cycle_state"] in ENDED:
                continue
            match row["kind"]:
                case "charge" | "claim":
                    owed[row["debtor_party_id"]] += row["amount_fen"]
                case "credit":
                    owed[row["creditor_party_id"]] -= row["amount_fen"]
        for row in self.source.rows("SELECT * FROM exposure"):
            party = row["home_party_id"]
            self.source.same(f"{party} owes", row["owed_fen"], owed.get(party, 0))

    def _wallets(self) -> None:
        """What a hosted customer has is what came in less what was billed."""
        wallets = dict(self.said.topped_up)
        for row in self.source.rows(WALLETS):
            sign = 1 if row["kind"] == "credit" else -1
            wallets[row["customer_id"]] += sign * row["owed_fen"]
        for customer, fen in wallets.items():
            rows = self.source.rows(OF_CUSTOMER, customer)
            stored = -sum(row["posted_fen"] for row in rows)
            self.source.same(f"{customer}: wallet less debt", stored, fen)

    def _holds(self) -> None:
        """Money is held only where a session may still bill."""
        for row in self.source.rows(OPEN_HOLDS):
            may = row["state"] in MAY_STILL_BILL
            self.source.expect(may, f"{row['session_id']} is {row['state']}, and its money is held")
        for party, sessions in self.said.still_held.items():
            for session_id in sessions:
                row = self.source.one("SELECT state FROM session WHERE session_id = ?", session_id)
                may = row["state"] in {*MAY_STILL_BILL, "billed"}
                self.source.expect(may, f"{session_id} is {row['state']}, and {party} still holds its money")

    def _suspense(self) -> None:
        """An open item has an open reason."""
        for item in self.source.rows("SELECT * FROM suspense_item WHERE closed_at IS NULL"):
            name, subject = item["item_id"], item["subject_id"]
            match item["kind"]:
                case "record":
                    row = self.source.one("SELECT state FROM charge_record WHERE record_id = ?", subject)
                    self.source.same(f"{name}: its record is", row["state"], "suspended")
                case "session":
                    row = self.source.one("SELECT suspense FROM session WHERE session_id = ?", subject)
                    self.source.expect(row["suspense"] is not None, f"{name}: {subject} is explained")
        waiting = self.source.number("SELECT COUNT(*) FROM charge_record WHERE state = 'suspended'")
        items = self.source.number(
            "SELECT COUNT(*) FROM suspense_item WHERE closed_at IS NULL AND kind = 'record'"
        )
        self.source.same("suspended records and their items", items, waiting)
