"""What profit is made of, beside the rows: what was quoted, what commission was accrued, what customers are worth.

`deal_quotes` and `deal_quote_lines` are what an offer said and what its goods cost on that day, frozen (R39).
`commission_entries` is a ledger: rows are added and never changed (R41). `customer_values` is what a job found out last
about each customer; it can be made anew. `reconciliations` and `differences` are what the reports of R55 found.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, Table, Text

from sfa.db.tables.rows import KEY, METADATA

deal_quotes = Table(
    "deal_quotes",
    METADATA,
    Column("deal_key", KEY, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("quoted_at", BigInteger, nullable=False),
    Column("quoted_by", KEY),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("payment_days", Integer),
    Column("capital_bp", Integer),  # what waiting cost in that currency's year, null where none was known
    Column("capital_key", KEY),
    Column("rates", JSON, nullable=False),  # the rates that prices and costs were converted at (sfa.profit.frozen)
    Column("digest", Text, nullable=False),  # of what was quoted: the same quoted again is the same quote
    sqlite_with_rowid=False,
)

# `list_minor` and `cost_minor` are of one unit, null where none was known on the day.
deal_quote_lines = Table(
    "deal_quote_lines",
    METADATA,
    Column("deal_key", KEY, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("line_key", KEY, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("product_key", KEY, nullable=False),
    Column("quantity", Text, nullable=False),
    Column("unit_price_minor", BigInteger, nullable=False),
    Column("discount_bp", Integer, nullable=False),
    Column("list_minor", BigInteger),
    Column("list_currency", Text),
    Column("cost_minor", BigInteger),
    Column("cost_currency", Text),
    Column("cost_key", KEY),
    sqlite_with_rowid=False,
)

# `number` counts the rows of one person, plan and period. `deal_key` and `n` name the credited end, null for what is of
# the period as a whole; `basis_minor` at `rate_bp` is what was reckoned; `reverses` is the number of the row that a
# reversal takes back, `reverses_period` the period that a row follows from where it is booked in another one, and that
# of `reverses`. Money is of the plan's currency.
commission_entries = Table(
    "commission_entries",
    METADATA,
    Column("user_key", KEY, primary_key=True),
    Column("plan_key", KEY, primary_key=True),
    Column("period_key", KEY, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("written_at", BigInteger, nullable=False),
    Column("deal_key", KEY),
    Column("n", Integer),
    Column("overlay", Boolean),
    Column("basis_minor", BigInteger),
    Column("rate_bp", Integer),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reverses_period", KEY),
    Column("reverses", Integer),
    Column("reason", Text),
    Index("ix_commission_entries_deal_key", "deal_key"),
    Index("ix_commission_entries_at", "at"),
    Index("ix_commission_entries_user_key_reverses_period", "user_key", "reverses_period"),
    sqlite_with_rowid=False,
)

# Money is of the company's currency over the days [from_on, to_on); null with `missing` where it is not computable.
customer_values = Table(
    "customer_values",
    METADATA,
    Column("account_key", KEY, primary_key=True),
    Column("from_on", Text, nullable=False),
    Column("to_on", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("revenue_minor", BigInteger),
    Column("cost_minor", BigInteger),
    Column("profit_minor", BigInteger),
    Column("lost_minor", BigInteger),
    Column("value_minor", BigInteger),
    Column("standing", Text, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("best_change", JSON(none_as_null=True)),
    Column("missing", JSON, nullable=False),
    Index("ix_customer_values_profit_minor", "profit_minor"),
    Index("ix_customer_values_standing", "standing"),
    sqlite_with_rowid=False,
)

reconciliations = Table(
    "reconciliations",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("made_at", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("checked", JSON, nullable=False),
    Column("found", Integer, nullable=False),
)

differences = Table(
    "differences",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("row_key", KEY, nullable=False),
    Column("expected", Text),
    Column("found", Text),
    Column("detail", JSON, nullable=False),
    sqlite_with_rowid=False,
)
