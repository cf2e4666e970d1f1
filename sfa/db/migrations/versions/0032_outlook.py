"""Runs of the forecast engine, and what they found."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXTS = ("step", "currency", "engine", "digest", "found_digest", "code")


def upgrade() -> None:
    op.create_table(
        "outlook_runs",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("beat_at", "began_at", "ended_at", "seq")),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in TEXTS),
        sa.Column("learnt", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_outlook_runs")),
    )
    for name in ("state", "as_of"):
        op.create_index(f"ix_outlook_runs_{name}", "outlook_runs", [name], unique=False)
    op.create_table(
        "outlook_found",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("doc", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", "kind", "key", name=op.f("pk_outlook_found")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("outlook_found")
    op.drop_table("outlook_runs")
