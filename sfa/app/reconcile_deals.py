"""The check that what a user is told of a deal is what the company counts of it (R37, R38, R55).

The P&L of a deal and the sums of the company are two ways from the same rows to the same money: the one reads a deal
and values each fact in Python, the other adds up everything in statements. Here each deal's P&L is made as it is shown,
in the deal's own currency, and held to what the company counts of it, kind by kind. List and discounts, which the
company does not count, are together the invoice.

Looked at are the deals with changes since the report before, at most `CHANGED_MAX` of them, and the next `SAMPLE` in
the order of keys, so that all are looked at in turn; or all of them. What changes the figures of everybody (a rate, a
cost, a plan) and what was written past the door is found by turns.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import structs
from sqlalchemy import ColumnElement, Connection, or_, select

from sfa.app.reconcile_checks import Difference, Found, Look, of_kind
from sfa.db import scope
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, commission_entries, history
from sfa.profit.company.of_deals import of_deals
from sfa.profit.company.tallied import Tally
from sfa.profit.converting import converted
from sfa.profit.deal import pnl, reading
from sfa.profit.deal.reading import KEYS_NAMED, Sources
from sfa.profit.items import KINDS

AT_ONCE = KEYS_NAMED
CHANGED_MAX = 5_000
SAMPLE = 2_000
LISTED = ("list", "discount")
_DEALS = ROWS["deals"]
_H = history.c
# What says something of a deal: by which of its columns the deal is named, and by which its customer.
_OF_DEAL = {
    "deals": ("key", None),
    "deal_lines": ("deal_key", None),
    "deal_charges": ("deal_key", None),
    "expenses": ("deal_key", "account_key"),
    "work_entries": ("deal_key", "account_key"),
    "visits": ("deal_key", "account_key"),
    "rebate_agreements": (None, "account_key"),
}
_OF_VISIT = ("travel_legs", "visit_amendments", "expenses")


def pnl_of_deals(connection: Connection, look: Look) -> Found:
    """Each deal's P&L, kind by kind, is what the company counts of the deal (R37)."""
    keys = sorted(_all(connection) if look.every else {*_changed(connection, look), *_sample(connection, look)})
    by_currency: dict[str, list[str]] = {}
    query, bound = select(_DEALS.c.key, _DEALS.c.currency).where(among(_DEALS.c.key, "keys")), listed(connection, keys)
    for key, currency in connection.execute(query.order_by(_DEALS.c.account_key, _DEALS.c.key), {"keys": bound}):
        by_currency.setdefault(currency or look.around(connection).currency, []).append(key)
    for currency, of in sorted(by_currency.items()):
        for start in range(0, len(of), AT_ONCE):
            part = of[start : start + AT_ONCE]
            yield len(part)
            yield from _compared(connection, look, currency, _rows(connection, part))


def _compared(
    connection: Connection, look: Look, currency: str, deals: Mapping[str, Mapping[str, Any]]
) -> Iterator[Difference]:
    world = structs.replace(look.around(connection), currency=currency)
    counted = of_deals(connection, world, {key: deal["account_key"] for key, deal in deals.items()}, look.now_ms)
    told = reading.read_deals(connection, deals, scope.zone(connection), look.now_ms, currency)
    for key in sorted(deals):
        shown, company = _shown(told[key], currency, look.now_ms), counted[key]
        for kind, expected, found in _by_kind(company, shown):
            if expected != found:
                detail = {"kind": kind, "currency": currency}
                yield Difference("pnl_of_deals", "deals", key, _text(expected), _text(found), detail)


def _text(amount: int | None) -> str | None:
    return None if amount is None else str(amount)


def _shown(sources: Sources, currency: str, as_of: int) -> Tally:
    """The kinds of the actual side, as the answer adds them up."""
    tally = Tally()
    for fact in converted(pnl.actual_items(sources, as_of), currency, sources.exchange):
        if fact.amount_minor is None:
            tally.miss(fact.item.kind, fact.code or "amount_missing", {})
        else:
            tally.add(fact.item.kind, fact.amount_minor)
    return tally


def _by_kind(company: Tally, shown: Tally) -> Iterator[tuple[str, int | None, int | None]]:
    """-> (kind, what the company counts, what the deal's P&L says)."""
    for kind in (kind for kind, about in KINDS.items() if about.counts):
        yield kind, of_kind(company, kind), of_kind(shown, kind)
    explained, invoice = [of_kind(shown, kind) for kind in LISTED], of_kind(company, "invoice")
    if invoice is not None and None not in explained:  # without a list price only they are unknown
        yield "+".join(LISTED), invoice, sum(amount or 0 for amount in explained)


def _rows(connection: Connection, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    query, bound = select(_DEALS).where(among(_DEALS.c.key, "keys")), {"keys": listed(connection, keys)}
    return {row["key"]: dict(row) for row in connection.execute(query, bound).mappings()}


# -- which ------------------------------------------------------------------------------------------------------------


def _all(connection: Connection) -> Iterable[str]:
    return connection.execute(select(_DEALS.c.key).where(~_DEALS.c.gone)).scalars()


def _sample(connection: Connection, look: Look) -> Sequence[str]:
    """The next ones by their keys; after the last, the first again. The look notes where it came to."""
    query = select(_DEALS.c.key).where(~_DEALS.c.gone).order_by(_DEALS.c.key).limit(SAMPLE)
    found = list(connection.execute(query.where(_DEALS.c.key > look.deals_after)).scalars())
    if len(found) < SAMPLE:
        again = connection.execute(query.where(_DEALS.c.key <= look.deals_after)).scalars().all()
        found += again[: SAMPLE - len(found)]
    look.deals_after = found[-1] if found else ""
    return found


def _changed(connection: Connection, look: Look) -> set[str]:
    """The deals that something was written of since the last report."""
    found: set[str] = set()
    for query in (*_of_rows(look.seq), _of_ledger(look.made_at)):
        left = CHANGED_MAX - len(found)
        if left <= 0:
            break
        found.update(connection.execute(query.distinct().limit(left)).scalars())
    return found


def _of_rows(seq: int) -> Iterator[Any]:
    visits = ROWS["visits"]
    for entity, (by_deal, by_account) in _OF_DEAL.items():
        t = ROWS[entity].c
        yield _deals_of(t, by_deal, by_account).where(t.key.in_(_since(entity, seq)))
    for entity in _OF_VISIT:
        row, v = ROWS[entity].c, visits.c
        named = select(row.visit_key).where(row.key.in_(_since(entity, seq)))
        yield _deals_of(v, "deal_key", "account_key").where(v.key.in_(named))


def _deals_of(t: Any, by_deal: str | None, by_account: str | None) -> Any:
    """Living deals that rows of a table name, or whose customer they name."""
    same: list[ColumnElement[bool]] = []
    if by_deal is not None:
        same.append(_DEALS.c.key == t[by_deal])
    if by_account is not None:
        same.append((_DEALS.c.account_key == t[by_account]) & (t[by_deal].is_(None) if by_deal else True))
    table = t["key"].table
    if table is _DEALS:
        return select(_DEALS.c.key).where(~_DEALS.c.gone)
    return select(_DEALS.c.key).select_from(table).join(_DEALS, or_(*same)).where(~_DEALS.c.gone)


def _since(entity: str, seq: int) -> Any:
    return select(_H.key).where(_H.entity == entity, _H.seq > seq)


def _of_ledger(made_at: int) -> Any:
    e = commission_entries.c
    query = select(_DEALS.c.key).join(commission_entries, e.deal_key == _DEALS.c.key)
    return query.where(~_DEALS.c.gone, e.written_at >= made_at)
