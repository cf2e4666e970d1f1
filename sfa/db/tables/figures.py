"""What figures are made of, beside the rows: who is credited with a deal, and what closed periods said.

`credited` (the table `credits`) and `credited_quantities` follow from deals and their lines; `sfa.db.credits` keeps
them, in the transaction that changes a deal, and what a reopening reversed stays as it was. `kept_credits` and
`kept_quantities` are what was taken away with a deal that was deleted, or by a rule under which its event does not
count: nobody is credited by them, and they say what was frozen when the deal lives, or its event counts, again.
`closed_figures` and `closed_contributions` are what figures were when their period was closed, and never change (R2).
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from sfa.db.tables.rows import KEY, METADATA


def _credits() -> Iterator[Column[Any]]:
    for name, of in (("deal_key", KEY), ("n", Integer), ("user_key", KEY), ("overlay", Boolean), ("reversal", Boolean)):
        yield Column(name, of, primary_key=True)
    yield Column("at", BigInteger, nullable=False)
    yield Column("rated_at", BigInteger, nullable=False)
    yield Column("event", Text, nullable=False)
    yield Column("account_key", KEY)
    yield Column("territory_key", KEY)
    yield Column("owner", Boolean, nullable=False)
    yield Column("share_bp", Integer, nullable=False)
    yield Column("amount_minor", BigInteger)
    yield Column("currency", Text)
    yield Column("cost_minor", BigInteger)
    yield Column("cost_currency", Text)


def _quantities() -> Iterator[Column[Any]]:
    for name, of in (("deal_key", KEY), ("n", Integer), ("user_key", KEY), ("overlay", Boolean), ("reversal", Boolean)):
        yield Column(name, of, primary_key=True)
    yield Column("product_key", KEY, primary_key=True)
    yield Column("at", BigInteger, nullable=False)
    yield Column("unit", Text, nullable=False)
    yield Column("quantity_micro", BigInteger, nullable=False)


# One person's part of one end of a deal: `n` counts the ends, `reversal` takes one back (R21). Money is in minor units
# of the deal's own currency, to be converted at the rate of `rated_at`; `cost_minor` is null where a cost is missing or
# not of one currency.
credited = Table(
    "credits",
    METADATA,
    *_credits(),
    # all that is summed of a person's credits, so that no row need be looked up
    Index(
        "ix_credits_summed",
        *("user_key", "at", "overlay", "currency", "reversal", "amount_minor", "cost_currency", "cost_minor"),
    ),
    Index("ix_credits_at", "at"),
    Index("ix_credits_account_key_at", "account_key", "at"),
    sqlite_with_rowid=False,
)

# The same for quantities: millionths of the product's unit.
credited_quantities = Table(
    "credited_quantities",
    METADATA,
    *_quantities(),
    Index("ix_credited_quantities_user_key_at", "user_key", "at"),
    sqlite_with_rowid=False,
)

# Both as they were when they were taken away.
kept_credits = Table("kept_credits", METADATA, *_credits(), sqlite_with_rowid=False)
kept_quantities = Table("kept_quantities", METADATA, *_quantities(), sqlite_with_rowid=False)

# What one quota's figure was when its period was closed; `value` is null where it was not computable, `code` says why.
closed_figures = Table(
    "closed_figures",
    METADATA,
    Column("closing_key", KEY, primary_key=True),
    Column("quota_key", KEY, primary_key=True),
    Column("value", BigInteger),
    Column("code", Text),
    Column("target", BigInteger, nullable=False),
    Column("currency", Text),
    Column("version", Integer, nullable=False),
    Index("ix_closed_figures_quota_key", "quota_key"),
    sqlite_with_rowid=False,
)

# ... and what it was the sum of. `ordinal` is the end of a deal, 0 for a visit.
closed_contributions = Table(
    "closed_contributions",
    METADATA,
    Column("closing_key", KEY, primary_key=True),
    Column("quota_key", KEY, primary_key=True),
    Column("entity", Text, primary_key=True),
    Column("row_key", KEY, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("reversal", Boolean, primary_key=True),
    Column("user_key", KEY, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("share_bp", Integer, nullable=False),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("rate", Text),
    Column("value", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_with_rowid=False,
)
