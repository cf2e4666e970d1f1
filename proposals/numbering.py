"""Numbers of proposals: given when one is first sent, one after the other, none missing and none twice (R52).

A series is a prefix and the year of the company's local day on which it is sent. The last number is counted up by the
transaction that sends, which others who send wait for until it ends: one that fails has taken none. All versions of a
proposal have its number.
"""

from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from sfa.db.tables import proposal_series

DIGITS = 5


class Number(Struct, frozen=True):
    series: str
    ordinal: int

    @property
    def text(self) -> str:
        """`P-2026-00042`; from the hundred-thousandth on with the digits that it takes."""
        return f"{self.series}-{self.ordinal:0{DIGITS}d}"


def series_of(prefix: str, day: str) -> str:
    return f"{prefix}-{day[:4]}"


def take(connection: Connection, prefix: str, day: str) -> Number:
    """The next number of the series of that local day, held until the transaction ends."""
    name = series_of(prefix, day)
    insert = (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(proposal_series)
    counted = insert.values(name=name, last=1).on_conflict_do_update(
        index_elements=[proposal_series.c.name], set_={"last": proposal_series.c.last + 1}
    )
    return Number(name, int(connection.execute(counted.returning(proposal_series.c.last)).scalar_one()))


def gaps(last: int, ordinals: Iterable[int]) -> list[int]:
    """The numbers up to `last` that no proposal has, and those beyond it that one has; pure."""
    found = set(ordinals)
    return sorted({*range(1, last + 1)} ^ found)
