"""What people ask of figures at a screen: the attainment of the quotas that they see, and why it is what it is.

A caller sees the quotas of his scope (S13) with their whole figure. The explanation lists the facts that he may see and
says of each page how many others there are and what they add, so that pages sum to the figure (R10, R30). Margins are
for roles that see cost (R45). `as_of` comes from outside; the same instant and the same database give the same bytes.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, select

from sfa.core.days import check_day, day_bounds_ms
from sfa.core.errors import Refused
from sfa.core.fields import INSTANT_MAX
from sfa.core.ids import is_key
from sfa.core.rules import MEASURES
from sfa.crm.edits import Who
from sfa.crm.online import person
from sfa.db import scope
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS
from sfa.quotas import engine
from sfa.quotas.closed import Brief, briefly
from sfa.quotas.conversion import Missing
from sfa.quotas.measures import Contribution, QuotaRow
from sfa.quotas.pace import Pace, pace
from sfa.quotas.sight import check_figure, seen, sees_figure, visible
from sfa.quotas.tallies import Figure
from sfa.quotas.targets import as_approved, read_world

PAGE_DEFAULT, PAGE_MAX = 100, 1_000
KEYS_MAX = 200
KINDS = ("user", "team", "territory")
_QUOTAS = ROWS["quotas"]
_Place = tuple[int, str, str, int, bool, str]


class Attainment(Struct, frozen=True, kw_only=True):
    """A quota with its figure at an instant (see `Figure`) and its pace; `code` not_permitted where the caller's role
    may not know it. `closed` is what the last closing of its period kept, null while there is none."""

    key: str
    user_key: str | None
    team_key: str | None
    territory_key: str | None
    period_key: str
    period_name: str
    start_on: str
    end_on: str
    measure: str
    overlay: bool
    status: str
    target: int
    currency: str | None
    unit: str | None
    version: int
    value: int | None
    code: str | None
    missing: list[Missing]
    left_out: dict[str, int]
    pct_bp: int | None
    pct_code: str | None
    pace: Pace | None
    closed: Brief | None


class Attained(Struct, frozen=True):
    """A page of quotas by key; `next` is the `after` of the page behind it."""

    as_of: int
    zone: str
    items: list[Attainment]
    next: str | None


class Explained(Struct, frozen=True):
    """One contribution; `path` are the teams from the person's own up to the quota's, as the tree stood on that day."""

    fact: Contribution
    path: list[str]


class Hidden(Struct, frozen=True):
    """Facts of this page that the caller may not see: how many count, and what they add."""

    count: int
    value: int


class Explanation(Struct, frozen=True):
    """A page of a figure's contributions in the order of time. `partial` says that some of them are `hidden`."""

    quota_key: str
    as_of: int
    items: list[Explained]
    hidden: Hidden
    partial: bool
    next: str | None


class Asked(Struct, frozen=True):
    """Which quotas: of a period, a measure, a kind of holder, some holders; None asks for all."""

    period_key: str | None = None
    measure: str | None = None
    kind: str | None = None
    keys: str | None = None
    after: str | None = None
    limit: int = PAGE_DEFAULT


def instant_of(text: str | None, now_ms: int, zone: str) -> int:
    """An instant in milliseconds, or a local day of the organisation ("2026-01-31"), which is taken to its end; None is
    now."""
    if text is None:
        return now_ms
    if text.isascii() and text.isdigit() and len(text) <= 15 and int(text) <= INSTANT_MAX:
        return int(text)
    return day_bounds_ms(check_day(text), zone)[1]


def attained(connection: Connection, user_key: str, now_ms: int, as_of: str | None, asked: Asked) -> Attained:
    """The quotas that the caller sees, a page of them."""
    who, zone = person(connection, user_key), scope.zone(connection)
    at = instant_of(as_of, now_ms, zone)
    limit, held = _limit(asked.limit), {"held": listed(connection, who.held or ())}
    query = select(_QUOTAS.c.key).where(~_QUOTAS.c.gone, lies_in(_QUOTAS.c.buckets, "held"), *_conditions(asked))
    keys = list(connection.execute(query.order_by(_QUOTAS.c.key).limit(limit + 1), held).scalars())
    rows = _rows(connection, keys[:limit])
    return Attained(at, zone, _shown(connection, who, rows, at, zone), keys[limit - 1] if len(keys) > limit else None)


