"""Who must approve a proposal as it stands, and what of it an approval would be of: read for `proposals.approving`.

List prices, limits of discounts, floors of margins and costs are those of the local day. Costs are read here and go no
further: what comes out of a margin is the name of a role, and nobody is told that a margin asked for it (R45).
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, select

from proposals import approving
from proposals.approving import Terms
from proposals.drafting import Drawn
from sfa.core.credits import Cost, cost_on
from sfa.core.pricing.units import left_by_credits, unit_prices
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


class Rules(Struct, frozen=True):
    """Rows of discount_limits and of margin_floors, for as many proposals as are looked at."""

    limits: Sequence[Row]
    floors: Sequence[Row]


class Needed(Struct, frozen=True, kw_only=True):
    """`chain` are the roles that must approve, in order; `open_chain` those that discounts alone ask for, which is no
    secret. `discounts` say of each line what its discount asks for. `floored`: whether a margin could ask for
    anything of this author's."""

    chain: tuple[str, ...]
    open_chain: tuple[str, ...]
    discounts: tuple[Approval, ...]
    terms: Terms
    floored: bool

    @property
    def digest(self) -> str:
        return approving.digest_of(self.terms)

    def openly(self) -> "Needed":
        """Without what margins ask for."""
        return structs.replace(self, chain=self.open_chain)


def rules_of(connection: Connection) -> Rules:
    return Rules(_rows(connection, "discount_limits"), _rows(connection, "margin_floors"))


def needed(door: Door, row: Row, made: Drawn, role: str, at: int, rules: Rules | None = None) -> Needed:
    """For whoever submits it with this role. A line without a product has no cost: where there is any floor for the
    author, the next role above looks at it. What negative lines take off lies on all others."""
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
    rules = rules or rules_of(connection)
    discounts = approvals(made.offer, listed_, rules.limits, day, role)
    any_floor = [{**floor, "family": None} for floor in rules.floors]
    units, left = unit_prices(made.offer), left_by_credits(made.offer)
    asked: dict[str, list[str | None]] = {}
    for found in discounts:
        key, product = found.line_key, products.get(found.line_key)
        unit = units[key] * left[key] if units[key] > 0 else units[key]
        cost = worth(cost_on(costs.get(product, ()), day)) if product is not None else None
        of_line = rules.floors if product is not None else any_floor
        floors = approving.floors_of(of_line, families.get(product) if product is not None else None, day)
        by_margin = approving.role_for_margin(unit, cost, floors, role)
        asked[key] = [approving.role_for_discount(found, role), by_margin]
    terms = approving.terms_of(
        made.offer,
        made.priced,
        made.document,
        {key: line["product_key"] for key, line in made.lines.items()},
        {key: found.minor for key, found in listed_.items()},
        {key for key, roles in asked.items() if any(roles) or left[key] < 1},
        account_key=door.cell("deals", row["deal_key"], "none").row["account_key"],
        valid_until=row["valid_until"],
        valid_days=made.template_row["valid_days"],
    )
    return Needed(
        chain=approving.chain_of(role for roles in asked.values() for role in roles),
        open_chain=approving.chain_of(roles[0] for roles in asked.values()),
        discounts=tuple(discounts),
        terms=terms,
        floored=role in approving.floors_of(any_floor, None, day),
    )


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
