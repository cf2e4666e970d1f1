"""Rows of the ledger of commission that are booked in another period than their own are found by that one."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

NAME = "ix_commission_entries_user_key_reverses_period"


def upgrade() -> None:
    op.create_index(NAME, "commission_entries", ["user_key", "reverses_period"], unique=False)


def downgrade() -> None:
    op.drop_index(NAME, table_name="commission_entries")
