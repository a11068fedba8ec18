"""What the database itself refuses about cycles, on either engine, whoever asks.

A cycle never goes back and is never deleted. What a charge owes never changes. Once a cycle is fixed, so are
its cut-off, its digest, its obligations and its positions; only what becomes of them (state) may still move.
"""

_FIXED = "('fixed', 'paying', 'settled')"
_RANK = (
    "CASE {}.state WHEN 'open' THEN 0 WHEN 'cut_off' THEN 1 WHEN 'proposed' THEN 2"
    " WHEN 'fixed' THEN 3 WHEN 'paying' THEN 4 WHEN 'settled' THEN 5 END"
)
_BACK = f"({_RANK.format('NEW')}) < ({_RANK.format('OLD')}) OR ({_RANK.format('NEW')}) IS NULL"


_MEMBER_OF_FIXED = (
    "EXISTS (SELECT 1 FROM cycle c WHERE c.cycle_id = ROW.cycle_id"
    " AND c.state IN ('fixed', 'paying', 'settled'))"
)


def _in_fixed(row: str) -> str:
    return _MEMBER_OF_FIXED.replace("ROW", row)


def _changed(*columns: str) -> str:
    return " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in columns)


_OWED = _changed(
    "obligation_id", "kind", "debtor_party_id", "creditor_party_id", "amount_fen", "currency",
    "booked_day", "record_id", "commission_ppm",
)  # fmt: skip
_CYCLE_FACTS = _changed(
    "cycle_id", "currency", "frequency", "opened_at", "cutoff_at", "digest", "obligations", "fixed_at"
)
_CYCLE_CUT = _changed("cycle_id", "currency", "frequency", "opened_at", "cutoff_at")
_MEMBERSHIP = _changed("cycle_id")

_RULES: tuple[tuple[str, str, str, str], ...] = (
    ("cycle", "UPDATE", _BACK, "a cycle never goes back"),
    ("cycle", "UPDATE", f"OLD.state <> 'open' AND ({_CYCLE_CUT})", "a cut-off is made once"),
    ("cycle", "UPDATE", f"OLD.state IN {_FIXED} AND ({_CYCLE_FACTS})", "the cycle is fixed"),
    ("cycle", "DELETE", "1 = 1", "cycles are kept"),
    ("obligation", "INSERT", _in_fixed("NEW"), "the cycle is fixed"),
    ("obligation", "UPDATE", f"OLD.kind = 'charge' AND ({_OWED})", "what is owed never changes"),
    (
        "obligation",
        "UPDATE",
        f"({_MEMBERSHIP} OR {_OWED}) AND ({_in_fixed('OLD')} OR {_in_fixed('NEW')})",
        "the cycle is fixed",
    ),
    ("obligation", "DELETE", "1 = 1", "obligations are kept"),
    ("cycle_position", "INSERT", _in_fixed("NEW"), "the cycle is fixed"),
    ("cycle_position", "UPDATE", f"{_in_fixed('OLD')} OR {_in_fixed('NEW')}", "the cycle is fixed"),
    ("cycle_position", "DELETE", _in_fixed("OLD"), "the cycle is fixed"),
)
"""(table, verb, when, why)."""

# On SQLite, INSERT OR REPLACE deletes the row in its way without asking the DELETE trigger.
_SQLITE_KEYS = {
    "cycle": "t.cycle_id = NEW.cycle_id OR (t.currency = NEW.currency AND t.frequency = NEW.frequency"
    " AND (t.cutoff_at = NEW.cutoff_at OR (t.state = 'open' AND NEW.state = 'open')))",
    "obligation": "t.obligation_id = NEW.obligation_id OR (t.kind = NEW.kind AND (t.record_id = NEW.record_id"
    " OR (t.kind = 'commission' AND t.cycle_id = NEW.cycle_id AND t.debtor_party_id = NEW.debtor_party_id)))",
    "cycle_position": "t.cycle_id = NEW.cycle_id AND t.party_id = NEW.party_id",
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
