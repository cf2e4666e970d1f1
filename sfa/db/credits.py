"""Credits kept beside deals: rewritten in the transaction that changes a deal, its lines, costs or the rules (R9, R16).

The door calls `keep_credits` after it has written rows; `rebuild` makes everything anew and writes nothing where all is
right. Both go through `_settle`, so what the door kept is what a rebuild makes. Sets of deals, never a query for each;
a transaction that touches nothing of this costs a look at its history.

What was frozen stays: the territory of the customer when the deal was credited (until somebody edits the deal to name
another customer; a merge only makes the ends of the one the other's), and of a reversed end its cost and quantities as
they stood at the reopening, however many changes came in one transaction. What is taken away with a deal that is
deleted, or because its event does not count any more, is kept aside and comes back as it was with the deal or event.
On PostgreSQL two writers of one deal wait for each other, as do those who change costs, stages or rules (or many deals
at once) and those who are credited by them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, Text, cast, or_, select, text

from sfa.core.credits import (
    EVENTS,
    Cost,
    Credit,
    End,
    Line,
    cost_of,
    credits_of_end,
    day_of,
    ends_of,
    overlaid,
    quantities_of,
    shared_out,
)
from sfa.db import credit_rows, feed, scope
from sfa.db.cells import Cell
from sfa.db.credit_rows import Rows, Stored
from sfa.db.prepared import among, listed
from sfa.db.reopened import NOTHING, Moved, Then, moved_by
from sfa.db.storing import Version
from sfa.db.tables import ROWS, credited

BATCH_DEALS = 500
SETTINGS_LOCK = 7_319_044_102
_DEALS, _LINES, _COSTS = ROWS["deals"], ROWS["deal_lines"], ROWS["unit_costs"]
_OF_DEAL = frozenset(
    {"stage_key", "closed_at", "signed_at", "invoiced_at", "owner_key", "account_key", "amount_minor", "currency"}
    | {"splits", "overlays", "closings"}
)
_OF_SETTINGS = {"stages": frozenset({"kind"}), "organisations": frozenset({"zone"}), "products": frozenset({"unit"})}
_NONE = (None, None)


# -- what is touched --------------------------------------------------------------------------------------------------


class Changed(Struct):
    """The deals whose credits were others, and (who, when) of each credit that they had or have."""

    deals: list[str]
    earned: set[tuple[str, int]]


def keep_credits(connection: Connection, cells: Mapping[tuple[str, str], Cell], entries: Sequence[Version]) -> Changed:
    """Bring credits in line with what a transaction wrote: the door's `cells` and the `entries` of its history."""
    deals = _touched(cells, entries)
    settings = [e for e in entries if _is_setting(e)]
    alone = bool(settings) or len(deals) > BATCH_DEALS
    if alone:
        _lock_settings(connection, alone=True)
        deals |= _behind(connection, settings)
    elif deals:
        _lock_settings(connection, alone=False)
    return _settle(connection, deals, moved_by(cells, entries) if deals else NOTHING, alone=alone)


def _touched(cells: Mapping[tuple[str, str], Cell], entries: Sequence[Version]) -> set[str]:
    """The deals that are, or were, closed and of which something changed that decides credits."""
    related: set[str] = set()
    was_closed: set[str] = set()
    for e in entries:
        changes = e.changes
        if e.entity == "deals":
            cell = cells["deals", e.key]
            if not _OF_DEAL.isdisjoint(changes) or cell.gone != cell.was_gone:
                related.add(cell.key)
            if changes.get("closed_at", _NONE)[0] is not None or changes.get("closings", _NONE)[0]:
                was_closed.add(cell.key)
        elif e.entity == "deal_lines":
            related.add(cells["deal_lines", e.key].row["deal_key"])
            related.update(key for key in changes.get("deal_key", ()) if key is not None)
    return {key for key in related if key in was_closed or not _is_open(cells.get(("deals", key)))}


def _is_open(deal: Cell | None) -> bool:
    return deal is not None and deal.row["closed_at"] is None and not deal.row["closings"]


def _is_setting(entry: Version) -> bool:
    entity = entry.entity
    if entity in ("unit_costs", "credit_rules"):
        return True
    fields = _OF_SETTINGS.get(entity)
    return fields is not None and entry.kind != "create" and not fields.isdisjoint(entry.changes)


