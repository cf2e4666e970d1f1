"""An index of what was written of deals lately, for who takes a snapshot of the forecast or tells what changed."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

OF_DEALS = sa.text("entity IN ('deals', 'deal_lines', 'accounts')")


def upgrade() -> None:
    op.create_index(
        "ix_history_of_deals", "history", ["entity", "seq"], sqlite_where=OF_DEALS, postgresql_where=OF_DEALS
    )


def downgrade() -> None:
    op.drop_index("ix_history_of_deals", "history")
