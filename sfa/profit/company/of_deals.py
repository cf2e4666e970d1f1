"""What the company counts of some deals, kind by kind (R37): sums of what names them, and their parts of what names
only their customer (R40).

The sums are those of every other answer about the company; nothing of it is read by the P&L of a deal, which is held to
it (`sfa.app.reconcile_deals`). A fixed number of statements for however many deals are asked about at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import structs
from sqlalchemy import Connection, select

from sfa.core.credits import day_of
from sfa.core.days import plus_days
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.profit.company import by
from sfa.profit.company.booked import expenses, work
from sfa.profit.company.by import Span
from sfa.profit.company.fact_sums import Fact, rows
from sfa.profit.company.serving import corrected_visits, travel_source, visits_source
from sfa.profit.company.surroundings import EVERYTHING, World
from sfa.profit.company.tallied import Tally
from sfa.profit.effort import OpenDays, open_days, open_on, shared

FIRST_DAY = "0001-01-01"
_DEALS = ROWS["deals"]


def of_deals(connection: Connection, world: World, accounts: Mapping[str, str | None], until: int) -> dict[str, Tally]:
    """`accounts` are the deals, each with its customer; facts before the instant `until`, in the world's currency."""
    span = Span(FIRST_DAY, plus_days(day_of(until, world.zone), 1), until)
    named = by.profits(connection, "deal", span, deals=sorted(accounts), world=world).by_key
    found = {key: named.get(key) or Tally() for key in accounts}
    customers = sorted({account for account in accounts.values() if account is not None})
    if not customers:
        return found
    spans, days = _spans(connection, world.zone, customers), dict[int, str]()
    for fact in _of_customers(connection, world, span, customers):
        day = days.get(fact.at) or days.setdefault(fact.at, day_of(fact.at, world.zone))
        deals = open_on(spans.get(fact.account or "", ()), day)
        parts: Mapping[str, int | None] = dict.fromkeys(deals) if fact.amount is None else shared(fact.amount, deals)
        for deal in deals:
            if deal in found:
                _add(found[deal], fact, parts[deal])
    return found


def _add(tally: Tally, fact: Fact, amount: int | None) -> None:
    if amount is None:
        tally.miss(fact.kind, fact.code or "cost_missing", fact.about)
    else:
        tally.add(fact.kind, amount)


def _of_customers(connection: Connection, world: World, span: Span, customers: Sequence[str]) -> Iterator[Fact]:
    """Every fact that names one of the customers and no deal."""
    asked, _ = by.asked_of(connection, world, "total", span, EVERYTHING, "month")
    asked = structs.replace(asked, accounts=tuple(customers))
    for make in (visits_source, travel_source):
        source = make(connection, world, asked)
        alone = source._replace(where=[*source.where, source.columns["deal"].is_(None)])
        yield from rows(connection, world, alone, asked)
    for read in (corrected_visits, expenses, work):
        yield from _alone(read(connection, world, asked))


def _alone(found: Iterator[Fact]) -> Iterator[Fact]:
    return (fact for fact in found if fact.deal is None)


def _spans(connection: Connection, zone: str, customers: Sequence[str]) -> dict[str, list[OpenDays]]:
    d = _DEALS.c
    query = select(d.account_key, d.key, d.opened_on, d.created_at, d.closed_at, d.closings)
    query = query.where(~d.gone, among(d.account_key, "customers"))
    found: dict[str, list[OpenDays]] = {}
    bound: dict[str, Any] = {"customers": listed(connection, customers)}
    for row in connection.execute(query, bound).mappings():
        found.setdefault(row["account_key"], []).extend(open_days(row["key"], dict(row), zone))
    return found
