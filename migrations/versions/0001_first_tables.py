"""First tables."""

import sqlalchemy as sa
from alembic import op
from lockbridge.storage import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("stay_id", sa.BigInteger(), nullable=True),
        sa.Column("code_id", sa.BigInteger(), nullable=True),
        sa.Column("lock_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index("ix_history_code_id_id", "history", ["code_id", "id"], unique=False)
    op.create_index("ix_history_lock_id_id", "history", ["lock_id", "id"], unique=False)
    op.create_index("ix_history_stay_id_id", "history", ["stay_id", "id"], unique=False)
    op.create_table(
        "host",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("settings", types.Json(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host")),
    )
    op.create_table(
        "key_check",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_key_check")),
    )
    op.create_table(
        "run_ledger",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("scheduled_for", types.UtcDateTime(), nullable=False),
        sa.Column("taken_at", types.UtcDateTime(), nullable=False),
        sa.Column("done_at", types.UtcDateTime(), nullable=True),
        sa.Column("report", types.Json(), nullable=False),
        sa.PrimaryKeyConstraint("name", "scheduled_for", name=op.f("pk_run_ledger")),
    )
    op.create_table(
        "alarm",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("facts", types.Json(), nullable=False),
        sa.Column("began_at", types.UtcDateTime(), nullable=False),
        sa.Column("ended_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_alarm_host_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_index(
        "uq_alarm_open",
        "alarm",
        ["host_id", "key"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "endpoint",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_endpoint_host_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_endpoint_token_hash")),
    )
    op.create_index(op.f("ix_endpoint_host_id"), "endpoint", ["host_id"], unique=False)
    op.create_table(
        "lock_app",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("settings_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("state_detail", sa.String(), nullable=True),
        sa.Column("blocked_until", types.UtcDateTime(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_lock_app_host_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lock_app")),
    )
    op.create_index(op.f("ix_lock_app_host_id"), "lock_app", ["host_id"], unique=False)
    op.create_table(
        "property",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("check_in", sa.String(), nullable=False),
        sa.Column("check_out", sa.String(), nullable=False),
        sa.Column("settings", types.Json(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_property_host_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_property")),
    )
    op.create_index(op.f("ix_property_host_id"), "property", ["host_id"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("dedupe_key", sa.String(), nullable=False),
        sa.Column("received_at", types.UtcDateTime(), nullable=False),
        sa.Column("headers", types.Json(), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("next_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name=op.f("fk_delivery_endpoint_id")),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_delivery_host_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("endpoint_id", "dedupe_key", name=op.f("uq_delivery_endpoint_id_dedupe_key")),
    )
    op.create_index(
        "ix_delivery_next_at",
        "delivery",
        ["next_at", "id"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_table(
        "lock",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("lock_app_id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("capabilities", sa.String(), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=True),
        sa.Column("battery", sa.Float(), nullable=True),
        sa.Column("offline_since", types.UtcDateTime(), nullable=True),
        sa.Column("missing", sa.Boolean(), nullable=False),
        sa.Column("looked_at", types.UtcDateTime(), nullable=True),
        sa.Column("look_at", types.UtcDateTime(), nullable=True),
        sa.Column("seen_digest", sa.LargeBinary(), nullable=True),
        sa.Column("seen_count", sa.Integer(), nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.Column("hold_until", types.UtcDateTime(), nullable=True),
        sa.Column("next_at", types.UtcDateTime(), nullable=True),
        sa.Column("lease", sa.String(), nullable=True),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_lock_host_id")),
        sa.ForeignKeyConstraint(["lock_app_id"], ["lock_app.id"], name=op.f("fk_lock_lock_app_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lock")),
        sa.UniqueConstraint("lock_app_id", "ref", name=op.f("uq_lock_lock_app_id_ref")),
    )
    op.create_index(op.f("ix_lock_host_id"), "lock", ["host_id"], unique=False)
    op.create_index(
        "ix_lock_next_at",
        "lock",
        ["next_at", "id"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_table(
        "property_ref",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("property_id", sa.BigInteger(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_property_ref_host_id")),
        sa.ForeignKeyConstraint(["property_id"], ["property.id"], name=op.f("fk_property_ref_property_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_property_ref")),
        sa.UniqueConstraint(
            "host_id", "platform", "external_id", name=op.f("uq_property_ref_host_id_platform_external_id")
        ),
    )
    op.create_index(op.f("ix_property_ref_property_id"), "property_ref", ["property_id"], unique=False)
    op.create_table(
        "stay",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("property_id", sa.BigInteger(), nullable=True),
        sa.Column("property_ref", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("reservation_code", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("raw_status", sa.String(), nullable=False),
        sa.Column("arrival", sa.Date(), nullable=False),
        sa.Column("departure", sa.Date(), nullable=False),
        sa.Column("check_in", sa.String(), nullable=True),
        sa.Column("check_out", sa.String(), nullable=True),
        sa.Column("host_check_in", sa.String(), nullable=True),
        sa.Column("host_check_out", sa.String(), nullable=True),
        sa.Column("guest_name", sa.String(), nullable=True),
        sa.Column("guest_first_name", sa.String(), nullable=True),
        sa.Column("contact_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("changed_at", types.UtcDateTime(), nullable=True),
        sa.Column("cancelled_at", types.UtcDateTime(), nullable=True),
        sa.Column("code_id", sa.BigInteger(), nullable=True),
        sa.Column("trouble", sa.String(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("plan_at", types.UtcDateTime(), nullable=True),
        sa.Column("ends_at", types.UtcDateTime(), nullable=True),
        sa.Column("erased_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_stay_host_id")),
        sa.ForeignKeyConstraint(["property_id"], ["property.id"], name=op.f("fk_stay_property_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stay")),
        sa.UniqueConstraint("host_id", "platform", "external_id", name=op.f("uq_stay_host_id_platform_external_id")),
    )
    op.create_index(op.f("ix_stay_code_id"), "stay", ["code_id"], unique=False)
    op.create_index(
        "ix_stay_plan_at",
        "stay",
        ["plan_at", "id"],
        unique=False,
        sqlite_where=sa.text("plan_at IS NOT NULL"),
        postgresql_where=sa.text("plan_at IS NOT NULL"),
    )
    op.create_index("ix_stay_property_id_departure", "stay", ["property_id", "departure"], unique=False)
    op.create_table(
        "code",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("stay_id", sa.BigInteger(), nullable=True),
        sa.Column("lock_id", sa.BigInteger(), nullable=True),
        sa.Column("pin_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("pin_reason", sa.String(), nullable=False),
        sa.Column("pin_detail", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_reason", sa.String(), nullable=False),
        sa.Column("name_detail", sa.String(), nullable=False),
        sa.Column("opens_at", types.UtcDateTime(), nullable=False),
        sa.Column("closes_at", types.UtcDateTime(), nullable=True),
        sa.Column("wait_for_phone_until", types.UtcDateTime(), nullable=True),
        sa.Column("given_to", sa.BigInteger(), nullable=True),
        sa.Column("given_at", types.UtcDateTime(), nullable=True),
        sa.Column("ended_at", types.UtcDateTime(), nullable=True),
        sa.Column("erased_at", types.UtcDateTime(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["given_to"], ["stay.id"], name=op.f("fk_code_given_to")),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_code_host_id")),
        sa.ForeignKeyConstraint(["lock_id"], ["lock.id"], name=op.f("fk_code_lock_id")),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.id"], name=op.f("fk_code_stay_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code")),
    )
    op.create_index(
        "ix_code_backup",
        "code",
        ["lock_id"],
        unique=False,
        sqlite_where=sa.text("lock_id IS NOT NULL"),
        postgresql_where=sa.text("lock_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_code_host_id"), "code", ["host_id"], unique=False)
    op.create_index("ix_code_stay_id", "code", ["stay_id"], unique=False)
    op.create_table(
        "match",
        sa.Column("property_id", sa.BigInteger(), nullable=False),
        sa.Column("lock_id", sa.BigInteger(), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_match_host_id")),
        sa.ForeignKeyConstraint(["lock_id"], ["lock.id"], name=op.f("fk_match_lock_id")),
        sa.ForeignKeyConstraint(["property_id"], ["property.id"], name=op.f("fk_match_property_id")),
        sa.PrimaryKeyConstraint("property_id", "lock_id", name=op.f("pk_match")),
    )
    op.create_index(op.f("ix_match_lock_id"), "match", ["lock_id"], unique=False)
    op.create_table(
        "message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("stay_id", sa.BigInteger(), nullable=True),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("to_host", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("facts", types.Json(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("told", types.Json(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("sent_at", types.UtcDateTime(), nullable=True),
        sa.Column("next_at", types.UtcDateTime(), nullable=True),
        sa.Column("lease", sa.String(), nullable=True),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_message_host_id")),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.id"], name=op.f("fk_message_stay_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("host_id", "key", name=op.f("uq_message_host_id_key")),
    )
    op.create_index(
        "ix_message_next_at",
        "message",
        ["next_at", "id"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index("ix_message_stay_id", "message", ["stay_id"], unique=False)
    op.create_table(
        "seen_code",
        sa.Column("lock_id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("pin_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("pin_index", sa.LargeBinary(), nullable=True),
        sa.Column("seen_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_seen_code_host_id")),
        sa.ForeignKeyConstraint(["lock_id"], ["lock.id"], name=op.f("fk_seen_code_lock_id")),
        sa.PrimaryKeyConstraint("lock_id", "ref", name=op.f("pk_seen_code")),
    )
    op.create_table(
        "placement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("code_id", sa.BigInteger(), nullable=False),
        sa.Column("lock_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("pin_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("pin_index", sa.LargeBinary(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("opens_at", types.UtcDateTime(), nullable=False),
        sa.Column("closes_at", types.UtcDateTime(), nullable=True),
        sa.Column("push_at", types.UtcDateTime(), nullable=False),
        sa.Column("remove_at", types.UtcDateTime(), nullable=True),
        sa.Column("ended", sa.String(), nullable=True),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=True),
        sa.Column("replaces", sa.String(), nullable=True),
        sa.Column("asked_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("asked_at", types.UtcDateTime(), nullable=True),
        sa.Column("intent", sa.String(), nullable=True),
        sa.Column("confirmed_at", types.UtcDateTime(), nullable=True),
        sa.Column("hold_until", types.UtcDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("wish", sa.Integer(), nullable=False),
        sa.Column("told_index", sa.LargeBinary(), nullable=True),
        sa.Column("told_at", types.UtcDateTime(), nullable=True),
        sa.Column("watch_at", types.UtcDateTime(), nullable=True),
        sa.Column("live_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["code_id"], ["code.id"], name=op.f("fk_placement_code_id")),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_placement_host_id")),
        sa.ForeignKeyConstraint(["lock_id"], ["lock.id"], name=op.f("fk_placement_lock_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placement")),
    )
    op.create_index(op.f("ix_placement_code_id"), "placement", ["code_id"], unique=False)
    op.create_index(
        "ix_placement_live_at",
        "placement",
        ["live_at", "id"],
        unique=False,
        sqlite_where=sa.text("live_at IS NOT NULL"),
        postgresql_where=sa.text("live_at IS NOT NULL"),
    )
    op.create_index(
        "ix_placement_lock_live",
        "placement",
        ["lock_id", "pin_index"],
        unique=False,
        sqlite_where=sa.text("live_at IS NOT NULL"),
        postgresql_where=sa.text("live_at IS NOT NULL"),
    )
    op.create_index(
        "ix_placement_watch_at",
        "placement",
        ["watch_at", "id"],
        unique=False,
        sqlite_where=sa.text("watch_at IS NOT NULL"),
        postgresql_where=sa.text("watch_at IS NOT NULL"),
    )
    op.create_index(
        "uq_placement_code_lock_live",
        "placement",
        ["code_id", "lock_id"],
        unique=True,
        sqlite_where=sa.text("live_at IS NOT NULL"),
        postgresql_where=sa.text("live_at IS NOT NULL"),
    )
