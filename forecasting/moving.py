"""Movement between two snapshots as it is asked for at a screen: the bridge of a node, and the deals of its bars (R28).

Both ends are frozen, so the same two snapshots give the same bytes for as long as they are kept. The period is that of
the later one. A caller is told what is his to see, and that there is more (R30).
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from forecasting import kept
from forecasting.answers import COMPANY, UNSEEN, Missing, PeriodTold
from forecasting.documents import Deal, Span
from forecasting.frozen import Frozen, frozen, told
from forecasting.kept import Snapshot
from forecasting.movement import CLASSES, Bar, Bridge, Moved, Stand, bridge
from forecasting.overriding import sight_of
from forecasting.spots import Sight
from forecasting.stands import Around, Lens, facts_of, has_hole, is_same_around, node_row, rests, stand_of
from sfa.core.days import check_day, plus_days
from sfa.core.errors import Refused
from sfa.core.forecast import CLOSED
from sfa.core.ids import is_key
from sfa.crm.online import person
from sfa.db.tables import ROWS

WEEK_DAYS = 7
PAGE_DEFAULT, PAGE_MAX = 100, 1_000
MISSING_MAX = 500
KINDS = ("team", "user", "territory", "product")


class Asked(Struct, frozen=True):
    """Days of snapshots: of `to` the newest unless it is said, of `since` the one a week before it. `currency` can only
    be the snapshots'. `node`, where it is not said, is where a roll-up would look."""

    period: str | None = None
    node: str | None = None
    since: str | None = None
    to: str | None = None
    currency: str | None = None


class Taken(Struct, frozen=True):
    """Which snapshot an end of the movement is."""

    number: int
    taken_on: str
    taken_at: int
    digest: str


class Movement(Struct, frozen=True, kw_only=True):
    """opening + `classes` + rates = closing, by bucket and in total; `unchanged` counts deals. `missing` are holes at
    either end, which add nothing; `partial` and `why` as in a roll-up."""

    period: PeriodTold
    node: str
    currency: str
    since: Taken
    to: Taken
    opening: Bar
    classes: list[Bar]
    unchanged: int
    rates: Bar
    closing: Bar
    missing: list[Missing]
    missing_count: int
    partial: bool
    why: list[str]


class MovedDeal(Struct, frozen=True, kw_only=True):
    """A deal behind a bar, as the later snapshot knows it, or the earlier one where it does not stand in the node any
    more: `was` and `now` are its buckets."""

    deal_key: str
    name: str
    account_key: str | None
    owner_key: str
    into: str
    was: str | None
    now: str | None
    amounts: dict[str, int]
    total_minor: int


class MovedPage(Struct, frozen=True, kw_only=True):
    """Deals in the order of classes, the largest first. Those of all pages sum to the bars."""

    period: PeriodTold
    node: str
    currency: str
    since: Taken
    to: Taken
    items: list[MovedDeal]
    partial: bool
    why: list[str]
    next: int | None


class Compared(Struct, frozen=True):
    """Two snapshots of one currency and the period between them."""

    was: Frozen
    now: Frozen

    def pairs(self, connection: Connection) -> Iterator[kept.Pair]:
        since = kept.done_from(connection, self.was.around.period.start_on)
        return kept.pairs(connection, self.was.snapshot.number, self.now.snapshot.number, since)


def movement(connection: Connection, user_key: str, asked: Asked) -> Movement:
    """`not_found`: the caller sees nothing of the node. `forecast_snapshot_missing`, `period_unknown`,
    `forecast_currency_fixed`, `request_invalid`."""
    sight = sight_of(person(connection, user_key), shown=False)
    ends = compared(connection, asked)
    node = asked.node if asked.node is not None else _own_node(ends.now.around, sight, user_key)
    found, holes, lens = bridged(connection, ends, node, sight)
    why = _why(holes, lens)
    return Movement(
        **_about(ends, node),
        opening=found.opening,
        classes=found.classes,
        unchanged=found.unchanged,
        rates=found.rates,
        closing=found.closing,
        missing=holes[:MISSING_MAX],
        missing_count=len(holes),
        partial=bool(why),
        why=why,
    )


