"""What a roll-up is the sum of, and every figure that was put in the place of one: pages for a caller (R26, R30)."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from forecasting.answers import UNDATED, DealPage, DealPart, Fact, OverridePage, OverrideTold, Unseen
from forecasting.ledger import parted
from forecasting.overriding import settings
from forecasting.service import Forecasts, Found, Wanted, own_node
from forecasting.spots import below_node
from forecasting.standing import OVERRIDES, STANDING, Stored, read_overrides, told
from sfa.core.errors import Refused
from sfa.core.forecast import BUCKETS
from sfa.core.ids import is_key
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS

PAGE_DEFAULT, PAGE_MAX = 100, 1_000
_DEALS = ROWS["deals"]
Order = tuple[str, str, str, bool]  # deal, person, bucket, overlay


class Page(Struct, frozen=True):
    after: str | None = None
    limit: int = PAGE_DEFAULT


def check_page(page: Page) -> None:
    if not 1 <= page.limit <= PAGE_MAX:
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}")


# -- deals ------------------------------------------------------------------------------------------------------------


class _Part(Struct):
    amount: int | None = 0
    weighted: int | None = 0
    code: str | None = None


async def deals(forecasts: Forecasts, user_key: str, wanted: Wanted, bucket: str | None, page: Page) -> DealPage:
    """The parts of a node's money in one bucket or in all, by deal; `undated` are deals without a day, in no total."""
    check_page(page)
    if bucket is not None and bucket not in (*BUCKETS, UNDATED):
        raise Refused("request_invalid", f"`bucket` is {', '.join((*BUCKETS, UNDATED))}")
    found = await forecasts.found(user_key, wanted)
    node = wanted.node if wanted.node is not None else own_node(found, user_key, wanted.by or "owner")
    after = _order(page.after) if page.after is not None else None
    parts, partial = await asyncio.to_thread(_parts, found, node, wanted, bucket)
    order = sorted(at for at in parts if after is None or at > after)
    here = order[: page.limit]
    rows = await forecasts.screens.read(_named, user_key, sorted({at[0] for at in here}))
    items = [_part(at, parts[at], *rows[at[0]]) for at in here if at[0] in rows]
    hidden = [parts[at] for at in here if at[0] not in rows and not at[3]]
    basis = found.base.basis
    return DealPage(
        period=basis.period,
        as_of=basis.as_of,
        as_of_snapshot=basis.snapshot,
        currency=basis.currency,
        node=node,
        bucket=bucket,
        items=items,
        hidden=Unseen(len(hidden), sum(p.amount or 0 for p in hidden), sum(p.weighted or 0 for p in hidden)),
        partial=partial or len(items) < len(here),
        next=msgspec.json.encode(here[-1]).decode() if len(order) > len(here) else None,
    )


def _parts(found: Found, node: str, wanted: Wanted, bucket: str | None) -> tuple[dict[Order, _Part], bool]:
    """-> (the parts that the caller may know, whether there are others). A node that he does not see is not found."""
    by = "owner" if wanted.by in (None, "team") else str(wanted.by)
    parts: dict[Order, _Part] = {}
    seen, partial = _is_seen(found, node), False
    for path, fact in _facts(found.base.basis.facts, by):
        if below_node(path, node) is None:
            continue
        if not found.sight.of(path, fact.user_key):
            partial = True
            continue
        seen = True
        if fact.bucket == UNDATED if bucket is None else fact.bucket != bucket:
            continue
        part = parts.setdefault((fact.deal_key, fact.user_key, fact.bucket, fact.overlay), _Part())
        if fact.amount_minor is None or fact.weighted_minor is None:
            part.amount = part.weighted = None
        elif part.amount is not None and part.weighted is not None:
            part.amount += fact.amount_minor
            part.weighted += fact.weighted_minor
        part.code = part.code or (fact.holes[0] if fact.holes else None)
    if not seen:
        raise Refused("not_found")
    return parts, partial


