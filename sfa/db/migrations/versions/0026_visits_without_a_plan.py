"""The index of what is counted of visits, with those that were not held and that nobody had planned: they count when
they were made.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

COUNTED_AT = (
    "(CASE WHEN (status IN ('no_show', 'cancelled')) THEN coalesce(planned_at, created_at) ELSE checked_in_at END)"
)


def upgrade() -> None:
    op.drop_index("ix_visits_counted", "visits")
    op.create_index("ix_visits_counted", "visits", ["owner_key", "status", sa.text(COUNTED_AT), "verdict", "gone"])
