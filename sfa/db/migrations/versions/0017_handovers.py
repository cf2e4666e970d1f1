"""Hand-overs: what a suggestion keeps of them, the author's own rows, and the numbers of revisions (S37)."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("history", sa.Column("reviewed_by", sa.Text(), nullable=True))
    op.add_column("history", sa.Column("seq", sa.BigInteger(), nullable=True))
    op.add_column("suggestions", sa.Column("author_key", sa.Text(), nullable=True))
    op.add_column("suggestions", sa.Column("device_key", sa.Text(), nullable=True))
    op.add_column("suggestions", sa.Column("mutations", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("suggestions", sa.Column("also_in", sa.Text(), nullable=True))
    op.add_column("suggestions", sa.Column("after_key", sa.Text(), nullable=True))
    op.add_column("suggestions", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("suggestions", sa.Column("decided_by", sa.Text(), nullable=True))
    op.create_table(
        "handovers",
        sa.Column("key", KEY, nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("aged", sa.Boolean(), nullable=False),
        sa.Column("stamps", sa.JSON(), nullable=False),
        sa.Column("buckets", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("author_key", sa.Text(), nullable=False),
        sa.Column("device_key", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mutations", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_handovers")),
    )
    op.create_index(op.f("ix_handovers_author_key_device_key"), "handovers", ["author_key", "device_key"], unique=False)
    op.create_index(
        op.f("ix_handovers_status_created_at_key"), "handovers", ["status", "created_at", "key"], unique=False
    )
