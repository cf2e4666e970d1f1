"""One table for each synced entity, its columns read off the entity's Struct: two shapes, not three.

Beside the fields every table has `key`, `rev` (counts the row's versions), `gone` (deleted rows stay, so that an edit
can bring them back), `aged` (too old for devices, S10), `stamps` (who set which group of fields at which revision) and
`buckets` (where the row lies now). Where rows age, `layers` names the layers of those buckets in which devices find it.
"""

from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    MetaData,
    Table,
    Text,
    case,
    func,
    text,
)
from sqlalchemy import literal_column as written
from sqlalchemy.sql.elements import Grouping

from sfa.core.entities import ENTITIES
from sfa.core.shapes import PARENTS, SHAPES

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Keys compare byte by byte: the order of a fill must not depend on a locale.
KEY = Text().with_variant(Text(collation="C"), "postgresql")

# Rows that only some roles carry once they are older: null while everybody does, else the layers by commas (S10).
LAYERED = frozenset(
    {"visits", "notes", "attachments", "deals", "deal_lines", "deal_contacts", "deal_charges", "visit_amendments"}
    | {"proposals", "proposal_lines", "proposal_recipients", "proposal_questions"}
)
# What is looked up by question, beside the key: children by their parent, work by its owner.
INDEXED: dict[str, list[tuple[str, ...]]] = {
    "users": [("external_id",)],
    "teams": [("external_id",)],
    "team_edges": [("team_key",)],
    "team_members": [("user_key",)],
    "territories": [("external_id",)],
    "territory_edges": [("territory_key",)],
    "territory_members": [("user_key",)],
    "products": [("external_id",), ("name", "key")],
    "prices": [("product_key", "valid_from")],
    "unit_costs": [("product_key", "valid_from")],
    "rates": [("base_currency", "quote_currency", "valid_from")],
    "fiscal_periods": [("kind", "start_on")],
    "stages": [("external_id",)],
    "accounts": [("territory_key",), ("parent_key",), ("external_id",), ("name", "key")],
    "account_members": [("account_key",), ("user_key",)],
    "contacts": [("account_key",), ("external_id",), ("name", "key")],
    "visits": [
        ("account_key",),
        ("owner_key", "planned_at"),
        ("owner_key", "checked_in_at"),
        ("plan_key", "planned_on"),
        ("deal_key",),
    ],
    "visit_plans": [("account_key",), ("owner_key",)],
    "visit_amendments": [("visit_key", "field", "ordinal")],
    "signals": [("account_key",), ("said_at",), ("visit_key",)],
    "travel_legs": [("owner_key", "started_at"), ("visit_key",)],
    "notes": [("account_key",), ("visit_key",)],
    "attachments": [("account_key",), ("sha256",), ("visit_key",), ("deal_key",)],
    "customer_needs": [("account_key",), ("contact_key",)],
    "calls": [("account_key",), ("contact_key",), ("owner_key", "called_at")],
    "consents": [("contact_key",)],
    "tasks": [("owner_key",), ("account_key",)],
    "deals": [("account_key",), ("owner_key",), ("external_id",), ("name", "key")],
    "deal_lines": [("deal_key",)],
    "deal_contacts": [("deal_key",), ("contact_key",)],
    "quotas": [
        ("user_key", "period_key"),
        ("team_key", "period_key"),
        ("territory_key", "period_key"),
        ("period_key",),
    ],
    "deal_charges": [("deal_key",), ("booked_on",)],
    "proposals": [("deal_key",), ("contact_key",), ("status", "sent_at"), ("number",)],
    "proposal_lines": [("proposal_key",)],
    "proposal_recipients": [("proposal_key",), ("contact_key",)],
    "proposal_questions": [("proposal_key",)],
    "expenses": [("owner_key", "spent_on"), ("account_key",), ("deal_key",), ("spent_on",)],
    "work_entries": [("owner_key", "done_on"), ("account_key",), ("deal_key",), ("done_on",)],
    "rebate_agreements": [("account_key",)],
    "cost_rates": [("kind", "valid_from")],
    "commission_assignments": [("user_key",), ("plan_key",)],
    "campaign_costs": [("campaign_key",)],
    "campaign_touches": [("account_key", "touched_at"), ("campaign_key",), ("contact_key",)],
    "quota_versions": [("quota_key", "number")],
    "quota_challenges": [("quota_key",)],
    "period_closings": [("period_key", "number")],
    "forecast_calls": [("period_key", "due_on"), ("user_key",), ("team_key",), ("status", "due_on")],
    "forecast_overrides": [("period_key", "status"), ("user_key",), ("team_key",)],
    "refusals": [("author_key", "status", "created_at", "key"), ("entity", "row_key"), ("repairs_key",)],
    "conflicts": [("entity", "row_key"), ("other_key",), ("status", "created_at", "key")],
    "suggestions": [("row_key",), ("other_key",), ("status", "created_at", "key")],
    "handovers": [("author_key", "device_key"), ("status", "created_at", "key")],
}


