"""What the database itself refuses about cycles, on either engine, whoever asks.

A cycle goes from state to state and leaves none out, never goes back and is never deleted. What is owed never
changes (a commission may, until its cycle is fixed), and goes only into a cycle of its own currency and
frequency that is not frozen. A cycle is fixed with a digest and positions that sum to zero; from then on its
cut-off, its digest, its obligations and its positions stay as they are. Rates and tax codes are never changed.
"""

from hub.clearing.model import FIXED, NEXT


def _in(states: object) -> str:
    return "(" + ", ".join(f"'{state}'" for state in sorted(states)) + ")"  # type: ignore[call-overload]


_FIXED = _in(FIXED)
_STEPS = " OR ".join(
    f"(OLD.state = '{state}' AND NEW.state IN {_in(following)})"
    for state, following in NEXT.items()
    if following
)
_LEFT_OUT = f"NEW.state <> OLD.state AND NOT ({_STEPS})"

_POSITIONS = "SELECT coalesce(sum(amount_fen), 1) FROM cycle_position p WHERE p.cycle_id = NEW.cycle_id"
_UNREADY = f"NEW.state = 'fixed' AND OLD.state <> 'fixed' AND (NEW.digest IS NULL OR ({_POSITIONS}) <> 0)"


_CYCLE_THAT = "EXISTS (SELECT 1 FROM cycle c WHERE c.cycle_id = ROW.cycle_id AND CONDITION)"


def _cycle_that(condition: str, row: str = "NEW") -> str:
    return _CYCLE_THAT.replace("ROW", row).replace("CONDITION", condition)


def _in_fixed(row: str) -> str:
    return _cycle_that(f"c.state IN {_FIXED}", row)


def _changed(*columns: str) -> str:
    return " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in columns)


_OWED = _changed(
    "obligation_id", "kind", "debtor_party_id", "creditor_party_id", "amount_fen", "electricity_fen",
    "service_fen", "parking_fen", "idle_fen", "electricity_ppm", "service_ppm", "parking_ppm", "idle_ppm",
    "commission_fen", "commission_tax_code", "currency", "frequency", "booked_day", "accepted_at", "record_id",
    "session_id", "energy_wh", "credit_of", "claim_of",
)  # fmt: skip
_MOVED = _changed("cycle_id")
_BECAME = _changed("state")
_CYCLE_FACTS = _changed(
    "cycle_id",
    "currency",
    "frequency",
    "opened_at",
    "cutoff_at",
    "frozen_at",
    "digest",
    "obligations",
    "fixed_at",
)
_CYCLE_CUT = _changed("cycle_id", "currency", "frequency", "opened_at", "cutoff_at")
_FROZEN = _cycle_that("c.frozen_at IS NOT NULL")
_FOREIGN = _cycle_that("(c.currency <> NEW.currency OR c.frequency <> NEW.frequency)")

_RULES: tuple[tuple[str, str, str, str], ...] = (
    ("cycle", "UPDATE", _LEFT_OUT, "a cycle never goes back and leaves no state out"),
    ("cycle", "UPDATE", f"OLD.state <> 'open' AND ({_CYCLE_CUT})", "a cut-off is made once"),
    ("cycle", "UPDATE", f"OLD.frozen_at IS NOT NULL AND ({_changed('frozen_at')})", "a cycle is frozen once"),
    ("cycle", "UPDATE", f"OLD.state IN {_FIXED} AND ({_CYCLE_FACTS})", "the cycle is fixed"),
    ("cycle", "UPDATE", _UNREADY, "fixed with a digest and positions that sum to zero"),
    ("cycle", "DELETE", "1 = 1", "cycles are kept"),
    ("obligation", "INSERT", _in_fixed("NEW"), "the cycle is fixed"),
    ("obligation", "INSERT", f"NEW.kind <> 'commission' AND {_FROZEN}", "the cycle is frozen"),
    ("obligation", "INSERT", _FOREIGN, "a cycle has one currency and frequency"),
    ("obligation", "UPDATE", f"OLD.kind <> 'commission' AND ({_OWED})", "what is owed never changes"),
    (
        "obligation",
        "UPDATE",
        f"({_MOVED} OR {_BECAME} OR {_OWED}) AND ({_in_fixed('OLD')} OR {_in_fixed('NEW')})",
        "the cycle is fixed",
    ),
    ("obligation", "UPDATE", f"({_MOVED}) AND {_FROZEN}", "the cycle is frozen"),
    ("obligation", "UPDATE", f"({_MOVED}) AND {_FOREIGN}", "a cycle has one currency and frequency"),
    ("obligation", "UPDATE", f"OLD.state = 'withdrawn' AND ({_BECAME})", "what is withdrawn stays so"),
    ("obligation", "DELETE", "1 = 1", "obligations are kept"),
    ("cycle_position", "INSERT", _in_fixed("NEW"), "the cycle is fixed"),
    ("cycle_position", "UPDATE", f"{_in_fixed('OLD')} OR {_in_fixed('NEW')}", "the cycle is fixed"),
    ("cycle_position", "DELETE", _in_fixed("OLD"), "the cycle is fixed"),
    ("commission_rate", "UPDATE", "1 = 1", "rates are followed, not changed"),
    ("commission_rate", "DELETE", "1 = 1", "rates are kept"),
    ("tax_code", "UPDATE", "1 = 1", "tax codes are followed, not changed"),
    ("tax_code", "DELETE", "1 = 1", "tax codes are kept"),
)
"""(table, verb, when, why)."""

