"""Rebates as they accrue, of every customer who has an agreement (R38): each part of an end and person a fact.

The rule is `rebates.accruals`; here its events are read in sets: all that a customer was ever credited for within the
days of an agreement, since what is due depends on what came before. Amounts of another currency than the agreement's
are converted at the rate of their own day.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import structs
from sqlalchemy import Connection, func, select

from sfa.core.credits import day_of, ends_of
from sfa.core.days import start_of_ms
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, credited
from sfa.profit.company.by_product import read_lines
from sfa.profit.company.fact_sums import Asked, Fact, Place, parted, settled
from sfa.profit.company.surroundings import World
from sfa.profit.rebates import Accrued, Agreement, EndKey, Event, accruals, agreement_of, part_of_family
from sfa.quotas.conversion import Missing
from sfa.quotas.spans import each

_ACCOUNTS, _DEALS, _AGREEMENTS = ROWS["accounts"], ROWS["deals"], ROWS["rebate_agreements"]
_ENDS = ("key", "closed_at", "stage_key", "signed_at", "invoiced_at", "owner_key", "amount_minor", "currency")


class _Place(NamedTuple):
    """What is known of an end: where it was credited, when, and the currency of its amount."""

    territory: str | None
    rated_at: int
    currency: str | None


def rebates(connection: Connection, world: World, asked: Asked) -> Iterator[Fact]:
    """What accrued on the days that are asked about."""
    agreements = _agreements(connection, asked)
    if not agreements:
        return
    events, places = _events(connection, world, agreements)
    deals = _deals(connection, sorted({event.deal_key for of in events.values() for event in of}))
    narrowed = any(agreement.family is not None for agreement in agreements)
    named = among(ROWS["deal_lines"].c.deal_key, "deals")
    lines = read_lines(connection, named, deals=deals, exact=True) if narrowed else {}
    families = _families(connection) if narrowed else {}
    for agreement in agreements:
        of = [
            structs.replace(event, amount_minor=_amount(world, agreement, event, places, lines, families))
            for event in events.get(agreement.account_key, ())
            if agreement.valid_from <= day_of(places[event.end].rated_at, world.zone) < agreement.valid_to
        ]
        for accrued in accruals(agreement, of):
            for fact in _facts(world, agreement, accrued, deals, places):
                if asked.takes(fact):
                    yield fact


def _amount(
    world: World,
    agreement: Agreement,
    event: Event,
    places: Mapping[EndKey, _Place],
    lines: Mapping[str, Sequence[tuple[str, int, int]]],
    families: Mapping[str, str | None],
) -> int | None:
    """What an event adds to its agreement; None: not computable."""
    place = places[event.end]
    if event.amount_minor is None or place.currency is None:
        return None
    of = [(product, total) for product, _, total in lines.get(event.deal_key, ())]
    part = part_of_family(event.amount_minor, of, families, agreement.family)
    found = world.exchange.value(part, place.currency, agreement.currency, place.rated_at)
    return None if isinstance(found, Missing) else found[0]


def _facts(
    world: World,
    agreement: Agreement,
    accrued: Accrued,
    deals: Mapping[str, Mapping[str, Any]],
    places: Mapping[EndKey, _Place],
) -> Iterator[Fact]:
    """Each person's part of what an end was given, by the splits of that end."""
    (deal, n), at = accrued.end, accrued.at
    if accrued.amount_minor == 0:
        return
    ends = ends_of(deals[deal])
    end = ends[min(n, len(ends)) - 1]
    territory = places[accrued.end].territory
    about = {"of": "rebate", "agreement_key": agreement.key, "by_deal_key": accrued.by[0]}
    rated_at = at if accrued.rated_at is None else accrued.rated_at
    place: Place = (at, rated_at, agreement.account_key, end.owner_key, territory, None, deal, "rebate_agreements",
                    agreement.key)  # fmt: skip
    amount = None if accrued.amount_minor is None else -accrued.amount_minor
    if amount is None:
        about["lacks"] = str(accrued.lacks)
    code = accrued.code if amount is None else None
    whole = Fact("rebate", amount, agreement.currency, *place, code=code, about=about)
    yield from parted(settled(world, whole), dict(end.splits))


def _families(connection: Connection) -> dict[str, str | None]:
    p = ROWS["products"].c
    return dict(connection.execute(select(p.key, p.family)).all())


def _agreements(connection: Connection, asked: Asked) -> list[Agreement]:
    t = _AGREEMENTS.c
    query = select(_AGREEMENTS).where(~t.gone, t.valid_from < asked.to_on)
    bound: dict[str, Any] = {}
    if asked.accounts is not None:
        query = query.where(among(t.account_key, "of_accounts"))
        bound = {"of_accounts": listed(connection, sorted(asked.accounts))}
    if asked.deals is not None:  # of whom these deals were credited
        customers = select(credited.c.account_key).where(among(credited.c.deal_key, "of_deals"))
        query = query.where(t.account_key.in_(customers))
        bound = {**bound, "of_deals": listed(connection, sorted(asked.deals))}
    return [agreement_of(row["key"], dict(row)) for row in connection.execute(query.order_by(t.key), bound).mappings()]


def _events(
    connection: Connection, world: World, agreements: Sequence[Agreement]
) -> tuple[dict[str, list[Event]], dict[EndKey, _Place]]:
    """-> (customer -> its events, with amounts in the credits' own currency, end -> what is known of it)."""
    c = credited.c
    first = start_of_ms(min(a.valid_from for a in agreements), world.zone)
    keys = {"accounts": listed(connection, sorted({a.account_key for a in agreements}))}
    query = select(c.account_key, c.deal_key, c.n, c.reversal, c.at, c.rated_at, c.currency)
    query = query.add_columns(func.sum(c.amount_minor), func.count() - func.count(c.amount_minor))
    query = query.add_columns(func.max(func.coalesce(c.territory_key, _ACCOUNTS.c.territory_key)))
    query = query.join_from(credited, _ACCOUNTS, _ACCOUNTS.c.key == c.account_key)
    query = query.where(among(c.account_key, "accounts"), ~c.overlay, c.rated_at >= first)
    query = query.group_by(c.account_key, c.deal_key, c.n, c.reversal, c.at, c.rated_at, c.currency)
    found: dict[str, list[Event]] = {}
    places: dict[EndKey, _Place] = {}
    for account, deal, n, reversal, at, rated_at, currency, amount, unknown, territory in each(connection, query, keys):
        known = None if unknown or currency is None or amount is None else int(amount)
        code = "rate_missing" if known is not None else "amount_missing"
        found.setdefault(account, []).append(Event(at, deal, n, bool(reversal), known, code))
        places[deal, n] = _Place(territory, rated_at, currency)
    return found, places


def _deals(connection: Connection, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    d = _DEALS.c
    query = select(*(d[f] for f in (*_ENDS, "splits", "overlays", "closings"))).where(among(d.key, "keys"))
    found = connection.execute(query, {"keys": listed(connection, keys)}).mappings()
    return {row["key"]: dict(row) for row in found}
