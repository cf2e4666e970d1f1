"""The funnel as a table: one row for each group and currency, the total last. Asks no database.

A row of counts stands once for each group, with the amounts in the company's currency; amounts in other currencies have
rows of their own, so that no column adds different money.
"""

from proposals.funnel import Line, Spread
from proposals.funnel_reading import Funnel, day_of
from sfa.web.sheets import MONEY, NUMBER, Cell, Column, Table

COUNTS = ("proposals", "sent", "opened", "open", "accepted", "declined", "expired", "withdrawn", "superseded")
SHARES = ("opened_bp", "answered_bp", "accepted_bp")
TIMES = ("to_open", "to_sign")


def table(told: Funnel) -> Table:
    """`row` is `group` or `total` with amounts converted, empty where a rate is missing; `amount` is money as it was
    offered."""
    columns = [Column("row"), Column(told.by), Column("name"), *(Column(name, NUMBER) for name in (*COUNTS, *SHARES))]
    columns += [Column(f"{name}_{part}", NUMBER) for name in TIMES for part in ("count", "median_s", "p90_s")]
    columns += [Column("sent_amount", MONEY), Column("accepted_amount", MONEY), Column("missing")]
    rows: list[tuple[Cell, ...]] = []
    currencies: list[str | None] = []
    for kind, one in [*(("group", item) for item in told.items), ("total", told.total)]:
        for cells, currency in _rows(kind, one):
            rows.append(cells)
            currencies.append(currency)
    about = [("Proposal funnel by", told.by), ("from", told.from_on), ("before", told.to_on), ("zone", told.zone)]
    about.append(("partial", "yes" if told.partial else "no"))
    return Table("proposal-funnel", None, day_of(told), about, columns, rows, currencies)


def _rows(kind: str, one: Line) -> list[tuple[tuple[Cell, ...], str | None]]:
    counts: list[Cell] = [getattr(one, name) for name in (*COUNTS, *SHARES)]
    times: list[Cell] = [part for spread in (one.to_open, one.to_sign) for part in _parts(spread)]
    money = one.converted
    missing = "; ".join(f"{rate.from_currency} {rate.on}" for rate in money.missing)
    first: tuple[Cell, ...] = (kind, one.key, one.name, *counts, *times)
    rows: list[tuple[tuple[Cell, ...], str | None]] = [
        ((*first, money.sent_minor, money.accepted_minor, missing), money.currency)
    ]
    blank: tuple[Cell, ...] = (None,) * (len(counts) + len(times))
    for amount in one.amounts:
        cells = (f"{kind} amount", one.key, one.name, *blank, amount.sent_minor, amount.accepted_minor, None)
        rows.append((cells, amount.currency))
    return rows


def _parts(spread: Spread) -> tuple[Cell, ...]:
    return spread.count, spread.median_s, spread.p90_s
