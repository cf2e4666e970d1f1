"""A snapshot of today: what every deal, person, tree and period is now, against what the last snapshot kept (R27).

`look` reads, in one snapshot of the database, the deals of which something changed since the last one, and compares:
any other deal is what was kept of it; `keep` stores what differs. So a day costs what changed on it, and taking a day
twice changes nothing: the day's row is the claim. What changed is what the history says, which every write leaves, also
one of a row that is too old to be in the feed. Where a setting changed by which deals are staged, credited or
converted, or credits were made anew, all are read again.
Does not do: reading a snapshot back (`kept`), what a period makes of it (`stands`).
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import ColumnElement, Connection, select

from forecasting import kept
from forecasting.documents import (
    DEAL,
    DONE,
    FORM,
    KINDS,
    CreditPart,
    Deal,
    Firm,
    Named,
    Place,
    Span,
    deal_of,
    digest_of,
    kind_of,
    written,
)
from forecasting.kept import Snapshot
from sfa.core.credits import day_of
from sfa.core.days import start_of_ms
from sfa.core.exchange import Exchange, Missing
from sfa.db import feed
from sfa.db.credit_rows import rebuilt_at
from sfa.db.prepared import among, listed
from sfa.db.tables import OF_DEALS, ROWS, bucket_heads, clock, credited, history
from sfa.db.tables import feed as entries
from sfa.profit.company.surroundings import read_exchange

_DEALS, _LINES, _ACCOUNTS, _STAGES = ROWS["deals"], ROWS["deal_lines"], ROWS["accounts"], ROWS["stages"]
_OF_DEAL = ("name", "owner_key", "account_key", "stage_key", "amount_minor", "currency", "close_on", "closed_at")
_SHARED = ("splits", "overlays", "closings", "category")
# what changes deals that nobody touched; a rate does where it begins before the last snapshot
_SETTINGS = ("stages", "organisations", "credit_rules", "rates")
MINUTE_MS, DAY_MS = 60_000, 86_400_000
_log = logging.getLogger(__name__)
Document = tuple[str, str, str]


class Taken(Struct, frozen=True):
    snapshot: Snapshot
    ended: list[tuple[str, str]]
    begun: list[Document]


def read_firm(connection: Connection) -> Firm:
    o = ROWS["organisations"].c
    found = connection.execute(select(o.zone, o.currency).where(~o.gone).order_by(o.key).limit(1)).first()
    zone, currency = found if found is not None else ("UTC", "USD")
    return Firm(zone, currency, FORM)


def take(connection: Connection, now_ms: int) -> str:
    """Both in one transaction -> a line for the log."""
    return keep(connection, look(connection, now_ms))


def keep(connection: Connection, found: Taken | None) -> str:
    if found is None or not kept.store(connection, found.snapshot, found.ended, found.begun):
        return "none to take"
    return f"snapshot {found.snapshot.number} of {found.snapshot.taken_on}: {len(found.begun)} versions"


def look(connection: Connection, now_ms: int, minute: int = 0) -> Taken | None:
    """None where today has its snapshot, and before the minute of the day from which on it is taken. One from more than
    a day ahead was taken by a wrong clock and keeps no day from having its own."""
    firm = read_firm(connection)
    today, last = day_of(now_ms, firm.zone), kept.newest(connection)
    ahead = last is not None and last.taken_at > now_ms + DAY_MS
    if last is not None and last.taken_on >= today and not (ahead and kept.is_free(connection, today)):
        return None
    if now_ms - start_of_ms(today, firm.zone) < minute * MINUTE_MS:
        return None
    exchange = read_exchange(connection, firm.zone)
    if ahead:
        _log.warning("the newest snapshot was taken by a clock that was ahead: everything is read again")
    changed = _changed(connection, last if not ahead else None)
    found = [*_around(connection), ("organisation", "organisation", written(firm))]
    for key, deal in _deals(connection, changed, firm, exchange):
        found.append((kind_of(deal, today), key, written(deal)))
    rates, missing = _rates(exchange, _currencies(connection), firm, today)
    compared = _Compared(found, changed)
    digest = digest_of(compared.documents(connection))
    snapshot = Snapshot(
        number=last.number + 1 if last is not None else 1,
        taken_on=today,
        taken_at=now_ms,
        seq=feed.face(connection).seq,
        currency=firm.currency,
        rates=rates,
        missing=missing,
        counted={**compared.counted, "versions": len(compared.begun)},
        digest=digest,
    )
    return Taken(snapshot, compared.ended, compared.begun)


def _rates(exchange: Exchange, currencies: Iterable[str], firm: Firm, today: str) -> tuple[dict[str, Any], list[str]]:
    """-> (every rate of the day, as a movement looks through them at what is sold later; those of `currencies`
    that have none)."""
    at = start_of_ms(today, firm.zone)
    known = {
        currency: exchange.applied(currency, firm.currency, at) for currency in sorted(exchange.into(firm.currency))
    }
    rates = {currency: structs.asdict(applied) for currency, applied in known.items() if applied is not None}
    return rates, sorted(set(currencies) - rates.keys() - {firm.currency})


# -- what changed -----------------------------------------------------------------------------------------------------


def _changed(connection: Connection, last: Snapshot | None) -> set[str] | None:
    """The keys of deals of which something changed since the last snapshot, or that have credits and were not done with
    when it was taken; None: of any it may have. What no device carries takes no number of the clock: what was written
    since may stand at the very number that the snapshot stood at."""
    if last is None:
        return None
    horizon: int = connection.execute(select(clock.c.horizon)).scalar() or 0
    if horizon > last.seq or rebuilt_at(connection) > last.seq or _settings_changed(connection, last):
        return None  # credits that a rebuild put right leave no history
    if kept.firm(connection, last.number).form < FORM:
        return None  # it says less of what is done with than it would today
    return _touched(connection, last.seq).union(connection.execute(kept.closed_or_credited()).scalars())


def _touched(connection: Connection, seq: int) -> set[str]:
    """The deals that changed, those that lines which changed belong or belonged to, and those of customers that were
    moved to another territory."""
    h, found = history.c, set[str]()
    lines, accounts = set[str](), set[str]()
    query = select(h.entity, h.key, h.changes).where(OF_DEALS, h.seq >= seq)
    for entity, key, changes in connection.execute(query):
        if entity == "deals":
            found.add(key)
        elif entity == "deal_lines":
            lines.add(key)
            found.update(deal for deal in changes.get("deal_key", ()) if deal is not None)
        elif "territory_key" in changes:
            accounts.add(key)
    for column, of, keys in ((_LINES.c.deal_key, _LINES.c.key, lines), (_DEALS.c.key, _DEALS.c.account_key, accounts)):
        if keys:
            deals = connection.execute(select(column).where(among(of, "keys")), _keys(connection, keys)).scalars()
            found.update(deals)
    return found


def _entries_since(entity: str, seq: int) -> Any:
    h, e = bucket_heads.c, entries.c
    query = select(e.key).join_from(bucket_heads, entries, (e.bucket == h.bucket) & (e.seq > seq))
    return query.where(h.seq > seq, e.entity == entity)


def _settings_changed(connection: Connection, last: Snapshot) -> bool:
    for entity in _SETTINGS:
        keys = sorted(set(connection.execute(_entries_since(entity, last.seq)).scalars()))
        if keys and (entity != "rates" or not _begin_later(connection, keys, last.taken_on)):
            return True
    return False


def _begin_later(connection: Connection, keys: Sequence[str], day: str) -> bool:
    """Whether these rates are new and of days after that one, so that nothing was converted by them."""
    r = ROWS["rates"].c
    rows = connection.execute(select(r.rev, r.gone, r.valid_from).where(among(r.key, "keys")), _keys(connection, keys))
    return all(rev == 1 and not gone and valid_from > day for rev, gone, valid_from in rows)


def _keys(connection: Connection, keys: Iterable[str]) -> dict[str, Any]:
    return {"keys": listed(connection, sorted(keys))}


class _Compared:
    """What is now against what stands, in one pass over both in order."""

    def __init__(self, found: Iterable[Document], changed: set[str] | None) -> None:
        self._found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        for kind, key, text in found:
            self._found[kind][key] = text
        self._changed = changed
        self.ended: list[tuple[str, str]] = []
        self.begun: list[Document] = []
        self.counted = dict.fromkeys(KINDS, 0)

    def documents(self, connection: Connection) -> Iterator[Document]:
        """Every document of the snapshot, by kind and key."""
        for kind in KINDS:
            yield from self._of_kind(kind, self._found[kind], kept.current(connection, kind))

    def _of_kind(self, kind: str, said: Mapping[str, str], stands: Iterator[Document]) -> Iterator[Document]:
        before = set[str]()
        both = merge(((k, False, t) for _, k, t in stands), ((k, True, said[k]) for k in sorted(said)))
        for key, is_new, text in both:
            if is_new and key in before:
                continue
            if not is_new:
                before.add(key)
                now = said.get(key, text if self._stays(kind, key) else None)
                if now == text:
                    self.counted[kind] += 1
                    yield kind, key, text
                    continue
                self.ended.append((kind, key))
                if now is None:
                    continue
                text = now
            self.begun.append((kind, key, text))
            self.counted[kind] += 1
            yield kind, key, text

    def _stays(self, kind: str, key: str) -> bool:
        """Of deals only those that changed were read."""
        return kind in (DEAL, DONE) and self._changed is not None and key not in self._changed


# -- rows as documents ------------------------------------------------------------------------------------------------


def _deals(
    connection: Connection, changed: set[str] | None, firm: Firm, exchange: Exchange
) -> Iterator[tuple[str, Deal]]:
    d, keys = _DEALS.c, _keys(connection, changed or ())
    asked: list[ColumnElement[bool]] = [~d.gone]
    if changed is not None:
        asked.append(among(d.key, "keys"))
    credits_ = _credits(connection, asked, keys, firm, exchange)
    lines, rules = _lines(connection, asked, keys), ROWS["credit_rules"].c
    later = connection.execute(select(rules.key).where(~rules.gone, rules.event != "won").limit(1)).first() is not None
    stages = {row["key"]: dict(row) for row in connection.execute(select(_STAGES)).mappings()}
    query = (
        select(d.key, *(d[name] for name in (*_OF_DEAL, *_SHARED)), _ACCOUNTS.c.territory_key)
        .select_from(_DEALS.outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == d.account_key))
        .where(*asked)
    )
    rows: Iterable[Any] = connection.execute(query, keys).mappings()
    for row in rows:
        key, at = row["key"], row["closed_at"]
        closed_on = day_of(at, firm.zone) if at is not None else None
        of = (lines.get(key, ()), credits_.get(key, ()), row["territory_key"], closed_on)
        yield key, deal_of(row, stages.get(row["stage_key"]), *of, awaits=later)


def _currencies(connection: Connection) -> set[str]:
    """Those of open deals."""
    d = _DEALS.c
    query = select(d.currency).distinct().where(~d.gone, d.closed_at.is_(None), d.currency.is_not(None))
    return set(connection.execute(query).scalars())


def _lines(
    connection: Connection, asked: Sequence[ColumnElement[bool]], keys: Mapping[str, Any]
) -> dict[str, list[Mapping[str, Any]]]:
    n = _LINES.c
    query = select(n.deal_key, n.product_key, n.quantity, n.unit_price_minor, n.discount_bp).where(~n.gone, *asked)
    query = query.join_from(_LINES, _DEALS, _DEALS.c.key == n.deal_key)
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    rows: Iterable[Any] = connection.execute(query, keys).mappings()
    for row in rows:
        found[row["deal_key"]].append(row)
    return found


def _credits(
    connection: Connection,
    asked: Sequence[ColumnElement[bool]],
    keys: Mapping[str, Any],
    firm: Firm,
    exchange: Exchange,
) -> dict[str, list[CreditPart]]:
    c = credited.c
    columns = (c.deal_key, c.n, c.user_key, c.overlay, c.reversal, c.at, c.rated_at, c.territory_key, c.share_bp)
    query = select(*columns, c.amount_minor, c.currency).where(*asked)
    query = query.join_from(credited, _DEALS, _DEALS.c.key == c.deal_key)
    found: dict[str, list[CreditPart]] = defaultdict(list)
    for deal, n, user, overlay, reversal, at, rated_at, territory, share, amount, currency in connection.execute(
        query, keys
    ):
        worth = None
        if amount is not None and currency is not None:
            value = exchange.value(amount, currency, firm.currency, rated_at)
            worth = None if isinstance(value, Missing) else value[0]
        days = day_of(at, firm.zone), day_of(rated_at, firm.zone)
        part = CreditPart(n, user, bool(overlay), bool(reversal), *days, territory, share, amount, currency, worth)
        found[deal].append(part)
    return found


def _around(connection: Connection) -> Iterator[Document]:
    """People, trees, products and periods; of what was deleted, as long as a place names it, where it lay."""
    stays = _places(connection, "team_members", "user_key", "team_key", "role")
    u = ROWS["users"].c
    for key, name, active, role, gone in connection.execute(select(u.key, u.name, u.active, u.role, u.gone)):
        if not gone or key in stays:
            is_active = bool(active) and not gone
            yield "user", key, written(Named(name, is_active, role, tuple(stays.get(key, ())), bool(gone)))
    for kind, entity, edges in (("team", "teams", "team_edges"), ("territory", "territories", "territory_edges")):
        above, table = _places(connection, edges, f"{kind}_key", "parent_key"), ROWS[entity].c
        for key, name, gone in connection.execute(select(table.key, table.name, table.gone)):
            if not gone or key in above:
                yield kind, key, written(Named(name, places=tuple(above.get(key, ())), gone=bool(gone)))
    p = ROWS["products"].c
    for key, name in connection.execute(select(p.key, p.name).where(~p.gone)):
        yield "product", key, written(Named(name))
    f = ROWS["fiscal_periods"].c
    for key, *span in connection.execute(select(f.key, f.name, f.kind, f.start_on, f.end_on).where(~f.gone)):
        yield "period", key, written(Span(*span))


def _places(connection: Connection, entity: str, of: str, above: str, *role: str) -> dict[str, list[Place]]:
    t = ROWS[entity].c
    columns = (t[of], t[above], t.valid_from, t.valid_to, *(t[name] for name in role))
    found: dict[str, list[Place]] = defaultdict(list)
    for key, *place in connection.execute(select(*columns).where(~t.gone).order_by(t[of], t.valid_from, t.key)):
        found[key].append(Place(*place))
    return found
