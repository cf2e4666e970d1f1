"""A customer with all that belongs to it: the tree below it, and its sums rolled up (R19).

One recursive question finds the family, whatever its size; each customer is in it once, by its shortest way down, and a
circle that older data might hold ends at `PARENTS_MAX` storeys. Only customers and rows that the caller sees count; a
customer that he does not see is passed, so that what he sees below it still counts, and is no storey. Money is never
added across currencies (R34).
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import CTE, Connection, Select, Text, bindparam, case, func, literal, null, select

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.online import person
from sfa.crm.rights import PARENTS_MAX
from sfa.db.collation import as_key, as_name
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS, redirects

NODES_MAX = 2_000
SHOWN = ("name", "status", "tier", "city", "territory_key")
_PART = 1_000_000  # sums are made of two halves, so that no database's integer overflows
_ACCOUNTS, _VISITS, _DEALS, _CONTACTS = (ROWS[e] for e in ("accounts", "visits", "deals", "contacts"))


class Node(Struct, frozen=True):
    """`under_key` is the nearest customer above it that the caller sees, null for the top; `depth` counts the storeys
    that he sees, from the customer asked about."""

    key: str
    under_key: str | None
    depth: int
    name: str
    status: str
    tier: str | None
    city: str | None
    territory_key: str | None


class Family(Struct, frozen=True):
    """`above` from the top down to the parent, `items` the customer and all below it by storeys and names. `more` says
    that the caller sees more of it than an answer has."""

    key: str
    above: list[Node]
    items: list[Node]
    more: bool


class Amount(Struct, frozen=True):
    currency: str | None
    deals: int
    amount_minor: int


class Sums(Struct, frozen=True):
    """`open_deals` by currency; deals without an amount have none. `last_visit_at` is when somebody was there."""

    accounts: int
    contacts: int
    visits: int
    visits_completed: int
    last_visit_at: int | None
    open_deals: list[Amount]


class Rollup(Struct, frozen=True):
    """`own` is the customer alone, `family` with everybody below it."""

    key: str
    own: Sums
    family: Sums


def seen_account(connection: Connection, caller: str, key: str) -> tuple[str, Any]:
    """-> (the customer that the key leads to, the caller's buckets as a bound list); `not_found` alike where there is
    none and where the caller may not see it. A deleted one is still told to who could see it."""
    held = listed(connection, person(connection, caller).held or ())
    if not is_key(key):
        raise Refused("not_found")
    leads = select(redirects.c.survivor_key).where(redirects.c.entity == "accounts", redirects.c.loser_key == key)
    survivor = connection.execute(leads).scalar() or key
    query = select(_ACCOUNTS.c.key).where(_ACCOUNTS.c.key == survivor, lies_in(_ACCOUNTS.c.buckets, "held"))
    if connection.execute(query, {"held": held}).scalar() is None:
        raise Refused("not_found")
    return survivor, held


def tree(connection: Connection, caller: str, key: str) -> Family:
    top, held = seen_account(connection, caller, key)
    below = connection.execute(_seen_below(top), {"held": held, "most": NODES_MAX + 1}).mappings().all()
    above = connection.execute(_seen_above(top), {"held": held}).mappings().all()
    items = [_node(row, row["under_key"], row["storey"]) for row in below[:NODES_MAX]]
    chain = [row for row in above if row["key"] != top]
    under = [None, *(row["key"] for row in chain)]
    nodes = [_node(row, under[place], len(chain) - place) for place, row in enumerate(chain)]
    return Family(top, nodes, items, len(below) > NODES_MAX)


def rollup(connection: Connection, caller: str, key: str) -> Rollup:
    top, held = seen_account(connection, caller, key)
    below = _below(top)
    mine = _ACCOUNTS.c.key.in_(select(as_key(below.c.key)))
    seen = select(as_name(_ACCOUNTS.c.key).label("key")).where(mine, lies_in(_ACCOUNTS.c.buckets, "held")).cte("mine")
    facts = [connection.execute(query, {"held": held}).mappings().all() for query in _questions(seen, top)]
    own = [[row for row in part if row["own"]] for part in facts]
    return Rollup(top, _sums(own), _sums(facts))


def _top(top: str, name: str) -> CTE:
    key = as_name(_ACCOUNTS.c.key).label("key")
    return select(key, literal(0).label("depth")).where(_ACCOUNTS.c.key == top).cte(name, recursive=True)


def _below(top: str) -> CTE:
    below, child = _top(top, "below"), _ACCOUNTS.alias("child")
    step = select(as_name(child.c.key), below.c.depth + 1).join(below, child.c.parent_key == below.c.key)
    return below.union(step.where(~child.c.gone, below.c.depth < PARENTS_MAX))


def _above(top: str) -> CTE:
    above, child, parent = _top(top, "above"), _ACCOUNTS.alias("child"), _ACCOUNTS.alias("parent")
    step = select(as_name(parent.c.key), above.c.depth + 1).join(child, as_key(child.c.parent_key) == parent.c.key)
    return above.union(step.join(above, child.c.key == as_key(above.c.key)).where(above.c.depth < PARENTS_MAX))


def _seen_below(top: str) -> Select[Any]:
    """Those of the family that the caller sees, each by its shortest way down. What is passed takes no storey."""
    child = _ACCOUNTS.alias("child")
    start = select(
        as_name(_ACCOUNTS.c.key).label("key"),
        literal(0).label("depth"),
        null().cast(Text).label("under_key"),
        literal(0).label("storey"),
        literal(1).label("visible"),
    )
    below = start.where(_ACCOUNTS.c.key == top).cte("family", recursive=True)
    step = select(
        as_name(child.c.key),
        below.c.depth + 1,
        case((below.c.visible == 1, below.c.key), else_=below.c.under_key),
        below.c.storey + below.c.visible,
        case((lies_in(child.c.buckets, "held"), 1), else_=0),
    ).join(below, child.c.parent_key == below.c.key)
    found = below.union(step.where(~child.c.gone, below.c.depth < PARENTS_MAX))
    place = func.row_number().over(partition_by=found.c.key, order_by=found.c.depth).label("place")
    ways = select(found, place).where(found.c.visible == 1).subquery("ways")
    columns = (_ACCOUNTS.c.key, *(_ACCOUNTS.c[name] for name in SHOWN))
    query = select(ways.c.under_key, ways.c.storey, *columns).join(ways, as_key(ways.c.key) == _ACCOUNTS.c.key)
    order = (ways.c.storey, _ACCOUNTS.c.name, _ACCOUNTS.c.key)
    return query.where(ways.c.place == 1).order_by(*order).limit(bindparam("most"))


def _seen_above(top: str) -> Select[Any]:
    """Those above that the caller sees, from the top down to the customer itself."""
    found = _above(top)
    once = select(found.c.key, func.min(found.c.depth).label("depth")).group_by(found.c.key).subquery()
    query = select(_ACCOUNTS.c.key, *(_ACCOUNTS.c[name] for name in SHOWN))
    query = query.join(once, as_key(once.c.key) == _ACCOUNTS.c.key).where(lies_in(_ACCOUNTS.c.buckets, "held"))
    return query.order_by(once.c.depth.desc())


def _node(row: Any, under_key: str | None, depth: int) -> Node:
    return Node(row["key"], under_key, depth, *(row[name] for name in SHOWN))


def _questions(mine: CTE, top: str) -> list[Select[Any]]:
    """Of the customers, contacts, visits and open deals of the family: a line for the top and one for all others."""

    def of(table: Any, column: Any, *facts: Any) -> Select[Any]:
        own = case((column == top, 1), else_=0).label("own")
        key = as_key(mine.c.key) if column is _ACCOUNTS.c.key else mine.c.key
        query = select(own, func.count().label("count"), *facts).join(mine, key == column)
        return query.where(~table.c.gone, lies_in(table.c.buckets, "held")).group_by(own)

    there = func.coalesce(_VISITS.c.checked_out_at, _VISITS.c.checked_in_at)
    done = func.sum(case((_VISITS.c.status == "completed", 1), else_=0)).label("done")
    halves = (
        func.coalesce(func.sum(_DEALS.c.amount_minor // _PART), 0).label("high"),
        func.coalesce(func.sum(_DEALS.c.amount_minor % _PART), 0).label("low"),
    )
    deals = of(_DEALS, _DEALS.c.account_key, _DEALS.c.currency, *halves).where(_DEALS.c.closed_at.is_(None))
    return [
        of(_ACCOUNTS, _ACCOUNTS.c.key),
        of(_CONTACTS, _CONTACTS.c.account_key),
        of(_VISITS, _VISITS.c.account_key, done, func.max(there).label("last")),
        deals.group_by(_DEALS.c.currency),
    ]


def _sums(facts: Sequence[Sequence[Any]]) -> Sums:
    accounts, contacts, visits, deals = facts
    amounts: dict[str | None, tuple[int, int]] = {}
    for row in deals:
        count, minor = amounts.get(row["currency"], (0, 0))
        more = int(row["high"]) * _PART + int(row["low"])
        amounts[row["currency"]] = (count + row["count"], minor + more)
    return Sums(
        accounts=sum(row["count"] for row in accounts),
        contacts=sum(row["count"] for row in contacts),
        visits=sum(row["count"] for row in visits),
        visits_completed=sum(int(row["done"]) for row in visits),
        last_visit_at=max((row["last"] for row in visits if row["last"] is not None), default=None),
        open_deals=[Amount(c, *amounts[c]) for c in sorted(amounts, key=lambda c: (c is None, c or ""))],
    )
