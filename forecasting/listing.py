"""What a roll-up is the sum of, and every figure that was put in the place of one: pages for a caller (R26, R30)."""

import asyncio
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, literal, select, tuple_

from forecasting.answers import UNLISTED, DealPage, DealPart, OverridePage, OverrideTold, Unseen
from forecasting.overriding import settings
from forecasting.parts import Leaf, Order, Part
from forecasting.parts import listed as in_order
from forecasting.service import Base, Forecasts, Found, Wanted, own_node
from forecasting.spots import below_node
from forecasting.standing import OVERRIDES, STANDING, Stored, read_overrides, told
from sfa.core.errors import Refused
from sfa.core.forecast import BUCKETS
from sfa.core.ids import is_key
from sfa.crm.of_oneself import not_of
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS

PAGE_DEFAULT, PAGE_MAX = 100, 1_000
_DEALS = ROWS["deals"]


class Page(Struct, frozen=True):
    after: str | None = None
    limit: int = PAGE_DEFAULT


def check_page(page: Page) -> None:
    if not 1 <= page.limit <= PAGE_MAX:
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}")


# -- deals ------------------------------------------------------------------------------------------------------------


async def deals(forecasts: Forecasts, user_key: str, wanted: Wanted, bucket: str | None, page: Page) -> DealPage:
    """The parts of a node's money in one bucket or in all, by deal; `undated` are deals without a day, `awaited` those
    that are won and credited to nobody yet, both in no total."""
    check_page(page)
    if bucket is not None and bucket not in (*BUCKETS, *UNLISTED):
        raise Refused("request_invalid", f"`bucket` is {', '.join((*BUCKETS, *UNLISTED))}")
    found = await forecasts.found(user_key, wanted, whole=True)
    node = wanted.node if wanted.node is not None else own_node(found, user_key, wanted.by or "owner")
    after = _order(page.after) if page.after is not None else None
    leaves, partial = await asyncio.to_thread(_leaves, found, node)
    more = await asyncio.to_thread(lambda: list(islice(in_order(leaves, bucket, after), page.limit + 1)))
    here = more[: page.limit]
    rows = await forecasts.screens.read(_named, user_key, sorted({part.at[0] for part in here}))
    items = [_part(part, *rows[part.at[0]]) for part in here if part.at[0] in rows]
    hidden = [part for part in here if part.at[0] not in rows and not part.at[3]]
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
        next=msgspec.json.encode(here[-1].at).decode() if len(more) > len(here) else None,
    )


def _leaves(found: Found, node: str) -> tuple[list[Leaf], bool]:
    """-> (where the parts are that the caller may know, whether there are others). A node that he does not see is not
    found."""
    below = found.base.parts.leaves(lambda leaf: below_node(leaf.path, node) is not None)
    seen = [leaf for leaf in below if found.sight.of(leaf.path, leaf.user_key)]
    if not seen and not _is_seen(found, node):
        raise Refused("not_found")
    return seen, len(seen) < len(below)


def _is_seen(found: Found, node: str) -> bool:
    row = found.base.basis.nodes.get(node)
    return found.sight.of_row(row) if row is not None else found.sight.everything and node == "company"


def _order(text: str) -> Order:
    try:
        found: Order = msgspec.json.decode(text, type=Order)
    except msgspec.ValidationError:
        raise Refused("request_invalid", "`after` is the `next` of another page of the same list") from None
    return found


def _part(part: Part, name: str, account: str | None) -> DealPart:
    deal, user, bucket, overlay = part.at
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
    """Every figure that stands or stood, with all that was ever set in its place; by period and key. A page is of one
    period, so that no more than one forecast is looked at for it."""
    check_page(page)
    stored, history, more = await forecasts.screens.read(_stored, user_key, which, page)
    base = await _base(forecasts, user_key, stored)
    items: list[OverrideTold] = []
    for one in stored:
        now = base.standing.told.get(one.cell) if base is not None else None
        if now is None or now.key != one.key or now.rev != one.rev:
            now = told(one, cause=base.causes.get(one.key) if base is not None else None)
        items.append(OverrideTold(override=now, history=history[one.key]))
    return OverridePage(items=items, next=stored[-1].key if more else None)


async def _base(forecasts: Forecasts, user_key: str, stored: list[Stored]) -> Base | None:
    """What the figures of one period stand in; None where none of them stands."""
    if not any(one.status == STANDING for one in stored):
        return None
    try:
        return (await forecasts.found(user_key, Wanted(period=stored[0].period_key), ahead=False)).base
    except Refused as refused:
        if refused.code != "period_unknown":
            raise
        return None  # nobody forecasts a period that was deleted


def _stored(connection: Connection, user_key: str, which: Which, page: Page) -> tuple[list[Stored], Any, bool]:
    who = person(connection, user_key)
    query = select(OVERRIDES.c.key, OVERRIDES.c.period_key)
    query = query.where(~OVERRIDES.c.gone, lies_in(OVERRIDES.c.buckets, "held"))
    query = query.where(not_of(connection, "forecast_overrides", OVERRIDES.c, user_key))
    if which.period is not None:
        _check_key("period", which.period)
        query = query.where(OVERRIDES.c.period_key == which.period)
    if which.node is not None:
        kind, _, key = which.node.partition(":")
        if kind not in ("user", "team") or not is_key(key):
            raise Refused("request_invalid", "`node` is user:<key> or team:<key>")
        query = query.where(OVERRIDES.c[f"{kind}_key"] == key)
    if page.after is not None:
        query = query.where(tuple_(OVERRIDES.c.period_key, OVERRIDES.c.key) > _place(connection, page.after))
    query = query.order_by(OVERRIDES.c.period_key, OVERRIDES.c.key).limit(page.limit + 1)
    found = connection.execute(query, {"held": listed(connection, who.held or ())}).all()
    keys = [key for key, period in found[: page.limit] if period == found[0][1]]
    stored = read_overrides(connection, OVERRIDES.c.key.in_(keys)) if keys else []
    return stored, settings(connection, stored), len(found) > len(keys)


def _check_key(name: str, value: str) -> None:
    if not is_key(value):
        raise Refused("request_invalid", f"`{name}` is a key")


def _place(connection: Connection, key: str) -> Any:
    """What comes after the figure of a key; figures are never erased."""
    _check_key("after", key)
    period = connection.execute(select(OVERRIDES.c.period_key).where(OVERRIDES.c.key == key)).scalar()
    if period is None:
        raise Refused("request_invalid", "`after` is the `next` of another page of the same list")
    return tuple_(literal(period), literal(key))
