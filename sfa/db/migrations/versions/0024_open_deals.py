"""Open deals by the day on which they should close, so that those that slipped are found along an index; and since when
each deal is in its stage, by the stamp of its last move. `sfa reissue deals` tells devices, and `sfa credits
rebuild` credits those that were won before.
"""

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
    on_postgres = op.get_bind().dialect.name == "postgresql"
    moved = "(stamps->'stage'->>2)::bigint" if on_postgres else "json_extract(stamps, '$.stage[2]')"
    op.execute(f"UPDATE deals SET stage_since = {moved} WHERE stage_since IS NULL")
