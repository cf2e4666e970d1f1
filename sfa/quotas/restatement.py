"""Closed and restated side by side (R2): of one quota with every difference, of a whole period with the sums.

Both are read in one snapshot. The list of one quota costs its own contributions, then and now; the period costs the
live figures of its quotas and one row for each of them.
"""

import csv
import io
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection

from sfa.core.errors import Refused
from sfa.core.formulas import safe
from sfa.crm.online import person
from sfa.db.tables import ROWS
from sfa.quotas import closed, engine, restating, since
from sfa.quotas.closed import Closed, check_page
from sfa.quotas.measures import QuotaRow
from sfa.quotas.restating import Difference, Part, Was
from sfa.quotas.sight import seen_figure, visible

CSV_ROWS_MAX = 100_000
CSV_COLUMNS = (
    *("kind", "why", "entity", "row_key", "ordinal", "reversal", "user_key", "at", "before", "after", "delta"),
    *("rate_before", "rate_after", "share_before", "share_after", "amount_before", "amount_after", "currency"),
)


class Restated(Struct, frozen=True):
    """The live figure; `value` is null where it is not computable, and `code` says why."""

    value: int | None
    code: str | None
    target: int | None
    currency: str | None
    version: int
    pct_bp: int | None


class Item(Struct, frozen=True):
    """`kind` is added, removed or changed; `why` a stable word. `before` plus `delta` is `after`, nothing being 0."""

    kind: str
    why: str
    entity: str
    row_key: str
    ordinal: int
    reversal: bool
    user_key: str
    before: Was | None
    after: Was | None
    delta: int


class Sum(Struct, frozen=True):
    why: str
    count: int
    delta: int


class Restatement(Struct, frozen=True):
    """`closed` is null while the period is not closed: then nothing is listed. `delta` is exactly the sum of all
    differences, `sums` says it by reason; `hidden` are those of records that the caller may not see."""

    quota_key: str
    period_key: str
    measure: str
    closed: Closed | None
    restated: Restated
    delta: int
    count: int
    sums: list[Sum]
    hidden: Sum
    items: list[Item]
    next: str | None


class Closings(Struct, frozen=True):
    """The latest first; `next` is the `before` of the following page."""

    quota_key: str
    items: list[Closed]
    next: int | None


def closings(connection: Connection, user_key: str, quota_key: str, before: int | None, limit: int) -> Closings:
    """Every closing of a quota that the caller sees."""
    check_page(limit)
    if before is not None and not 1 <= before <= 2**31:
        raise Refused("request_invalid", "`before` is a number of a closing")
    seen_figure(connection, person(connection, user_key), quota_key)
    found = closed.closings_of(connection, quota_key, before or 2**31, limit + 1)
    return Closings(quota_key, found[:limit], found[limit - 1].number if len(found) > limit else None)


def restatement(connection: Connection, user_key: str, quota_key: str, after: str | None, limit: int) -> Restatement:
    """What differs, a page of the records that the caller may see."""
    check_page(limit)
    told, shown = _told(connection, user_key, quota_key)
    start = bisect_right(shown, after, key=_place) if after is not None else 0
    items = shown[start : start + limit]
    following = _place(items[-1]) if len(shown) > start + limit else None
    return structs.replace(told, items=items, next=following)


def as_csv(connection: Connection, user_key: str, quota_key: str) -> str:
    """The whole list; the last line is what the caller may not see, if there is any."""
    told, shown = _told(connection, user_key, quota_key)
    if len(shown) > CSV_ROWS_MAX:
        raise Refused("request_invalid", f"more than {CSV_ROWS_MAX:,} differences: ask for pages")
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_line(item) for item in shown)
    if told.hidden.count:
        line = dict.fromkeys(CSV_COLUMNS, "") | {"kind": "hidden", "why": told.hidden.count, "delta": told.hidden.delta}
        writer.writerow(line.values())
    return out.getvalue()


