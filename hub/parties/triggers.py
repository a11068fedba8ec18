"""The audit log only grows; held by the database itself, on either engine."""


def only_grows(table: str, key: str) -> dict[str, list[str]]:
    """Statements per dialect that refuse to update, delete or truncate a table with this primary key."""
    refusal = f"{table} only grows"
    same = " AND ".join(f"{column} = NEW.{column}" for column in key.split(","))
    known = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - our own names
    return {
        "sqlite": [
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
            for verb in ("UPDATE", "DELETE")
        ]
        # INSERT OR REPLACE deletes the row in its way without asking the DELETE trigger.
        + [
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
            f" WHEN {known} BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        ],
        "postgresql": [
            f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{refusal}' USING ERRCODE = 'check_violation'; END $$",
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()",
        ],
    }


TRIGGERS: dict[str, list[str]] = only_grows("audit_log", "audit_id")
