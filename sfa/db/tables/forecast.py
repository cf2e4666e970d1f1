"""What was forecast: a snapshot of each day, frozen (R27), and the locks of calls (R29).

A snapshot is not a copy a day: `forecast_versions` holds what a deal, a place in a tree, a period was from one snapshot
until before another, so that a day on which little changed costs little. A snapshot is all versions of its number;
`digest` proves that they are the same bytes as when it was taken.
"""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table, Text

from sfa.db.tables.rows import KEY, METADATA

# `number` counts from 1; one snapshot a local day, which is what keeps two processes from taking two. `rates` are the
# rates of that day by which open deals were converted into `currency`: {currency: {rate, rate_on, inverse, numerator,
# denominator}}; a currency without one is in `missing`.
forecast_snapshots = Table(
    "forecast_snapshots",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("taken_on", Text, nullable=False, unique=True),
    Column("taken_at", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("rates", JSON, nullable=False),
    Column("missing", JSON, nullable=False),
    Column("counted", JSON, nullable=False),
    Column("digest", Text, nullable=False),
)

# `kind` is what it is a version of: deal, done (a deal that is closed and done with), user, team, territory, product,
# period, organisation. `doc` is JSON; it stood in the snapshots from `from_no` until before `to_no`, null while it
# stands.
forecast_versions = Table(
    "forecast_versions",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("key", KEY, primary_key=True),
    Column("from_no", Integer, primary_key=True),
    Column("to_no", Integer),
    Column("doc", Text, nullable=False),
    Index("ix_forecast_versions_from_no", "from_no"),
    Index("ix_forecast_versions_to_no", "to_no"),
    sqlite_with_rowid=False,
)

# One row for each lock that has been: two processes cannot lock one twice, and a policy that changes later does not
# change when earlier calls were due.
forecast_locks = Table(
    "forecast_locks",
    METADATA,
    Column("period_key", KEY, primary_key=True),
    Column("due_on", Text, primary_key=True),
    Column("due_at", BigInteger, nullable=False),
    Column("locked_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
