"""Refused mutations keep the details of their receipt, from contract version 2 on (S32)."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("refusals", sa.Column("details", sa.JSON(none_as_null=True), nullable=True))
