"""One deal as it stands now: `GET /api/deals/{key}/state`, for whoever sees it.

What its stage asks is asked by the function that moves deals, so the list is what a move would be refused for. Costs
are read for a caller who holds them, and for nobody else (R45).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Text, literal, select

from sfa.core.criteria import Missing
from sfa.core.days import local_day
from sfa.core.deal_states import next_stage, unmet
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.money import Rounding
from sfa.core.shapes import SHAPES
from sfa.core.transitions import Lookup, zone_in
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS
from sfa.deals import figures
from sfa.deals.activity import last_activity
from sfa.deals.figures import Lines, Profit, Share
from sfa.deals.standing import category, standing

SEES_COST = "cost:all"
_DEALS, _COSTS = ROWS["deals"], ROWS["unit_costs"]


class Ahead(Struct, frozen=True):
    """The next step: a stage, or (null) winning; and what is missing for it."""

    stage_key: str | None
    missing: list[Missing]


class DealState(Struct, frozen=True):
    """`splits` sum to the amount; `overlays` are beside it. `profit` is null for who does not see costs."""

    key: str
    rev: int
    as_of: int
    today: str
    stage_key: str
    kind: str | None
    pipeline_key: str | None
    stage_since: int | None
    active_at: int | None
    flags: list[str]
    slipped_days: int | None
    stalled_days: int | None
    category: str | None
    judged: bool
    ends: int
    ahead: Ahead | None
    amount_minor: int | None
    currency: str | None
    splits: list[Share]
    overlays: list[Share]
    lines: Lines
    profit: Profit | None


def told(
    connection: Connection, now_ms: int, user_key: str, key: str, per: str = "line", rounding: str = "half_up"
) -> DealState:
    if per not in figures.PER or rounding not in list(Rounding):
        words = f"`per` is {' or '.join(figures.PER)}, `rounding` is {' or '.join(Rounding)}"
        raise Refused("request_invalid", words)
    who = person(connection, user_key)
    held = {"held": listed(connection, who.held or ())}
    query = select(_DEALS).where(_DEALS.c.key == key, ~_DEALS.c.gone, lies_in(_DEALS.c.buckets, "held"))
    found = connection.execute(query, held).mappings().first() if is_key(key) else None
    if found is None:
        raise Refused("not_found")
    row = {field: found[field] for field in SHAPES["deals"].types}
    lookup = _looking(connection).on(key)
    today = local_day(now_ms, zone_in(lookup))
    stage = lookup("stages", row["stage_key"])
    last = select(last_activity(literal(row["account_key"], Text), literal(key, Text)))
    stands = standing(row, stage, today, now_ms, connection.execute(last, held).scalar() or None)
    lines = lookup.below("deal_lines")
    priced = figures.priced(lines, row["amount_minor"], per, Rounding(rounding))
    earned = None
    if who.held is not None and SEES_COST in who.held:
        day = today if row["closed_at"] is None else local_day(row["closed_at"], zone_in(lookup))
        costs = _costs(connection, {line["product_key"] for line in lines})
        earned = figures.profit(lines, priced.total_minor, row["currency"], costs, day)
    own, beside = figures.shares(row)
    judged = category(row, stage)
    return DealState(
        key=key,
        rev=found["rev"],
        as_of=now_ms,
        today=today,
        stage_key=row["stage_key"],
        kind=stage["kind"] if stage is not None else None,
        pipeline_key=row["pipeline_key"],
        stage_since=stands.since,
        active_at=stands.active_at,
        flags=stands.flags,
        slipped_days=stands.slipped_days,
        stalled_days=stands.stalled_days,
        category=judged[0],
        judged=judged[1],
        ends=len(row["closings"] or ()) + (row["closed_at"] is not None),
        ahead=_ahead(row, today, now_ms, lookup),
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        splits=own,
        overlays=beside,
        lines=priced,
        profit=earned,
    )


def _ahead(row: Mapping[str, Any], today: str, now_ms: int, lookup: Lookup) -> Ahead | None:
    """What comes next on that day; nothing after a deal is closed."""
    if row["closed_at"] is not None:
        return None
    following = next_stage(row, today, lookup)
    return Ahead(following, unmet(row, following, now_ms, lookup))


def _looking(connection: Connection) -> Lookup:
    """The rows that the rules of deals ask for, as they are stored; each set is read once."""
    read: dict[str, dict[str, Mapping[str, Any]]] = {}
    under: dict[tuple[str, str], list[Mapping[str, Any]]] = {}

    def every(entity: str) -> Mapping[str, Mapping[str, Any]]:
        if entity not in read:
            table = ROWS[entity]
            rows = connection.execute(select(table).where(~table.c.gone)).mappings()
            read[entity] = {row["key"]: dict(row) for row in rows}
        return read[entity]

    def below(entity: str, key: str) -> Sequence[Mapping[str, Any]]:
        if (entity, key) not in under:
            table = ROWS[entity]
            query = select(table).where(table.c.deal_key == key, ~table.c.gone).order_by(table.c.key)
            under[entity, key] = [dict(row) for row in connection.execute(query).mappings()]
        return under[entity, key]

    return Lookup(lambda entity, key: every(entity).get(key), every, below)


def _costs(connection: Connection, products: set[str]) -> list[Mapping[str, Any]]:
    query = select(_COSTS).where(_COSTS.c.product_key.in_(sorted(products)), ~_COSTS.c.gone)
    return [dict(row) for row in connection.execute(query).mappings()] if products else []