# On SQLite, INSERT OR REPLACE deletes the row in its way without asking the DELETE trigger.
_SQLITE_KEYS = {
    "cycle": "t.cycle_id = NEW.cycle_id OR (t.currency = NEW.currency AND t.frequency = NEW.frequency"
    " AND (t.cutoff_at = NEW.cutoff_at OR (t.state = 'open' AND NEW.state = 'open')))",
    "obligation": "t.obligation_id = NEW.obligation_id OR (t.kind = NEW.kind AND (t.record_id = NEW.record_id"
    " OR (t.kind = 'commission' AND t.cycle_id = NEW.cycle_id AND t.debtor_party_id = NEW.debtor_party_id"
    " AND t.creditor_party_id = NEW.creditor_party_id)))",
    "cycle_position": "t.cycle_id = NEW.cycle_id AND t.party_id = NEW.party_id",
    "commission_rate": "t.owner = NEW.owner AND t.seller = NEW.seller AND t.station_group = NEW.station_group"
    " AND t.fee_kind = NEW.fee_kind AND t.valid_from = NEW.valid_from",
    "tax_code": "t.kind = NEW.kind AND t.valid_from = NEW.valid_from",
}

_NO_REPLACE = (
    "CREATE TRIGGER TABLE_no_replace BEFORE INSERT ON TABLE WHEN EXISTS (SELECT 1 FROM TABLE t WHERE KEY)"
    " BEGIN SELECT RAISE(ABORT, 'clearing: rows are never replaced'); END"
)


def _sqlite() -> list[str]:
    # Older versions do not know the standard's word for it.
    rules = [
        f"CREATE TRIGGER {table}_rule_{number} BEFORE {verb} ON {table}"
        f" WHEN {when.replace('IS DISTINCT FROM', 'IS NOT')}"
        f" BEGIN SELECT RAISE(ABORT, 'clearing: {why}'); END"
        for number, (table, verb, when, why) in enumerate(_RULES, 1)
    ]
    replacing = [_NO_REPLACE.replace("TABLE", table).replace("KEY", key) for table, key in _SQLITE_KEYS.items()]
    return rules + replacing


def _postgresql() -> list[str]:
    statements = []
    for table in _SQLITE_KEYS:
        for verb in ("INSERT", "UPDATE", "DELETE"):
            checks = "".join(
                f"IF {when} THEN RAISE EXCEPTION 'clearing: {why}' USING ERRCODE = 'check_violation'; END IF; "
                for on, what, when, why in _RULES
                if (on, what) == (table, verb)
            )
            if checks:
                name = f"{table}_check_{verb.lower()}"
                row = "OLD" if verb == "DELETE" else "NEW"
                statements += [
                    f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
                    f" $$ BEGIN {checks}RETURN {row}; END $$",
                    f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
                ]
    statements.append(
        "CREATE FUNCTION clearing_no_truncate() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'clearing: % is kept', TG_TABLE_NAME"
        " USING ERRCODE = 'check_violation'; END $$"
    )
    statements += [
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION clearing_no_truncate()"
        for table in _SQLITE_KEYS
    ]
    return statements


TRIGGERS: dict[str, list[str]] = {"sqlite": _sqlite(), "postgresql": _postgresql()}
