"""Forecasts: policies, calls and overrides as rows that travel; and beside them snapshots, what they hold, locks."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON(none_as_null=True)
TABLES = ("forecast_policies", "forecast_calls", "forecast_overrides")


def _row(name: str, *columns: sa.Column[Any], indexes: tuple[tuple[str, ...], ...] = ()) -> None:
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
    for names in indexes:
        op.create_index(op.f(f"ix_{name}_{'_'.join(names)}"), name, list(names), unique=False)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=True)


def _number(name: str, *, needed: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=not needed)


def _needed(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def upgrade() -> None:
    _row(
        "forecast_policies",
        _needed("name"),
        _text("period_kind"),
        _number("lock_weekday"),
        _number("lock_minute"),
        _number("remind_minutes"),
        _text("late"),
        _text("manager_figures"),
    )
    _row(
        "forecast_calls",
        _needed("period_key"),
        *(_text(name) for name in ("user_key", "team_key")),
        _needed("author_key"),
        _text("due_on"),
        _number("commit_minor", needed=True),
        *(_number(name) for name in ("likely_minor", "best_case_minor")),
        _needed("currency"),
        _text("note"),
        sa.Column("based_on", JSON, nullable=True),
        _number("called_at"),
        _text("status"),
        indexes=(("period_key", "due_on"), ("user_key",), ("team_key",), ("status", "due_on")),
    )
    _row(
        "forecast_overrides",
        _needed("period_key"),
        *(_text(name) for name in ("user_key", "team_key")),
        *(_needed(name) for name in ("view", "level")),
        _text("seen_by"),
        _needed("author_key"),
        _number("amount_minor", needed=True),
        _needed("currency"),
        _number("based_on_minor", needed=True),
        sa.Column("based_on", JSON, nullable=True),
        _text("note"),
        _number("set_at", needed=True),
        _number("number"),
        _text("status"),
        _text("cause"),
        _number("ended_at"),
        indexes=(("period_key", "status"), ("user_key",), ("team_key",)),
    )
    op.create_table(
        "forecast_snapshots",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        _needed("taken_on"),
        _number("taken_at", needed=True),
        _number("seq", needed=True),
        _needed("currency"),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("rates", "missing", "counted")),
        _needed("digest"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_forecast_snapshots")),
        sa.UniqueConstraint("taken_on", name=op.f("uq_forecast_snapshots_taken_on")),
    )
    op.create_table(
        "forecast_versions",
        _needed("kind"),
        sa.Column("key", KEY, nullable=False),
        sa.Column("from_no", sa.Integer(), nullable=False),
        sa.Column("to_no", sa.Integer(), nullable=True),
        _needed("doc"),
        sa.PrimaryKeyConstraint("kind", "key", "from_no", name=op.f("pk_forecast_versions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "forecast_locks",
        sa.Column("period_key", KEY, nullable=False),
        _needed("due_on"),
        _number("due_at", needed=True),
        _number("locked_at", needed=True),
        sa.PrimaryKeyConstraint("period_key", "due_on", name=op.f("pk_forecast_locks")),
        sqlite_with_rowid=False,
    )
    for name in ("from_no", "to_no"):
        op.create_index(f"ix_forecast_versions_{name}", "forecast_versions", [name], unique=False)


def downgrade() -> None:
    for name in ("forecast_locks", "forecast_versions", "forecast_snapshots", *reversed(TABLES)):
        op.drop_table(name)
