"""Price guides kept by a job, and told at a screen, to who sees cost with the margins behind them (R45).

`make_guides` promises: one row for each group that has enough deals, under a key made of what the group is; a row is
written only where it says something else, and taken back when its group has too few deals. The rows lie with everybody,
so they hold prices only. Margins are worked out when they are asked for, out of the same lines, and are stored nowhere.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, or_, select

from sfa.core.access import SEES_COST
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.money import BP_WHOLE
from sfa.crm.online import person
from sfa.db import scope
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin
from sfa.profit.items import half_up
from sfa.profit.price import guides
from sfa.profit.price.guides import Found, Group, Guide, Guides, Place, Sold
from sfa.profit.price.won_lines import amounts, sold_lines

KIND = "guide"
PAGE_DEFAULT, PAGE_MAX = 100, 500
_GUIDES = ROWS["price_guides"]
_SAID = ("family", "segment", "quantity_from", "target_bp", "norm_bp", "floor_bp", "deals")


class Made(Struct, frozen=True):
    written: int = 0
    deleted: int = 0
    kept: int = 0


class Margins(Struct, frozen=True):
    """What the lines of a guide earned on their own days, in basis points of their price: the same three places in the
    order of margins. Of `lines` sold `costed` had a cost; null where none had."""

    target_bp: int | None
    norm_bp: int | None
    floor_bp: int | None
    lines: int
    costed: int


class GuideTold(Struct, frozen=True):
    """`margins` is null for who does not see cost."""

    key: str
    family: str | None
    segment: str | None
    quantity_from: str
    target_bp: int
    norm_bp: int
    floor_bp: int
    deals: int
    made_on: str
    margins: Margins | None


class GuidesTold(Struct, frozen=True):
    """A page of guides by key. `partial`: margins were left out, for want of the right to them."""

    items: list[GuideTold]
    partial: bool
    code: str | None
    next: str | None


def key_of(place: Place) -> str:
    """The key of a group's row: the same group has the same row for ever."""
    return f"guide-{sha256(msgspec.json.encode(place)).hexdigest()[:32]}"


# -- the job ----------------------------------------------------------------------------------------------------------


def make_guides(connection: Connection, now_ms: int) -> Made:
    wanted = {key_of(place): _row(place, guide) for place, guide in _found(connection, now_ms).items()}
    stored = connection.execute(select(_GUIDES.c.key).where(~_GUIDES.c.gone)).scalars()
    door, today = Door(connection, now_ms), scope.today(connection, now_ms)
    door.load("price_guides", {*wanted, *stored})
    origin = Origin(author_key=None, at=now_ms, stored_at=now_ms)
    written = deleted = 0
    for key in sorted(wanted):
        cell, row = door.cell("price_guides", key), wanted[key]
        if not cell.exists or any(cell.row[field] != row[field] for field in _SAID):
            door.put(cell, {**row, "made_on": today}, origin, KIND)
            written += 1
    for cell in sorted(door.cells_of("price_guides"), key=lambda cell: cell.key):
        if cell.exists and cell.key not in wanted:
            door.delete(cell, origin, KIND)
            deleted += 1
    door.flush()
    return Made(written, deleted, len(wanted) - written)


def _found(connection: Connection, now_ms: int) -> dict[Place, Guide]:
    return guides.guides_of(line.sold for line in sold_lines(connection, now_ms))


def _row(place: Place, guide: Guide) -> dict[str, Any]:
    family, segment, quantity_from = place
    said = {"family": family, "segment": segment, "quantity_from": quantity_from}
    return {**said, **msgspec.structs.asdict(guide)}


# -- told -------------------------------------------------------------------------------------------------------------


