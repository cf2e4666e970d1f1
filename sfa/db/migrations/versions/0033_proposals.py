"""Proposals with their lines, templates and floors of margin as rows that travel; and beside them what was sent, who
approved, the numbers given, templates as they were. An attachment may be a proposal printed."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON(none_as_null=True)
ROW_TABLES = ("margin_floors", "proposal_templates", "proposals", "proposal_lines")
KEPT_TABLES = (
    *("proposal_versions", "proposal_enclosures", "proposal_approvals"),
    *("proposal_series", "proposal_template_versions"),
)


def _row(
    name: str, *columns: sa.Column[Any], indexes: tuple[tuple[str, ...], ...] = (), above: str | None = None
) -> None:
    """A table of a synced entity; `above` is the entity in whose buckets it lies."""
    layered = [sa.Column("layers", sa.Text(), nullable=True)] if above is not None else []
    foreign = []
    if above is not None:
        field = above[:-1] + "_key"
        foreign = [sa.ForeignKeyConstraint([field], [f"{above}.key"], name=op.f(f"fk_{name}_{field}"))]
    op.create_table(
        name,
        sa.Column("key", KEY, nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("aged", sa.Boolean(), nullable=False),
        sa.Column("stamps", sa.JSON(), nullable=False),
        sa.Column("buckets", sa.JSON(), nullable=False),
        *layered,
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        *columns,
        *foreign,
        sa.PrimaryKeyConstraint("key", name=op.f(f"pk_{name}")),
    )
    for names in indexes:
        op.create_index(op.f(f"ix_{name}_{'_'.join(names)}"), name, list(names), unique=False)


def _texts(*names: str, needed: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=not needed) for name in names]


def _numbers(*names: str, needed: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), nullable=not needed) for name in names]


def _flags(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Boolean(), nullable=True) for name in names]


def _objects(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, JSON, nullable=True) for name in names]


def upgrade() -> None:
    _row(
        "margin_floors",
        *_texts("role", needed=True),
        *_texts("family"),
        *_numbers("floor_bp", needed=True),
        *_texts("valid_from", needed=True),
        *_texts("valid_to"),
    )
    _row(
        "proposal_templates",
        *_texts("name", needed=True),
        *_texts("layout"),
        *_flags("active"),
        *_numbers("version"),
        *_texts("source", "css"),
        *_objects("brand", "seller", "texts"),
        *_numbers("valid_days"),
        *_texts("number_prefix"),
    )
    _row(
        "proposals",
        *_texts("deal_key", "author_key", "title", needed=True),
        *_texts("language", "template_key", "contact_key", "valid_until"),
        *_texts("currency", needed=True),
        *_flags("tax_inclusive"),
        *_texts("rounding", "rounding_per"),
        *_objects("discounts", "deposit", "instalments"),
        *_numbers("payment_days"),
        *_texts("summary", "terms", "closing"),
        *_objects("sections", "enclosures"),
        *_texts("status"),
        *_objects("needs", "decided"),
        *_numbers("submitted_at"),
        *_texts("submitted_by", "number"),
        *_numbers("version"),
        *_texts("digest"),
        *_numbers("total_minor", "sent_at"),
        *_texts("sent_by"),
        *_numbers("withdrawn_at"),
        *_texts("pdf_key", "pdf_digest", "render_state", "render_problem"),
        indexes=(("deal_key",), ("contact_key",), ("status", "sent_at"), ("number",)),
        above="deals",
    )
    _row(
        "proposal_lines",
        *_texts("proposal_key", needed=True),
        *_numbers("position"),
        *_texts("section_key", "product_key"),
        *_texts("name", needed=True),
        *_texts("text", "quantity", "unit"),
        *_numbers("unit_price_minor"),
        *_objects("discounts"),
        *_texts("tax_name"),
        *_numbers("tax_rate_bp"),
        *_flags("optional"),
        *_texts("group_key"),
        *_flags("chosen"),
        *_texts("quantity_min", "quantity_max", "quantity_step"),
        indexes=(("proposal_key",),),
        above="proposals",
    )
    op.add_column("attachments", *_texts("proposal_key"))
    op.create_index(op.f("ix_attachments_deal_key"), "attachments", ["deal_key"], unique=False)
    _kept()


def _kept() -> None:
    op.create_table(
        "proposal_versions",
        sa.Column("proposal_key", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deal_key", KEY, nullable=False),
        *_texts("number", "series", needed=True),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        *_texts("digest", needed=True),
        *_texts("template_key"),
        sa.Column("template_version", sa.Integer(), nullable=False),
        *_texts("template_digest", "language", "currency", needed=True),
        *_numbers("total_minor", needed=True),
        *_texts("valid_until", needed=True),
        sa.Column("quote", sa.Integer(), nullable=True),
        *_numbers("sent_at", needed=True),
        sa.Column("sent_by", KEY, nullable=True),
        *_texts("status", needed=True),
        *_numbers("ended_at"),
        sa.Column("ended_by", KEY, nullable=True),
        *_texts("cause", "pdf_sha256"),
        sa.Column("pdf_key", KEY, nullable=True),
        *_numbers("pdf_size"),
        *_texts("pdf_template_digest"),
        sa.PrimaryKeyConstraint("proposal_key", "version", name=op.f("pk_proposal_versions")),
    )
    op.create_index("uq_proposal_versions_number", "proposal_versions", ["series", "ordinal", "version"], unique=True)
    op.create_index("ix_proposal_versions_deal_key", "proposal_versions", ["deal_key"], unique=False)
    op.create_index("ix_proposal_versions_status", "proposal_versions", ["status", "valid_until"], unique=False)
    op.create_table(
        "proposal_enclosures",
        sa.Column("proposal_key", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attachment_key", KEY, nullable=False),
        *_texts("sha256", needed=True),
        sa.PrimaryKeyConstraint("proposal_key", "version", "attachment_key", name=op.f("pk_proposal_enclosures")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_proposal_enclosures_sha256", "proposal_enclosures", ["sha256"], unique=False)
    op.create_table(
        "proposal_approvals",
        sa.Column("proposal_key", KEY, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        *_texts("kind", needed=True),
        *_numbers("at", needed=True),
        sa.Column("user_key", KEY, nullable=True),
        *_texts("role", "digest", needed=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        *_texts("text"),
        sa.PrimaryKeyConstraint("proposal_key", "step", name=op.f("pk_proposal_approvals")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "proposal_series",
        sa.Column("name", KEY, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_proposal_series")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "proposal_template_versions",
        sa.Column("template_key", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *_texts("digest", needed=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        *_numbers("made_at", needed=True),
        sa.Column("made_by", KEY, nullable=True),
        sa.PrimaryKeyConstraint("template_key", "version", name=op.f("pk_proposal_template_versions")),
    )
    op.create_index("ix_proposal_template_versions_digest", "proposal_template_versions", ["digest"], unique=False)


def downgrade() -> None:
    for name in (*reversed(KEPT_TABLES), *reversed(ROW_TABLES)):
        op.drop_table(name)
    op.drop_index(op.f("ix_attachments_deal_key"), "attachments")
    op.drop_column("attachments", "proposal_key")
