"""A refusal says which one it wanted to repair, and how it was repaired itself (S19)."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("refusals", sa.Column("repairs_key", sa.Text(), nullable=True))
    op.add_column("refusals", sa.Column("repaired_by", sa.Text(), nullable=True))
    op.add_column("refusals", sa.Column("repaired_with", sa.JSON(none_as_null=True), nullable=True))
    op.create_index(op.f("ix_refusals_repairs_key"), "refusals", ["repairs_key"], unique=False)