def told(
    connection: Connection, now_ms: int, user_key: str, family: str | None, after: str | None, limit: int
) -> GuidesTold:
    """Refuses `request_invalid`."""
    if not 1 <= limit <= PAGE_MAX:
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}")
    if after is not None and not is_key(after):
        raise Refused("request_invalid", "`after` is the `next` of another page")
    if family is not None and "\x00" in family:
        raise Refused("request_invalid", "`family` has a character that no family has")
    sees = person(connection, user_key).role in SEES_COST
    query = select(_GUIDES).where(~_GUIDES.c.gone).order_by(_GUIDES.c.key).limit(limit + 1)
    query = query.where(_GUIDES.c.family == family) if family is not None else query
    query = query.where(_GUIDES.c.key > after) if after is not None else query
    rows = [dict(row) for row in connection.execute(query).mappings()]
    page = rows[:limit]
    margins = _margins(connection, now_ms, page) if sees and page else {}
    items = [
        GuideTold(**{name: row[name] for name in (*_SAID, "key", "made_on")}, margins=margins.get(row["key"]))
        for row in page
    ]
    code = None if sees else "not_permitted"
    return GuidesTold(items, not sees, code, page[-1]["key"] if len(rows) > limit else None)


def guides_for(connection: Connection, families: Collection[str | None]) -> Guides:
    """The guides that products of these families may be judged by."""
    table = _GUIDES.c
    columns = (table[name] for name in Found.__struct_fields__)
    query = select(*columns).where(~table.gone, or_(table.family.is_(None), among(table.family, "families")))
    named = listed(connection, sorted(family for family in families if family is not None))
    rows = connection.execute(query, {"families": named}).mappings()
    return Guides({row["key"]: dict(row) for row in rows})


def _margins(connection: Connection, now_ms: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, Margins]:
    """guide -> margins of the lines that it is made of, in one pass over the lines of its families."""
    groups = {(row["family"], row["segment"]) for row in rows}
    tiers = _tiers_of(connection, groups)
    families = None if any(f is None for f, _ in groups) else sorted({f for f, _ in groups if f is not None})
    costs = amounts(connection, "unit_costs")
    heaps: dict[str, dict[int, int]] = {}
    counts: dict[str, int] = {}
    known: dict[tuple[Any, ...], tuple[str, ...]] = {}  # of lines alike
    for line in sold_lines(connection, now_ms, families):
        sold = line.sold
        alike = (sold.family, sold.industry, sold.tier, guides.tier_of(sold.quantity))
        if alike not in known:
            known[alike] = tuple(_guides_of_line(sold, tiers))
        if not known[alike]:
            continue
        earned = _margin_bp(line.scaled, costs.on(line.product_key, line.currency, line.on))
        for key in known[alike]:
            counts[key] = counts.get(key, 0) + 1
            if earned is not None:
                heap = heaps.setdefault(key, {})
                heap[earned] = heap.get(earned, 0) + 1
    return {row["key"]: _summed(heaps.get(row["key"], {}), counts.get(row["key"], 0)) for row in rows}


def _tiers_of(connection: Connection, groups: set[Group]) -> dict[Group, dict[str, str]]:
    """Every guide of these groups, by where it begins: a page may cut through a group."""
    table, found = _GUIDES.c, dict[Group, dict[str, str]]()
    columns = (table.key, table.family, table.segment, table.quantity_from)
    for row in connection.execute(select(*columns).where(~table.gone)):
        if (row.family, row.segment) in groups:
            found.setdefault((row.family, row.segment), {})[row.quantity_from] = row.key
    return found


def _guides_of_line(sold: Sold, tiers: Mapping[Group, Mapping[str, str]]) -> Iterable[str]:
    place = guides.tier_of(sold.quantity)
    for family in dict.fromkeys((sold.family, None)):
        for segment in guides.segments(sold.industry, sold.tier):
            group = tiers.get((family, segment), {})
            below = [tier for tier in guides.TIERS[: place + 1] if tier in group]
            if below:
                yield group[below[-1]]


def _margin_bp(scaled: int | Fraction, cost: int | None) -> int | None:
    """Profit over price (R36) of one unit; None without a cost or a price."""
    return half_up((scaled - cost * BP_WHOLE) * BP_WHOLE, scaled) if cost is not None and scaled > 0 else None


def _summed(heap: Mapping[int, int], lines: int) -> Margins:
    ordered = sorted(heap.items())
    if not ordered:
        return Margins(None, None, None, lines, 0)
    target, norm, floor = (guides.quantile(ordered, share) for share in guides.SHARES)
    return Margins(target, norm, floor, lines, sum(heap.values()))
