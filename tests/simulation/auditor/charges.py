"""Bills: every accepted one is what the tariff makes of it, minute by minute, and nobody invented any."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from tests.simulation.auditor.rows import US, Row, Source, half_up
from tests.simulation.auditor.testimony import BillSaid, TariffSaid, Testimony, TimeFeeSaid

MINUTE_US = 60 * US
WH_MICRO = 10_000_000
"""Wh x micro-yuan per kWh in a fen."""

OWED = frozenset({"accepted", "disputed", "settled", "credited"})
RECORDS = "SELECT * FROM charge_record ORDER BY record_id"


@dataclass
class Charges:
    """Compares stored records with what their hosts sent, and prices them again."""

    source: Source
    said: Testimony

    def end(self) -> None:
        sent = {bill.record_id: bill for bill in self.said.bills}
        stored = {row["record_id"]: row for row in self.source.rows(RECORDS)}
        for record_id in sent:
            self.source.expect(record_id in stored, f"{record_id} was answered and is not stored")
        for record_id, row in stored.items():
            if row["kind"] == "charge":
                self._record(row, sent.get(record_id))
        self._updates()
        self._flowed({row["session_id"] for row in stored.values() if row["kind"] == "charge"})

    def _record(self, row: Row, bill: BillSaid | None) -> None:
        record_id = row["record_id"]
        if bill is None:
            # The host was never answered; but it is its bill, or it would not have been taken.
            refs = {one.record_ref for one in self.said.bills}
            self.source.expect(row["record_ref"] not in refs, f"{record_id}: its host knows it by another id")
            return
        for name in ("session_id", "energy_wh", "amount_fen"):
            self.source.same(f"{record_id}: {name}", row[name], getattr(bill, name))
        if row["state"] in OWED and bill.state in OWED:
            self.source.same(f"{record_id}: owed as answered", row["owed_fen"], bill.owed_fen)
        if row["state"] in OWED and record_id not in self.said.by_hand:
            self._priced(row, bill)

    def _priced(self, row: Row, bill: BillSaid) -> None:
        record_id = row["record_id"]
        self.source.expect(bill.right, f"{record_id} was accepted, though its host spoilt it")
        tariff = self.said.tariffs[bill.host, *bill.tariff]
        due = self._energy(row, tariff)
        until = bill.ended_us if bill.left_us is None else bill.left_us
        due["parking_fen"] = _for_time(tariff.parking, bill.started_us, until)
        due["idle_fen"] = _for_time(tariff.idle, bill.ended_us, until)
        for name, fen in due.items():
            self.source.same(f"{record_id}: {name}", row[name], fen)
        total = sum(due.values())
        self.source.same(f"{record_id}: amount", row["amount_fen"], total)
        payable = total if bill.energy_wh else due["parking_fen"] + due["idle_fen"]
        most = payable if bill.limit_fen is None else bill.limit_fen + max(bill.limit_fen // 100, 300)
        self.source.same(f"{record_id}: owed", row["owed_fen"], min(payable, most))

    def _energy(self, row: Row, tariff: TariffSaid) -> dict[str, int]:
        """Each line by the price of every one of its minutes; lines follow each other without a gap."""
        lines = json.loads(row["lines"])
        fen = {"electricity_fen": 0, "service_fen": 0}
        expected, energy_wh = row["started_at"], 0
        for line in lines:
            start, end = _instant(line["start"]), _instant(line["end"])
            self.source.same(f"{row['record_id']}: a line begins", start, expected)
            prices = set(_prices(tariff, start, end))
            self.source.same(f"{row['record_id']}: prices of a line", len(prices), 1)
            electricity, service = min(prices)
            fen["electricity_fen"] += half_up(Fraction(line["energy_wh"] * electricity, WH_MICRO))
            fen["service_fen"] += half_up(Fraction(line["energy_wh"] * service, WH_MICRO))
            expected, energy_wh = end, energy_wh + line["energy_wh"]
        self.source.same(f"{row['record_id']}: the last line ends", expected, row["ended_at"])
        self.source.same(f"{row['record_id']}: energy of the lines", energy_wh, row["energy_wh"])
        return fen

    def _updates(self) -> None:
        """No update that was acknowledged is lost, or says something else now."""
        for session_id, updates in self.said.acknowledged.items():
            stored = {
                row["number"]: (row["state"], row["energy_wh"], row["amount_fen"])
                for row in self.source.rows("SELECT * FROM session_update WHERE session_id = ?", session_id)
            }
            for number, *rest in updates:
                self.source.same(f"{session_id}: update {number}", stored.get(number), tuple(rest))

    def _flowed(self, billed: set[str]) -> None:
        """What charged and was billed is in the hub's records; what never charged is in nobody's."""
        for bill in self.said.bills:
            self.source.expect(bill.session_id in billed, f"{bill.session_id} was billed and has no record")
        for session_id in billed:
            flowed = self.said.flowed.get(session_id, True)
            self.source.expect(flowed, f"{session_id} has a record and never charged")


def _prices(tariff: TariffSaid, start_us: int, end_us: int) -> Iterator[tuple[int, int]]:
    """The prices of every minute from one instant up to another."""
    by_minute = {
        minute: (period.electricity_micro, period.service_micro)
        for period in tariff.periods
        for minute in range(period.start_minute, period.end_minute)
    }
    at = start_us
    while True:
        minute = (at // MINUTE_US + tariff.offset_minutes) % 1_440
        yield by_minute[minute]
        at = (at // MINUTE_US + 1) * MINUTE_US
        if at >= end_us:
            return


def _for_time(fee: TimeFeeSaid | None, start_us: int, end_us: int) -> int:
    if fee is None:
        return 0
    seconds = (end_us - start_us) // US - 60 * fee.free_minutes
    fen = half_up(Fraction(max(seconds, 0) * fee.price_micro, 3_600 * 10_000))
    return fen if fee.cap_fen is None else min(fen, fee.cap_fen)


def _instant(text: str) -> int:
    """An instant as it is on the wire (2026-03-02T04:00:00.123Z), in microseconds since 1970."""
    day, _, time = text.removesuffix("Z").partition("T")
    year, month, date = (int(part) for part in day.split("-"))
    whole, _, fraction = time.partition(".")
    hours, minutes, seconds = (int(part) for part in whole.split(":"))
    days = _days(year, month, date)
    at_s = days * 86_400 + hours * 3_600 + minutes * 60 + seconds
    return at_s * US + int((fraction or "0").ljust(6, "0"))


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01."""
    year, month = (year - 1, month + 12) if month <= 2 else (year, month)
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719_469
