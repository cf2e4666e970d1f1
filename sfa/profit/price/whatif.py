"""What if a deal had other prices, quantities, terms or visits? Before and after, side by side (R44). Pure.

`compare` takes all that is known of a deal and the wished changes, and answers the waterfall (R38), each line against
its guide, the approvals that it needs, and what the owner is paid, once as it stands and once as it would be. Both
sides come from the same function, so no change is no difference. What the caller may not know (`Given.costed` False)
is not in what it is given: nothing here could tell it (R45). Nothing is written, and nothing is read.

The invoice is the deal's amount, and moves by as much as its lines do. Effort ahead is what visits at that cadence will
take for so many months; what was spent already is the same on both sides, in `Given.beside`.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from sfa.core.errors import Refused
from sfa.core.fields import Decimal18, Minor, Share
from sfa.core.money import BP_WHOLE, Rounding, rounded
from sfa.profit import rebates
from sfa.profit.items import KINDS, Item, half_up, terms_cost, visit_cost
from sfa.profit.price.commissions_ahead import Paid, Pay, Unseen, paid
from sfa.profit.price.guides import Found, verdict
from sfa.profit.price.limits import Approval, approval, highest
from sfa.profit.price.list_prices import in_deal, of_list_bp, scaled_price
from sfa.profit.waterfall import Counted, Waterfall, hidden, waterfall
from sfa.quotas.conversion import Exchange, Missing

MINUTE_MS = 60_000
CADENCE_DAYS = 90  # of what visits have been is taken for what they will be
MONTHS_AHEAD = 3
LINES_MAX = 200
Days = Annotated[int, Meta(ge=0, le=3_650)]
Minutes = Annotated[int, Meta(ge=0, le=1_440)]
Months = Annotated[int, Meta(ge=0, le=120)]


class LineChange(Struct, frozen=True, forbid_unknown_fields=True):
    unit_price_minor: Minor | UnsetType = UNSET
    quantity: Decimal18 | UnsetType = UNSET
    discount_bp: Share | UnsetType = UNSET


class Changes(Struct, frozen=True, forbid_unknown_fields=True):
    """What is wished for; whatever is left out stays. Lines are named by their keys."""

    lines: Annotated[dict[str, LineChange], Meta(max_length=LINES_MAX)] = {}
    payment_days: Days | UnsetType | None = UNSET
    visits_per_month: Decimal18 | UnsetType = UNSET
    minutes_per_visit: Minutes | UnsetType = UNSET
    months: Months | UnsetType = UNSET


class Cadence(Struct, frozen=True):
    """The visits ahead: so many in a month, so long each, for so many months."""

    visits_per_month: str
    minutes_per_visit: int
    months: int

    @property
    def visits(self) -> int:
        return rounded(Fraction(self.visits_per_month) * self.months, Rounding.HALF_UP)


class Unit(Struct, frozen=True):
    """A list price or cost of one unit in its own currency; `factor` makes of it minor units of the deal's."""

    minor: int
    factor: Fraction

    @property
    def exact(self) -> Fraction:
        return self.minor * self.factor

    def of(self, quantity: str) -> int:
        """As a P&L counts it: a quantity in the unit's own currency is a fact, which then converts."""
        return rounded(rounded(Fraction(quantity) * self.minor, Rounding.HALF_UP) * self.factor, Rounding.HALF_UP)


class LineGiven(Struct, frozen=True):
    """A line with what is known of its product on the day: list price and cost of one unit, in the deal's currency.
    Where they are stated in another, `list_unit` and `cost_unit` say what exactly. `lacks` names the rates between
    currencies that are missing, by what lacks them ("list", "goods")."""

    key: str
    product_key: str
    family: str | None
    quantity: str
    unit_price_minor: int
    discount_bp: int
    list_minor: int | None
    cost_minor: int | None
    guide: Found | None
    limits: Mapping[str, int]
    list_unit: Unit | None = None
    cost_unit: Unit | None = None
    lacks: Mapping[str, dict[str, Any]] = {}

    @property
    def listed(self) -> int | Fraction | None:
        return self.list_minor if self.list_unit is None else self.list_unit.exact


