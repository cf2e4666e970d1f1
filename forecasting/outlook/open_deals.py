"""What the last run says of open deals, to who sees them (R30): a node's, page by page, or one by its key.

A deal lies wherever somebody has a part of it. Chances are those of the run's day; who sees a deal, and what became of
it, is asked of its row today.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from sqlalchemy import Connection, select

from forecasting.outlook import store
from forecasting.outlook.telling import Looked, RunTold, Wanted, look, newest, told
from forecasting.outlook.values import COMPANY, DealOutlook
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.money import BP_WHOLE
from sfa.crm.edits import Who
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS

LIMIT_DEFAULT, LIMIT_MAX = 100, 500
OPEN, WON, LOST = "open", "won", "lost"
_DEALS = ROWS["deals"].c


class DealTold(Struct, frozen=True, kw_only=True):
    """`state` and `name` are today's, chances those of the run's day; `periods` are what `within_bp` and
    `expected_minor` are of."""

    outlook: DealOutlook
    name: str
    owner_key: str
    state: str


class DealsTold(Struct, frozen=True, kw_only=True):
    """The deals of which most is expected in the first period first."""

    run: RunTold
    currency: str
    node: str
    periods: list[str]
    items: list[DealTold]
    next: str | None = None


class DealRow(Struct, frozen=True):
    """`state` is whether it is open, won or lost today."""

    name: str
    owner_key: str
    state: str


class Here(Struct, frozen=True):
    """A deal, and how much of its money lies in a node: `part` of `whole`."""

    outlook: DealOutlook
    part: int
    whole: int

    def of(self, amount_minor: int) -> int:
        """What of an amount lies here, rounded half up."""
        return (2 * amount_minor * self.part + self.whole) // (2 * self.whole)


def deals(connection: Connection, user_key: str, wanted: Wanted, after: str | None, limit: int) -> DealsTold:
    """`after` is (run, how many were told) of the page before, so that pages are of one run. Refuses as an outlook
    does, and `outlook_missing` where the run keeps its deals no more."""
    if not 1 <= limit <= LIMIT_MAX:
        raise Refused("request_invalid", f"`limit` is 1 to {LIMIT_MAX}")
    found = look(connection, user_key, wanted)
    number, start = (int(part) for part in after.split()) if after is not None else (found.run.number, 0)
    if number != found.run.number:
        run, tree = store.numbered(connection, number), store.tree(connection, number)
        found = Looked(run, tree, found.node, found.who, found.sight)
    seen = [user for user in found.people if found.sees(f"user:{user}")]
    lying = lying_with(connection, number, seen)
    if lying is None:
        raise Refused("outlook_missing", f"the run of {found.run.as_of} keeps its deals no more", day=found.run.as_of)
    every = [here.outlook for here in lying]
    every.sort(key=lambda deal: (-(deal.expected_minor[0] if deal.expected_minor else 0), deal.key))
    page = every[start : start + limit]
    rows = rows_of(connection, [deal.key for deal in page], found.who)
    is_more = len(every) > start + limit
    return DealsTold(
        run=told(found.run),
        currency=found.run.currency or "",
        node=found.node,
        periods=ahead(connection, number),
        items=[_told(deal, rows[deal.key]) for deal in page if deal.key in rows],
        next=f"{number} {start + limit}" if is_more else None,
    )


def deal(connection: Connection, user_key: str, key: str) -> DealsTold:
    """One deal, whoever owns it now or has a part of it; `not_found` where the caller does not see it, or the run did
    not know it."""
    who, run = person(connection, user_key), newest(connection, None)
    row = rows_of(connection, [key], who).get(key) if is_key(key) else None
    under = (store.where(connection, run.number) or {}).get(key) if row is not None else None
    if row is None or under is None:
        raise Refused("not_found")
    known = next(d for d in store.deals(connection, run.number, [under])[under] if d.key == key)
    return DealsTold(
        run=told(run),
        currency=run.currency or "",
        node=f"user:{under}",
        periods=ahead(connection, run.number),
        items=[_told(known, row)],
    )


def lying_with(connection: Connection, number: int, people: Iterable[str]) -> list[Here] | None:
    """Every deal of a run of which these people have a part; None where it keeps its deals no more."""
    where = store.where(connection, number)
    if where is None:
        return None
    here, parts = set(people), store.shared(connection, number)
    split = {key for key, of in parts.items() if key in where and not here.isdisjoint(of)}
    found: list[Here] = []
    for owner, of in store.deals(connection, number, here | {where[key] for key in split}).items():
        for deal in of:
            shares = parts.get(deal.key)
            if shares is None and owner in here:
                found.append(Here(deal, 1, 1))
            elif shares is not None and deal.key in split:
                mine = sum(share for user, share in shares.items() if user in here)
                found.append(Here(deal, mine, max(sum(shares.values()), BP_WHOLE)))
    return found


def ahead(connection: Connection, number: int) -> list[str]:
    """The periods that a run looks at."""
    company = store.nodes(connection, number, [COMPANY]).get(COMPANY)
    return [period.period_key for period in company.periods] if company is not None else []


def rows_of(connection: Connection, keys: Sequence[str], who: Who | None = None) -> dict[str, DealRow]:
    """key -> the deal as it is today, of those that somebody sees, or of all."""
    stage = ROWS["stages"].c
    query = (
        select(_DEALS.key, _DEALS.name, _DEALS.owner_key, _DEALS.closed_at, stage.kind)
        .outerjoin(ROWS["stages"], stage.key == _DEALS.stage_key)
        .where(among(_DEALS.key, "keys"), ~_DEALS.gone)
    )
    bound = {"keys": listed(connection, sorted(keys))}
    if who is not None and who.held is not None:
        query = query.where(lies_in(_DEALS.buckets, "held"))
        bound["held"] = listed(connection, who.held)
    return {
        key: DealRow(name, owner, OPEN if closed_at is None else WON if kind == "won" else LOST)
        for key, name, owner, closed_at, kind in connection.execute(query, bound)
    }


def _told(found: DealOutlook, row: DealRow) -> DealTold:
    return DealTold(outlook=found, name=row.name, owner_key=row.owner_key, state=row.state)
