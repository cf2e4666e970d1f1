"""What people said and changed as tables: calls, overrides with all that was ever set, deals that changed.

The rows and figures of the JSON under its names, like `forecasting/tables.py`; here each row has the currency in which
its money was named. Instants are texts in UTC to the millisecond. Asks no database.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from forecasting.answers import OverridePage, OverrideTold
from forecasting.calls import Calls
from forecasting.changes import Change, ChangedDeal, ChangePage
from forecasting.tables import page_told, said_of
from sfa.core.forecast import VIEWS
from sfa.web.sheets import MONEY, NUMBER, Cell, Column, Table

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AMOUNT, CURRENCY = "amount_minor", "currency"
_Row = tuple[Cell, ...]
_Lines = Iterator[tuple[_Row, str | None]]


def instant(at: int | None) -> str | None:
    """ "2026-11-23T09:00:00.000Z"; as the number that it is where it is in no year that people write."""
    if at is None:
        return None
    try:
        return f"{(EPOCH + timedelta(milliseconds=at)).isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"
    except OverflowError:
        return str(at)


def _table(name: str, as_of: str, about: list[tuple[str, str]], columns: list[Column], lines: _Lines) -> Table:
    rows: list[_Row] = []
    currencies: list[str | None] = []
    for row, currency in lines:
        rows.append(row)
        currencies.append(currency)
    return Table(name, None, as_of, about, columns, rows, currencies)


# -- calls ------------------------------------------------------------------------------------------------------------


def calls_table(told: Calls, as_of: str) -> Table:
    """One row for each call; `based_on` of it by view, where the caller's roll-up said something."""
    texts = ("key", "period_key", "node", "author_key", "due_on", "status", "called_at", "note")
    columns = [*map(Column, texts), Column("rev", NUMBER)]
    columns += [Column(name, MONEY) for name in ("commit", "likely", "best_case")]
    columns += [Column(f"based_on_{view}", MONEY) for view in VIEWS]
    lock = "none any more" if told.lock is None else f"{told.lock.due_on}, {instant(told.lock.due_at)}"
    yours = ("; ".join(f"{one.node}: {'called' if one.call_key else 'not called'}" for one in told.yours)) or "none"
    about = [("what", "Calls"), ("period_key", told.period_key), ("lock", lock), ("yours", yours)]
    return _table("forecast-calls", as_of, [*about, ("page", page_told(told.next))], columns, _calls(told))


def _calls(told: Calls) -> _Lines:
    for call in told.items:
        said = (call.key, call.period_key, call.node, call.author_key, call.due_on, call.status)
        amounts = (call.commit_minor, call.likely_minor, call.best_case_minor)
        based = (_whole((call.based_on or {}).get(view)) for view in VIEWS)
        yield (*said, instant(call.called_at), call.note, call.rev, *amounts, *based), call.currency


def _whole(said: Any) -> int | None:
    """What a device said may be anything."""
    return said if type(said) is int else None


# -- overrides --------------------------------------------------------------------------------------------------------


def overrides_table(told: OverridePage, as_of: str) -> Table:
    """An override as it is, and after it what was set in its place, oldest first; `row` says which a line is."""
    texts = ("row", "key", "period_key", "node", "view", "level", "author_key", "status", "cause", "at", "ended_at")
    columns = [*map(Column, (*texts, "note", "stale")), Column("rev", NUMBER), Column("number", NUMBER)]
    columns += [Column(name, MONEY) for name in ("amount", "based_on", "delta")]
    about = [("what", "Overrides and their history"), ("page", page_told(told.next))]
    lines = (line for one in told.items for line in _override(one))
    return _table("forecast-overrides", as_of, about, columns, lines)


def _override(told: OverrideTold) -> _Lines:
    one = told.override
    where = (one.key, one.period_key, one.node, one.view, one.level)
    times = (instant(one.set_at), instant(one.ended_at))
    about = (one.author_key, one.status, one.cause, *times, one.note, said_of(one.stale), one.rev, one.number)
    yield ("override", *where, *about, one.amount_minor, one.based_on_minor, one.delta_minor), one.currency
    for was in told.history:
        then = (was.author_key, was.status, was.cause, instant(was.at), None, was.note, None, was.rev, was.number)
        yield ("setting", *where, *then, was.amount_minor, was.based_on_minor, None), was.currency


# -- what changed -----------------------------------------------------------------------------------------------------


def changes_table(told: ChangePage, as_of: str) -> Table:
    """One row for each field of each change, and one for a change of none of them; an amount stands in columns of its
    own, in two rows where its currency changed with it."""
    texts = ("deal_key", "name", "account_key", "owner_key", "gone", "kind", "at", "stored_at")
    who = ("author_key", "author_name", "device_key", "field", "before", "after")
    columns = [*map(Column, (*texts, *who)), Column("rev", NUMBER)]
    columns += [Column("amount_before", MONEY), Column("amount_after", MONEY)]
    about = [("what", "Deals that changed"), ("since", told.since), ("node", told.node)]
    about += [("period", told.period.name)] if told.period is not None else []
    about += [("hidden deals", str(told.hidden)), ("page", page_told(told.next))]
    lines = (line for deal in told.items for line in _deal(deal))
    return _table("forecast-changes", as_of, about, columns, lines)


def _deal(deal: ChangedDeal) -> _Lines:
    """The newest change first, so that the currency of each is that of the one after it, or what that one replaced."""
    currency = deal.currency
    for change in deal.changes:
        about = (deal.deal_key, deal.name, deal.account_key, deal.owner_key, said_of(deal.gone))
        when = (change.kind, instant(change.at), instant(change.stored_at))
        who = (change.author_key, change.author_name, change.device_key)
        before, after = change.fields.get(CURRENCY, [currency, currency])
        for cells, named in _fields(change, before, after):
            yield (*about, *when, *who, *cells[:3], change.rev, *cells[3:]), named
        currency = before


def _fields(change: Change, before: str | None, after: str | None) -> _Lines:
    """-> ((field, before, after, amount before, amount after), currency)."""
    for field, (was, now) in sorted(change.fields.items()):
        if field != AMOUNT:
            yield (field, _text(field, was), _text(field, now), None, None), after
        elif before == after or before is None or after is None:
            yield (AMOUNT, None, None, was, now), after if after is not None else before
        else:
            yield (AMOUNT, None, None, was, None), before
            yield (AMOUNT, None, None, None, now), after
    if not change.fields:
        yield (None,) * 5, after


def _text(field: str, value: Any) -> str | None:
    """As JSON where it is no word: who shares a deal."""
    if field == "closed_at":
        return instant(value)
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
