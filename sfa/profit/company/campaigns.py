"""What a campaign cost and what it brought: the pocket profit of deals that it touched, by the organisation's model.

A deal is credited, and each of its facts up to the margin (invoice, off-invoice, samples, goods: the pocket profit) is
shared among the campaigns whose touches of the customer, or of a person there, lie at most `attribution_days` before
its first credit; what the deal loses again by a reopening, each campaign loses by the same weights. Return on
investment is (brought - cost) / cost. The costs of a campaign are those booked in the span; what is not computable is
named (R34).
"""

from collections import defaultdict
from itertools import chain
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, func, or_, select

from sfa.core.days import start_of_ms
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.money import ratio_bp
from sfa.crm.online import person
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, credited
from sfa.profit.company.attribution import Touch, by_campaign, influence, weights, within
from sfa.profit.company.booked import charges, expenses
from sfa.profit.company.by import Span, asked_of, span_of
from sfa.profit.company.fact_sums import Asked, Fact, rows, settled
from sfa.profit.company.from_credits import credits_source, shared_terms
from sfa.profit.company.rebated import rebates
from sfa.profit.company.report import Wanted, checked_limit
from sfa.profit.company.surroundings import Scope, World, read_world, scope_of
from sfa.profit.company.tallied import Missing, Tally
from sfa.quotas.attainment import instant_of

_CAMPAIGNS, _COSTS, _TOUCHES = ROWS["campaigns"], ROWS["campaign_costs"], ROWS["campaign_touches"]


class Influenced(Struct, frozen=True):
    """A deal that the campaign touched: its weight in millionths of the deal, and what of the pocket profit that is."""

    deal_key: str
    account_key: str | None
    credited_at: int
    touches: int
    weight: int
    brought_minor: int | None


class Roi(Struct, frozen=True):
    """`roi_bp` null: there is no cost, or something is not computable (`missing`)."""

    key: str
    name: str
    from_on: str
    to_on: str
    as_of: int
    currency: str
    model: str
    days: int
    partial: bool
    cost_minor: int | None
    brought_minor: int | None
    roi_bp: int | None
    deals: int
    missing: list[Missing]
    items: list[Influenced]
    next: str | None


class Shared(Struct, frozen=True):
    """What every campaign brought; null is what no campaign touched. All of it sums to the pocket profit."""

    by_campaign: dict[str | None, Tally]
    deals: dict[str, list[Influenced]]


def roi(connection: Connection, user_key: str, now_ms: int, key: str, wanted: Wanted) -> Roi:
    """One campaign's; `not_found` where there is none, `not_permitted` for roles that do not see cost."""
    scope, limit = scope_of(connection, person(connection, user_key)), checked_limit(wanted.limit)
    query = select(_CAMPAIGNS.c.name).where(_CAMPAIGNS.c.key == key, ~_CAMPAIGNS.c.gone)
    name = connection.execute(query).scalar() if is_key(key) else None
    if name is None:
        raise Refused("not_found")
    world = read_world(connection)
    span = structs.replace(span_of(wanted.from_on, wanted.to_on), until=instant_of(wanted.as_of, now_ms, world.zone))
    found, spent = brought(connection, world, span, scope), costs(connection, world, span).get(key, Tally())
    earned = found.by_campaign.get(key, Tally())
    cost = None if spent.spoiled else -sum(spent.kinds.values())
    gain = None if earned.spoiled else sum(earned.kinds.values())
    deals = found.deals.get(key, [])
    rest = [deal for deal in deals if wanted.after is None or deal.deal_key > wanted.after]
    return Roi(
        key=key,
        name=str(name),
        from_on=span.from_on,
        to_on=span.to_on,
        as_of=span.until or 0,
        currency=world.currency,
        model=world.attribution,
        days=world.attribution_days,
        partial=scope.partial,
        cost_minor=cost,
        brought_minor=gain,
        roi_bp=None if cost is None or gain is None or cost <= 0 else ratio_bp(gain - cost, cost),
        deals=len(deals),
        missing=[*spent.earned().missing, *earned.earned().missing],
        items=rest[:limit],
        next=rest[limit - 1].deal_key if len(rest) > limit else None,
    )


def costs(connection: Connection, world: World, span: Span) -> dict[str, Tally]:
    """campaign -> what was booked for it in the span."""
    t, found = _COSTS.c, defaultdict[str, Tally](Tally)
    query = select(t.key, t.campaign_key, t.amount_minor, t.currency, t.booked_on)
    query = query.where(~t.gone, t.booked_on >= span.from_on, t.booked_on < span.to_on).order_by(t.key)
    for key, campaign, amount, currency, day in connection.execute(query):
        at = start_of_ms(day, world.zone)
        if span.until is not None and at >= span.until:
            continue
        place = (at, at, None, None, None, None, None, "campaign_costs", key)
        _take(found[campaign], settled(world, Fact("campaign", -amount, currency, *place)))
    return found


