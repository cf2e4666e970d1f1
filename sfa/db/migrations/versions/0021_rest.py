"""Requests that may be sent again, and lists ordered by name."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

NAMED = ("accounts", "contacts", "deals", "products")


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("user_key", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("user_key", "key", name=op.f("pk_idempotency_keys")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_idempotency_keys_at", "idempotency_keys", ["at"])
    for entity in NAMED:
        op.create_index(op.f(f"ix_{entity}_name_key"), entity, ["name", "key"])
