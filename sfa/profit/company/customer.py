"""One customer's profit, down to the rows that it is the sum of, with what the customer is worth and how it stands.

The items of all pages sum to the figures, kind by kind (R10): both come from the same facts. For roles that see cost;
a customer that the caller does not see is `not_found`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection, select

from sfa.core.credits import day_of
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS, customer_values
from sfa.profit.company.acquiring import Phases, phases
from sfa.profit.company.by import asked_of, facts, profits, span_of
from sfa.profit.company.fact_sums import Fact
from sfa.profit.company.lifetime import MODEL, SOURCE, Lifetime, Retention, lifetime
from sfa.profit.company.lost import losses
from sfa.profit.company.report import Missed, Wanted, checked_limit, missed
from sfa.profit.company.retaining import retention, years_before
from sfa.profit.company.surroundings import EVERYTHING, World, read_world, scope_of
from sfa.profit.company.tallied import Earned, Tally
from sfa.profit.items import KINDS
from sfa.quotas.attainment import instant_of

_ACCOUNTS = ROWS["accounts"]


class Item(Struct, frozen=True):
    """One fact, signed as it changes the profit, in the company's currency; null with a `code` where it is not
    computable. `basis` says what was reckoned, or what is missing."""

    kind: str
    step: str
    amount_minor: int | None
    code: str | None
    on: str
    at: int
    entity: str
    row_key: str
    deal_key: str | None
    user_key: str | None
    product_key: str | None
    basis: dict[str, Any]


class Value(Struct, frozen=True):
    """What the customer is worth, by the model that is named."""

    model: str
    source: str
    lifetime: Lifetime


class Standing(Struct, frozen=True):
    """What the job found last (`customer_values`)."""

    standing: str
    from_on: str
    to_on: str
    made_at: int
    reasons: list[dict[str, Any]]
    best_change: dict[str, Any] | None


class CustomerProfit(Struct, frozen=True):
    key: str
    name: str
    from_on: str
    to_on: str
    as_of: int
    currency: str
    earned: Earned
    lost: Missed
    phases: Phases
    value: Value
    standing: Standing | None
    items: list[Item]
    next: str | None


_Place = tuple[int, str, str, str, str, str, str, int]


def told(connection: Connection, user_key: str, now_ms: int, key: str, wanted: Wanted) -> CustomerProfit:
    who = person(connection, user_key)
    scope_of(connection, who)  # the right, before anything is said of the customer
    name = _seen(connection, key, who.held)
    limit, world = checked_limit(wanted.limit), read_world(connection)
    until = instant_of(wanted.as_of, now_ms, world.zone)
    span = structs.replace(span_of(wanted.from_on, wanted.to_on), until=until)
    tally = profits(connection, "total", span, accounts=[key], world=world).total
    asked, _ = asked_of(connection, world, "total", span, EVERYTHING, "month")
    asked = structs.replace(asked, accounts=frozenset((key,)))
    every = placed(facts(connection, world, asked))
    after = _after(wanted)
    rest = [(place, fact) for place, fact in every if after is None or place > after]
    page = rest[:limit]
    return CustomerProfit(
        key=key,
        name=name,
        from_on=span.from_on,
        to_on=span.to_on,
        as_of=until,
        currency=world.currency,
        earned=tally.earned(),
        lost=missed(losses(connection, world, asked)),
        phases=phases(connection, world, span, accounts=[key]),
        value=Value(MODEL, SOURCE, _lifetime(connection, world, key, min(asked.end, until))),
        standing=_standing(connection, key),
        items=[item_of(fact, world) for _, fact in page],
        next=msgspec.json.encode(page[-1][0]).decode() if len(rest) > limit else None,
    )


def placed(found: Iterable[Fact]) -> list[tuple[_Place, Fact]]:
    """Facts in the order of explanations: of time, then of what they are. No two have one place, as ends of one deal
    may be given the same thing by one event: those are told apart by their number."""

    def of(fact: Fact) -> tuple[int, str, str, str, str, str, str]:
        return fact.at, fact.entity, fact.row_key, fact.kind, fact.deal or "", fact.user or "", fact.product or ""

    told: list[tuple[_Place, Fact]] = []
    for fact in sorted(found, key=lambda f: (of(f), f.amount is None, f.amount or 0, f.rated_at, repr(f.about))):
        before = told[-1][0] if told else None
        number = before[-1] + 1 if before is not None and before[:-1] == of(fact) else 0
        told.append(((*of(fact), number), fact))
    return told


def _after(wanted: Wanted) -> _Place | None:
    if wanted.after is None:
        return None
    try:
        place: _Place = msgspec.json.decode(wanted.after, type=_Place)
    except msgspec.DecodeError:
        raise Refused("request_invalid", "`after` is the `next` of another page of the same list") from None
    return place


def item_of(fact: Fact, world: World) -> Item:
    return Item(
        kind=fact.kind,
        step=KINDS[fact.kind].step,
        amount_minor=fact.amount,
        code=fact.code,
        on=day_of(fact.at, world.zone),
        at=fact.at,
        entity=fact.entity,
        row_key=fact.row_key,
        deal_key=fact.deal,
        user_key=fact.user,
        product_key=fact.product,
        basis=dict(fact.about),
    )


def _seen(connection: Connection, key: str, held: frozenset[str] | None) -> str:
    a = _ACCOUNTS.c
    query = select(a.name).where(a.key == key, ~a.gone, lies_in(a.buckets, "held"))
    found = (
        connection.execute(query, {"held": listed(connection, sorted(held or ()))}).scalar() if is_key(key) else None
    )
    if found is None:
        raise Refused("not_found")
    return str(found)


def _lifetime(connection: Connection, world: World, key: str, until: int) -> Lifetime:
    """At the end of the span, out of the last two whole years."""
    years = structs.replace(years_before(day_of(until - 1, world.zone)), until=until)
    found = profits(connection, "total", years, accounts=[key], world=world).total
    return worth(connection, world, found, until)


def worth(connection: Connection, world: World, tally: Tally, until: int, kept: Retention | None = None) -> Lifetime:
    """What a customer is worth that earned so much in the two years before an instant."""
    day = day_of(until - 1, world.zone)
    capital = world.costs.rate_on("capital", None, day)
    bought = bool(tally.kinds.get("invoice"))
    discount = capital.value if capital is not None else None
    return lifetime(
        tally.earned().profit_minor, 2, kept or retention(connection, world, day, until), discount, bought=bought
    )


def _standing(connection: Connection, key: str) -> Standing | None:
    v = customer_values.c
    columns = (v.standing, v.from_on, v.to_on, v.made_at, v.reasons, v.best_change)
    row = connection.execute(select(*columns).where(v.account_key == key)).first()
    return Standing(*row) if row is not None else None
