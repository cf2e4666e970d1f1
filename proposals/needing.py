"""Who must approve a proposal as it stands, and what of it an approval would be of: read for `proposals.approving`.

List prices, limits of discounts, floors of margins and costs are those of the local day. Costs are read here and go no
further: what comes out of a margin is the name of a role, and nobody is told that a margin asked for it (R45).
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from proposals import approving
from proposals.approving import Terms
from proposals.drafting import Drawn
from sfa.core.credits import Cost, cost_on
from sfa.core.pricing.units import unit_prices
from sfa.db import scope
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.db.writes import Door
from sfa.profit.dated import costs_of, price_on
from sfa.profit.deal.reading import exchange_rates
from sfa.profit.price.given import unit_of
from sfa.profit.price.limits import Approval
from sfa.profit.price.offer_limits import Listed, approvals
from sfa.profit.price.whatif import Unit
from sfa.quotas.conversion import Exchange

READ = ("prices", "unit_costs", "rates", "discount_limits", "margin_floors", "products")
Row = Mapping[str, Any]


class Needed(Struct, frozen=True):
    """`chain` are the roles that must approve, in order. `discounts` say of each line what its discount asks for."""

    chain: tuple[str, ...]
    discounts: tuple[Approval, ...]
    terms: Terms

    @property
    def digest(self) -> str:
        return approving.digest_of(self.terms)


def needed(door: Door, row: Row, made: Drawn, role: str, at: int) -> Needed:
    """For whoever submits it with this role."""
    if any(door.has_changed(entity, cell.key) for entity in READ for cell in door.cells_of(entity)):
        door.flush()
    connection, currency = door.connection, made.offer.currency
    day, zone = scope.today(connection, at), scope.zone(connection)
    products = {key: line["product_key"] for key, line in made.lines.items() if line["product_key"] is not None}
    named = sorted(set(products.values()))
    families = _families(connection, named)
    prices, costs = (_dated(connection, entity, named) for entity in ("prices", "unit_costs"))
    met = {each.currency for dated in (*prices.values(), *costs.values()) for each in dated}
    exchange = Exchange(exchange_rates(connection, {*met, currency}), zone)

    def worth(dated: Cost | None) -> Fraction | None:
        unit = unit_of(dated, currency, exchange, at)
        return unit.exact if isinstance(unit, Unit) else None

    listed_ = {
        key: Listed(worth(price_on(prices.get(product, ()), currency, day)), families.get(product))
        for key, product in products.items()
    }
    limits = _rows(connection, "discount_limits")
    discounts = approvals(made.offer, listed_, limits, day, role)
    floors, units = _rows(connection, "margin_floors"), unit_prices(made.offer)
    by_margin = [
        approving.role_for_margin(
            units[key],
            worth(cost_on(costs.get(product, ()), day)),
            approving.floors_of(floors, families.get(product), day),
            role,
        )
        for key, product in products.items()
    ]
    by_discount = [approving.role_for_discount(found, role) for found in discounts]
    document = made.document
    terms = approving.terms_of(
        made.offer,
        made.priced,
        {key: (line["product_key"], line["name"]) for key, line in made.lines.items()},
        {key: found.minor for key, found in listed_.items()},
        valid_until=row["valid_until"],
        valid_days=made.template_row["valid_days"],
        terms=document.terms,
        enclosures=[file.sha256 for file in document.enclosures],
    )
    return Needed(approving.chain_of([*by_discount, *by_margin]), tuple(discounts), terms)


def _families(connection: Connection, products: Sequence[str]) -> dict[str, str | None]:
    table = ROWS["products"].c
    query = select(table.key, table.family).where(among(table.key, "keys"))
    return {key: family or None for key, family in connection.execute(query, {"keys": listed(connection, products)})}


def _dated(connection: Connection, entity: str, products: Sequence[str]) -> dict[str, list[Cost]]:
    table = ROWS[entity]
    query = select(table).where(among(table.c.product_key, "keys"), ~table.c.gone)
    rows: Iterable[Any] = connection.execute(query, {"keys": listed(connection, products)}).mappings()
    return costs_of((row["key"], dict(row)) for row in rows)


def _rows(connection: Connection, entity: str) -> list[Row]:
    table = ROWS[entity]
    return [dict(row) for row in connection.execute(select(table).where(~table.c.gone)).mappings()]