def _is_seen(found: Found, node: str) -> bool:
    row = found.base.basis.nodes.get(node)
    return found.sight.of_row(row) if row is not None else found.sight.everything and node == "company"


def _facts(facts: Iterable[Fact], by: str) -> Iterator[tuple[tuple[str, ...], Fact]]:
    for fact in facts:
        yield from parted(fact, by)


def _order(text: str) -> Order:
    try:
        found: Order = msgspec.json.decode(text, type=Order)
    except msgspec.ValidationError:
        raise Refused("request_invalid", "`after` is the `next` of another page of the same list") from None
    return found


def _part(at: Order, part: _Part, name: str, account: str | None) -> DealPart:
    deal, user, bucket, overlay = at
    return DealPart(
        deal_key=deal,
        name=name,
        account_key=account,
        user_key=user,
        bucket=bucket,
        overlay=overlay,
        amount_minor=part.amount,
        weighted_minor=part.weighted,
        code=part.code,
    )


def _named(connection: Connection, user_key: str, deals_: list[str]) -> dict[str, tuple[str, str | None]]:
    """deal -> (its name, its customer), of those that the caller may see."""
    held = listed(connection, person(connection, user_key).held or ())
    query = select(_DEALS.c.key, _DEALS.c.name, _DEALS.c.account_key)
    query = query.where(among(_DEALS.c.key, "keys"), lies_in(_DEALS.c.buckets, "held"))
    bound = {"keys": listed(connection, deals_), "held": held}
    return {key: (name, account) for key, name, account in connection.execute(query, bound)}


# -- overrides --------------------------------------------------------------------------------------------------------


class Which(Struct, frozen=True):
    """Overrides of a period, a node; None asks for all that the caller may see."""

    period: str | None = None
    node: str | None = None


async def overrides(forecasts: Forecasts, user_key: str, which: Which, page: Page) -> OverridePage:
    """Every figure that stands or stood, with all that was ever set in its place; by key."""
    check_page(page)
    stored, history, more = await forecasts.screens.read(_stored, user_key, which, page)
    stands: dict[str, Found | None] = {}
    for period in sorted({one.period_key for one in stored if one.status == STANDING}):
        try:
            stands[period] = await forecasts.found(user_key, Wanted(period=period))
        except Refused as refused:
            if refused.code != "period_unknown":
                raise
            stands[period] = None  # nobody forecasts a period that was deleted
    items: list[OverrideTold] = []
    for one in stored:
        base = found.base if (found := stands.get(one.period_key)) is not None else None
        now = base.standing.told.get(one.cell) if base is not None else None
        if now is None or now.key != one.key or now.rev != one.rev:
            now = told(one, cause=base.causes.get(one.key) if base is not None else None)
        items.append(OverrideTold(override=now, history=history[one.key]))
    return OverridePage(items=items, next=stored[-1].key if more else None)


def _stored(connection: Connection, user_key: str, which: Which, page: Page) -> tuple[list[Stored], Any, bool]:
    held = listed(connection, person(connection, user_key).held or ())
    query = select(OVERRIDES.c.key).where(~OVERRIDES.c.gone, lies_in(OVERRIDES.c.buckets, "held"))
    if which.period is not None:
        query = query.where(OVERRIDES.c.period_key == which.period)
    if which.node is not None:
        kind, _, key = which.node.partition(":")
        if kind not in ("user", "team") or not is_key(key):
            raise Refused("request_invalid", "`node` is user:<key> or team:<key>")
        query = query.where(OVERRIDES.c[f"{kind}_key"] == key)
    if page.after is not None:
        query = query.where(OVERRIDES.c.key > page.after)
    found = connection.execute(query.order_by(OVERRIDES.c.key).limit(page.limit + 1), {"held": held})
    keys = list(found.scalars())
    stored = read_overrides(connection, OVERRIDES.c.key.in_(keys[: page.limit])) if keys else []
    return stored, settings(connection, stored), len(keys) > page.limit
