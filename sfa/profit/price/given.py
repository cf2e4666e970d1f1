"""A deal with all that a what-if needs, put together from rows (R44): pure, the same on server and device.

`Asking` is whoever asks, and what he sees: the server answers out of its tables, a device out of its store. Costs,
rates of effort and charges lie in buckets that not everybody holds (R45), so they are simply not there for the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

from sfa.core.access import SEES_COST
from sfa.core.credits import Cost, cost_on
from sfa.core.errors import Refused
from sfa.core.money import Rounding, rounded
from sfa.profit.dated import costs_of, price_on
from sfa.profit.effort import Spent
from sfa.profit.price import beside, pays
from sfa.profit.price.commissions_ahead import Owed
from sfa.profit.price.guides import Guides
from sfa.profit.price.limits import limits_of
from sfa.profit.price.whatif import CADENCE_DAYS, Given, LineGiven, Unit, cadence_of
from sfa.quotas.conversion import Exchange, Missing

DAY_MS = 24 * 3_600_000
MINUTE_MS = 60_000
Row = Mapping[str, Any]


class Asking(Protocol):
    """A deal, and who asks about it. `at` and `on` are the instant and local day whose prices, costs and limits count:
    now, or the deal's end."""

    @property
    def key(self) -> str: ...
    @property
    def row(self) -> Row: ...
    @property
    def user_key(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def at(self) -> int: ...
    @property
    def on(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def now(self) -> int: ...

    def of(self, entity: str, column: str, keys: Sequence[str]) -> list[tuple[str, Row]]:
        """(key, row) of the rows that name one of these, by key."""

    def every(self, entity: str) -> list[tuple[str, Row]]:
        """Every row of a small entity."""

    def visits(self, account: str, since: int, until: int) -> Iterable[Row]:
        """The customer's completed visits of that time, as corrected (R14)."""

    def guides(self, families: Iterable[str | None]) -> Guides: ...

    def credited(self, account: str, start: int, end: int) -> Iterable[tuple[str, int | None, str | None, int, bool]]:
        """(deal, amount, currency, instant of its rate, reversal) of the customer's credits without overlays; a
        reversal lies where its credit was."""

    def ends(self) -> Iterable[tuple[int, bool, int]]:
        """(number, reversal, instant of its rate) of the deal's own credits without overlays, so far."""

    def spent(self, *, served: bool) -> Spent:
        """What was spent on the deal; with visits, ways and work where it was `served`."""

    def owed(self, users: Sequence[str]) -> Iterable[Owed]:
        """What these people's plans say of credits of the day `due_on`."""


def due_on(row: Row, on: str) -> str:
    """The day on which a deal counts: that of its end, or the one on which it is expected, if that is to come."""
    return on if row["closed_at"] is not None else max(on, row["close_on"] or on)


def is_credited(asked: Asking) -> bool:
    """Whether figures count the deal already: won may be too early, where it counts once signed or invoiced."""
    ends = list(asked.ends())
    return any(not reversal and (n, True) not in {(of, back) for of, back, _ in ends} for n, reversal, _ in ends)


def given_of(asked: Asking, exchange: Exchange) -> Given:
    """Refuses `currency_unknown` for a deal without a currency."""
    row = asked.row
    if row["currency"] is None:
        raise Refused("currency_unknown", "the deal says no currency yet")
    costed = asked.role in SEES_COST
    rates = [{**rate, "key": key} for key, rate in asked.every("cost_rates")] if costed else []
    hour = beside.rate_on(rates, "visit_hour", row["owner_key"], asked.on)
    capital = beside.rate_on(rates, "capital", None, asked.on)
    owner = asked.of("users", "key", [row["owner_key"]])
    return Given(
        deal_key=asked.key,
        asker=asked.user_key,
        owner_key=row["owner_key"],
        owner_role=owner[0][1]["role"] if owner else "rep",
        currency=row["currency"],
        on=asked.on,
        at=asked.at,
        amount_minor=row["amount_minor"],
        payment_days=row["payment_days"],
        cadence=cadence_of(_minutes(asked)),
        lines=_lines(asked, exchange, costed=costed),
        costed=costed,
        visit_hour_minor=beside.per_unit(exchange, hour, row["currency"], asked.at),
        capital_bp=capital["rate_bp"] if capital is not None else None,
        rebates=beside.rebates_of(asked, exchange) if costed else (),
        beside=beside.facts_of(asked, exchange, rates),
        pays=pays.of_deal(asked, exchange, due_on(asked.row, asked.on)),
    )


def _minutes(asked: Asking) -> list[int]:
    """How long each visit took that has a beginning and an end."""
    account = asked.row["account_key"]
    if account is None:
        return []
    visits = asked.visits(account, asked.at - CADENCE_DAYS * DAY_MS, asked.at)
    ends = ((visit["checked_in_at"], visit["checked_out_at"]) for visit in visits)
    return [max(0, out - into) // MINUTE_MS for into, out in ends if into is not None and out is not None]


def _lines(asked: Asking, exchange: Exchange, *, costed: bool) -> tuple[LineGiven, ...]:
    rows = sorted(asked.of("deal_lines", "deal_key", [asked.key]), key=lambda item: (item[1]["position"], item[0]))
    named = sorted({row["product_key"] for _, row in rows})
    families = {key: row["family"] or None for key, row in asked.of("products", "key", named)}
    prices = costs_of(asked.of("prices", "product_key", named))
    costs = costs_of(asked.of("unit_costs", "product_key", named) if costed else ())
    currency = asked.row["currency"]
    guides = asked.guides(set(families.values()))
    limits = [limit for _, limit in asked.every("discount_limits")]
    account = asked.row["account_key"]
    accounts = asked.of("accounts", "key", [account]) if account is not None else []
    industry, tier = (accounts[0][1]["industry"], accounts[0][1]["tier"]) if accounts else (None, None)
    found = []
    for key, row in rows:
        product, family = row["product_key"], families.get(row["product_key"])
        said = {name: row[name] for name in ("product_key", "quantity", "unit_price_minor", "discount_bp")}
        listed = unit_of(price_on(prices.get(product, ()), currency, asked.on), currency, exchange, asked.at)
        cost = unit_of(cost_on(costs.get(product, ()), asked.on), currency, exchange, asked.at)
        lacks = {kind: unit for kind, unit in (("list", listed), ("goods", cost)) if isinstance(unit, dict)}
        found.append(
            LineGiven(
                key=key,
                **said,
                family=family,
                list_minor=rounded_unit(listed),
                cost_minor=rounded_unit(cost),
                list_unit=listed if isinstance(listed, Unit) else None,
                cost_unit=cost if isinstance(cost, Unit) else None,
                lacks=lacks,
                guide=guides.of(family, industry, tier, row["quantity"]),
                limits=limits_of(limits, family, asked.on),
            )
        )
    return tuple(found)


def unit_of(dated: Cost | None, currency: str, exchange: Exchange, at: int) -> Unit | dict[str, Any] | None:
    """A price or cost of one unit, or the rate that it lacks."""
    if dated is None:
        return None
    if dated.currency == currency:
        return Unit(dated.amount_minor, Fraction(1))
    applied = exchange.applied(dated.currency, currency, at)
    if applied is not None:
        return Unit(dated.amount_minor, Fraction(applied.numerator, applied.denominator))
    lacking = exchange.value(dated.amount_minor, dated.currency, currency, at)
    assert isinstance(lacking, Missing)
    return {"from_currency": lacking.from_currency, "to_currency": lacking.to_currency, "on": lacking.on}


def rounded_unit(unit: Unit | dict[str, Any] | None) -> int | None:
    return rounded(unit.exact, Rounding.HALF_UP) if isinstance(unit, Unit) else None
