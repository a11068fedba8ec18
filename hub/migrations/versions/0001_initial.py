"""The first shape: every room of the spine, with the triggers that guard money and the audit log."""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

# As the rooms had them then: what they become later is the business of later revisions.
TRIGGERS = json.loads(Path(__file__).with_name("0001_triggers.json").read_text("utf-8"))

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "assertion_use",
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("jti", sa.String(length=80), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "jti"),
    )
    op.create_index(op.f("ix_assertion_use_expires_at"), "assertion_use", ["expires_at"], unique=False)
    op.create_table(
        "audit_log",
        sa.Column("audit_id", sa.String(length=40), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("audit_id"),
    )
    op.create_index("audit_log_at", "audit_log", ["at"], unique=False)
    op.create_table(
        "authorization",
        sa.Column("authorization_id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("authorization_ref", sa.String(length=64), nullable=True),
        sa.Column("home_party_id", sa.String(length=9), nullable=True),
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("token_ref", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("refusal", sa.String(length=40), nullable=True),
        sa.Column("hold_fen", sa.BigInteger(), nullable=False),
        sa.Column("limit_fen", sa.BigInteger(), nullable=True),
        sa.Column("reserved_fen", sa.BigInteger(), nullable=False),
        sa.Column("home_ref", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("authorization_id"),
    )
    op.create_index(op.f("ix_authorization_session_id"), "authorization", ["session_id"], unique=False)
    op.create_table(
        "business_message",
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("external_id", sa.String(length=120), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=True),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("party_id", "kind", "external_id"),
    )
    op.create_table(
        "charge_record",
        sa.Column("record_id", sa.String(length=40), nullable=False),
        sa.Column("record_ref", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("driver_ref", sa.String(length=64), nullable=True),
        sa.Column("connector_id", sa.String(length=26), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=False),
        sa.Column("meter_start_wh", sa.BigInteger(), nullable=False),
        sa.Column("meter_end_wh", sa.BigInteger(), nullable=False),
        sa.Column("energy_wh", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("electricity_fen", sa.BigInteger(), nullable=False),
        sa.Column("service_fen", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("owed_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("tariff_id", sa.String(length=64), nullable=False),
        sa.Column("tariff_version", sa.Integer(), nullable=False),
        sa.Column("stop_reason", sa.String(length=40), nullable=False),
        sa.Column("energy_resolution_wh", sa.Integer(), nullable=False),
        sa.Column("amount_resolution_fen", sa.Integer(), nullable=False),
        sa.Column("booked_day", sa.String(length=10), nullable=False),
        sa.Column("service_day", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("settlement_ref", sa.String(length=64), nullable=True),
        sa.Column("driver_amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("captured_fen", sa.BigInteger(), nullable=True),
        sa.Column("released_fen", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("record_id"),
    )
    op.create_index(
        "charge_record_home", "charge_record", ["home_party_id", "updated_at", "record_id"], unique=False
    )
    op.create_index(
        "charge_record_host", "charge_record", ["host_party_id", "updated_at", "record_id"], unique=False
    )
    op.create_index("charge_record_state", "charge_record", ["state"], unique=False)
    op.create_index(op.f("ix_charge_record_session_id"), "charge_record", ["session_id"], unique=False)
    op.create_table(
        "counter",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "cycle",
        sa.Column("cycle_id", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("frequency", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("cutoff_at", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("disputes_until", UtcDateTime(), nullable=True),
        sa.Column("commissioned_at", UtcDateTime(), nullable=True),
        sa.Column("netted_at", UtcDateTime(), nullable=True),
        sa.Column("proposed_at", UtcDateTime(), nullable=True),
        sa.Column("fixed_at", UtcDateTime(), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("obligations", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("(state = 'open') = (cutoff_at IS NULL)", name="cycle_cut_off"),
        sa.CheckConstraint("cutoff_at > opened_at", name="cycle_forward"),
        sa.PrimaryKeyConstraint("cycle_id"),
        sa.UniqueConstraint("currency", "frequency", "cutoff_at"),
    )
    op.create_index(
        "cycle_one_open",
        "cycle",
        ["currency", "frequency"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
        sqlite_where=sa.text("state = 'open'"),
    )
    op.create_index("cycle_updated", "cycle", ["updated_at", "cycle_id"], unique=False)
    op.create_index(op.f("ix_cycle_due_at"), "cycle", ["due_at"], unique=False)
    op.create_table(
        "driver_session",
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("family", sa.String(length=40), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("spent_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("token_digest"),
    )
    op.create_index(op.f("ix_driver_session_expires_at"), "driver_session", ["expires_at"], unique=False)
    op.create_index(op.f("ix_driver_session_family"), "driver_session", ["family"], unique=False)
    op.create_table(
        "hosted_authorization",
        sa.Column("authorization_id", sa.String(length=40), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=True),
        sa.Column("request_digest", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("refusal", sa.String(length=40), nullable=True),
        sa.Column("limit_fen", sa.BigInteger(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("authorization_id"),
    )
    op.create_table(
        "hosted_settlement",
        sa.Column("record_id", sa.String(length=40), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("authorization_id", sa.String(length=40), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("driver_amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("captured_fen", sa.BigInteger(), nullable=False),
        sa.Column("released_fen", sa.BigInteger(), nullable=False),
        sa.Column("from_wallet_fen", sa.BigInteger(), nullable=False),
        sa.Column("debt_fen", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("record_id"),
    )
    op.create_table(
        "ledger_account",
        sa.Column(
            "account_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("book", sa.String(length=9), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("may_overdraw", sa.Boolean(), nullable=False),
        sa.Column("posted_fen", sa.BigInteger(), nullable=False),
        sa.Column("held_fen", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "may_overdraw OR held_fen <= CASE side WHEN 'debit' THEN posted_fen ELSE -posted_fen END",
            name="ledger_account_floor",
        ),
        sa.CheckConstraint("held_fen >= 0", name="ledger_account_held"),
        sa.PrimaryKeyConstraint("account_id"),
        sa.UniqueConstraint("book", "kind", "subject", "currency"),
    )
    op.create_table(
        "ledger_posting",
        sa.Column("posting_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("event_at", UtcDateTime(), nullable=False),
        sa.Column("booked_at", UtcDateTime(), nullable=False),
        sa.Column("business_day", sa.String(length=10), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("posting_id"),
        sa.UniqueConstraint("kind", "reference"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_unsealed",
        sa.Column("posting_id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("posting_id"),
    )
    op.create_table(
        "leg",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("protocol", sa.String(length=12), nullable=False),
        sa.Column("external_ref", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "side"),
        sa.UniqueConstraint("party_id", "side", "protocol", "external_ref"),
    )
    op.create_table(
        "one_time_code",
        sa.Column("phone_digest", sa.String(length=64), nullable=False),
        sa.Column("code_digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("phone_digest"),
    )
    op.create_index(op.f("ix_one_time_code_expires_at"), "one_time_code", ["expires_at"], unique=False)
    op.create_table(
        "outbox_lane",
        sa.Column("lane", sa.String(length=80), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("lease_owner", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("lane"),
    )
    op.create_index(op.f("ix_outbox_lane_due_at"), "outbox_lane", ["due_at"], unique=False)
    op.create_table(
        "outbox_letter",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("letter_id", sa.String(length=40), nullable=False),
        sa.Column("lane", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=True),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("newest_key", sa.String(length=80), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("dead_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("letter_id"),
    )
    op.create_index(
        "outbox_letter_dead",
        "outbox_letter",
        ["dead_at"],
        unique=False,
        postgresql_where=sa.text("dead_at IS NOT NULL"),
        sqlite_where=sa.text("dead_at IS NOT NULL"),
    )
    op.create_index(
        "outbox_letter_open",
        "outbox_letter",
        ["lane", "position"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL AND dead_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL AND dead_at IS NULL"),
    )
    op.create_table(
        "party",
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("roles", sa.String(length=60), nullable=False),
        sa.Column("protocol", sa.String(length=12), nullable=False),
        sa.Column("base_url", sa.String(length=200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("party_id"),
    )
    op.create_table(
        "request_nonce",
        sa.Column("key_id", sa.String(length=80), nullable=False),
        sa.Column("nonce", sa.String(length=80), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "nonce"),
    )
    op.create_index(op.f("ix_request_nonce_seen_at"), "request_nonce", ["seen_at"], unique=False)
    op.create_table(
        "scan",
        sa.Column("scan_id", sa.String(length=40), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("driver_ref", sa.String(length=64), nullable=False),
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("connector_id", sa.String(length=26), nullable=False),
        sa.Column("tariff_id", sa.String(length=64), nullable=False),
        sa.Column("tariff_version", sa.Integer(), nullable=False),
        sa.Column("hold_fen", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("scan_id"),
    )
    op.create_table(
        "session",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("authorization_id", sa.String(length=40), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("connector_id", sa.String(length=26), nullable=False),
        sa.Column("start_mode", sa.String(length=4), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("token_ref", sa.String(length=64), nullable=False),
        sa.Column("driver_ref", sa.String(length=64), nullable=True),
        sa.Column("home_ref", sa.String(length=64), nullable=True),
        sa.Column("host_ref", sa.String(length=64), nullable=True),
        sa.Column("home_follows", sa.Boolean(), nullable=False),
        sa.Column("target_kind", sa.String(length=8), nullable=False),
        sa.Column("target_value", sa.BigInteger(), nullable=False),
        sa.Column("tariff_id", sa.String(length=64), nullable=False),
        sa.Column("tariff_version", sa.Integer(), nullable=False),
        sa.Column("limit_fen", sa.BigInteger(), nullable=True),
        sa.Column("estimate_fen", sa.BigInteger(), nullable=True),
        sa.Column("goal_fen", sa.BigInteger(), nullable=True),
        sa.Column("able_w", sa.Integer(), nullable=False),
        sa.Column("shortfall_ws", sa.BigInteger(), nullable=False),
        sa.Column("energy_wh", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("power_w", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("seconds_left", sa.Integer(), nullable=True),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("stop_reason", sa.String(length=40), nullable=True),
        sa.Column("refusal", sa.String(length=40), nullable=True),
        sa.Column("suspense", sa.String(length=40), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("session_id"),
    )
    op.create_index("session_driver", "session", ["driver_ref", "updated_at"], unique=False)
    op.create_index("session_home", "session", ["home_party_id", "updated_at", "session_id"], unique=False)
    op.create_index("session_host", "session", ["host_party_id", "updated_at", "session_id"], unique=False)
    op.create_table(
        "session_update",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("meter_wh", sa.BigInteger(), nullable=False),
        sa.Column("energy_wh", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("power_w", sa.Integer(), nullable=False),
        sa.Column("soc_percent", sa.Integer(), nullable=True),
        sa.Column("stop_reason", sa.String(length=40), nullable=True),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("seconds_left", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("session_id", "number"),
    )
    op.create_table(
        "sign_in_failure",
        sa.Column("login", sa.String(length=40), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("login"),
    )
    op.create_index(op.f("ix_sign_in_failure_last_at"), "sign_in_failure", ["last_at"], unique=False)
    op.create_table(
        "staff",
        sa.Column("login", sa.String(length=40), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.String(length=400), nullable=False),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("login"),
    )
    op.create_table(
        "agreement",
        sa.Column("agreement_id", sa.String(length=40), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("commission_ppm", sa.Integer(), nullable=False),
        sa.Column("hold_fen", sa.BigInteger(), nullable=False),
        sa.Column("amount_tolerance_fen", sa.BigInteger(), nullable=False),
        sa.Column("frequency", sa.String(length=10), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_party_id"],
            ["party.party_id"],
        ),
        sa.ForeignKeyConstraint(
            ["host_party_id"],
            ["party.party_id"],
        ),
        sa.PrimaryKeyConstraint("agreement_id"),
        sa.UniqueConstraint("home_party_id", "host_party_id"),
    )
    op.create_table(
        "customer",
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("customer_ref", sa.String(length=64), nullable=False),
        sa.Column("phone_digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_party_id"],
            ["party.party_id"],
        ),
        sa.PrimaryKeyConstraint("customer_id"),
        sa.UniqueConstraint("home_party_id", "customer_ref"),
        sa.UniqueConstraint("home_party_id", "phone_digest"),
    )
    op.create_table(
        "cycle_position",
        sa.Column("cycle_id", sa.String(length=40), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cycle_id"],
            ["cycle.cycle_id"],
        ),
        sa.PrimaryKeyConstraint("cycle_id", "party_id"),
    )
    op.create_table(
        "exposure",
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("deposit_fen", sa.BigInteger(), nullable=False),
        sa.Column("limit_fen", sa.BigInteger(), nullable=False),
        sa.Column("owed_fen", sa.BigInteger(), nullable=False),
        sa.Column("open_limits_fen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_party_id"],
            ["party.party_id"],
        ),
        sa.PrimaryKeyConstraint("home_party_id"),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("account_version", sa.BigInteger(), nullable=False),
        sa.Column("posting_id", sa.String(length=40), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("balance_after_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen <> 0", name="ledger_entry_moves"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["ledger_account.account_id"],
        ),
        sa.ForeignKeyConstraint(
            ["posting_id"], ["ledger_posting.posting_id"], initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("account_id", "account_version"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_ledger_entry_posting_id"), "ledger_entry", ["posting_id"], unique=False)
    op.create_table(
        "ledger_hold",
        sa.Column("hold_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("captured_fen", sa.BigInteger(), nullable=False),
        sa.Column("released_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "captured_fen >= 0 AND released_fen >= 0 AND captured_fen + released_fen = CASE WHEN state IN ('captured', 'voided', 'expired') THEN amount_fen ELSE 0 END",
            name="ledger_hold_whole",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["ledger_account.account_id"],
        ),
        sa.PrimaryKeyConstraint("hold_id"),
        sa.UniqueConstraint("reference"),
    )
    op.create_index(
        "ledger_hold_open",
        "ledger_hold",
        ["account_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
        sqlite_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "ledger_seal",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("posting_id", sa.String(length=40), nullable=False),
        sa.Column("chain_digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["posting_id"],
            ["ledger_posting.posting_id"],
        ),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("posting_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "obligation",
        sa.Column("obligation_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("debtor_party_id", sa.String(length=9), nullable=False),
        sa.Column("creditor_party_id", sa.String(length=9), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("booked_day", sa.String(length=10), nullable=False),
        sa.Column("accepted_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("record_id", sa.String(length=40), nullable=True),
        sa.Column("session_id", sa.String(length=40), nullable=True),
        sa.Column("energy_wh", sa.BigInteger(), nullable=True),
        sa.Column("cycle_id", sa.String(length=40), nullable=True),
        sa.Column("commission_ppm", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(state IN ('in_cycle', 'settled')) = (cycle_id IS NOT NULL)", name="obligation_membership"
        ),
        sa.CheckConstraint("amount_fen > 0", name="obligation_owes"),
        sa.CheckConstraint("debtor_party_id <> creditor_party_id", name="obligation_two_parties"),
        sa.ForeignKeyConstraint(
            ["cycle_id"],
            ["cycle.cycle_id"],
        ),
        sa.PrimaryKeyConstraint("obligation_id"),
        sa.UniqueConstraint("kind", "record_id"),
    )
    op.create_index(
        "obligation_creditor", "obligation", ["creditor_party_id", "updated_at", "obligation_id"], unique=False
    )
    op.create_index("obligation_cycle", "obligation", ["cycle_id", "obligation_id"], unique=False)
    op.create_index(
        "obligation_debtor", "obligation", ["debtor_party_id", "updated_at", "obligation_id"], unique=False
    )
    op.create_index(
        "obligation_one_commission",
        "obligation",
        ["cycle_id", "debtor_party_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'commission'"),
        sqlite_where=sa.text("kind = 'commission'"),
    )
    op.create_index(
        "obligation_open",
        "obligation",
        ["currency", "booked_day"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
        sqlite_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "party_key",
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.String(length=43), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("proposed_by", sa.String(length=60), nullable=False),
        sa.Column("approved_by", sa.String(length=60), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["party_id"],
            ["party.party_id"],
        ),
        sa.PrimaryKeyConstraint("party_id", "key_id"),
    )
    op.create_table(
        "staff_session",
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("login", sa.String(length=40), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["login"],
            ["staff.login"],
        ),
        sa.PrimaryKeyConstraint("token_digest"),
    )
    op.create_index(op.f("ix_staff_session_expires_at"), "staff_session", ["expires_at"], unique=False)
    op.create_table(
        "station",
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("station_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("latitude_e6", sa.Integer(), nullable=False),
        sa.Column("longitude_e6", sa.Integer(), nullable=False),
        sa.Column("cell", sa.BigInteger(), nullable=False),
        sa.Column("tariff_id", sa.String(length=64), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["host_party_id"],
            ["party.party_id"],
        ),
        sa.PrimaryKeyConstraint("host_party_id", "station_id"),
    )
    op.create_index(op.f("ix_station_cell"), "station", ["cell"], unique=False)
    op.create_index("station_updated", "station", ["updated_at", "host_party_id", "station_id"], unique=False)
    op.create_table(
        "tariff_version",
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("tariff_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", UtcDateTime(), nullable=False),
        sa.Column("periods", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["host_party_id"],
            ["party.party_id"],
        ),
        sa.PrimaryKeyConstraint("host_party_id", "tariff_id", "version"),
    )
    op.create_table(
        "token_prefix",
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.ForeignKeyConstraint(
            ["party_id"],
            ["party.party_id"],
        ),
        sa.PrimaryKeyConstraint("prefix"),
    )
    op.create_table(
        "customer_token",
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.customer_id"],
        ),
        sa.PrimaryKeyConstraint("home_party_id", "kind", "token_digest"),
    )
    op.create_index(op.f("ix_customer_token_customer_id"), "customer_token", ["customer_id"], unique=False)
    op.create_table(
        "ledger_hold_event",
        sa.Column("hold_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=10), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("posting_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["hold_id"],
            ["ledger_hold.hold_id"],
        ),
        sa.ForeignKeyConstraint(
            ["posting_id"],
            ["ledger_posting.posting_id"],
        ),
        sa.PrimaryKeyConstraint("hold_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pile",
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("station_id", sa.String(length=40), nullable=False),
        sa.Column("pile_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=2), nullable=False),
        sa.Column("rated_power_w", sa.Integer(), nullable=False),
        sa.Column("power_assumed", sa.Boolean(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["host_party_id", "station_id"],
            ["station.host_party_id", "station.station_id"],
        ),
        sa.PrimaryKeyConstraint("host_party_id", "station_id", "pile_id"),
    )
    op.create_table(
        "connector",
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("connector_id", sa.String(length=26), nullable=False),
        sa.Column("station_id", sa.String(length=40), nullable=False),
        sa.Column("pile_id", sa.String(length=26), nullable=False),
        sa.Column("rated_power_w", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["host_party_id", "station_id", "pile_id"],
            ["pile.host_party_id", "pile.station_id", "pile.pile_id"],
        ),
        sa.PrimaryKeyConstraint("host_party_id", "connector_id"),
    )
    op.create_index("connector_pile", "connector", ["host_party_id", "station_id", "pile_id"], unique=False)
    op.create_table(
        "connector_status",
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("connector_id", sa.String(length=26), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["host_party_id", "connector_id"],
            ["connector.host_party_id", "connector.connector_id"],
        ),
        sa.PrimaryKeyConstraint("host_party_id", "connector_id"),
    )
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(sa.text(statement.replace(":", r"\:")))


def downgrade() -> None:
    """There is nothing before the first shape: drop the database instead.

    Raises:
        NotImplementedError: always; a ledger is not unmade by a migration.
    """
    raise NotImplementedError
