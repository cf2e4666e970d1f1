"""Profit: costs, charges, expenses, work, rebates, limits and guides of prices, commission, campaigns; and beside them
quotes, a ledger, what customers are worth, and reports that all money is the same money.

Visits may name their deal, deals their days of payment; a company shares what campaigns influenced alike.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON(none_as_null=True)


def _row(
    name: str, *columns: sa.Column[Any], indexes: tuple[tuple[str, ...], ...] = (), above: str | None = None
) -> None:
    """A table of a synced entity; `above` is the entity in whose buckets it lies."""
    layered = [sa.Column("layers", sa.Text(), nullable=True)] if above == "deals" else []
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


def _text(name: str, *, needed: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=not needed)


def _number(name: str, *, needed: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=not needed)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=True)


def upgrade() -> None:
    _rows()
    _kept()
    op.add_column("deals", _number("payment_days"))
    op.add_column("visits", _text("deal_key"))
    op.create_index(op.f("ix_visits_deal_key"), "visits", ["deal_key"], unique=False)
    op.add_column("organisations", _text("attribution"))
    op.add_column("organisations", _number("attribution_days"))
    said = sa.table("organisations", sa.column("attribution"), sa.column("attribution_days"))
    op.execute(said.update().values(attribution="linear", attribution_days=180))


def _rows() -> None:
    _row(
        "campaign_costs",
        _text("campaign_key", needed=True),
        _number("amount_minor", needed=True),
        _text("currency", needed=True),
        _text("booked_on", needed=True),
        _text("text"),
        _text("external_id"),
        indexes=(("campaign_key",),),
    )
    _row(
        "campaigns",
        _text("name", needed=True),
        _text("kind"),
        _text("start_on", needed=True),
        _text("end_on"),
        _flag("active"),
        _text("external_id"),
    )
    _row(
        "commission_assignments",
        _text("plan_key", needed=True),
        _text("user_key", needed=True),
        _text("valid_from", needed=True),
        _text("valid_to"),
        indexes=(
            ("plan_key",),
            ("user_key",),
        ),
    )
    _row(
        "commission_plans",
        _text("name", needed=True),
        _text("measure"),
        _text("mode"),
        sa.Column("tiers", JSON, nullable=False),
        _flag("of_quota"),
        _text("period"),
        _text("currency", needed=True),
        _number("cap_minor"),
        _number("draw_minor"),
        _flag("draw_recoverable"),
        _flag("overlay"),
        _flag("retier"),
        _text("valid_from", needed=True),
        _text("valid_to"),
    )
    _row(
        "cost_rates",
        _text("kind", needed=True),
        _text("user_key"),
        _number("amount_minor"),
        _text("currency"),
        _number("rate_bp"),
        _text("valid_from", needed=True),
        _text("valid_to"),
        indexes=(
            (
                "kind",
                "valid_from",
            ),
        ),
    )
    _row(
        "discount_limits",
        _text("role", needed=True),
        _text("family"),
        _number("limit_bp", needed=True),
        _text("valid_from", needed=True),
        _text("valid_to"),
    )
    _row(
        "expenses",
        _text("owner_key", needed=True),
        _text("account_key"),
        _text("deal_key"),
        _text("visit_key"),
        _text("kind", needed=True),
        _number("amount_minor"),
        _text("currency"),
        _text("spent_on", needed=True),
        _text("product_key"),
        _text("quantity"),
        _text("text"),
        _text("receipt_key"),
        indexes=(
            ("account_key",),
            ("deal_key",),
            (
                "owner_key",
                "spent_on",
            ),
            ("spent_on",),
        ),
    )
    _row(
        "price_guides",
        _text("family"),
        _text("segment"),
        _text("quantity_from"),
        _number("target_bp", needed=True),
        _number("norm_bp", needed=True),
        _number("floor_bp", needed=True),
        _number("deals", needed=True),
        _text("made_on", needed=True),
    )
    _row(
        "work_entries",
        _text("owner_key", needed=True),
        _text("account_key"),
        _text("deal_key"),
        _text("kind"),
        _number("minutes", needed=True),
        _text("done_on", needed=True),
        _text("text"),
        indexes=(
            ("account_key",),
            ("deal_key",),
            ("done_on",),
            (
                "owner_key",
                "done_on",
            ),
        ),
    )
    _row(
        "campaign_touches",
        _text("campaign_key", needed=True),
        _text("account_key", needed=True),
        _text("contact_key"),
        _number("touched_at", needed=True),
        _text("kind"),
        indexes=(
            (
                "account_key",
                "touched_at",
            ),
            ("campaign_key",),
            ("contact_key",),
        ),
        above="accounts",
    )
    _row(
        "rebate_agreements",
        _text("account_key", needed=True),
        _text("family"),
        _text("mode"),
        sa.Column("tiers", JSON, nullable=False),
        _text("currency", needed=True),
        _text("valid_from", needed=True),
        _text("valid_to", needed=True),
        indexes=(("account_key",),),
        above="accounts",
    )
    _row(
        "deal_charges",
        _text("deal_key", needed=True),
        _text("kind", needed=True),
        _number("amount_minor", needed=True),
        _text("currency", needed=True),
        _text("booked_on", needed=True),
        _text("product_key"),
        _text("quantity"),
        _text("text"),
        _text("external_id"),
        indexes=(
            ("booked_on",),
            ("deal_key",),
        ),
        above="deals",
    )


def _kept() -> None:
    op.create_table(
        "commission_entries",
        sa.Column("user_key", KEY, nullable=False),
        sa.Column("plan_key", KEY, nullable=False),
        sa.Column("period_key", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("deal_key", KEY, nullable=True),
        sa.Column("n", sa.Integer(), nullable=True),
        sa.Column("overlay", sa.Boolean(), nullable=True),
        sa.Column("basis_minor", sa.BigInteger(), nullable=True),
        sa.Column("rate_bp", sa.Integer(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reverses_period", KEY, nullable=True),
        sa.Column("reverses", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("user_key", "plan_key", "period_key", "number", name=op.f("pk_commission_entries")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "customer_values",
        sa.Column("account_key", KEY, nullable=False),
        sa.Column("from_on", sa.Text(), nullable=False),
        sa.Column("to_on", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("revenue_minor", sa.BigInteger(), nullable=True),
        sa.Column("cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("profit_minor", sa.BigInteger(), nullable=True),
        sa.Column("lost_minor", sa.BigInteger(), nullable=True),
        sa.Column("value_minor", sa.BigInteger(), nullable=True),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("best_change", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("missing", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("account_key", name=op.f("pk_customer_values")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deal_quote_lines",
        sa.Column("deal_key", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("line_key", KEY, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("product_key", KEY, nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("unit_price_minor", sa.BigInteger(), nullable=False),
        sa.Column("discount_bp", sa.Integer(), nullable=False),
        sa.Column("list_minor", sa.BigInteger(), nullable=True),
        sa.Column("list_currency", sa.Text(), nullable=True),
        sa.Column("cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("cost_currency", sa.Text(), nullable=True),
        sa.Column("cost_key", KEY, nullable=True),
        sa.PrimaryKeyConstraint("deal_key", "number", "line_key", name=op.f("pk_deal_quote_lines")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deal_quotes",
        sa.Column("deal_key", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("quoted_at", sa.BigInteger(), nullable=False),
        sa.Column("quoted_by", KEY, nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("payment_days", sa.Integer(), nullable=True),
        sa.Column("capital_bp", sa.Integer(), nullable=True),
        sa.Column("capital_key", KEY, nullable=True),
        sa.Column("rates", sa.JSON(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("deal_key", "number", name=op.f("pk_deal_quotes")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "differences",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("row_key", KEY, nullable=False),
        sa.Column("expected", sa.Text(), nullable=True),
        sa.Column("found", sa.Text(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", "position", name=op.f("pk_differences")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reconciliations",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("checked", sa.JSON(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_reconciliations")),
    )
    op.create_index("ix_commission_entries_at", "commission_entries", ["at"], unique=False)
    op.create_index("ix_commission_entries_deal_key", "commission_entries", ["deal_key"], unique=False)
    op.create_index("ix_customer_values_profit_minor", "customer_values", ["profit_minor"], unique=False)
    op.create_index("ix_customer_values_standing", "customer_values", ["standing"], unique=False)
