"""What deals were credited with and lost: kept aside, so that a deal that comes back is credited as it was (R16, R21).

Both tables begin empty: what was taken away before is not known any more.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _kept(name: str, primary: tuple[str, ...], *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        sa.Column("deal_key", KEY, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("user_key", KEY, nullable=False),
        sa.Column("overlay", sa.Boolean(), nullable=False),
        sa.Column("reversal", sa.Boolean(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("deal_key", "n", "user_key", "overlay", "reversal", *primary, name=op.f(f"pk_{name}")),
        sqlite_with_rowid=False,
    )


def upgrade() -> None:
    _kept(
        "kept_credits",
        (),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("rated_at", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("account_key", KEY),
        sa.Column("territory_key", KEY),
        sa.Column("owner", sa.Boolean(), nullable=False),
        sa.Column("share_bp", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger()),
        sa.Column("currency", sa.Text()),
        sa.Column("cost_minor", sa.BigInteger()),
        sa.Column("cost_currency", sa.Text()),
    )
    _kept(
        "kept_quantities",
        ("product_key",),
        sa.Column("product_key", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("quantity_micro", sa.BigInteger(), nullable=False),
    )