def _behind(connection: Connection, settings: Sequence[Version]) -> set[str]:
    """The deals whose credits may follow from these changes; nothing while nobody has been credited or has closed."""
    by_entity: dict[str, list[Version]] = {}
    for e in settings:
        by_entity.setdefault(e.entity, []).append(e)
    if by_entity.keys() & {"organisations", "stages", "credit_rules"}:
        return set(connection.execute(select(_DEALS.c.key).where(_has_ends())).scalars())
    products = {e.key for e in by_entity.get("products", ())}
    costs = sorted({e.key for e in by_entity.get("unit_costs", ())})
    query = select(_COSTS.c.product_key).where(among(_COSTS.c.key, "keys"))
    products |= set(connection.execute(query, {"keys": listed(connection, costs)}).scalars())
    for e in by_entity.get("unit_costs", ()):
        products.update(key for key in e.changes.get("product_key", ()) if key)
    found = (
        select(_LINES.c.deal_key)
        .distinct()
        .where(among(_LINES.c.product_key, "keys"), _LINES.c.deal_key.in_(select(credited.c.deal_key)))
    )
    return set(connection.execute(found, {"keys": listed(connection, sorted(products))}).scalars())


def _has_ends() -> Any:
    """Deals that are closed, were reopened, or have credits that they perhaps should not have."""
    reopened = cast(_DEALS.c.closings, Text) != "[]"
    return or_(_DEALS.c.closed_at.is_not(None), reopened, _DEALS.c.key.in_(select(credited.c.deal_key)))


def _lock_settings(connection: Connection, *, alone: bool) -> None:
    if connection.dialect.name == "postgresql":
        call = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        connection.execute(text(f"SELECT {call}({SETTINGS_LOCK})"))


# -- bringing in line -------------------------------------------------------------------------------------------------


def rebuild(connection: Connection, deals: Iterable[str] | None = None) -> int:
    """Make the credits of these deals, or of all, anew from what is stored -> how many deals differed. Where all is
    right nothing is written. Batches of `BATCH_DEALS`; a caller with millions passes parts (`deal_keys`). Until the
    transaction ends nobody else is credited, and once it has to write, nobody closes a period (R2)."""
    _lock_settings(connection, alone=True)
    if deals is not None:
        return len(_settle(connection, set(deals), alone=True, hold=True).deals)
    changed, after = 0, ""
    while keys := deal_keys(connection, after):
        changed += len(_settle(connection, set(keys), alone=True, hold=True).deals)
        after = keys[-1]
    return changed


def deal_keys(connection: Connection, after: str, limit: int = BATCH_DEALS * 20) -> list[str]:
    """The next keys, in their order, of deals that have been closed or credited."""
    query = select(_DEALS.c.key).where(_DEALS.c.key > after, _has_ends()).order_by(_DEALS.c.key).limit(limit)
    return list(connection.execute(query).scalars())


class Settings(Struct, frozen=True):
    zone: str
    won: frozenset[str]
    rules: dict[str, dict[str, Any]]


class _Known(NamedTuple):
    """What a batch of deals needs of other rows."""

    lines: dict[str, dict[str, Line]]
    units: dict[str, str]
    costs: dict[str, list[Cost]]
    territories: dict[str, str | None]
    moved: Moved

    def lines_of(self, deal_key: str, then: Then | None) -> list[Line]:
        """As they are, or as they stood at a reopening."""
        changed = then.lines if then is not None else {}
        found = {**self.lines.get(deal_key, {}), **changed}
        return [line for _, line in sorted(found.items()) if line is not None]

    def merged(self, deal_key: str, rows: Rows) -> Rows:
        """What was credited at a customer that is another's now is that one's; only the territory stays (R3)."""
        found = [{**row, "account_key": self.moved.account(deal_key, row["account_key"])} for row in rows.credits]
        return Rows(found, rows.quantities)


def _settle(
    connection: Connection, deals: set[str], moved: Moved = NOTHING, *, alone: bool, hold: bool = False
) -> Changed:
    """-> those that had other credits than they should. Who has the settings alone locks no deal: everybody else
    who credits one shares them, and a server has room for some ten thousand locks, not for one of each closed deal."""
    ordered, changed = sorted(deals), Changed([], set())
    for start in range(0, len(ordered), BATCH_DEALS):
        batch = ordered[start : start + BATCH_DEALS]
        if connection.dialect.name == "postgresql" and not alone:
            lock = "SELECT pg_advisory_xact_lock(hashtextextended(k, 7319)) FROM unnest(CAST(:keys AS text[])) AS k"
            connection.execute(text(lock), {"keys": batch})
        found = _write(connection, *stored_and_due(connection, batch, moved), hold=hold)
        changed.deals += found.deals
        changed.earned |= found.earned
    return changed


