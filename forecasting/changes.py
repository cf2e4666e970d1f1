"""What changed of deals since a day: per deal what, when and by whom, off the history that every write leaves (R54).

Only what a forecast is made of is told: amount, day, category, stage, owner, customer, shares, ends. What counts is
when the server learned of it, so that what a phone brought late is this week's news; `at` says when it happened. A
caller is told of deals that he sees, and how many others there are (R30).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, func, select

from forecasting.answers import COMPANY, PeriodTold
from forecasting.overriding import sight_of
from forecasting.reading import World, find_period, read_world
from sfa.core.days import check_day, plus_days, start_of_ms
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.online import person
from sfa.db.prepared import among, listed
from sfa.db.tables import OF_DEALS, ROWS, bucket_heads, clock_marks, feed, history

WEEK_DAYS = 7
PAGE_DEFAULT, PAGE_MAX = 100, 1_000
REACH_DAYS = 400
FIELDS = (
    *("amount_minor", "currency", "close_on", "category", "stage_key", "owner_key"),
    *("account_key", "splits", "overlays", "closed_at"),
)
_DEALS = ROWS["deals"]
_OF_DEAL = ("name", "owner_key", "account_key", "currency", "close_on", "closed_at", "splits", "gone")


class Asked(Struct, frozen=True):
    """`since` is a local day of the company, a week ago unless it is said; `after` is the `next` of a page."""

    since: str | None = None
    period: str | None = None
    node: str = COMPANY
    after: int | None = None
    limit: int = PAGE_DEFAULT


class Change(Struct, frozen=True):
    """One revision: field -> [before, after], of `FIELDS`. `kind` is create, update, delete, or the command."""

    rev: int
    kind: str
    at: int
    stored_at: int
    author_key: str | None
    author_name: str | None
    device_key: str | None
    fields: dict[str, list[Any]]


class ChangedDeal(Struct, frozen=True):
    """The newest change first. `currency` is that of the deal now; what it was before is told among the changes."""

    deal_key: str
    name: str
    account_key: str | None
    owner_key: str
    currency: str | None
    gone: bool
    changes: list[Change]


class ChangePage(Struct, frozen=True, kw_only=True):
    """Deals by their newest change. `hidden` counts deals that changed and that the caller does not see."""

    since: str
    zone: str
    period: PeriodTold | None
    node: str
    items: list[ChangedDeal]
    hidden: int
    partial: bool
    next: int | None


def changes(connection: Connection, user_key: str, now_ms: int, asked: Asked) -> ChangePage:
    """`not_found`: the caller sees nothing of the node; `period_unknown`, `request_invalid`."""
    if not 1 <= asked.limit <= PAGE_MAX or (asked.after is not None and asked.after < 0):
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}, `after` the `next` of another page")
    who, world = person(connection, user_key), read_world(connection, now_ms=now_ms)
    since = check_day(asked.since) if asked.since is not None else plus_days(world.today, -WEEK_DAYS)
    if since < plus_days(world.today, -REACH_DAYS):
        raise Refused("request_invalid", f"`since` is at most {REACH_DAYS} days ago")
    _check_node(world, asked.node, sight_of(who, shown=False))
    period = None if asked.period is None else find_period(connection, asked.period, world.today, world.period_kind)
    start = start_of_ms(since, world.zone)
    rows = _changed(connection, start)
    found = _histories(connection, rows, start, world)
    told = [key for key in found if _is_asked(rows[key], found[key], asked.node, period, world)]
    seen = _seen(connection, who.held, told)
    mine = sorted((key for key in told if key in seen), key=lambda key: (-found[key][0].stored_at, key))
    first = asked.after or 0
    return ChangePage(
        since=since,
        zone=world.zone,
        period=period,
        node=asked.node,
        items=[_deal(key, rows[key], found[key]) for key in mine[first : first + asked.limit]],
        hidden=len(told) - len(mine),
        partial=len(told) > len(mine),
        next=first + asked.limit if len(mine) > first + asked.limit else None,
    )


def _check_node(world: World, node: str, sight: Any) -> None:
    kind, _, key = node.partition(":")
    if node == COMPANY:
        return
    if kind not in ("team", "user") or not is_key(key):
        raise Refused("request_invalid", "`node` is company, or team: or user: with a key")
    path = world.tree.place(key, world.today).path if kind == "user" else world.tree.team_path(key, world.today)
    is_there = key in (world.people if kind == "user" else world.teams)
    if not is_there or not (sight.everything or sight.above(path) or (kind == "user" and key in sight.books)):
        raise Refused("not_found")


def _changed(connection: Connection, start: int) -> dict[str, Mapping[str, Any]]:
    """The deals of which the feed or the history says anything since the last mark of the clock before an instant: the
    feed knows none that are too old for devices, the history of earlier versions no numbers."""
    marked = select(func.max(clock_marks.c.seq)).where(clock_marks.c.at <= start)
    floor: int = connection.execute(marked).scalar() or 0
    h, e, d, written = bucket_heads.c, feed.c, _DEALS.c, history.c
    old = select(written.key).where(OF_DEALS, written.seq >= floor, written.entity == "deals")
    fed = select(e.key).join_from(bucket_heads, feed, (e.bucket == h.bucket) & (e.seq > floor))
    keys = fed.where(h.seq > floor, e.entity == "deals").union(old)
    query = select(d.key, *(d[name] for name in _OF_DEAL)).where(d.key.in_(keys))
    return {row["key"]: dict(row) for row in connection.execute(query).mappings()}


def _histories(connection: Connection, rows: Iterable[str], start: int, world: World) -> dict[str, list[Change]]:
    h = history.c
    columns = (h.key, h.rev, h.kind, h.at, h.stored_at, h.author_key, h.device_key, h.changes)
    query = select(*columns).where(h.entity == "deals", among(h.key, "keys"), h.stored_at >= start)
    found: dict[str, list[Change]] = {}
    bound = {"keys": listed(connection, sorted(rows))}
    for key, rev, kind, at, stored_at, author, device, said in connection.execute(query, bound):
        fields = {name: said[name] for name in FIELDS if name in said}
        if fields or kind in ("create", "delete"):
            name = world.people[author][0] if author in world.people else None
            found.setdefault(key, []).append(Change(rev, kind, at, stored_at, author, name, device, fields))
    for of in found.values():
        of.sort(key=lambda change: -change.rev)
    return found


def _is_asked(row: Mapping[str, Any], found: list[Change], node: str, period: PeriodTold | None, world: World) -> bool:
    """Whether the deal is, or was before these changes, the node's and of the period."""
    if node != COMPANY:
        people = {row["owner_key"], *_people(row["splits"])}
        for change in found:
            people.update(key for key in change.fields.get("owner_key", ()) if key is not None)
            for splits in change.fields.get("splits", ()):
                people.update(_people(splits))
        if not any(node in (f"user:{key}", *world.tree.place(key, world.today).path) for key in people):
            return False
    if period is None:
        return True
    days = {row["close_on"], *(day for change in found for day in change.fields.get("close_on", ()))}
    return any(day is not None and period.start_on <= day < period.end_on for day in days) or any(
        _closed_within(change, period, world.zone) for change in found
    )


def _closed_within(change: Change, period: PeriodTold, zone: str) -> bool:
    start, end = start_of_ms(period.start_on, zone), start_of_ms(period.end_on, zone)
    return any(at is not None and start <= at < end for at in change.fields.get("closed_at", ()))


def _people(splits: Any) -> set[str]:
    return {share["user_key"] for share in splits or () if isinstance(share, dict) and share.get("user_key")}


def _seen(connection: Connection, held: frozenset[str] | None, keys: Iterable[str]) -> set[str]:
    """Those that lie in a bucket that the caller holds, a deleted one where it lay."""
    if held is None:
        return set(keys)
    query = select(_DEALS.c.key, _DEALS.c.buckets).where(among(_DEALS.c.key, "keys"))
    rows = connection.execute(query, {"keys": listed(connection, sorted(keys))})
    return {key for key, buckets in rows if not held.isdisjoint(buckets)}


def _deal(key: str, row: Mapping[str, Any], found: list[Change]) -> ChangedDeal:
    about = (row["name"], row["account_key"], row["owner_key"], row["currency"], bool(row["gone"]))
    return ChangedDeal(key, *about, found)
