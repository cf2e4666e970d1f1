"""Movement between two snapshots as it is asked for at a screen: the bridge of a node, and the deals of its bars (R28).

Both ends are frozen, so the same two snapshots give the same bytes for as long as they are kept, and a process keeps
the bridges that people asked for last (`Known`): pages of deals reckon nothing again. The period is that of the later
one. A caller is told what is his to see, and that there is more (R30).
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from forecasting import kept
from forecasting.answers import UNSEEN, Missing, PeriodTold
from forecasting.bridging import Bridged, Compared, bridged
from forecasting.documents import Deal, Span
from forecasting.frozen import Frozen, frozen, told
from forecasting.keeping import Kept
from forecasting.kept import Snapshot
from forecasting.looking import own_place
from forecasting.movement import CLASSES, Bar, Moved
from forecasting.overriding import sight_of
from forecasting.spots import Sight
from forecasting.stands import node_row
from sfa.core.days import check_day, plus_days
from sfa.core.errors import Refused
from sfa.crm.online import Online, person
from sfa.db.tables import ROWS

WEEK_DAYS = 7
PAGE_DEFAULT, PAGE_MAX = 100, 1_000
MISSING_MAX = 500
ENDS_MAX = 4
BRIDGES_MAX, LINES_MAX = 64, 100_000  # bridges kept, and the deals and holes in all of them


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


_End = tuple[int, str]  # two days on which nothing changed have one digest, and each its own rates


class Known:
    """What follows from snapshots, for as long as there is room: they never change, and digests say which they are."""

    def __init__(self) -> None:
        self.ends: Kept[tuple[_End, PeriodTold], Frozen] = Kept(_ageless, ENDS_MAX)
        self.bridges: Kept[tuple[_End, _End, PeriodTold, str, Sight], Bridged] = Kept(
            _ageless,
            BRIDGES_MAX,
            weight_of=lambda found: 1 + len(found.bridge.moved) + len(found.holes),
            weight_max=LINES_MAX,
        )


def _end(snapshot: Snapshot) -> _End:
    return snapshot.number, snapshot.digest


def _ageless(_of: object) -> int:
    return 0


class Movements:
    """Movements for callers, reckoned apart so that nobody else waits for them."""

    def __init__(self, screens: Online) -> None:
        self._screens = screens
        self.known = Known()

    async def told(self, user_key: str, asked: Asked) -> Movement:
        return await self._screens.reckon(movement, user_key, asked, self.known)

    async def deals(self, user_key: str, asked: Asked, into: str | None, after: int | None, limit: int) -> MovedPage:
        return await self._screens.reckon(moved_deals, user_key, asked, into, after, limit, self.known)


def movement(connection: Connection, user_key: str, asked: Asked, known: Known | None = None) -> Movement:
    """`not_found`: the caller sees nothing of the node. `forecast_snapshot_missing`, `period_unknown`,
    `forecast_currency_fixed`, `request_invalid`."""
    ends, node, found = _found(connection, user_key, asked, known or Known())
    why = _why(found)
    return Movement(
        **_about(ends, node),
        opening=found.bridge.opening,
        classes=found.bridge.classes,
        unchanged=found.bridge.unchanged,
        rates=found.bridge.rates,
        closing=found.bridge.closing,
        missing=found.holes[:MISSING_MAX],
        missing_count=len(found.holes),
        partial=bool(why),
        why=why,
    )


def moved_deals(
    connection: Connection,
    user_key: str,
    asked: Asked,
    into: str | None,
    after: int | None,
    limit: int,
    known: Known | None = None,
) -> MovedPage:
    """A page of the deals of one class, or of all. `after` is the `next` of the page before."""
    if into is not None and into not in CLASSES:
        raise Refused("request_invalid", f"`class` is one of {', '.join(CLASSES)}")
    if not 1 <= limit <= PAGE_MAX or (after is not None and after < 0):
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}, `after` the `next` of another page")
    ends, node, found = _found(connection, user_key, asked, known or Known())
    start = after or 0
    moved = [one for one in found.bridge.moved if into in (None, one.into)]
    page = moved[start : start + limit]
    documents = _documents(connection, ends, page)
    why = _why(found)
    return MovedPage(
        **_about(ends, node),
        items=[_shown(one, documents[one.key]) for one in page],
        partial=bool(why),
        why=why,
        next=start + limit if len(moved) > start + limit else None,
    )


def _found(connection: Connection, user_key: str, asked: Asked, known: Known) -> tuple[Compared, str, Bridged]:
    """What is asked, its node, and the bridge: kept, or made now."""
    sight = sight_of(person(connection, user_key), shown=False)
    ends = compared(connection, asked, known)
    last = ends.now.around
    node = asked.node if asked.node is not None else own_place(sight, user_key, lambda one: node_row(one, last))
    of = _end(ends.was.snapshot), _end(ends.now.snapshot), last.period, node, sight
    found = known.bridges.get(of)
    if found is None:
        found = bridged(connection, ends, node, sight)
        known.bridges.put(of, found)
    return ends, node, found


def compared(connection: Connection, asked: Asked, known: Known | None = None) -> Compared:
    """The two snapshots that are asked for, the earlier one first."""
    known = known or Known()
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
    return Compared(_frozen(connection, earlier, period, known), _frozen(connection, later, period, known))


def _frozen(connection: Connection, snapshot: Snapshot, period: PeriodTold, known: Known) -> Frozen:
    of = _end(snapshot), period
    found = known.ends.get(of)
    if found is None:
        found = frozen(connection, snapshot, period)
        known.ends.put(of, found)
    return found


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


def _why(found: Bridged) -> list[str]:
    return sorted({hole.code for hole in found.holes} | ({UNSEEN} if found.unseen else set()))


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