def stored_and_due(
    connection: Connection, deals: Sequence[str], moved: Moved = NOTHING
) -> tuple[Mapping[str, Stored], Mapping[str, Stored]]:
    """-> (what is stored of some deals, what should be); of none where none was ever closed or credited."""
    keys = listed(connection, deals)
    rows = [dict(r) for r in connection.execute(_read_deals, {"keys": keys}).mappings()]
    stored = credit_rows.read(connection, keys)
    if not stored and not any(row["closed_at"] is not None or row["closings"] for row in rows):
        return {}, {}
    settings, known = read_settings(connection), _read_known(connection, rows, moved)
    return stored, {deal["key"]: _due(deal, stored.get(deal["key"], Stored()), settings, known) for deal in rows}


def _write(connection: Connection, stored: Mapping[str, Stored], found: Mapping[str, Stored], *, hold: bool) -> Changed:
    """`hold`: advance the clock before all is written, so that who has it, or keeps figures of it, reads one state."""
    was = {key: stored.get(key, Stored()) for key in found}
    counts = {key: due.counts for key, due in found.items() if not due.counts.same(was[key].counts)}
    aside = {key: due.aside for key, due in found.items() if not due.aside.same(was[key].aside)}
    if hold and (counts or aside):
        credit_rows.note_rebuilt(connection, feed.take(connection, 1))
    credit_rows.replace(connection, counts, aside=False)
    credit_rows.replace(connection, aside, aside=True)
    rows = (row for key, due in counts.items() for row in (*was[key].counts.credits, *due.credits))
    return Changed(list(counts), {(row["user_key"], row["rated_at"]) for row in rows})


def _due(deal: dict[str, Any], was: Stored, settings: Settings, known: _Known) -> Stored:
    """The rows that a deal should have."""
    due = Stored()
    if deal["gone"]:
        for n in was.counts.ends() | was.aside.ends():
            due.aside += _set_aside(deal, was, n, known)
        return due
    for end in ends_of(deal):
        found = _of_end(deal, end, was, settings, known)
        if found is None:
            due.aside += _set_aside(deal, was, end.n, known)
        else:
            due.counts += found
    return due


def _set_aside(deal: dict[str, Any], was: Stored, n: int, known: _Known) -> Rows:
    """An end that counts no more as it was."""
    counted = was.counts.of_end(n)
    return known.merged(deal["key"], counted if counted.credits else was.aside.of_end(n))


def _of_end(deal: dict[str, Any], end: End, was: Stored, settings: Settings, known: _Known) -> Rows | None:
    """The rows of an end, or None where it is not credited."""
    then = known.moved.reopened.get((deal["key"], end.n))
    before, aside = was.counts.of_end(end.n).unreversed(), was.aside.of_end(end.n)
    if not before.credits and any(row["reversal"] for row in aside.credits):  # it was reversed, and so it stays
        before = aside.unreversed()
    found = credits_of_end(end, settings.won, settings.rules, settings.zone)
    if not before.credits and found and (found[0].event, found[0].at) == _counted(aside):
        before = aside
    if end.reopened_at is not None and then is None and before.credits and _stood(end, before.credits):
        at = end.reopened_at
        rows = known.merged(deal["key"], before)
        return Rows(_frozen(rows.credits, at), _frozen(rows.quantities, at))
    if not found:
        return None
    lines = known.lines_of(deal["key"], then)
    account = then.account_key if then is not None else deal["account_key"]
    place = account, _territory(deal["key"], account, end, before.credits, known)
    cost = cost_of(lines, known.costs, day_of(found[0].at, settings.zone))
    quantities = _quantities(deal["key"], end, found, quantities_of(lines), known.units)
    return known.merged(deal["key"], Rows(_rows(deal["key"], place, end, found, cost), quantities))


def _counted(rows: Rows) -> tuple[str, int] | None:
    """The event by which credits came about, and when it was."""
    return next(((row["event"], row["at"]) for row in rows.credits if not row["reversal"]), None)


def _stood(end: End, before: Iterable[dict[str, Any]]) -> bool:
    """Whether stored rows are what the reversed end says: then they stay as they are."""
    parts = [(*part, False) for part in shared_out(end.amount_minor, end)]
    parts += [(*part, True) for part in overlaid(end.amount_minor, end)]
    said = {(user, share, amount, end.currency, overlay) for user, share, amount, overlay in parts}
    stored = list(before)
    dated = all(r["at"] == getattr(end, EVENTS[r["event"]]) for r in stored)
    return dated and said == {
        (r["user_key"], r["share_bp"], r["amount_minor"], r["currency"], r["overlay"]) for r in stored
    }


def _frozen(rows: Iterable[dict[str, Any]], reopened_at: int) -> list[dict[str, Any]]:
    stood = list(rows)
    return stood + [{**row, "reversal": True, "at": reopened_at} for row in stood]


