"""Facts summed by person and segment: in one pass over their table, or person by person along an index.

Sorting a table's rows into groups costs several times what reading them does. SQLite, which has no other way to group,
is asked for each person and segment apart, inside one statement: the index holds them side by side, and nothing is
sorted but what lies between two cuts. PostgreSQL groups by hashing, in one pass; SQLite too where what is asked is not
in the index, or where there would be more look-ups than rows. Which way is taken changes no sum.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs
from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Integer,
    Null,
    Select,
    case,
    column,
    func,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy import bindparam as bound_as

from sfa.db.prepared import listed
from sfa.quotas.spans import Span, bound_of, each, past_indexes

LOOKUPS_MAX = 150_000  # people times segments; beyond, one pass costs less
Cuts = Sequence[int]
_decode = msgspec.json.Decoder(list[list[Any]]).decode


class Sums(Struct, frozen=True, kw_only=True):
    """`along` are the columns that the index begins with, `at` follows them; the first of them says who. `of` are the
    sums, a count last, `by` what else they are grouped by; `null()` stands for what is not asked. `narrowed` adds joins
    and conditions to a query, but for the time. `covered` says that all of it is in the index."""

    along: tuple[ColumnElement[Any], ...]
    at: ColumnElement[Any]
    by: tuple[ColumnElement[Any], ...]
    of: tuple[ColumnElement[Any], ...]
    narrowed: Callable[[Select[Any], Span], Select[Any]]
    covered: bool = False
    most: bool = False  # of the table lies in the span

    @property
    def asked(self) -> list[ColumnElement[Any]]:
        return [column for column in self.by if not isinstance(column, Null)]


def summed(connection: Connection, span: Span, sums: Sums) -> Iterator[Sequence[Any]]:
    """(who, segment, the rest of `along`, `by`, `of`) of each group with facts in it; truth perhaps as 0 and 1."""
    if connection.dialect.name == "sqlite" and _is_walked(span, sums):
        yield from _walked(connection, span, sums)
    else:
        yield from _passed(connection, span, sums)


def _is_walked(span: Span, sums: Sums) -> bool:
    few = sums.covered or span.users is not None
    return not span.by_territory and few and len(span.people) * max(1, len(span.cuts)) <= LOOKUPS_MAX


# -- one pass ---------------------------------------------------------------------------------------------------------


def _passed(connection: Connection, span: Span, sums: Sums) -> Iterator[Sequence[Any]]:
    who, *rest = sums.along
    at = past_indexes(sums.at) if sums.most else sums.at
    place = segment(sums.at, span.cuts).label("place")
    query = sums.narrowed(select(who, place, *rest, *sums.by, *sums.of), span).where(at >= span.start, at < span.end)
    everybody = span.users is None and span.territories is None
    by = [past_indexes(who) if everybody else who, *([place] if len(span.cuts) > 1 else []), *rest]
    yield from each(connection, query.group_by(*by, *sums.asked), bound_of(connection, span))


def segment(at: Any, cuts: Cuts) -> ColumnElement[int]:
    """Which segment an instant lies in, by halving: a dozen comparisons for thousands of segments."""
    if len(cuts) <= 1:
        return literal_column("0", Integer)

    def halved(low: int, high: int) -> Any:
        if low == high:
            return literal_column(str(low), Integer)
        middle = (low + high + 1) // 2
        return case((at < literal_column(str(int(cuts[middle]))), halved(low, middle - 1)), else_=halved(middle, high))

    return func.coalesce(halved(0, len(cuts) - 1), literal_column("0", Integer))


# -- along an index ---------------------------------------------------------------------------------------------------


def _walked(connection: Connection, span: Span, sums: Sums) -> Iterator[Sequence[Any]]:
    lead, cut, everybody = _lead(*sums.along), _cut(span), structs.replace(span, users=None)  # `lead` says who
    facts = [*(of == begins for of, begins in zip(sums.along, lead.c, strict=False)), sums.at >= cut.c.column2]

    def counted(*columns: Any) -> Select[Any]:
        return sums.narrowed(select(*columns), everybody).where(*facts, sums.at < cut.c.column3).correlate(lead, cut)

    if by := sums.asked:
        named = (what.label(f"c{n}") for n, what in enumerate((*sums.by, *sums.of)))
        groups = counted(*named).group_by(*by).subquery("groups")
        found = select(func.json_group_array(func.json_array(*groups.c)))
    else:
        found = counted(func.json_array(func.json_array(*sums.by, *sums.of)))
    pairs = lead.outerjoin(cut, true())  # an outer join keeps the order, in which the index is walked
    query = select(*lead.c, cut.c.column1, found.scalar_subquery()).select_from(pairs)
    people = {"people": listed(connection, span.people)}
    for who, *rest, place, groups_ in each(connection, query.where(list(lead.c)[-1].is_not(None)), people):
        for group in _decode(groups_):
            if group[-1]:
                yield who, place, *rest, *group


def _lead(who: Any, then: Any = None) -> CTE:
    """Everybody, with each value that the index has next of his."""
    people = func.json_each(bound_as("people")).table_valued("value", name="people")
    if then is None:
        return select(people.c.value.label("who")).cte("lead")
    first = select(func.min(then)).where(who == people.c.value).scalar_subquery()
    lead = select(people.c.value.label("who"), first.label("next")).cte("lead", recursive=True)
    other = select(func.min(then)).where(who == lead.c.who, then > lead.c.next).scalar_subquery()
    return lead.union_all(select(lead.c.who, other).where(lead.c.next.is_not(None)))


def _cut(span: Span) -> CTE:
    """(number, start, end) of each segment."""
    starts = span.cuts or (span.start,)
    ends = (*starts[1:], span.end)
    rows = ", ".join(f"({n}, {int(a)}, {int(b)})" for n, (a, b) in enumerate(zip(starts, ends, strict=True)))
    return text(f"VALUES {rows}").columns(*(column(f"column{n}", Integer) for n in (1, 2, 3))).cte("cut")
