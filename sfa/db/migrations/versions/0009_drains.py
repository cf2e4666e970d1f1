"""Several drains of one registration, each in parts (S31): a table in the place of one that held one drain."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drains",
        sa.Column("device_key", sa.Text(), nullable=False),
        sa.Column("drain", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("drained_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("applied_as", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["device_key"], ["devices.key"], name=op.f("fk_drains_device_key")),
        sa.PrimaryKeyConstraint("device_key", "drain", "part", name=op.f("pk_drains")),
    )
    kept = "drained_at, digest, size, body, decision, decided_at, decided_by, result"
    op.execute(
        f"INSERT INTO drains (device_key, drain, part, parts, applied_as, {kept}) "
        f"SELECT device_key, digest, 1, 1, CASE WHEN decision = 'apply' THEN device_key END, {kept} FROM quarantine"
    )
    op.drop_table("quarantine")