def moved_deals(
    connection: Connection, user_key: str, asked: Asked, into: str | None, after: int | None, limit: int
) -> MovedPage:
    """A page of the deals of one class, or of all. `after` is the `next` of the page before."""
    if into is not None and into not in CLASSES:
        raise Refused("request_invalid", f"`class` is one of {', '.join(CLASSES)}")
    if not 1 <= limit <= PAGE_MAX or (after is not None and after < 0):
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}, `after` the `next` of another page")
    sight = sight_of(person(connection, user_key), shown=False)
    ends = compared(connection, asked)
    node = asked.node if asked.node is not None else _own_node(ends.now.around, sight, user_key)
    found, holes, lens = bridged(connection, ends, node, sight)
    start = after or 0
    moved = [one for one in found.moved if into in (None, one.into)]
    page = moved[start : start + limit]
    known = _documents(connection, ends, page)
    why = _why(holes, lens)
    return MovedPage(
        **_about(ends, node),
        items=[_shown(one, known[one.key]) for one in page],
        partial=bool(why),
        why=why,
        next=start + limit if len(moved) > start + limit else None,
    )


def compared(connection: Connection, asked: Asked) -> Compared:
    """The two snapshots that are asked for, the earlier one first."""
    for day in (asked.since, asked.to):
        if day is not None:
            check_day(day)
    later = kept.as_of(connection, asked.to) if asked.to is not None else kept.newest(connection)
    if later is None:
        raise Refused("forecast_snapshot_missing", "no snapshot was taken yet")
    earlier = kept.as_of(connection, asked.since or plus_days(later.taken_on, -WEEK_DAYS))
    if earlier.number > later.number:
        raise Refused("request_invalid", "`from` is not later than `to`")
    for snapshot in (earlier, later):
        if snapshot.currency != later.currency or asked.currency not in (None, snapshot.currency):
            raise Refused("forecast_currency_fixed", number=snapshot.number, currency=snapshot.currency)
    period = _period(connection, later, asked.period)
    was = frozen(connection, earlier, period)
    return Compared(was, frozen(connection, later, period) if later.number != earlier.number else was)


def _period(connection: Connection, snapshot: Snapshot, key: str | None) -> PeriodTold:
    """The one of that key, or the quarter that holds the snapshot's day; of several the first by key."""
    spans = kept.periods(connection, snapshot.number)
    if key is not None:
        return told(key, spans.get(key))
    day = snapshot.taken_on
    running = [k for k, span in spans.items() if span.kind == _asked_kind(connection) and _holds(span, day)]
    if not running:
        raise Refused("period_unknown", f"no period of the fiscal calendar held {day}", day=day)
    return told(min(running), spans[min(running)])


def _asked_kind(connection: Connection) -> str:
    p = ROWS["forecast_policies"].c
    found = connection.execute(select(p.period_kind).where(~p.gone).order_by(p.key).limit(1)).scalar()
    return str(found) if found is not None else "quarter"


def _holds(span: Span, day: str) -> bool:
    return span.start_on <= day < span.end_on


def bridged(connection: Connection, ends: Compared, node: str, sight: Sight) -> tuple[Bridge, list[Missing], Lens]:
    """The bridge of a node, the holes at either end, and whether something of it was not to be seen."""
    _check_node(node)
    lens, holes = Lens(node, sight), set[Missing]()

    def stands() -> Iterator[tuple[str, Stand | None, Stand | None]]:
        first, last = ends.was.around, ends.now.around
        is_same = is_same_around(first, last)
        for key, was, now in ends.pairs(connection):
            before = stand_of(was, first, lens, None)
            if is_same and was is now and was is not None and rests(was, first, last):
                after = before
            else:
                after = stand_of(now, last, lens, (was, first))
            is_here = (before is not None and before.here) or (after is not None and after.here)
            if is_here:
                yield key, before, after
                if now is not None and now.currency != first.currency:
                    holes.update(_unrated(key, now, ends, lens))
            if is_here or _is_undated(was, first) or _is_undated(now, last):
                for deal, around in ((was, first), (now, last)):
                    if deal is not None and has_hole(deal, around):
                        holes.update(_holes(key, deal, around, lens))

    found = bridge(stands())
    if not (found.opening.deals or found.closing.deals):
        row = node_row(node, ends.now.around)
        if not sight.everything and (node == COMPANY or row is None or not sight.of_row(row)):
            raise Refused("not_found")
        if row is None and node != COMPANY and not lens.unseen:
            raise Refused("not_found")
    return found, sorted(holes), lens


