"""Open deals by the day on which they should close, so that those that slipped are found along an index."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

STILL_OPEN = sa.text("closed_at IS NULL AND NOT gone")


def upgrade() -> None:
    op.create_index(
        "ix_deals_open",
        "deals",
        [sa.text("coalesce(close_on, '9999-12-31')"), "key"],
        sqlite_where=STILL_OPEN,
        postgresql_where=STILL_OPEN,
    )
