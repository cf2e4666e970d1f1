"""The effort that was sunk into lost deals (R40, R42), added up where it lies: sums in SQL of what is plain.

What names a lost deal is that deal's until the loss. What names only the customer is shared equally among the deals
that were open on its day, to the minor unit (`sfa.profit.effort`): a customer's time is cut into `stretches` within
which the same deals are open and no loss happens, each bound as a row (number, key, start, end, how many deals). SQL
answers for each stretch the sum of equal parts and how often so many units were left over; who stands at a place in the
order of the deals has the equal part, and one unit of every rest that is larger than his place. So memory holds what
there is of deals and stretches, never of facts, and the parts sum to the whole.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import structs
from sqlalchemy import BigInteger, Column, Connection, Text, and_, case, cast, func, not_, select, text

from sfa.core.days import plus_days
from sfa.db.bulk import json_text
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.profit.company.booked import expenses, work
from sfa.profit.company.fact_sums import (
    Asked,
    Fact,
    Source,
    bound_by,
    conditions,
    flag,
    halves,
    rows,
    whole,
)
from sfa.profit.company.promised import Part
from sfa.profit.company.serving import corrected_visits, travel_source, visits_source
from sfa.profit.company.surroundings import World
from sfa.profit.local_days import LocalDays
from sfa.quotas.spans import each

_D = ROWS["deals"].c
FIRST_DAY, NO_CLOSINGS = "0001-01-01", "[]"
_SOURCES: tuple[Callable[[Connection, World, Asked], Source], ...] = (visits_source, travel_source)
_STREAMS: tuple[Callable[[Connection, World, Asked], Iterator[Fact]], ...] = (corrected_visits, work, expenses)


class Sunk(NamedTuple):
    """A loss: what is spent at this instant still counts."""

    deal_key: str
    account_key: str | None
    until: int


class Open(NamedTuple):
    """A deal was open within the instants [start, end); `end` None: it still is."""

    start: int
    end: int | None
    deal_key: str


class _Row(NamedTuple):
    """A stretch as it is bound: of a customer, or of a deal, and among how many it is shared."""

    number: int
    key: str
    start: int
    end: int
    deals: int


class Stretch(NamedTuple):
    """[start, end): `deals` are open, in order, and `losing` are the numbers of the losses among them."""

    start: int
    end: int
    deals: Sequence[str]
    losing: Sequence[int]


def sunk(connection: Connection, world: World, days: LocalDays, asked: Asked, lost: Sequence[Sunk]) -> list[Part]:
    """What each took, in a fixed number of statements; or what is missing of it."""
    accounts = {loss.account_key for loss in lost if loss.account_key is not None}
    last = max(loss.until for loss in lost) + 1
    wide = structs.replace(
        asked,
        by=(),
        cuts=(),
        accounts=None,
        start=0,
        end=last,
        until=None,
        from_on=FIRST_DAY,  # whatever span is asked about, a loss costs the same
        to_on=plus_days(days.of(last), 1),
    )
    near, own = _Near(lost, _open(connection, days, accounts)), _Own(lost)
    for held in (own, near):
        narrow = structs.replace(wide, **{held.narrows: frozenset(held.keys)})
        for make in _SOURCES:
            _add_sums(connection, world, make(connection, world, narrow), narrow, held)
        for read in _STREAMS:
            for fact in read(connection, world, narrow):
                held.take(fact)
    return [_told(a, b) for a, b in zip(own.told(), near.told(), strict=True)]


def _told(one: Part, other: Part) -> Part:
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    return [about for part in (one, other) if not isinstance(part, int) for about in part]


class Heap:
    """What was spent within one stretch: `equal` parts, and how often so many units were left over."""

    __slots__ = ("equal", "missing", "rests")

    def __init__(self) -> None:
        self.equal = 0
        self.rests: dict[int, int] = {}
        self.missing: list[dict[str, Any]] = []

    def add(self, fact: Fact, count: int) -> None:
        if fact.amount is None:
            self.missing.append({"code": fact.code, **fact.about})
            return
        size, rest = divmod(abs(fact.amount), count)
        sign = 1 if fact.amount <= 0 else -1
        self.equal += sign * size
        self.rests[rest] = self.rests.get(rest, 0) + sign

    def part(self, place: int) -> int:
        """Of the deal at this place in the order of those that share."""
        return self.equal + sum(times for rest, times in self.rests.items() if rest > place)


class _Own:
    """What names the deal itself: each loss has a stretch of its own, which it shares with nobody."""

    narrows, column, shares = "deals", "deal", False

    def __init__(self, lost: Sequence[Sunk]) -> None:
        self._lost = lost
        self.keys: dict[str, list[int]] = defaultdict(list)
        for number, loss in enumerate(lost):
            self.keys[loss.deal_key].append(number)
        self.heaps: dict[int, Heap] = defaultdict(Heap)

    def rows(self) -> list[_Row]:
        return [_Row(number, loss.deal_key, 0, loss.until + 1, 1) for number, loss in enumerate(self._lost)]

    def take(self, fact: Fact) -> None:
        for number in self.keys.get(fact.deal or "", ()):
            if fact.at <= self._lost[number].until:
                self.heaps[number].add(fact, 1)

    def told(self) -> Iterator[Part]:
        for number in range(len(self._lost)):
            heap = self.heaps.get(number)
            yield 0 if heap is None else heap.missing or heap.part(0)


class _Near:
    """What names only the customer."""

    narrows, column, shares = "accounts", "account", True

    def __init__(self, lost: Sequence[Sunk], opened: Mapping[str, Sequence[Open]]) -> None:
        self._lost, self._opened = lost, opened
        self.keys: dict[str, list[int]] = defaultdict(list)
        for number, loss in enumerate(lost):
            if loss.account_key is not None:
                self.keys[loss.account_key].append(number)
        self.heaps: dict[int, Heap] = defaultdict(Heap)
        self._rows = [_Row(n, key, s.start, s.end, len(s.deals)) for n, key, s in self._stretches()]
        self._first: dict[str, int] = {}
        for row in self._rows:
            self._first.setdefault(row.key, row.number)

    def rows(self) -> list[_Row]:
        return self._rows

    def take(self, fact: Fact) -> None:
        first = self._first.get(fact.account or "")
        if fact.deal is not None or first is None:
            return
        behind = bisect_right(self._rows, fact.account or "", lo=first, key=lambda row: row.key)
        place = bisect_right(self._rows, fact.at, lo=first, hi=behind, key=lambda row: row.start) - 1
        if place >= first and fact.at < self._rows[place].end:
            self.heaps[place].add(fact, self._rows[place].deals)

    def told(self) -> Iterator[Part]:
        sums, missing = [0] * len(self._lost), [list[dict[str, Any]]() for _ in self._lost]
        for number, _, stretch in self._stretches():
            heap = self.heaps.get(number)
            if heap is None:
                continue
            for loss in stretch.losing:
                sums[loss] += heap.part(bisect_left(stretch.deals, self._lost[loss].deal_key))
                missing[loss] += heap.missing
        yield from (lacks or amount for lacks, amount in zip(missing, sums, strict=True))

    def _stretches(self) -> Iterator[tuple[int, str, Stretch]]:
        """Every customer's, the customers in order, numbered; the same each time."""
        number = 0
        for account in sorted(self.keys):
            for stretch in stretches(self._opened.get(account, ()), self._lost, self.keys[account]):
                yield number, account, stretch
                number += 1


