"""Deals and quotas: pipelines, reasons and rules of credit as data, buying roles, approved targets, credits, closings.

What was there keeps its meaning: products and quantities are counted in pieces, a quota is a draft that counts what it
counted. Deals that were won have no credits yet: `sfa credits rebuild` makes them. `sfa reissue deals products stages
quotas` tells devices the new fields.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON(none_as_null=True)


def _row(
    name: str, *columns: sa.Column[Any], indexes: tuple[tuple[str, ...], ...] = (), above: str | None = None
) -> None:
    """A table of a synced entity; `above` is the entity in whose buckets it lies."""
    layered = [sa.Column("layers", sa.Text(), nullable=True)] if name == "deal_contacts" else []
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
    _catalogue()
    _selling()
    _figures()
    _fill()


def _catalogue() -> None:
    _row("pipelines", _text("name", needed=True), _number("position"), _flag("active"), _text("external_id"))
    _row("lost_reasons", _text("name", needed=True), _number("position"), _flag("active"), _flag("asks_competitor"))
    _row("competitors", _text("name", needed=True), _flag("active"))
    _row("credit_rules", _text("event"), _text("valid_from", needed=True), _text("valid_to"))
    _row(
        "fiscal_calendars",
        _text("kind"),
        _number("start_month"),
        _text("named_by"),
        _text("year_end"),
        _number("end_weekday"),
        _number("since_year"),
    )
    _row(
        "period_closings",
        _text("period_key", needed=True),
        _number("number", needed=True),
        _number("closed_at", needed=True),
        _text("closed_by", needed=True),
        _number("grace_until"),
        _text("again_key"),
        _text("reason"),
        indexes=(("period_key", "number"),),
    )
    for column in (_text("pipeline_key"), _text("valid_from"), _text("valid_to"), _number("stalled_days")):
        op.add_column("stages", column)
    op.add_column("stages", sa.Column("exit_criteria", JSON, nullable=True))
    op.add_column("products", _text("unit"))


def _selling() -> None:
    for name in ("pipeline_key", "category", "lost_reason_key", "competitor_key"):
        op.add_column("deals", _text(name))
    for name in ("signed_at", "invoiced_at", "stage_since"):
        op.add_column("deals", _number(name))
    for name in ("overlays", "closings"):
        op.add_column("deals", sa.Column(name, JSON, nullable=True))
    _row(
        "deal_contacts",
        _text("deal_key", needed=True),
        _text("contact_key", needed=True),
        _text("role"),
        _text("note"),
        indexes=(("deal_key",), ("contact_key",)),
        above="deals",
    )
    for name in ("unit", "product_key", "account_tier", "visit_type", "spread_of", "status"):
        op.add_column("quotas", _text(name))
    for name in ("counts_unverified", "counts_out_of_range", "counts_no_show", "counts_cancelled", "overlay"):
        op.add_column("quotas", _flag(name))
    op.add_column("quotas", _number("approvals"))
    op.create_index(op.f("ix_quotas_territory_key_period_key"), "quotas", ["territory_key", "period_key"], unique=False)
    op.create_index(op.f("ix_quotas_period_key"), "quotas", ["period_key"], unique=False)
    _row(
        "quota_versions",
        _text("quota_key", needed=True),
        _number("number", needed=True),
        _number("target", needed=True),
        _text("currency"),
        _text("valid_from", needed=True),
        _text("approved_by", needed=True),
        _number("approved_at", needed=True),
        _text("reason"),
        indexes=(("quota_key", "number"),),
        above="quotas",
    )
    _row(
        "quota_challenges",
        _text("quota_key", needed=True),
        _text("author_key", needed=True),
        _text("text", needed=True),
        _number("proposed"),
        _text("status"),
        _text("answer"),
        _text("decided_by"),
        _number("decided_at"),
        indexes=(("quota_key",),),
        above="quotas",
    )


def _credited(name: str, primary: tuple[str, ...], *columns: sa.Column[Any]) -> None:
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
    op.create_index(f"ix_{name}_user_key_at", name, ["user_key", "at"])


def _figures() -> None:
    _credited(
        "credits",
        (),
        _number("at", needed=True),
        _number("rated_at", needed=True),
        _text("event", needed=True),
        sa.Column("account_key", KEY),
        sa.Column("territory_key", KEY),
        sa.Column("owner", sa.Boolean(), nullable=False),
        sa.Column("share_bp", sa.Integer(), nullable=False),
        _number("amount_minor"),
        _text("currency"),
        _number("cost_minor"),
        _text("cost_currency"),
    )
    op.create_index("ix_credits_at", "credits", ["at"])
    op.create_index("ix_credits_account_key_at", "credits", ["account_key", "at"])
    _credited(
        "credited_quantities",
        ("product_key",),
        sa.Column("product_key", KEY, nullable=False),
        _number("at", needed=True),
        _text("unit", needed=True),
        _number("quantity_micro", needed=True),
    )
    op.create_table(
        "closed_figures",
        sa.Column("closing_key", KEY, nullable=False),
        sa.Column("quota_key", KEY, nullable=False),
        _number("value"),
        _text("code"),
        _number("target", needed=True),
        _text("currency"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("closing_key", "quota_key", name=op.f("pk_closed_figures")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_closed_figures_quota_key", "closed_figures", ["quota_key"])
    op.create_table(
        "closed_contributions",
        sa.Column("closing_key", KEY, nullable=False),
        sa.Column("quota_key", KEY, nullable=False),
        _text("entity", needed=True),
        sa.Column("row_key", KEY, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("reversal", sa.Boolean(), nullable=False),
        sa.Column("user_key", KEY, nullable=False),
        _number("at", needed=True),
        sa.Column("share_bp", sa.Integer(), nullable=False),
        _number("amount_minor"),
        _text("currency"),
        _text("rate"),
        _number("value", needed=True),
        _text("reason", needed=True),
        sa.PrimaryKeyConstraint(
            "closing_key",
            "quota_key",
            "entity",
            "row_key",
            "ordinal",
            "reversal",
            "user_key",
            name=op.f("pk_closed_contributions"),
        ),
        sqlite_with_rowid=False,
    )


def _fill() -> None:
    """Rows that are there say what new ones say by default."""
    op.execute(sa.table("products", sa.column("unit")).update().values(unit="piece"))
    stages = sa.table("stages", sa.column("exit_criteria", JSON))
    op.execute(stages.update().values(exit_criteria=[]))
    deals = sa.table("deals", sa.column("overlays", JSON), sa.column("closings", JSON))
    op.execute(deals.update().values(overlays=[], closings=[]))
    flags = {"counts_unverified": True, "counts_out_of_range": True, "counts_no_show": False, "counts_cancelled": False}
    quotas = sa.table("quotas", *(sa.column(name) for name in (*flags, "overlay", "status", "approvals")))
    op.execute(quotas.update().values(**flags, overlay=False, status="draft", approvals=0))
    counted = sa.table("quotas", sa.column("measure"), sa.column("unit"))  # no quota has a product yet
    op.execute(counted.update().where(counted.c.measure == "quantity").values(unit="piece"))
