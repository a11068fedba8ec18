"""What the database itself holds about disputes: what was said stays, and what is resolved stays resolved."""

from hub.roaming.model_disputes import FOLLOWS, RESOLVED
from operator_sdk.contract.codes import DisputeState

RAISED = (
    "dispute_id", "dispute_ref", "record_id", "home_party_id", "host_party_id", "raised_by", "in_time",
    "amount_fen", "currency", "reason", "evidence", "raised_at",
)  # fmt: skip
"""What was raised, for good."""

ANSWERED = ("answer", "answered_by", "answered_at", "answer_reason", "answer_evidence")
INSISTED = ("insisted_at", "insist_reason")
"""Said once."""

WHY = "what a dispute says stays as it was said"

_RESOLVED = ", ".join(f"'{state}'" for state in sorted(RESOLVED))
_STEPS = " OR ".join(
    f"(OLD.state = '{state}' AND NEW.state = '{following}')"
    for state in FOLLOWS
    for following in sorted(FOLLOWS[state])
)


def _changed(columns: tuple[str, ...]) -> str:
    return " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in columns)


_RULES: tuple[tuple[str, str, str], ...] = (
    ("begins", "INSERT", f"NEW.state <> '{DisputeState.RAISED}'"),
    ("ended", "UPDATE", f"OLD.state IN ({_RESOLVED})"),
    ("forward", "UPDATE", f"OLD.state <> NEW.state AND NOT ({_STEPS})"),
    ("raised", "UPDATE", _changed(RAISED)),
    ("answered", "UPDATE", f"OLD.answered_at IS NOT NULL AND ({_changed(ANSWERED)})"),
    ("insisted", "UPDATE", f"OLD.insisted_at IS NOT NULL AND ({_changed(INSISTED)})"),
)
"""(name, verb, when)."""

# On SQLite, INSERT OR REPLACE deletes the row in its way without asking the DELETE trigger.
_KNOWN = (
    "EXISTS (SELECT 1 FROM dispute d WHERE d.dispute_id = NEW.dispute_id"  # noqa: S608 - our own names
    f" OR (d.record_id = NEW.record_id AND (d.raised_by = NEW.raised_by OR d.state NOT IN ({_RESOLVED}))))"
)


def _sqlite() -> list[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{WHY}'); END"
    rules = [*_RULES, ("no_replace", "INSERT", _KNOWN)]
    statements = [
        f"CREATE TRIGGER dispute_{name} BEFORE {verb} ON dispute"
        # Older versions do not know the standard's word for it.
        f" WHEN {when.replace('IS DISTINCT FROM', 'IS NOT')} {refuse}"
        for name, verb, when in rules
    ]
    return [*statements, f"CREATE TRIGGER dispute_stays BEFORE DELETE ON dispute {refuse}"]


def _postgresql() -> list[str]:
    return [
        "CREATE FUNCTION dispute_refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{WHY}' USING ERRCODE = 'check_violation'; END $$",
        *(
            f"CREATE TRIGGER dispute_{name} BEFORE {verb} ON dispute FOR EACH ROW WHEN ({when})"
            " EXECUTE FUNCTION dispute_refuse()"
            for name, verb, when in _RULES
        ),
        "CREATE TRIGGER dispute_stays BEFORE DELETE OR TRUNCATE ON dispute"
        " FOR EACH STATEMENT EXECUTE FUNCTION dispute_refuse()",
    ]


TRIGGERS: dict[str, list[str]] = {"sqlite": _sqlite(), "postgresql": _postgresql()}
