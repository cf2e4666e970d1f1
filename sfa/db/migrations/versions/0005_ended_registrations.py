"""What is known of registrations, and the quarantine of those that were revoked (S31)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("queued", sa.BigInteger(), nullable=True))
    op.add_column("devices", sa.Column("contract", sa.Integer(), nullable=True))
    op.add_column("devices", sa.Column("ended_at", sa.BigInteger(), nullable=True))
    op.add_column("devices", sa.Column("ended_by", sa.Text(), nullable=True))
    op.create_table(
        "quarantine",
        sa.Column("device_key", sa.Text(), nullable=False),
        sa.Column("drained_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["device_key"], ["devices.key"], name=op.f("fk_quarantine_device_key")),
        sa.PrimaryKeyConstraint("device_key", name=op.f("pk_quarantine")),
    )
