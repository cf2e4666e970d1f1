"""What similar customers buy and this one does not, with the numbers behind it: `GET /api/accounts/{key}/whitespace`.

Similar is who says the same of `by`: industry, tier, size (bands of employees). Without `by` all that the customer says
of itself counts, and one trait less at a time until there are `PEERS_MIN` peers. Everything is read in sets and
bounded: the first `WINDOW` customers by key are looked at, the first `PEERS_MAX` peers among them compared, by the won
deals of the last `days`. Only rows that the caller sees count, on both sides; what others sold there he is not told.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from statistics import median
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from sfa.core.errors import Refused
from sfa.core.money import Rounding, ratio_bp, rounded
from sfa.core.profiles import DAY_MS
from sfa.crm.families import seen_account
from sfa.db import scope
from sfa.db.collation import as_key, as_name
from sfa.db.places import lies_in
from sfa.db.tables import ROWS
from sfa.deals.figures import exact

PEERS_MIN, PEERS_MAX = 5, 500
WINDOW = 50_000
LINES_MAX = 100_000
DAYS_DEFAULT, DAYS_MAX = 730, 3_660
LIMIT_DEFAULT, LIMIT_MAX = 20, 200
BY = ("industry", "tier", "size")
OF = ("product", "family")
SIZES = ((1, 9), (10, 49), (50, 249), (250, 999), (1_000, 4_999), (5_000, None))  # employees, both ends included
_ACCOUNTS, _DEALS, _LINES, _PRODUCTS, _STAGES, _NEEDS = (
    ROWS[e] for e in ("accounts", "deals", "deal_lines", "products", "stages", "customer_needs")
)


class Spent(Struct, frozen=True):
    """The median of what the buyers paid for it in one currency, each customer counted once."""

    currency: str
    buyers: int
    median_minor: int


class Gap(Struct, frozen=True):
    """`buyers` of the peers bought it, `share_bp` of them all. `said` is what the customer says of it: `need`,
    `non_need`."""

    product_key: str | None
    family: str | None
    name: str
    buyers: int
    share_bp: int
    spent: list[Spent]
    said: str | None


class Whitespace(Struct, frozen=True):
    """`reason` is `too_few_peers` where fewer than `peers_min` customers are alike; there are no items then.
    `more_peers`: there are others, which were not compared. `partial`: there were more lines than are read."""

    key: str
    by: list[str]
    like: dict[str, str]
    of: str
    since: int
    peers: int
    peers_min: int
    more_peers: bool
    partial: bool
    reason: str | None
    items: list[Gap]


class Wanted(Struct, frozen=True):
    by: str | None = None
    of: str = "product"
    days: int = DAYS_DEFAULT
    limit: int = LIMIT_DEFAULT


def size_of(employees: int | None) -> tuple[int, int | None] | None:
    """The band of a number of employees; None where nobody said, or nobody works there."""
    if employees is None:
        return None
    return next((band for band in SIZES if band[0] <= employees and (band[1] is None or employees <= band[1])), None)


def traits_of(account: Mapping[str, Any]) -> dict[str, str]:
    """What a customer says of itself, trait -> words."""
    band = size_of(account["employees"])
    size = None if band is None else f"{band[0]}-{band[1]}" if band[1] is not None else f"{band[0]}+"
    said = {"industry": account["industry"] or None, "tier": account["tier"], "size": size}
    return {trait: words for trait, words in said.items() if words is not None}


def attempts(known: Iterable[str], asked: Sequence[str] | None) -> list[tuple[str, ...]]:
    """The sets of traits to compare by, one after the other: what was asked, or all that is known and ever fewer."""
    if asked is not None:
        return [tuple(asked)]
    found = tuple(trait for trait in BY if trait in set(known))
    return [found[:count] for count in range(len(found), 0, -1)]


def whitespace(connection: Connection, now_ms: int, user_key: str, key: str, wanted: Wanted) -> Whitespace:
    asked = _checked(wanted)
    key, held = seen_account(connection, user_key, key)
    account = dict(connection.execute(select(_ACCOUNTS).where(_ACCOUNTS.c.key == key)).mappings().one())
    known = traits_of(account)
    unknown = [trait for trait in asked or () if trait not in known]
    if unknown:
        raise Refused("request_invalid", f"the customer says nothing of its {', '.join(unknown)}", fields=unknown)
    peers: list[str] = []
    by: tuple[str, ...] = ()
    for by in attempts(known, asked):
        peers = _peers(connection, account, by, held)
        if len(peers) >= PEERS_MIN:
            break
    since = now_ms - wanted.days * DAY_MS
    like = {trait: known[trait] for trait in by}
    more, peers = len(peers) > PEERS_MAX, peers[:PEERS_MAX]
    if len(peers) < PEERS_MIN:
        few = "too_few_peers"
        return Whitespace(key, list(by), like, wanted.of, since, len(peers), PEERS_MIN, more, False, few, [])
    lines = _won_lines(connection, [key, *peers], since, held)
    items = _gaps(lines[:LINES_MAX], key, len(peers), wanted.of)
    said = _said(connection, key, scope.today(connection, now_ms), held) if wanted.of == "product" else {}
    shown = [_told(item, said) for item in items[: wanted.limit]]
    partial = len(lines) > LINES_MAX
    return Whitespace(key, list(by), like, wanted.of, since, len(peers), PEERS_MIN, more, partial, None, shown)


def _checked(wanted: Wanted) -> list[str] | None:
    asked = wanted.by.split(",") if wanted.by is not None else None
    if asked is not None and (len(set(asked)) < len(asked) or not set(asked) <= set(BY)):
        raise Refused("request_invalid", f"`by` names some of {', '.join(BY)}, each once")
    if wanted.of not in OF or not 1 <= wanted.days <= DAYS_MAX or not 1 <= wanted.limit <= LIMIT_MAX:
        words = f"`of` is {' or '.join(OF)}, `days` 1 to {DAYS_MAX}, `limit` 1 to {LIMIT_MAX}"
        raise Refused("request_invalid", words)
    return asked


def _alike(seen: Any, account: Mapping[str, Any], trait: str) -> ColumnElement[bool]:
    if trait != "size":
        return seen.c[trait] == account[trait]  # type: ignore[no-any-return]
    low, high = size_of(account["employees"]) or (0, None)
    up_to = [seen.c.employees <= high] if high is not None else []
    return and_(seen.c.employees >= low, *up_to)


def _peers(connection: Connection, account: Mapping[str, Any], by: Sequence[str], held: Any) -> list[str]:
    """At most one more than are compared, by key."""
    columns = [_ACCOUNTS.c[name] for name in ("key", "industry", "tier", "employees", "status", "buckets", "gone")]
    window = select(*columns).order_by(_ACCOUNTS.c.key).limit(WINDOW).subquery("seen")
    query = (
        select(window.c.key)
        .where(*(_alike(window, account, trait) for trait in by), window.c.key != account["key"], ~window.c.gone)
        .where(window.c.status != "former", lies_in(window.c.buckets, "held"))
        .order_by(window.c.key)
        .limit(PEERS_MAX + 1)
    )
    return [str(key) for key in connection.execute(query, {"held": held}).scalars()]


def _won_lines(connection: Connection, accounts: list[str], since: int, held: Any) -> list[Mapping[str, Any]]:
    """What these customers bought in deals that the caller sees, the latest deals first."""
    query = (
        select(
            _DEALS.c.account_key,
            _DEALS.c.currency,
            _LINES.c.product_key,
            _LINES.c.quantity,
            _LINES.c.unit_price_minor,
            _LINES.c.discount_bp,
            _PRODUCTS.c.name,
            _PRODUCTS.c.family,
        )
        .select_from(_DEALS)
        .join(_STAGES, _STAGES.c.key == as_key(_DEALS.c.stage_key))
        .join(_LINES, _LINES.c.deal_key == as_name(_DEALS.c.key))
        .join(_PRODUCTS, _PRODUCTS.c.key == as_key(_LINES.c.product_key))
        .where(_DEALS.c.account_key.in_(accounts), _DEALS.c.closed_at >= since, ~_DEALS.c.gone)
        .where(_STAGES.c.kind == "won", ~_LINES.c.gone, lies_in(_DEALS.c.buckets, "held"))
        .order_by(_DEALS.c.closed_at.desc(), _LINES.c.key)
        .limit(LINES_MAX + 1)
    )
    return [dict(row) for row in connection.execute(query, {"held": held}).mappings()]


def _gaps(lines: Sequence[Mapping[str, Any]], key: str, peers: int, of: str) -> list[Gap]:
    """Pure: what peers bought and `key` did not, by how many of them, then by name."""
    bought: dict[str, dict[str, dict[str | None, int]]] = {}
    names: dict[str, tuple[str | None, str | None, str]] = {}
    for line in lines:
        what = line["product_key"] if of == "product" else line["family"]
        if what is None:
            continue
        names[what] = (what, line["family"], line["name"]) if of == "product" else (None, what, what)
        spent = bought.setdefault(what, {}).setdefault(line["account_key"], {})
        money = rounded(exact(line), Rounding.HALF_UP)
        spent[line["currency"]] = spent.get(line["currency"], 0) + money
    found = [
        Gap(*names[what], len(buyers), ratio_bp(len(buyers), peers) or 0, _spent(buyers), None)
        for what, buyers in bought.items()
        if key not in buyers
    ]
    return sorted(found, key=lambda gap: (-gap.buyers, gap.name, gap.product_key or ""))


def _spent(buyers: Mapping[str, Mapping[str | None, int]]) -> list[Spent]:
    """In each currency by itself: money of two currencies has no median (R34)."""
    amounts: dict[str, list[int]] = {}
    for paid in buyers.values():
        for currency, minor in paid.items():
            if currency is not None:
                amounts.setdefault(currency, []).append(minor)
    return [
        Spent(currency, len(paid), rounded(_middle(paid), Rounding.HALF_UP))
        for currency, paid in sorted(amounts.items())
    ]


def _middle(amounts: Sequence[int]) -> Fraction:
    return median([Fraction(amount) for amount in amounts])


def _said(connection: Connection, key: str, day: str, held: Any) -> dict[str, str]:
    """product -> need or non_need, as the customer says today."""
    table = _NEEDS.c
    query = select(table.product_key, table.kind).where(
        table.account_key == key,
        table.product_key.is_not(None),
        ~table.gone,
        lies_in(table.buckets, "held"),
        or_(table.valid_from.is_(None), table.valid_from <= day),
        or_(table.valid_to.is_(None), table.valid_to > day),
    )
    return {row.product_key: row.kind for row in connection.execute(query.order_by(table.key), {"held": held})}


def _told(gap: Gap, said: Mapping[str, str]) -> Gap:
    return structs.replace(gap, said=said.get(gap.product_key or ""))
