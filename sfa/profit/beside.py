"""What stays the same on both sides of a what-if: charges and expenses of the deal, and the rates that count (R44).

Pure, over the rows that the caller sees: of charges that are cost there are none for who does not see cost (R45).
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sfa.core.access import holds_on
from sfa.core.days import start_of_ms
from sfa.profit import rebates
from sfa.profit.items import KINDS, Item
from sfa.profit.waterfall import Counted
from sfa.profit.whatif import Rebate, total_of
from sfa.quotas.conversion import Exchange, Missing

if TYPE_CHECKING:
    from sfa.profit.given import Asking

Row = Mapping[str, Any]


def rate_on(rates: Iterable[Row], kind: str, user_key: str, day: str) -> Row | None:
    """The rate of effort on a day: that of the person, then of everybody; of several the one that began last."""
    valid = [
        rate
        for rate in rates
        if rate["kind"] == kind
        and rate["user_key"] in (None, user_key)
        and holds_on(rate["valid_from"], rate["valid_to"], day)
    ]
    return max(valid, key=lambda r: (r["user_key"] is not None, r["valid_from"]), default=None)


def converted(exchange: Exchange, rate: Row | None, currency: str, at: int) -> int | None:
    """A rate's amount in a currency; None where there is no rate, of either kind."""
    if rate is None:
        return None
    found = exchange.value(rate["amount_minor"], rate["currency"], currency, at)
    return None if isinstance(found, Missing) else found[0]


def facts_of(asked: "Asking", exchange: Exchange) -> tuple[Counted, ...]:
    """Charges and expenses that name the deal, in its currency at the rate of each one's own day."""
    found = []
    for entity, day in (("deal_charges", "booked_on"), ("expenses", "spent_on")):
        for key, row in asked.of(entity, "deal_key", [asked.key]):
            if row["amount_minor"] is not None:
                kind = row["kind"] if entity == "deal_charges" else "expenses"
                found.append(_fact(asked, exchange, kind, (entity, key), row, row[day]))
    return tuple(found)


def _fact(asked: "Asking", exchange: Exchange, kind: str, source: tuple[str, str], row: Row, on: str) -> Counted:
    at = start_of_ms(on, asked.zone)
    item = Item(
        kind=kind,
        step=KINDS[kind].step,
        side="actual",
        amount_minor=-row["amount_minor"],
        currency=row["currency"],
        on=on,
        at=at,
        entity=source[0],
        row_key=source[1],
        user_key=row.get("owner_key"),
        product_key=row["product_key"],
        basis={},
    )
    value = exchange.value(-row["amount_minor"], row["currency"], asked.row["currency"], at)
    if isinstance(value, Missing):
        said = {"from_currency": value.from_currency, "to_currency": value.to_currency, "on": value.on}
        return Counted(item, None, "rate_missing", None, said)
    return Counted(item, value[0], None, value[1].rate if value[1] is not None else None)


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
