"""Of which two visits a conflict is that does not name the other one.

Conflicts that named it before lie where both visits lie after `sfa reissue conflicts`.
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
