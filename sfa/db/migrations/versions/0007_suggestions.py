"""Suggestions of duplicates, and the heaps in which rows that may be one are looked for (S30)."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "suggestions",
        sa.Column("key", KEY, nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("aged", sa.Boolean(), nullable=False),
        sa.Column("stamps", sa.JSON(), nullable=False),
        sa.Column("buckets", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("other_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("score_bp", sa.BigInteger(), nullable=False),
        sa.Column("reasons", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_suggestions")),
    )
    op.create_index(op.f("ix_suggestions_other_key"), "suggestions", ["other_key"], unique=False)
    op.create_index(op.f("ix_suggestions_row_key"), "suggestions", ["row_key"], unique=False)
    op.create_table(
        "likeness_blocks",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("block", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "block", "key", name=op.f("pk_likeness_blocks")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_likeness_blocks_entity_key", "likeness_blocks", ["entity", "key"], unique=False)