def _conditions(asked: Asked) -> Iterator[ColumnElement[bool]]:
    if asked.after is not None:
        if not is_key(asked.after):
            raise Refused("request_invalid", "`after` is the `next` of another page")
        yield _QUOTAS.c.key > asked.after
    if asked.period_key is not None:
        if not is_key(asked.period_key):
            raise Refused("request_invalid", "`period` is the key of a period")
        yield _QUOTAS.c.period_key == asked.period_key
    if asked.measure is not None:
        if asked.measure not in MEASURES:
            raise Refused("request_invalid", f"`measure` is one of {', '.join(MEASURES)}")
        yield _QUOTAS.c.measure == asked.measure
    if asked.keys is not None and asked.kind is None:
        raise Refused("request_invalid", "`keys` are of one `kind`: user, team or territory")
    if asked.kind is not None:
        if asked.kind not in KINDS:
            raise Refused("request_invalid", "`kind` is user, team or territory")
        column = _QUOTAS.c[f"{asked.kind}_key"]
        yield column.is_not(None)
        if asked.keys is not None:
            keys = asked.keys.split(",")
            if len(keys) > KEYS_MAX or not all(map(is_key, keys)):
                raise Refused("request_invalid", f"`keys` are 1 to {KEYS_MAX} keys with commas between them")
            yield column.in_(keys)


def _limit(limit: int) -> int:
    if not 1 <= limit <= PAGE_MAX:
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}")
    return limit


def _rows(connection: Connection, keys: Sequence[str]) -> list[QuotaRow]:
    return engine.read_quotas(connection, _QUOTAS.c.key.in_(keys)) if keys else []


def _quota(connection: Connection, who: Who, key: str) -> QuotaRow:
    """A quota that the caller sees, or `not_found`."""
    seen(connection, who, "quotas", key)
    found = _rows(connection, [key])
    if not found:
        raise Refused("not_found")
    return found[0]


def one(connection: Connection, user_key: str, now_ms: int, key: str, as_of: str | None) -> Attainment:
    """One quota's figure."""
    who, zone = person(connection, user_key), scope.zone(connection)
    quota = _quota(connection, who, key)
    return _shown(connection, who, [quota], instant_of(as_of, now_ms, zone), zone)[0]


def _shown(connection: Connection, who: Who, rows: Sequence[QuotaRow], at: int, zone: str) -> list[Attainment]:
    asked = as_approved(connection, rows, at, zone)
    permitted = [quota for quota in asked if sees_figure(who, quota.measure)]
    found = engine.approved_figures(connection, permitted, at, zone)
    stood = briefly(connection, found)
    return [_attainment(quota, found.get(quota.key), stood.get(quota.key), at, zone) for quota in asked]


def _attainment(quota: QuotaRow, found: Figure | None, stood: Brief | None, at: int, zone: str) -> Attainment:
    """`found` None: the caller may not know it."""
    about = {name: getattr(quota, name) for name in Attainment.__struct_fields__ if name in QuotaRow.__struct_fields__}
    if found is None:
        return Attainment(
            **about,
            value=None,
            code="not_permitted",
            missing=[],
            left_out={},
            pct_bp=None,
            pct_code=None,
            pace=None,
            closed=None,
        )
    return Attainment(
        **about,
        value=found.value,
        code=found.code,
        missing=found.missing,
        left_out=found.left_out,
        pct_bp=found.pct_bp,
        pct_code=found.pct_code,
        pace=pace(quota, found.value, at, zone),
        closed=stood,
    )


# -- why --------------------------------------------------------------------------------------------------------------


def explanation(
    connection: Connection, user_key: str, key: str, as_of: int, after: str | None, limit: int
) -> Explanation:
    """A page of what a figure is the sum of, what is left out among it. `after` is a place as `next` says it; the facts
    of all pages, hidden ones too, sum to the figure of that instant."""
    who, zone = person(connection, user_key), scope.zone(connection)
    quota, limit = _quota(connection, who, key), _limit(limit)
    check_figure(who, quota.measure)
    place = _place(after) if after is not None else None
    start = None if quota.measure == "unique_contacts" else place[0] if place is not None else quota.start_at
    facts = engine.contributions_of(connection, [quota], as_of, left_out=True, walk_from=start)
    found = list(islice((f for f in facts if place is None or f.place > place), limit + 1))
    page, more = found[:limit], len(found) > limit
    known = visible(connection, who, ((fact.entity, fact.row_key) for fact in page))
    shown = [fact for fact in page if (fact.entity, fact.row_key) in known]
    hidden = [fact for fact in page if fact.counted and (fact.entity, fact.row_key) not in known]
    return Explanation(
        quota_key=key,
        as_of=as_of,
        items=_with_paths(connection, quota, shown, zone),
        hidden=Hidden(len(hidden), sum(fact.value for fact in hidden)),
        partial=len(shown) < len(page),
        next=msgspec.json.encode(page[-1].place).decode() if more else None,
    )


def _place(text: str) -> _Place:
    try:
        place: _Place = msgspec.json.decode(text, type=_Place)
    except msgspec.ValidationError:
        raise Refused("request_invalid", "`after` is the `next` of another page of the same list") from None
    return place


def _with_paths(connection: Connection, quota: QuotaRow, page: Sequence[Contribution], zone: str) -> list[Explained]:
    if quota.team_key is None:
        return [Explained(fact, []) for fact in page]
    holders, team = read_world(connection, [quota], zone).holders, quota.team_key
    return [Explained(fact, holders.path(fact.user_key, team, fact.at)) for fact in page]
