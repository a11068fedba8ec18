"""What the database itself refuses, on either engine, whoever asks.

Entries come first and the posting last: the posting's insert is refused unless its entries are two or more and
sum to zero within each book and currency, and no entry may join a posting that exists. Postings, entries, hold
events, seals and closed days are never updated, deleted or truncated, and a hold that has ended stays as it
ended.
"""

import re

PROTECTED = ("ledger_posting", "ledger_entry", "ledger_hold_event", "ledger_seal", "ledger_day")
"""Tables that only grow."""

_UNBALANCED = """
SELECT 1 FROM ledger_entry e JOIN ledger_account a ON a.account_id = e.account_id
WHERE e.posting_id = NEW.posting_id GROUP BY a.book, a.currency HAVING sum(e.amount_fen) <> 0
"""
_ENTRIES = "SELECT count(*) FROM ledger_entry WHERE posting_id = NEW.posting_id"
# Written by one transaction: then the posting's own check has counted the entry.
_TOGETHER = """
SELECT 1 FROM ledger_entry e JOIN ledger_posting p ON p.posting_id = e.posting_id AND p.xmin = e.xmin
WHERE e.account_id = NEW.account_id AND e.account_version = NEW.account_version
"""
_KNOWN = "SELECT 1 FROM ledger_posting WHERE posting_id = NEW.posting_id"


def _sqlite() -> list[str]:
    refuse = "SELECT RAISE(ABORT, 'ledger: {}') WHERE {}"
    statements = [
        _sqlite_before(
            "ledger_posting",
            "INSERT",
            refuse.format("fewer than two entries", f"({_ENTRIES}) < 2"),
            refuse.format("entries do not sum to zero", f"EXISTS ({_UNBALANCED})"),
        ),
        _sqlite_before("ledger_entry", "INSERT", refuse.format("the posting is closed", f"EXISTS ({_KNOWN})")),
        "CREATE TRIGGER ledger_posting_unsealed AFTER INSERT ON ledger_posting"
        " BEGIN INSERT INTO ledger_unsealed (posting_id) VALUES (NEW.posting_id); END",
        "CREATE TRIGGER ledger_hold_ended BEFORE UPDATE ON ledger_hold WHEN OLD.state <> 'open'"
        " BEGIN SELECT RAISE(ABORT, 'ledger: the hold has ended'); END",
        "CREATE TRIGGER ledger_hold_kept BEFORE DELETE ON ledger_hold"
        " BEGIN SELECT RAISE(ABORT, 'ledger: holds are kept'); END",
    ]
    for table in PROTECTED:
        statements += [
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, 'ledger: {table} only grows'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return statements + [_sqlite_no_replace(table, key) for table, key in _SQLITE_KEYS.items()]


# INSERT OR REPLACE deletes the row in its way without asking the DELETE trigger.
_SQLITE_KEYS = {
    "ledger_posting": "posting_id = NEW.posting_id OR (kind = NEW.kind AND reference = NEW.reference)",
    "ledger_entry": "account_id = NEW.account_id AND account_version = NEW.account_version",
    "ledger_hold": "hold_id = NEW.hold_id OR reference = NEW.reference",
    "ledger_hold_event": "hold_id = NEW.hold_id AND number = NEW.number",
    "ledger_seal": "number = NEW.number OR posting_id = NEW.posting_id",
    "ledger_day": "day = NEW.day",
}


def _sqlite_before(table: str, verb: str, *checks: str) -> str:
    body = "".join(f"{check};" for check in checks)
    return f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} BEGIN {body} END"


def _sqlite_no_replace(table: str, key: str) -> str:
    taken = f"EXISTS (SELECT 1 FROM {table} WHERE {key})"  # noqa: S608 - from the constants above
    return (
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {taken}"
        f" BEGIN SELECT RAISE(ABORT, 'ledger: {table} only grows'); END"
    )


def _function(name: str, body: str) -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"


def _postgresql() -> list[str]:
    raise_unless = "IF {} THEN RAISE EXCEPTION 'ledger: {}' USING ERRCODE = 'check_violation'; END IF;"
    unbalanced = raise_unless.format(f"EXISTS ({_UNBALANCED})", "entries do not sum to zero")
    few = raise_unless.format(f"({_ENTRIES}) < 2", "fewer than two entries")
    closed = raise_unless.format(f"EXISTS ({_KNOWN})", "the posting is closed")
    refuse = "RAISE EXCEPTION 'ledger: % only grows', TG_TABLE_NAME USING ERRCODE = 'check_violation';"
    queue = "INSERT INTO ledger_unsealed (posting_id) VALUES (NEW.posting_id);"
    statements = [
        _function("ledger_check_posting", f"{few} {unbalanced} RETURN NEW;"),
        _function("ledger_check_entry", f"{closed} RETURN NEW;"),
        _function("ledger_check_whole", f"IF NOT EXISTS ({_TOGETHER}) THEN {unbalanced} END IF; RETURN NULL;"),
        _function("ledger_queue_seal", f"{queue} RETURN NULL;"),
        _function("ledger_refuse", refuse),
        "CREATE TRIGGER ledger_posting_insert BEFORE INSERT ON ledger_posting"
        " FOR EACH ROW EXECUTE FUNCTION ledger_check_posting()",
        "CREATE TRIGGER ledger_posting_unsealed AFTER INSERT ON ledger_posting"
        " FOR EACH ROW EXECUTE FUNCTION ledger_queue_seal()",
        "CREATE TRIGGER ledger_entry_insert BEFORE INSERT ON ledger_entry"
        " FOR EACH ROW EXECUTE FUNCTION ledger_check_entry()",
        # Another transaction's posting is not visible to the check above until it has committed.
        "CREATE CONSTRAINT TRIGGER ledger_entry_whole AFTER INSERT ON ledger_entry"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_whole()",
        "CREATE TRIGGER ledger_hold_ended BEFORE UPDATE ON ledger_hold FOR EACH ROW"
        " WHEN (OLD.state <> 'open') EXECUTE FUNCTION ledger_refuse()",
        "CREATE TRIGGER ledger_hold_kept BEFORE DELETE OR TRUNCATE ON ledger_hold"
        " FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()",
    ]
    return statements + [
        f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        for table in PROTECTED
    ]


TRIGGERS: dict[str, list[str]] = {"sqlite": _sqlite(), "postgresql": _postgresql()}


def grants(role: str) -> list[str]:
    """What the serving role may do on PostgreSQL: everything with rows, but nothing with booked ones.

    The role that migrates owns the tables and runs these, after every migration.

    Raises:
        ValueError: not a plain role name.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", role):
        raise ValueError(f"not a plain role name: {role!r}")
    protected = ", ".join(PROTECTED)
    return [
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"REVOKE UPDATE, DELETE, TRUNCATE ON {protected} FROM {role}",
        f"REVOKE DELETE, TRUNCATE ON ledger_hold, ledger_account FROM {role}",
    ]
