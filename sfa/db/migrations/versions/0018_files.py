"""Files: attachments, which sync before their bytes; uploads on their way and contents that are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("key", KEY, nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("aged", sa.Boolean(), nullable=False),
        sa.Column("stamps", sa.JSON(), nullable=False),
        sa.Column("buckets", sa.JSON(), nullable=False),
        sa.Column("layers", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("account_key", sa.Text(), nullable=False),
        sa.Column("visit_key", sa.Text(), nullable=True),
        sa.Column("deal_key", sa.Text(), nullable=True),
        sa.Column("note_key", sa.Text(), nullable=True),
        sa.Column("author_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.Column("stored", sa.Boolean(), nullable=True),
        sa.Column("sniffed_type", sa.Text(), nullable=True),
        sa.Column("width", sa.BigInteger(), nullable=True),
        sa.Column("height", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_key"], ["accounts.key"], name=op.f("fk_attachments_account_key")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attachments")),
    )
    op.create_index(op.f("ix_attachments_account_key"), "attachments", ["account_key"], unique=False)
    op.create_index(op.f("ix_attachments_sha256"), "attachments", ["sha256"], unique=False)
    op.create_index(op.f("ix_attachments_visit_key"), "attachments", ["visit_key"], unique=False)
    op.create_table(
        "uploads",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("user_key", sa.Text(), nullable=False),
        sa.Column("attachment_key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("linked", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_uploads")),
    )
    for columns in (
        ["user_key", "state"],
        ["attachment_key"],
        ["sha256"],
        ["state", "expires_at"],
        ["state", "linked"],
    ):
        op.create_index(f"ix_uploads_{'_'.join(columns)}", "uploads", columns, unique=False)
    op.create_table(
        "upload_parts",
        sa.Column("upload_key", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["upload_key"], ["uploads.key"], name=op.f("fk_upload_parts_upload_key")),
        sa.PrimaryKeyConstraint("upload_key", "start", name=op.f("pk_upload_parts")),
    )
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("loose_at", sa.BigInteger(), nullable=True),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blobs")),
    )
    op.create_index("ix_blobs_state_looked_at", "blobs", ["state", "looked_at"], unique=False)
