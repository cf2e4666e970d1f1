"""Rates of effort as a relation that statements join: one row for each person and stretch of days.

Bound as one value, so the statement stays the same however many people and rates there are.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Text, select, text

from sfa.db.bulk import json_text
from sfa.db.tables import ROWS
from sfa.profit.company.rate_book import Costs

# Only a column that is text for sure gets an index of its own while it is joined.
_SQLITE = """SELECT CAST(json_extract(value, '$[0]') AS TEXT) AS user_key, json_extract(value, '$[1]') AS start_at,
    json_extract(value, '$[2]') AS end_at, json_extract(value, '$[3]') AS value,
    json_extract(value, '$[4]') AS currency FROM json_each(:{name})"""
_POSTGRESQL = """SELECT x->>0 AS user_key, CAST(x->>1 AS bigint) AS start_at, CAST(x->>2 AS bigint) AS end_at,
    CAST(x->>3 AS bigint) AS value, x->>4 AS currency FROM jsonb_array_elements(CAST(:{name} AS jsonb)) AS x"""


def rate_spans(connection: Connection, name: str) -> Any:
    """The common table `name` with (user_key, start_at, end_at, value, currency), bound as `:name`."""
    sql = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
    columns = (
        Column("user_key", Text),
        Column("start_at", BigInteger),
        Column("end_at", BigInteger),
        Column("value", BigInteger),
        Column("currency", Text),
    )
    return text(sql.format(name=name)).columns(*columns).cte(f"{name}_spans").prefix_with("MATERIALIZED")


def bound_spans(connection: Connection, costs: Costs, kind: str) -> str:
    """The rates of one kind for everybody there is, as `rate_spans` is bound."""
    personal = set(costs.personal(kind))
    users = ROWS["users"].c
    found = []
    for user in connection.execute(select(users.key)).scalars():
        of = costs.spans(kind, user if user in personal else None)
        found += [[user, span.start, span.end, span.value, span.currency] for span in of]
    return json_text(found) or "[]"


def bound_capital(costs: Costs) -> str:
    """What a year of waiting costs, for everybody alike: terms are of a deal and not of a person."""
    return json_text([[None, s.start, s.end, s.value, None] for s in costs.spans("capital", None)]) or "[]"