def brought(connection: Connection, world: World, span: Span, scope: Scope) -> Shared:
    """The pocket profit of the span by campaign, every fact shared exactly."""
    asked, _ = asked_of(connection, world, "total", span, scope, "month")
    rebated = list(rebates(connection, world, asked))
    firsts = _firsts(connection, asked, {fact.deal for fact in rebated if fact.deal is not None})
    touches = _touches(connection, sorted({account for account, _ in firsts.values() if account is not None}))
    shares: dict[str, tuple[list[Touch], list[int]]] = {}
    for deal, (account, at) in firsts.items():
        near = within(touches.get(account or "", ()), at, world.attribution_days)
        if near:
            shares[deal] = near, weights(world.attribution, near, at)
    sums: dict[str | None, Tally] = defaultdict(Tally)
    of_deal: dict[tuple[str, str], int | None] = {}
    for fact in chain(rebated, _facts(connection, world, asked)):
        near, share = shares.get(fact.deal or "", ([], []))
        if not near:
            _take(sums[None], fact)
            continue
        for campaign, part in _parts(fact, near, share).items():
            _take(sums[campaign], fact._replace(amount=part))
            before = of_deal.get((campaign, fact.deal or ""), 0)
            known = before is not None and part is not None
            of_deal[campaign, fact.deal or ""] = before + part if known else None  # type: ignore[operator]
    deals: dict[str, list[Influenced]] = defaultdict(list)
    for (campaign, deal), amount in sorted(of_deal.items()):
        (account, at), (near, share) = firsts[deal], shares[deal]
        count = sum(touch.campaign_key == campaign for touch in near)
        deals[campaign].append(Influenced(deal, account, at, count, influence(near, share)[campaign], amount))
    return Shared(dict(sums), dict(deals))


def _parts(fact: Fact, near: list[Touch], share: list[int]) -> dict[str, int | None]:
    if fact.amount is None:
        return {touch.campaign_key: None for touch in near}
    return dict(by_campaign(fact.amount, near, share))


def _facts(connection: Connection, world: World, asked: Asked) -> Any:
    yield from rows(connection, world, credits_source(connection, world, asked), asked)
    for read in (shared_terms, charges):
        yield from read(connection, world, asked)
    yield from (fact for fact in expenses(connection, world, asked) if fact.kind == "samples")


def _take(tally: Tally, fact: Fact) -> None:
    if fact.amount is None:
        tally.miss(fact.kind, fact.code or "cost_missing", fact.about)
    else:
        tally.add(fact.kind, fact.amount)


def _firsts(connection: Connection, asked: Asked, rebated: set[str]) -> dict[str, tuple[str | None, int]]:
    """deal -> its customer and first credit, of deals of which something happens in the span; `rebated` are those to
    which a tier that another deal reached gave something back."""
    c, d, e, v = credited.c, ROWS["deal_charges"].c, ROWS["expenses"].c, ROWS["visits"].c
    here = select(c.deal_key).where(c.at >= asked.start, c.at < asked.last)
    booked = select(d.deal_key).where(d.booked_on >= asked.from_on, d.booked_on < asked.to_on, ~d.gone)
    sampled = select(func.coalesce(e.deal_key, v.deal_key)).select_from(ROWS["expenses"])
    sampled = sampled.outerjoin(ROWS["visits"], v.key == e.visit_key).where(e.kind == "sample", ~e.gone)
    sampled = sampled.where(e.spent_on >= asked.from_on, e.spent_on < asked.to_on)
    query = select(c.deal_key, func.max(c.account_key), func.min(c.at)).where(
        or_(c.deal_key.in_(here.union(booked, sampled)), among(c.deal_key, "rebated")), ~c.overlay, ~c.reversal
    )
    bound = {"rebated": listed(connection, sorted(rebated))}
    return {deal: (account, at) for deal, account, at in connection.execute(query.group_by(c.deal_key), bound)}


def _touches(connection: Connection, accounts: list[str]) -> dict[str, list[Touch]]:
    t = _TOUCHES.c
    query = select(t.account_key, t.touched_at, t.key, t.campaign_key)
    query = query.where(~t.gone, among(t.account_key, "keys"))
    found: dict[str, list[Touch]] = defaultdict(list)
    for account, at, key, campaign in connection.execute(query, {"keys": listed(connection, accounts)}):
        found[account].append(Touch(at, key, campaign))
    return found
