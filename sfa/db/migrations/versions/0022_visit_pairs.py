"""Of which two visits a conflict is: its row names one of them.

Those that named both name one from now on, and their pair is kept here; `sfa reissue conflicts` tells devices.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "visit_pairs",
        sa.Column("conflict_key", sa.Text(), nullable=False),
        sa.Column("visit_key", sa.Text(), nullable=False),
        sa.Column("other_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("conflict_key", name=op.f("pk_visit_pairs")),
    )
    for column in ("visit_key", "other_key"):
        op.create_index(op.f(f"ix_visit_pairs_{column}"), "visit_pairs", [column])
    keep_pairs(op.get_bind())


def keep_pairs(connection: sa.Connection) -> None:
    named = "FROM conflicts WHERE reason = 'visit_open' AND other_key IS NOT NULL"
    kept = f"INSERT INTO visit_pairs (conflict_key, visit_key, other_key) SELECT key, row_key, other_key {named}"
    connection.execute(sa.text(kept))
    connection.execute(sa.text("UPDATE conflicts SET other_key = NULL WHERE reason = 'visit_open'"))
