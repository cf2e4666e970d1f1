"""Indexes that hold all that attainment counts of a person's visits and sums of his credits, each in place of one that
began alike.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

COUNTED_AT = "(CASE WHEN (status IN ('no_show', 'cancelled')) THEN planned_at ELSE checked_in_at END)"
SUMMED = ["user_key", "at", "overlay", "currency", "reversal", "amount_minor", "cost_currency", "cost_minor"]


def upgrade() -> None:
    op.create_index("ix_visits_counted", "visits", ["owner_key", "status", sa.text(COUNTED_AT), "verdict", "gone"])
    op.drop_index("ix_visits_owner_key_status", "visits")
    op.create_index("ix_credits_summed", "credits", SUMMED)
    op.drop_index("ix_credits_user_key_at", "credits")