class Rebate(Struct, frozen=True):
    """An agreement, and what was credited under it already, in its currency; null where that cannot be converted."""

    agreement: rebates.Agreement
    credited_minor: int | None
    exchange: Exchange


class Given(Struct, frozen=True, kw_only=True):
    """All that is known of a deal. `amount_minor` is its own, null where only its lines say one. Of who is not
    `costed` there are no costs, rates, rebates nor other facts `beside` than he may know."""

    deal_key: str
    asker: str
    owner_key: str
    owner_role: str
    currency: str
    on: str
    at: int
    amount_minor: int | None
    payment_days: int | None
    cadence: Cadence
    lines: tuple[LineGiven, ...]
    costed: bool
    visit_hour_minor: int | None = None
    capital_bp: int | None = None
    rebates: tuple[Rebate, ...] = ()
    beside: tuple[Counted, ...] = ()
    pays: tuple[Pay | Unseen, ...] = ()


class LineTold(Struct, frozen=True):
    key: str
    product_key: str
    quantity: str
    unit_price_minor: int
    discount_bp: int
    total_minor: int
    list_minor: int | None
    price_bp: int | None
    verdict: str
    guide: Found | None


class Outcome(Struct, frozen=True):
    """One side. `approver` is the role that may approve all of it, null where none is needed, or `nobody` or `unknown`
    (see `limits.highest`)."""

    amount_minor: int
    payment_days: int | None
    cadence: Cadence
    lines: list[LineTold]
    approvals: list[Approval]
    approver: str | None
    waterfall: Waterfall
    commission: list[Paid]


class Difference(Struct, frozen=True):
    """Of a step or total: after less before; null where one of them is not known."""

    name: str
    delta_minor: int | None


class Compared(Struct, frozen=True):
    before: Outcome
    after: Outcome
    steps: list[Difference]
    totals: list[Difference]


def compare(given: Given, changes: Changes) -> Compared:
    """Refuses `row_unknown` for a line that the deal does not have."""
    now, then = outcome(given, given), outcome(changed(given, changes), given)
    steps = zip(now.waterfall.steps, then.waterfall.steps, strict=True)
    totals = zip(now.waterfall.totals, then.waterfall.totals, strict=True)
    return Compared(
        now,
        then,
        [_delta(a.step, a.amount_minor, b.amount_minor) for a, b in steps],
        [_delta(a.total, a.amount_minor, b.amount_minor) for a, b in totals],
    )


def _delta(name: str, before: int | None, after: int | None) -> Difference:
    return Difference(name, None if before is None or after is None else after - before)


def cadence_of(minutes: Sequence[int], days: int = CADENCE_DAYS) -> Cadence:
    """The cadence of so many days' visits, by how long each took, for the `MONTHS_AHEAD` to come."""
    hundredths = half_up(len(minutes) * 100 * 30, days)
    average = half_up(sum(minutes), len(minutes)) if minutes else 0
    return Cadence(f"{hundredths // 100}.{hundredths % 100:02}", average, MONTHS_AHEAD)


def changed(given: Given, changes: Changes) -> Given:
    """The deal as it would be."""
    unknown = changes.lines.keys() - {line.key for line in given.lines}
    if unknown:
        raise Refused("row_unknown", f"the deal has no line {min(unknown)}", entity="deal_lines", key=min(unknown))
    lines = tuple(structs.replace(line, **_said(changes.lines.get(line.key))) for line in given.lines)
    cadence = structs.replace(given.cadence, **_said(changes, Cadence.__struct_fields__))
    other: dict[str, Any] = {"lines": lines, "cadence": cadence, **_said(changes, ("payment_days",))}
    return structs.replace(given, **other)


