"""What stays the same on both sides of a what-if: what the deal took so far, and the rates that count (R44).

The facts are those of its P&L (`sfa.profit.deal.served`), so both say the same. Pure: of what
is cost there is nothing for who does not see cost (R45).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sfa.core.access import SEES_COST, holds_on
from sfa.core.credits import day_of
from sfa.core.days import start_of_ms
from sfa.profit import rebates
from sfa.profit.converting import converted
from sfa.profit.dated import EffortRate, EffortRates, costs_of
from sfa.profit.deal import served
from sfa.profit.effort import OpenDeals
from sfa.profit.items import allowed
from sfa.profit.price.whatif import Rebate, total_of
from sfa.profit.waterfall import Counted
from sfa.quotas.conversion import Exchange, Missing

if TYPE_CHECKING:
    from sfa.profit.price.given import Asking

Row = Mapping[str, Any]


def rate_on(rates: Iterable[Row], kind: str, user_key: str | None, day: str) -> Row | None:
    """The rate of effort on a day: that of the person, then of everybody; of several the one that began last."""
    valid = [
        rate
        for rate in rates
        if rate["kind"] == kind
        and rate["user_key"] in (None, user_key)
        and holds_on(rate["valid_from"], rate["valid_to"], day)
    ]
    return max(valid, key=lambda r: (r["user_key"] is not None, r["valid_from"]), default=None)


def per_unit(exchange: Exchange, rate: Row | None, currency: str, at: int) -> int | None:
    """A rate's amount in a currency; None where there is no rate, of either kind."""
    if rate is None:
        return None
    found = exchange.value(rate["amount_minor"], rate["currency"], currency, at)
    return None if isinstance(found, Missing) else found[0]


def facts_of(asked: "Asking", exchange: Exchange, rates: Sequence[Row]) -> tuple[Counted, ...]:
    """All that was spent on the deal so far, as its P&L says it, in the deal's currency at the rate of each one's own
    day; of who does not see cost, what he may know."""
    costed = asked.role in SEES_COST
    spent = asked.spent(served=costed)
    of = sorted({row["product_key"] for row in (*spent.charges, *spent.expenses) if row["product_key"] is not None})
    costs = costs_of(asked.of("unit_costs", "product_key", of) if costed else ())
    effort = EffortRates(EffortRate(*(rate[name] for name in EffortRate.__struct_fields__)) for rate in rates)
    field = served.Field(asked.key, asked.zone, asked.now, asked.row["currency"], effort, costs, OpenDeals(spent.spans))
    stood = tuple(day_of(rated_at, asked.zone) for _, reversal, rated_at in asked.ends() if not reversal)
    found = [*served.charges(field, spent.charges, stood)]
    found += served.visits(field, spent.visits)
    found += served.travel(field, spent.legs)
    found += served.work(field, spent.work)
    found += served.expenses(field, spent.expenses)
    told = [item for item in found if allowed(item, asked.user_key, sees_cost=costed)]
    return tuple(converted(told, asked.row["currency"], exchange))


def rebates_of(asked: "Asking", exchange: Exchange) -> tuple[Rebate, ...]:
    """The customer's agreements of that day, with what it was credited under each without this deal."""
    account, found = asked.row["account_key"], []
    for key, row in asked.of("rebate_agreements", "account_key", [account]) if account is not None else ():
        if holds_on(row["valid_from"], row["valid_to"], asked.on):
            agreement = rebates.agreement_of(key, row)
            found.append(Rebate(agreement, _credited(asked, agreement, exchange), exchange))
    return tuple(found)


def _credited(asked: "Asking", agreement: rebates.Agreement, exchange: Exchange) -> int | None:
    """None where one of the amounts cannot be converted."""
    start, end = (start_of_ms(day, asked.zone) for day in (agreement.valid_from, agreement.valid_to))
    amounts: dict[str, int] = {}
    for deal, amount, currency, rated_at, reversal in asked.credited(agreement.account_key, start, end):
        if deal == asked.key or amount is None or currency is None:
            continue
        value = exchange.value(amount, currency, agreement.currency, rated_at)
        if isinstance(value, Missing):
            return None
        amounts[deal] = amounts.get(deal, 0) + (-value[0] if reversal else value[0])
    if agreement.family is not None:
        amounts = _of_family(asked, amounts, agreement.family)
    return max(sum(amounts.values()), 0)


def _of_family(asked: "Asking", amounts: Mapping[str, int], family: str) -> dict[str, int]:
    """What of each deal's amount is for products of the family, by the totals of its lines."""
    lines: dict[str, list[tuple[str, int]]] = {}
    for _, row in asked.of("deal_lines", "deal_key", sorted(amounts)):
        lines.setdefault(row["deal_key"], []).append((row["product_key"], total_of(row)))
    named = sorted({product for of in lines.values() for product, _ in of})
    families = {key: row["family"] or None for key, row in asked.of("products", "key", named)}
    return {
        deal: rebates.part_of_family(abs(amount), lines.get(deal, ()), families, family) * (1 if amount >= 0 else -1)
        for deal, amount in amounts.items()
    }