def _told(connection: Connection, user_key: str, quota_key: str) -> tuple[Restatement, list[Item]]:
    """-> everything but the page, and all that the caller may see, by place."""
    who = person(connection, user_key)
    row = seen_figure(connection, who, quota_key)
    (quota,) = engine.read_quotas(connection, ROWS["quotas"].c.key == quota_key)
    restated = restated_of(engine.figures(connection, [quota], None)[quota_key])
    stood = closed.closed_of(connection, (quota_key,)).get(quota_key)
    found = differences(connection, quota, stood) if stood is not None else []
    known = visible(connection, who, ((d.place.entity, d.place.row_key) for d in found))
    mine = [d for d in found if (d.place.entity, d.place.row_key) in known]
    whole = sum(d.delta for d in found)
    told = Restatement(
        quota_key=quota_key,
        period_key=row.period_key,
        measure=row.measure,
        closed=stood,
        restated=restated,
        delta=whole,
        count=len(found),
        sums=[sum_ for why in restating.WHYS if (sum_ := _sum(why, (d for d in found if d.why == why))).count],
        hidden=Sum("hidden", len(found) - len(mine), whole - sum(d.delta for d in mine)),
        items=[],
        next=None,
    )
    return told, sorted((_item(d) for d in mine), key=_place)


def _sum(why: str, found: Iterable[Difference]) -> Sum:
    deltas = [d.delta for d in found]
    return Sum(why, len(deltas), sum(deltas))


def restated_of(figure: engine.Figure) -> Restated:
    """What the figure is now."""
    about = (figure.target, figure.currency, figure.version, figure.pct_bp)
    return Restated(figure.value, figure.code, *about)


def differences(connection: Connection, quota: QuotaRow, stood: Closed) -> list[Difference]:
    """Contribution by contribution, what the closing kept against what counts now."""
    was = closed.contributions_of(connection, stood.closing_key, quota.key)
    facts = list(engine.contributions(connection, quota, None, left_out=True))
    now = [closed.part_of(found) for found in facts if found.counted]
    seq = since.seq_of(connection, stood.closing_key)
    records = restating.differing(was, now)
    firsts = [(p.place.row_key, p.place.user_key, p.at) for p in was if p.place[:2] in records]
    touched = since.happened(connection, records, seq)
    for place in since.moved(connection, firsts if quota.family == "firsts" else (), seq):
        touched[place] = since.both(touched.get(place, restating.UNTOUCHED), _MOVED)
    about = restating.Quota(
        quota.measure,
        members_changed=since.members_changed(connection, quota.holder[0], seq),
        rules_changed=since.rules_changed(connection, quota.key, seq),
        company_rules_changed=bool(records) and since.company_rules_changed(connection, quota.family, seq),
        costs_changed=bool(records) and quota.measure == "margin" and since.costs_changed(connection, seq),
        incomplete=stood.code == "rate_missing",
        repeated=frozenset(closed.part_of(found).place for found in facts if found.reason == "repeated"),
    )
    return restating.restated(was, now, touched, about)


def _item(found: Difference) -> Item:
    place = found.place
    where = (place.entity, place.row_key, place.ordinal, place.reversal, place.user_key)
    return Item(found.kind, found.why, *where, _was(found.before), _was(found.after), found.delta)


def _was(part: Part | None) -> Was | None:
    return Was(*(getattr(part, name) for name in Was.__struct_fields__)) if part is not None else None


def _place(item: Item) -> str:
    """Where a page goes on; texts are in the order of the list."""
    return f"{item.entity}/{item.row_key}/{item.ordinal:03}/{int(item.reversal)}/{item.user_key}"


def _line(item: Item) -> Sequence[Any]:
    one, other = item.before, item.after
    at = (other or one or _NOBODY).at
    currency = (other or one or _NOBODY).currency
    values = (one.value if one else None, other.value if other else None, item.delta)
    rates = (one.rate if one else None, other.rate if other else None)
    shares = (one.share_bp if one else None, other.share_bp if other else None)
    amounts = (one.amount_minor if one else None, other.amount_minor if other else None)
    where = (item.entity, safe(item.row_key), item.ordinal, int(item.reversal), safe(item.user_key))
    return (item.kind, item.why, *where, at, *values, *rates, *shares, *amounts, currency)


_MOVED = restating.Since(fields=frozenset({"account_key"}))
_NOBODY = Was(0, 0, None, None, None, 0, "")
