"""What is printed of proposals, and their pictures."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "proposal_renders",
        sa.Column("proposal_key", KEY, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("digest", "kind")),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("code", "problem")),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", KEY, nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("beat_at", "began_at", "ended_at")),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("attachment_key", KEY, nullable=True),
        sa.PrimaryKeyConstraint("proposal_key", "digest", name=op.f("pk_proposal_renders")),
    )
    op.create_index("ix_proposal_renders_state", "proposal_renders", ["state", "due_at"], unique=False)
    op.create_index("ix_proposal_renders_began_at", "proposal_renders", ["began_at"], unique=False)
    op.create_table(
        "proposal_assets",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("proposal_key", KEY, nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("width", "height")),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", KEY, nullable=True),
        sa.PrimaryKeyConstraint("sha256", "proposal_key", name=op.f("pk_proposal_assets")),
    )
    op.create_index("ix_proposal_assets_proposal_key", "proposal_assets", ["proposal_key"], unique=False)
    op.create_index("ix_proposal_versions_pdf_sha256", "proposal_versions", ["pdf_sha256"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_proposal_versions_pdf_sha256", "proposal_versions")
    op.drop_table("proposal_assets")
    op.drop_table("proposal_renders")
