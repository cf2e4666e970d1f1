"""Facts read in windows of time, for whoever wants a page of them: each holds some thousands of facts, and ends between
two moments. So a page costs what it holds and no more than one window, wherever it begins; sorting what lies behind it
would make a walk through all pages cost its square. What is read is the same, in the same order.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import structs
from sqlalchemy import Connection, Select

from sfa.quotas import reading, visited
from sfa.quotas.measures import Family
from sfa.quotas.spans import Span, bound_of

FACTS = 5_000
_MOMENTS: Mapping[Family, Callable[[Span], Select[Any]]] = {
    "deals": reading.moments_of_deals,
    "quantities": reading.moments_of_quantities,
    "visits": visited.moments_of_visits,
    "firsts": reading.moments_of_deals,
}


def windows(connection: Connection, family: Family, span: Span) -> Iterator[Span]:
    """The span in parts, one behind the other; the next one is looked for when it is asked for."""
    start = span.start
    while start < span.end:
        rest = structs.replace(span, start=start)
        full = _MOMENTS[family](rest).offset(FACTS - 1).limit(1)
        last = connection.execute(full, bound_of(connection, span)).scalar()
        end = span.end if last is None else int(last) + 1
        yield structs.replace(rest, end=end)
        start = end