def _territory(
    deal_key: str, account: str | None, end: End, before: Sequence[dict[str, Any]], known: _Known
) -> str | None:
    """That of the customer when the deal was credited to it; a merge makes no other customer."""
    if before:
        moved = known.moved
        frozen = end.reopened_at is not None and (deal_key, end.n) not in moved.reopened
        if frozen or before[0]["account_key"] == account or deal_key in moved.merged:
            kept: str | None = before[0]["territory_key"]
            return kept
    return known.territories.get(account) if account else None


def _rows(
    deal_key: str, place: tuple[str | None, str | None], end: End, found: Sequence[Credit], cost: tuple[int, str] | None
) -> list[dict[str, Any]]:
    whole = cost[0] if cost is not None else None
    parts = {(user, False): part for user, _, part in shared_out(whole, end)}
    parts |= {(user, True): part for user, _, part in overlaid(whole, end)}
    return [
        {
            "deal_key": deal_key,
            "n": c.n,
            "user_key": c.user_key,
            "overlay": c.overlay,
            "reversal": c.reversal,
            "at": c.at,
            "rated_at": c.rated_at,
            "event": c.event,
            "account_key": place[0],
            "territory_key": place[1],
            "owner": c.owner,
            "share_bp": c.share_bp,
            "amount_minor": c.amount_minor,
            "currency": c.currency,
            "cost_minor": parts[c.user_key, c.overlay],
            "cost_currency": cost[1] if cost is not None else None,
        }
        for c in found
    ]


def _quantities(
    deal_key: str, end: End, found: Sequence[Credit], sums: Mapping[str, int], units: Mapping[str, str]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for product, micro in sums.items():
        parts = {(user, False): part for user, _, part in shared_out(micro, end)}
        parts |= {(user, True): part for user, _, part in overlaid(micro, end)}
        for c in found:
            part = parts[c.user_key, c.overlay]
            if part is None:
                continue
            place = {"deal_key": deal_key, "n": c.n, "user_key": c.user_key, "overlay": c.overlay}
            place |= {"reversal": c.reversal, "product_key": product, "at": c.at}
            rows.append({**place, "unit": units.get(product, "piece"), "quantity_micro": part})
    return rows


# -- reading ----------------------------------------------------------------------------------------------------------

READ_DEALS = select(_DEALS.c.key, _DEALS.c.gone, *(_DEALS.c[f] for f in sorted(_OF_DEAL)))
_read_deals = READ_DEALS.where(among(_DEALS.c.key, "keys"))


def read_settings(connection: Connection) -> Settings:
    stages, rules = ROWS["stages"].c, ROWS["credit_rules"].c
    won = connection.execute(select(stages.key).where(stages.kind == "won")).scalars()
    query = select(rules.key, rules.event, rules.valid_from, rules.valid_to).where(~rules.gone)
    found = {row["key"]: dict(row) for row in connection.execute(query).mappings()}
    return Settings(scope.zone(connection), frozenset(won), found)


def _read_known(connection: Connection, deals: Sequence[dict[str, Any]], moved: Moved) -> _Known:
    """The lines of deals that were closed, their products' units and costs, and the territories of their customers."""
    closed = [d for d in deals if d["closed_at"] is not None or d["closings"]]
    keys = {"keys": listed(connection, [d["key"] for d in closed])}
    query = select(_LINES.c.deal_key, _LINES.c.key, _LINES.c.product_key, _LINES.c.quantity).where(
        among(_LINES.c.deal_key, "keys"), ~_LINES.c.gone
    )
    lines: dict[str, dict[str, Line]] = {}
    for deal, key, product, quantity in connection.execute(query, keys):
        lines.setdefault(deal, {})[key] = Line(product, quantity)
    here = {d["key"] for d in closed}
    then = [found for place, found in moved.reopened.items() if place[0] in here]
    of_lines = [
        *(line for of in lines.values() for line in of.values()),
        *(ln for t in then for ln in t.lines.values()),
    ]
    products = {"keys": listed(connection, sorted({line.product_key for line in of_lines if line is not None}))}
    table, costs = ROWS["products"].c, _COSTS.c
    units = dict(connection.execute(select(table.key, table.unit).where(among(table.key, "keys")), products).all())
    columns = (costs[f] for f in Cost.__struct_fields__)
    dated: dict[str, list[Cost]] = {}
    for row in connection.execute(select(*columns).where(among(costs.product_key, "keys"), ~costs.gone), products):
        dated.setdefault(row.product_key, []).append(Cost(*row))
    accounts = ROWS["accounts"].c
    named = {d["account_key"] for d in closed} | {t.account_key for t in then}
    there = {"keys": listed(connection, sorted(key for key in named if key))}
    found = connection.execute(select(accounts.key, accounts.territory_key).where(among(accounts.key, "keys")), there)
    return _Known(lines, units, dated, dict(found.all()), moved)