def stretches(opened: Sequence[Open], lost: Sequence[Sunk], numbers: Sequence[int]) -> Iterator[Stretch]:
    """A customer's time within which the same deals are open and none of these losses happens; only where one of the
    lost deals is open and not yet lost. Lists are only good until the next stretch."""
    begins: dict[int, list[str]] = defaultdict(list)
    ends: dict[int, list[str]] = defaultdict(list)
    for span in opened:
        if span.end is None or span.start < span.end:
            begins[span.start].append(span.deal_key)
            if span.end is not None:
                ends[span.end].append(span.deal_key)
    live = sorted(numbers, key=lambda n: -lost[n].until)  # the next to be lost is the last
    cuts = sorted({*begins, *ends, *(lost[n].until + 1 for n in numbers)})
    deals: list[str] = []
    held: dict[str, int] = {}
    for place, start in enumerate(cuts):
        for key in begins.get(start, ()):
            held[key] = held.get(key, 0) + 1
            if held[key] == 1:
                insort(deals, key)
        for key in ends.get(start, ()):
            held[key] -= 1
            if not held[key]:
                del deals[bisect_left(deals, key)]
        while live and lost[live[-1]].until < start:
            live.pop()
        if not live:
            return
        losing = [n for n in live if held.get(lost[n].deal_key)]
        if losing:  # so there is a cut behind it
            yield Stretch(start, cuts[place + 1], deals, losing)