def _said(change: Struct | None, names: Sequence[str] | None = None) -> dict[str, Any]:
    if change is None:
        return {}
    found = {name: getattr(change, name) for name in names or change.__struct_fields__}
    return {name: value for name, value in found.items() if value is not UNSET}


# -- one side ---------------------------------------------------------------------------------------------------------


def outcome(deal: Given, stands: Given) -> Outcome:
    """The deal as it is or would be; `stands` is the deal as it is, whose amount may differ from its lines."""
    amount = _amount(deal, stands)
    part = in_deal(amount, [(line.quantity, _scaled(line)) for line in deal.lines])
    needs = [approval(line.key, _scaled(line) * part, line.listed, line.limits, deal.owner_role) for line in deal.lines]
    costs = _costs(deal, amount) if deal.costed else []
    facts, goods = [*_prices(deal, amount), *deal.beside, *costs], goods_of(costs)
    pay = [paid(pay, deal.deal_key, deal.at, amount, goods, costed=deal.costed) for pay in deal.pays]
    whole = waterfall([*facts, *(_commission(deal, told) for told in pay)], deal.currency)
    return Outcome(
        amount,
        deal.payment_days,
        deal.cadence,
        [_told(line, part) for line in deal.lines],
        needs,
        highest(needs),
        whole if deal.costed else hidden(whole, deal.asker),
        pay,
    )


def _amount(deal: Given, stands: Given) -> int:
    total = sum(map(line_total, deal.lines))
    if stands.amount_minor is None:
        return total
    return stands.amount_minor + total - sum(map(line_total, stands.lines))


def line_total(line: LineGiven) -> int:
    return rounded(Fraction(line.quantity) * _scaled(line) / BP_WHOLE, Rounding.HALF_UP)


def total_of(row: Mapping[str, Any]) -> int:
    """Quantity x price less the discount of a line, rounded once by line, half up."""
    return rounded(Fraction(row["quantity"]) * scaled_price(row) / BP_WHOLE, Rounding.HALF_UP)


def _scaled(line: LineGiven) -> int:
    return line.unit_price_minor * (BP_WHOLE - line.discount_bp)


def _told(line: LineGiven, part: Fraction) -> LineTold:
    price_bp = of_list_bp(_scaled(line) * part, line.listed)
    said = {name: getattr(line, name) for name in ("key", "product_key", "quantity", "unit_price_minor", "discount_bp")}
    said |= {"list_minor": line.list_minor, "guide": line.guide, "total_minor": line_total(line)}
    return LineTold(**said, price_bp=price_bp, verdict=verdict(price_bp, line.guide))


def _prices(deal: Given, amount: int) -> list[Counted]:
    """List, discounts and invoice; without lines or without a list price nothing is said of the first two."""
    listed: list[Counted] = []
    total: int | None = 0 if deal.lines else None
    for line in deal.lines:
        each = _of_quantity(line, line.list_minor, line.list_unit)
        total = None if total is None or each is None else total + each
        listed.append(_of_line(deal, "list", each, line, "list_missing"))
    if not deal.lines:
        listed = [_fact(deal, "list", None, code="list_missing")]
    code = "list_missing" if total is None else None
    discount = _fact(deal, "discount", None if total is None else amount - total, code=code)
    return [*listed, discount, _fact(deal, "invoice", amount)]


def _of_quantity(line: LineGiven, each: int | None, unit: Unit | None) -> int | None:
    if unit is not None:
        return unit.of(line.quantity)
    return None if each is None else rounded(Fraction(line.quantity) * each, Rounding.HALF_UP)


def _of_line(deal: Given, kind: str, amount: int | None, line: LineGiven, code: str) -> Counted:
    """A fact about a line; without an amount it names the product, or the rate that is missing."""
    lacks = line.lacks.get(kind) if amount is None else None
    said = "rate_missing" if lacks is not None else code
    made = _fact(deal, kind, amount, "deal_lines", line.key, line.product_key, code=said if amount is None else None)
    return structs.replace(made, missing={**(made.missing or {}), **lacks}) if lacks is not None else made


