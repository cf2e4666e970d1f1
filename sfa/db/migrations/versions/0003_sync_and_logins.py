"""Clock, feed, scope, registrations, receipts, history; logins and jobs."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "bucket_heads",
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_bucket_heads")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock")),
    )
    op.create_table(
        "clock_marks",
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("at", name=op.f("pk_clock_marks")),
    )
    op.create_table(
        "feed",
        sa.Column("bucket", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("doc", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "entity", "key", name=op.f("pk_feed")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_feed_bucket_seq", "feed", ["bucket", "seq"], unique=False)
    op.create_table(
        "history",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("rev", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("author_key", sa.Text(), nullable=True),
        sa.Column("device_key", sa.Text(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=True),
        sa.Column("device_at", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.Column("via", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("entity", "key", "rev", name=op.f("pk_history")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_runs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", "slot", name=op.f("pk_job_runs")),
    )
    op.create_table(
        "login_attempts",
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("window_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_login_attempts")),
    )
    op.create_table(
        "redirects",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("loser_key", sa.Text(), nullable=False),
        sa.Column("survivor_key", sa.Text(), nullable=False),
        sa.Column("merged_at", sa.BigInteger(), nullable=False),
        sa.Column("merged_by", sa.Text(), nullable=True),
        sa.Column("survivor_rev", sa.BigInteger(), nullable=False),
        sa.Column("losing", sa.JSON(), nullable=False),
        sa.Column("children", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "loser_key", name=op.f("pk_redirects")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_redirects_entity_survivor_key", "redirects", ["entity", "survivor_key"], unique=False)
    op.create_table(
        "scope_intervals",
        sa.Column("user_key", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("since_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("user_key", "bucket", "since_seq", name=op.f("pk_scope_intervals")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scope_users",
        sa.Column("user_key", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_key", name=op.f("pk_scope_users")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "server_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_server_state")),
    )
    op.create_table(
        "credentials",
        sa.Column("user_key", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_key"], ["users.key"], name=op.f("fk_credentials_user_key")),
        sa.PrimaryKeyConstraint("user_key", name=op.f("pk_credentials")),
    )
    op.create_table(
        "devices",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("user_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("app_version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=True),
        sa.Column("last_n", sa.BigInteger(), nullable=False),
        sa.Column("durable_n", sa.BigInteger(), nullable=False),
        sa.Column("skew_ms", sa.BigInteger(), nullable=True),
        sa.Column("skewed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_key"], ["users.key"], name=op.f("fk_devices_user_key")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_devices")),
    )
    op.create_index("ix_devices_user_key", "devices", ["user_key"], unique=False)
    op.create_table(
        "receipts",
        sa.Column("device_key", sa.Text(), nullable=False),
        sa.Column("last_n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_n", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["device_key"], ["devices.key"], name=op.f("fk_receipts_device_key")),
        sa.PrimaryKeyConstraint("device_key", "last_n", name=op.f("pk_receipts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("device_key", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["device_key"], ["devices.key"], name=op.f("fk_refresh_tokens_device_key")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_refresh_tokens")),
        sa.UniqueConstraint("key", name=op.f("uq_refresh_tokens_key")),
    )
    op.create_index("ix_refresh_tokens_device_key", "refresh_tokens", ["device_key"], unique=False)
    op.create_index("ix_refresh_tokens_family_position", "refresh_tokens", ["family", "position"], unique=True)

    op.get_bind().execute(
        sa.text("INSERT INTO clock (id, seq, epoch, horizon) VALUES (1, 0, :epoch, 0)"), {"epoch": uuid.uuid4().hex}
    )
    op.get_bind().execute(sa.text("INSERT INTO scope_users (user_key, seq) VALUES ('*', 0)"))
