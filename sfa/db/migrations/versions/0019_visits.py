"""Plans, policies, corrections, checklists, signals, cadence and ways of visits; tokens of calendar feeds.

Visits that were there are not submitted and nobody went along; `sfa reissue visits conflicts` tells devices their new
fields.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _json() -> sa.JSON:
    return sa.JSON(none_as_null=True)


def _entity(
    name: str,
    *columns: "sa.Column[object] | sa.ForeignKeyConstraint",
    layered: bool = False,
    below_account: bool = False,
) -> None:
    held = [sa.ForeignKeyConstraint(["account_key"], ["accounts.key"], name=op.f(f"fk_{name}_account_key"))]
    op.create_table(
        name,
        sa.Column("key", KEY, nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("aged", sa.Boolean(), nullable=False),
        sa.Column("stamps", sa.JSON(), nullable=False),
        sa.Column("buckets", sa.JSON(), nullable=False),
        *([sa.Column("layers", sa.Text(), nullable=True)] if layered else []),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        *columns,
        *(held if below_account else []),
        sa.PrimaryKeyConstraint("key", name=op.f(f"pk_{name}")),
    )


def _text(name: str, *, nullable: bool = True) -> "sa.Column[object]":
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str, *, nullable: bool = True) -> "sa.Column[object]":
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def upgrade() -> None:
    _visits()
    _company_rules()
    _work()
    op.add_column("conflicts", _text("other_key"))
    op.create_index(op.f("ix_conflicts_other_key"), "conflicts", ["other_key"])
    op.create_table(
        "plan_horizons",
        _text("plan_key", nullable=False),
        _text("done_until", nullable=False),
        sa.PrimaryKeyConstraint("plan_key", name=op.f("pk_plan_horizons")),
    )
    op.create_index("ix_plan_horizons_done_until", "plan_horizons", ["done_until"])
    op.create_table(
        "calendar_tokens",
        _text("user_key", nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _number("created_at", nullable=False),
        sa.ForeignKeyConstraint(["user_key"], ["users.key"], name=op.f("fk_calendar_tokens_user_key")),
        sa.PrimaryKeyConstraint("user_key", name=op.f("pk_calendar_tokens")),
    )
    op.create_index("uq_calendar_tokens_digest", "calendar_tokens", ["digest"], unique=True)


def _visits() -> None:
    for column in (
        _text("visit_type"),
        _text("plan_key"),
        _text("planned_on"),
        sa.Column("participants", _json(), nullable=True),
        _text("verdict"),
        _number("distance_m"),
        sa.Column("submitted", sa.Boolean(), nullable=True),
        _number("submitted_at"),
        _text("checklist_key"),
        sa.Column("answers", _json(), nullable=True),
    ):
        op.add_column("visits", column)
    visits = sa.table("visits", sa.column("participants", sa.JSON()), sa.column("submitted", sa.Boolean()))
    op.execute(visits.update().values(participants=[], submitted=False))
    op.create_index(op.f("ix_visits_owner_key_checked_in_at"), "visits", ["owner_key", "checked_in_at"])
    op.create_index(op.f("ix_visits_owner_key_status"), "visits", ["owner_key", "status"])
    op.create_index(op.f("ix_visits_plan_key_planned_on"), "visits", ["plan_key", "planned_on"])


def _company_rules() -> None:
    _entity(
        "visit_policies",
        _text("visit_type"),
        _number("radius_m"),
        _number("accuracy_max_m"),
        _text("geofence"),
        sa.Column("requires_checklist", sa.Boolean(), nullable=True),
        sa.Column("auto_submit", sa.Boolean(), nullable=True),
        _text("valid_from", nullable=False),
        _text("valid_to"),
    )
    _entity(
        "checklist_templates",
        _text("name", nullable=False),
        _text("visit_type"),
        sa.Column("questions", _json(), nullable=True),
        _text("valid_from", nullable=False),
        _text("valid_to"),
    )
    _entity(
        "cadence_rules",
        _text("tier", nullable=False),
        _number("every", nullable=False),
        _text("unit"),
        _number("lead_days"),
        _text("valid_from", nullable=False),
        _text("valid_to"),
    )


def _work() -> None:
    _entity(
        "visit_plans",
        _text("owner_key", nullable=False),
        _text("account_key", nullable=False),
        _text("contact_key"),
        _text("visit_type"),
        _text("purpose"),
        _text("rrule"),
        _text("start_time", nullable=False),
        _text("zone", nullable=False),
        _number("minutes"),
        _text("valid_from", nullable=False),
        _text("valid_to"),
        sa.Column("exceptions", _json(), nullable=True),
        sa.Column("participants", _json(), nullable=True),
        below_account=True,
    )
    op.create_index(op.f("ix_visit_plans_account_key"), "visit_plans", ["account_key"])
    op.create_index(op.f("ix_visit_plans_owner_key"), "visit_plans", ["owner_key"])
    _entity(
        "visit_amendments",
        _text("visit_key", nullable=False),
        _text("author_key", nullable=False),
        _number("amended_at", nullable=False),
        _number("ordinal", nullable=False),
        _text("field", nullable=False),
        sa.Column("old", _json(), nullable=True),
        sa.Column("new", _json(), nullable=True),
        _text("reason", nullable=False),
        sa.ForeignKeyConstraint(["visit_key"], ["visits.key"], name=op.f("fk_visit_amendments_visit_key")),
        layered=True,
    )
    op.create_index(
        op.f("ix_visit_amendments_visit_key_field_ordinal"), "visit_amendments", ["visit_key", "field", "ordinal"]
    )
    _entity(
        "signals",
        _text("account_key", nullable=False),
        _text("author_key", nullable=False),
        _text("visit_key"),
        _text("kind", nullable=False),
        _number("said_at", nullable=False),
        _text("product_key"),
        _text("competitor"),
        _number("amount_minor"),
        _text("currency"),
        _text("text"),
        below_account=True,
    )
    for column in ("account_key", "said_at", "visit_key"):
        op.create_index(op.f(f"ix_signals_{column}"), "signals", [column])
    _entity(
        "travel_legs",
        _text("owner_key", nullable=False),
        _text("visit_key"),
        _number("started_at", nullable=False),
        _number("ended_at", nullable=False),
        _text("source", nullable=False),
        _number("distance_m"),
        sa.Column("gaps", _json(), nullable=True),
    )
    op.create_index(op.f("ix_travel_legs_owner_key_started_at"), "travel_legs", ["owner_key", "started_at"])
    op.create_index(op.f("ix_travel_legs_visit_key"), "travel_legs", ["visit_key"])
