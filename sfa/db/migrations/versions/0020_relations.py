"""Needs of customers, calls, consents, the preferred channel of a person, since when a customer has its tier; and the
ledger of erased people."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("accounts", sa.Column("tier_since", sa.Text(), nullable=True))
    op.add_column("contacts", sa.Column("preferred_channel", sa.Text(), nullable=True))
    _entity(
        "customer_needs",
        sa.Column("account_key", sa.Text(), nullable=False),
        sa.Column("contact_key", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("product_key", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.Text(), nullable=True),
        sa.Column("valid_to", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account_key"], ["accounts.key"], name=op.f("fk_customer_needs_account_key")),
    )
    op.create_index(op.f("ix_customer_needs_account_key"), "customer_needs", ["account_key"])
    op.create_index(op.f("ix_customer_needs_contact_key"), "customer_needs", ["contact_key"])
    _entity(
        "calls",
        sa.Column("account_key", sa.Text(), nullable=False),
        sa.Column("contact_key", sa.Text(), nullable=True),
        sa.Column("deal_key", sa.Text(), nullable=True),
        sa.Column("owner_key", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("called_at", sa.BigInteger(), nullable=True),
        sa.Column("minutes", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account_key"], ["accounts.key"], name=op.f("fk_calls_account_key")),
    )
    op.create_index(op.f("ix_calls_account_key"), "calls", ["account_key"])
    op.create_index(op.f("ix_calls_contact_key"), "calls", ["contact_key"])
    op.create_index(op.f("ix_calls_owner_key_called_at"), "calls", ["owner_key", "called_at"])
    _entity(
        "consents",
        sa.Column("contact_key", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["contact_key"], ["contacts.key"], name=op.f("fk_consents_contact_key")),
    )
    op.create_index(op.f("ix_consents_contact_key"), "consents", ["contact_key"])
    op.create_table(
        "erasures",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("survivor_key", sa.Text(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "key", name=op.f("pk_erasures")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_erasures_survivor_key"), "erasures", ["survivor_key"])


def _entity(name: str, *columns: Any) -> None:
    op.create_table(
        name,
        sa.Column("key", KEY, nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("aged", sa.Boolean(), nullable=False),
        sa.Column("stamps", sa.JSON(), nullable=False),
        sa.Column("buckets", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        *columns,
        sa.PrimaryKeyConstraint("key", name=op.f(f"pk_{name}")),
    )
