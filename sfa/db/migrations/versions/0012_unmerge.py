"""What it takes to undo a merge: the row merged into, what it took, what came by a merged key, for how long (S22)."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("redirects", sa.Column("into_key", sa.Text(), nullable=True))
    op.add_column("redirects", sa.Column("filled", sa.JSON(), nullable=True))
    op.create_index("ix_redirects_entity_merged_at_loser_key", "redirects", ["entity", "merged_at", "loser_key"])
    found = sa.text("via IS NOT NULL")
    op.create_index("ix_history_via", "history", ["via"], sqlite_where=found, postgresql_where=found)
    op.add_column("organisations", sa.Column("merge_undo_days", sa.BigInteger(), nullable=True))
    op.execute("UPDATE organisations SET merge_undo_days = 30")