def goods_of(facts: Iterable[Counted]) -> int | None:
    """What the goods cost, without what came back of them; None where that is not computable."""
    goods = [fact.amount_minor for fact in facts if fact.item.kind == "goods"]
    return None if not goods or None in goods else -sum(cost or 0 for cost in goods)


def _costs(deal: Given, amount: int) -> list[Counted]:
    """What only who sees cost is given: rebates, terms, goods, and the visits ahead."""
    found = [_rebate(deal, rebate, amount) for rebate in deal.rebates]
    if deal.payment_days:
        known = deal.capital_bp is not None
        cost = -terms_cost(amount, deal.payment_days, deal.capital_bp or 0) if known else None
        basis = {"days": deal.payment_days, "rate_bp": deal.capital_bp}
        found.append(_fact(deal, "terms", cost, code=None if known else "rate_missing", basis=basis))
    for line in deal.lines:
        goods = _of_quantity(line, line.cost_minor, line.cost_unit)
        found.append(_of_line(deal, "goods", None if goods is None else -goods, line, "cost_missing"))
    if not deal.lines:
        found.append(_fact(deal, "goods", None, code="cost_missing"))
    minutes = deal.cadence.visits * deal.cadence.minutes_per_visit
    if minutes:
        hour = deal.visit_hour_minor
        ahead = None if hour is None else -visit_cost(minutes * MINUTE_MS, hour)
        basis = {"visits": deal.cadence.visits, "minutes": minutes, "per_hour": hour, "ahead": True}
        found.append(_fact(deal, "visits", ahead, code="rate_missing" if hour is None else None, basis=basis))
    return found


def _rebate(deal: Given, rebate: Rebate, amount: int) -> Counted:
    """What the customer would get back more, with this deal than without it."""
    agreement, before = rebate.agreement, rebate.credited_minor
    families = {line.product_key: line.family for line in deal.lines}
    totals = [(line.product_key, line_total(line)) for line in deal.lines]
    part = rebates.part_of_family(amount, totals, families, agreement.family)
    of = ("rebate_agreements", agreement.key)
    there = rebate.exchange.value(part, deal.currency, agreement.currency, deal.at)
    if before is None or isinstance(there, Missing):
        return _fact(deal, "rebate", None, *of, code="rate_missing")
    more = rebates.due(agreement, before + there[0]) - rebates.due(agreement, before)
    back = rebate.exchange.value(-more, agreement.currency, deal.currency, deal.at)
    if isinstance(back, Missing):
        return _fact(deal, "rebate", None, *of, code="rate_missing")
    return _fact(deal, "rebate", back[0], *of, basis={"of_minor": part})


def _commission(deal: Given, told: Paid) -> Counted:
    basis = {"plan_key": told.plan_key, "period_key": told.period_key, "ahead": True}
    minus = None if told.in_deal_minor is None else -told.in_deal_minor
    of = ("commission_plans", told.plan_key, None, told.user_key, told.code, basis)
    return _fact(deal, "commission", minus, *of)


def _fact(
    deal: Given,
    kind: str,
    amount: int | None,
    entity: str = "deals",
    row_key: str | None = None,
    product: str | None = None,
    user: str | None = None,
    code: str | None = None,
    basis: dict[str, Any] | None = None,
) -> Counted:
    item = Item(
        kind=kind,
        step=KINDS[kind].step,
        side="quoted",
        amount_minor=amount,
        currency=deal.currency,
        on=deal.on,
        at=deal.at,
        entity=entity,
        row_key=row_key or deal.deal_key,
        user_key=user or deal.owner_key,
        product_key=product,
        basis=basis or {},
        code=code,
    )
    missing = {"product_key": product} if code is not None and product is not None else None
    return Counted(item, amount, code, None, missing)
