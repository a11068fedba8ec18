"""What roaming asks of the database itself: that records keep what they billed and their states go forward.

Also the function by which a set-based statement undoes itself.
"""

from hub.core.statements import MUST
from hub.parties.triggers import only_grows
from hub.roaming.model_records import BEGINS, FOLLOWS

BILLED = (
    "record_id", "record_ref", "kind", "credit_of", "session_id", "session_ref", "host_party_id",
    "connector_id", "started_at", "ended_at", "left_at", "meter_start_wh", "meter_end_wh",
    "energy_wh", "lines", "fees", "verdicts", "findings", "repriced", "electricity_fen", "service_fen",
    "parking_fen", "idle_fen", "amount_fen", "owed_fen", "currency", "tariff_id", "tariff_version",
    "stop_reason", "service_day", "metered",
)  # fmt: skip
"""What a record says for good."""


def _states(states: object) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))  # type: ignore[call-overload]


_BEGINS = f"NEW.state NOT IN ({_states(BEGINS)})"
_MOVES = " OR ".join(
    f"(OLD.state = '{old}' AND NEW.state IN ({_states(new)}))" for old, new in FOLLOWS.items() if new
)
_JUMPS = f"OLD.state <> NEW.state AND NOT ({_MOVES})"
_NAMED = (
    "OLD.home_party_id IS NOT NULL AND (NEW.home_party_id IS NULL OR NEW.home_party_id <> OLD.home_party_id)"
)


def _guards(dialect: str) -> dict[str, tuple[str, str]]:
    """Name -> (event, condition) of every trigger on charge_record."""
    differs = "IS NOT" if dialect == "sqlite" else "IS DISTINCT FROM"
    changed = " OR ".join(f"NEW.{name} {differs} OLD.{name}" for name in BILLED)
    return {
        "begins": ("INSERT", _BEGINS),
        "forward": ("UPDATE OF state", _JUMPS),
        "billed": (f"UPDATE OF {', '.join(BILLED)}", changed),
        "home": ("UPDATE OF home_party_id", _NAMED),
    }


def _sqlite() -> list[str]:
    refuse = "BEGIN SELECT RAISE(ABORT, 'a charge record is never edited'); END"
    known = "EXISTS (SELECT 1 FROM charge_record WHERE record_id = NEW.record_id)"
    statements = [
        f"CREATE TRIGGER charge_record_{name} BEFORE {event} ON charge_record WHEN {condition} {refuse}"
        for name, (event, condition) in _guards("sqlite").items()
    ]
    statements.append(f"CREATE TRIGGER charge_record_no_delete BEFORE DELETE ON charge_record {refuse}")
    # INSERT OR REPLACE deletes the row in its way without asking the DELETE trigger.
    statements.append(
        f"CREATE TRIGGER charge_record_no_replace BEFORE INSERT ON charge_record WHEN {known} {refuse}"
    )
    return statements


def _postgresql() -> list[str]:
    statements = [
        "CREATE FUNCTION charge_record_refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'a charge record is never edited' USING ERRCODE = 'check_violation'; END $$"
    ]
    statements += [
        f"CREATE TRIGGER charge_record_{name} BEFORE {event} ON charge_record FOR EACH ROW"
        f" WHEN ({condition}) EXECUTE FUNCTION charge_record_refuse()"
        for name, (event, condition) in _guards("postgresql").items()
    ]
    statements.append(
        "CREATE TRIGGER charge_record_stays BEFORE DELETE OR TRUNCATE ON charge_record"
        " FOR EACH STATEMENT EXECUTE FUNCTION charge_record_refuse()"
    )
    return statements


_DECISIONS = only_grows("record_decision", "record_id,number")
_RELEASES = only_grows("session_release", "session_id,number")

TRIGGERS: dict[str, list[str]] = {
    "sqlite": [*_sqlite(), *_DECISIONS["sqlite"], *_RELEASES["sqlite"]],
    "postgresql": [MUST, *_postgresql(), *_DECISIONS["postgresql"], *_RELEASES["postgresql"]],
}