def _column_type(kind: Any) -> type[Any]:
    if isinstance(kind, msgspec.inspect.Metadata):
        return _column_type(kind.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        return next(_column_type(m) for m in kind.types if not isinstance(m, msgspec.inspect.NoneType))
    if isinstance(kind, msgspec.inspect.BoolType):
        return Boolean
    if isinstance(kind, msgspec.inspect.IntType):
        return BigInteger
    if isinstance(kind, msgspec.inspect.FloatType):
        return Double
    if isinstance(kind, msgspec.inspect.StrType):
        return Text
    return JSON


def _foreign(entity: str, field: str) -> list[ForeignKey]:
    """A real foreign key where the parent decides the bucket; other references may outlive what they name."""
    target, parent = PARENTS.get(entity, ("", ""))
    return [ForeignKey(f"{target}.key")] if field == parent else []


def _entity_table(entity: str) -> Table:
    shape = SHAPES[entity]
    columns = [
        Column(
            name,
            JSON(none_as_null=True) if (kind := _column_type(msgspec.inspect.type_info(typ))) is JSON else kind,
            *_foreign(entity, name),
            nullable=name not in shape.required,
        )
        for name, typ in shape.types.items()
    ]
    return Table(
        entity,
        METADATA,
        Column("key", KEY, primary_key=True),
        Column("rev", BigInteger, nullable=False),
        Column("gone", Boolean, nullable=False, default=False),
        Column("aged", Boolean, nullable=False, default=False),
        Column("stamps", JSON, nullable=False),
        Column("buckets", JSON, nullable=False),
        *([Column("layers", Text)] if entity in LAYERED else []),
        *columns,
        *(Index(None, *names) for names in INDEXED.get(entity, [])),
    )


ROWS: dict[str, Table] = {entity: _entity_table(entity) for entity in ENTITIES}

Index(
    "uq_users_email",
    func.lower(ROWS["users"].c.email),
    unique=True,
    sqlite_where=text("NOT gone"),
    postgresql_where=text("NOT gone"),
)

# When an open deal should close; those that say no day come last.
OPEN_UNTIL = func.coalesce(ROWS["deals"].c.close_on, written("'9999-12-31'"))
STILL_OPEN = text("closed_at IS NULL AND NOT gone")
Index("ix_deals_open", OPEN_UNTIL, ROWS["deals"].c.key, sqlite_where=STILL_OPEN, postgresql_where=STILL_OPEN)

# When a visit counts: one that was not held, at the time that was planned, or where none was, when it was made (the
# commands say one since). The index holds all that is counted.
_VISITS = ROWS["visits"].c
VISIT_AT = case(
    (
        _VISITS.status.in_([written("'no_show'"), written("'cancelled'")]),
        func.coalesce(_VISITS.planned_at, _VISITS.created_at),
    ),
    else_=_VISITS.checked_in_at,
)
Index("ix_visits_counted", _VISITS.owner_key, _VISITS.status, Grouping(VISIT_AT), _VISITS.verdict, _VISITS.gone)