def _own_node(around: Around, sight: Sight, user_key: str) -> str:
    """As `service.own_node` says it of today, on the snapshot's day."""
    if sight.everything:
        return COMPANY
    rows = {node: row for node in sorted(sight.manages) if (row := node_row(node, around)) is not None}
    tops = [node for node, row in rows.items() if sight.manages.isdisjoint(row.parents)]
    if tops:
        return tops[0] if len(tops) == 1 else COMPANY
    return f"user:{user_key}"


def _check_node(node: str) -> None:
    kind, _, key = node.partition(":")
    if node != COMPANY and (kind not in KINDS or not (is_key(key) or (not key and kind in ("territory", "product")))):
        raise Refused("request_invalid", "`node` is company, or team:, user:, territory: or product: with a key")


def _holes(key: str, deal: Deal, around: Around, lens: Lens) -> Iterator[Missing]:
    for fact in facts_of(key, deal, around):
        if lens.takes(fact.user_key, fact.place, fact.territory):
            for code in fact.holes:
                yield Missing(code, "deals", key, fact.user_key, fact.currency if code == "rate_missing" else None)


def _is_undated(deal: Deal | None, around: Around) -> bool:
    """Whether it may be of the period that is running, and nobody said so."""
    return deal is not None and deal.state == "open" and deal.close_on is None and around.is_running


def _unrated(key: str, deal: Deal, ends: Compared, lens: Lens) -> Iterator[Missing]:
    """What is open at the later end, in a currency of which there was no rate yet at the first."""
    first, last = ends.was.around, ends.now.around
    if last.bucket(deal) is None or deal.currency is None:
        return
    if first.value(0, deal.currency) is None and last.value(0, deal.currency) is not None:
        for fact in facts_of(key, deal, last):
            is_open = fact.bucket != CLOSED and fact.amount_minor is not None
            if is_open and lens.takes(fact.user_key, fact.place, fact.territory):
                yield Missing("rate_missing", "deals", key, fact.user_key, deal.currency)


def _why(holes: list[Missing], lens: Lens) -> list[str]:
    return sorted({hole.code for hole in holes} | ({UNSEEN} if lens.unseen else set()))


def _about(ends: Compared, node: str) -> dict[str, Any]:
    snapshots = {"since": ends.was.snapshot, "to": ends.now.snapshot}
    return {
        "period": ends.now.around.period,
        "node": node,
        "currency": ends.now.snapshot.currency,
        **{name: Taken(s.number, s.taken_on, s.taken_at, s.digest) for name, s in snapshots.items()},
    }


def _documents(connection: Connection, ends: Compared, page: list[Moved]) -> dict[str, Deal]:
    """A deal that left is told as it was when it stood here: what became of it since may not be the caller's to see."""
    left = {one.key for one in page if one.now is None}
    now = kept.some(connection, ends.now.snapshot.number, {one.key for one in page} - left)
    return {**kept.some(connection, ends.was.snapshot.number, left), **now}


def _shown(moved: Moved, deal: Deal) -> MovedDeal:
    return MovedDeal(
        deal_key=moved.key,
        name=deal.name,
        account_key=deal.account_key,
        owner_key=deal.owner_key,
        into=moved.into,
        was=moved.was,
        now=moved.now,
        amounts=moved.amounts,
        total_minor=moved.total_minor,
    )