def _open(connection: Connection, days: LocalDays, accounts: set[str]) -> dict[str, list[Open]]:
    """customer -> when each of its deals was open, as `effort.open_days` says it, in instants."""
    closings_ = cast(_D.closings, Text)  # of most deals there are none to decode
    query = select(_D.key, _D.account_key, _D.opened_on, _D.created_at, _D.closed_at, closings_)
    query = query.where(among(_D.account_key, "keys"), ~_D.gone)
    found: dict[str, list[Open]] = defaultdict(list)
    for key, account, opened_on, created_at, closed_at, closings in each(
        connection, query, {"keys": listed(connection, sorted(accounts))}
    ):
        start, of = days.start(opened_on or days.of(created_at)), found[account]
        for closing in msgspec.json.decode(closings) or () if closings not in (None, NO_CLOSINGS) else ():
            of.append(Open(start, days.end(days.of(closing["closed_at"])), key))
            start = days.start(days.of(closing["reopened_at"]))
        of.append(Open(start, None if closed_at is None else days.end(days.of(closed_at)), key))
    return found


# -- in SQL -----------------------------------------------------------------------------------------------------------

_NAMES = ("number", "key", "start_at", "end_at", "deals")
_SQLITE = """SELECT json_extract(value, '$[0]') AS number, CAST(json_extract(value, '$[1]') AS TEXT) AS "key",
    json_extract(value, '$[2]') AS start_at, json_extract(value, '$[3]') AS end_at, json_extract(value, '$[4]') AS deals
    FROM json_each(:stretches)"""
_POSTGRESQL = """SELECT CAST(x->>0 AS bigint) AS number, x->>1 AS "key", CAST(x->>2 AS bigint) AS start_at,
    CAST(x->>3 AS bigint) AS end_at, CAST(x->>4 AS bigint) AS deals
    FROM jsonb_array_elements(CAST(:stretches AS jsonb)) AS x"""


def _relation(connection: Connection) -> Any:
    sql = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
    columns = [Column(name, Text if name == "key" else BigInteger) for name in _NAMES]
    return text(sql).columns(*columns).cte("stretches").prefix_with("MATERIALIZED")


def _add_sums(connection: Connection, world: World, source: Source, asked: Asked, held: _Own | _Near) -> None:
    """Adds what a source says to the heaps of its stretches. All that is asked about is put aside first: that has one
    plan only, whatever statistics say of the key."""
    bound_rows = held.rows()
    if not bound_rows:
        return
    (value,) = source.values.values()
    where = conditions(source, asked)
    if held.shares:
        where.append(source.columns["deal"].is_(None))
    cost, odd = case((value.plain, -value.amount), else_=0), flag(not_(value.plain))
    columns = (source.columns[held.column].label("key"), source.at.label("at"), cost.label("cost"), odd.label("odd"))
    aside = select(*columns).select_from(source.from_).where(*where).cte("facts").prefix_with("MATERIALIZED")
    facts, of = aside.c, _relation(connection)
    same = and_(facts.key == of.c.key, facts.at >= of.c.start_at, facts.at < of.c.end_at)
    rest, part = facts.cost % of.c.deals, facts.cost.op("/", precedence=8)(of.c.deals)
    query = select(of.c.number, rest, func.count(), func.sum(facts.odd), *halves(part)).join_from(aside, of, same)
    bound = {**bound_by(connection, source, asked), "stretches": json_text(bound_rows)}
    others = False
    for number, left, times, unknown, high, low in each(connection, query.group_by(of.c.number, rest), bound):
        heap = held.heaps[number]
        heap.equal += whole(high, low)
        heap.rests[left] = heap.rests.get(left, 0) + times
        others = others or bool(unknown)
    if others:
        for fact in rows(connection, world, source, asked, not_(value.plain)):
            held.take(fact)
