"""What a deal was sold or offered for, as facts: list, discounts, invoice, waiting for money, goods (R38, R39). Pure.

The actual side follows the credits of the deal: each person's part of an end, taken back by its reversal in the period
of the reopening (R21). The quoted side follows the frozen quote, or while there is none the deal as it stands. Prices
and costs are those of the fact's local day; one that is missing leaves its fact without an amount and names it (R34).
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct, structs

from sfa.core.credits import Cost, cost_on, day_of
from sfa.core.money import allocate, remaining_share
from sfa.profit.dated import AMOUNT_MISSING, COST_MISSING, LIST_MISSING, EffortRates, price_on, worth
from sfa.profit.items import KINDS, Item, Part, PartItem, Side, terms_cost
from sfa.quotas.conversion import Exchange, Missing

Row = Mapping[str, Any]


class Dates(Struct, frozen=True):
    """When a fact counts, and at which instant's rate money converts."""

    at: int
    rated_at: int
    zone: str

    @property
    def on(self) -> str:
        return day_of(self.at, self.zone)

    @property
    def rated_on(self) -> str:
        return day_of(self.rated_at, self.zone)


class Place(Struct, frozen=True):
    """Which row facts come from, and when; `sign` is -1 for what a reversal takes back."""

    side: Side
    entity: str
    row_key: str
    dates: Dates
    sign: int = 1
    about: Mapping[str, Any] = {}

    def item(
        self,
        kind: str,
        amount: int | None,
        currency: str,
        basis: Mapping[str, Any],
        part: Part | None = None,
        **more: Any,
    ) -> Item:
        said = {"entity": self.entity, "row_key": self.row_key, "user_key": None, "product_key": None, **more}
        return PartItem(
            kind=kind,
            step=KINDS[kind].step,
            side=self.side,
            amount_minor=None if amount is None else self.sign * amount,
            currency=currency,
            on=self.dates.on,
            at=self.dates.at,
            basis={**self.about, **basis},
            rated_at=self.dates.rated_at,
            part=None if part is None else structs.replace(part, sign=self.sign),
            **said,
        )


class Catalogue(Struct, frozen=True):
    prices: Mapping[str, Sequence[Cost]]
    costs: Mapping[str, Sequence[Cost]]
    rates: EffortRates
    exchange: Exchange


def totals(lines: Sequence[Row]) -> list[Fraction]:
    """Quantity x price less discount of each line, exact."""
    return [Fraction(ln["quantity"]) * ln["unit_price_minor"] * remaining_share([ln["discount_bp"]]) for ln in lines]


def parts(amount: int, lines: Sequence[Row]) -> list[int] | None:
    """The amount shared among lines by their totals; None where those say nothing of it."""
    weights = totals(lines)
    return allocate(amount, weights) if weights and min(weights) >= 0 and any(weights) else None


# -- actual ----------------------------------------------------------------------------------------------------------


def actual(
    credits_: Sequence[Row], lines: Sequence[Row], payment_days: int | None, catalogue: Catalogue, zone: str
) -> Iterator[Item]:
    """From the rows of `credits` of one deal, without overlays."""
    ends: dict[tuple[int, bool], list[Row]] = {}
    for row in credits_:
        if not row["overlay"]:
            ends.setdefault((row["n"], row["reversal"]), []).append(row)
    for (n, reversal), rows in sorted(ends.items()):
        first = rows[0]
        about = {"end": n, "event": "reopened" if reversal else first["event"]}
        dates = Dates(first["at"], first["rated_at"], zone)
        place = Place("actual", "deals", first["deal_key"], dates, -1 if reversal else 1, about)
        yield from _end(place, sorted(rows, key=lambda r: str(r["user_key"])), lines, payment_days, catalogue)


def _end(
    place: Place, rows: Sequence[Row], lines: Sequence[Row], payment_days: int | None, catalogue: Catalogue
) -> Iterator[Item]:
    currency = rows[0]["currency"] or ""
    amounts = [row["amount_minor"] for row in rows]
    whole = None if any(a is None for a in amounts) else sum(amounts)
    for row in rows:
        basis: dict[str, Any] = {"share_bp": row["share_bp"], "of_minor": whole}
        yield _known(place, "invoice", row["amount_minor"], currency, basis, AMOUNT_MISSING, user_key=row["user_key"])
    yield from explained(place, amounts, currency, lines, catalogue, place.dates.rated_on)
    for row in rows:
        basis = {"share_bp": row["share_bp"], "cost_on": place.dates.rated_on}
        cost = None if row["cost_minor"] is None else -row["cost_minor"]
        basis |= {"missing": _lacking(lines, catalogue.costs, place.dates.rated_on)} if cost is None else {}
        said = row["cost_currency"] or currency
        yield _known(place, "goods", cost, said, basis, COST_MISSING, user_key=row["user_key"])
    yield from terms(place, whole, currency, payment_days, catalogue)


def _known(
    place: Place, kind: str, amount: int | None, currency: str, basis: Mapping[str, Any], code: str, **more: Any
) -> Item:
    return place.item(kind, amount, currency, basis, **more, code=code if amount is None else None)


def _without_cost(lines: Sequence[Row], costs: Mapping[str, Sequence[Cost]], day: str) -> list[str]:
    """The products whose cost is not known on a day."""
    return sorted({ln["product_key"] for ln in lines if cost_on(costs.get(ln["product_key"], ()), day) is None})


def _lacking(lines: Sequence[Row], costs: Mapping[str, Sequence[Cost]], day: str) -> dict[str, Any]:
    """Why goods are not computable: the products without a cost, or all of them with the currencies that they cost in,
    of which there is more than one."""
    lacks = _without_cost(lines, costs, day)
    if lacks or not lines:
        return {"products": lacks, "on": day}
    products = sorted({ln["product_key"] for ln in lines})
    dated = [cost_on(costs.get(product, ()), day) for product in products]
    return {"products": products, "currencies": sorted({c.currency for c in dated if c is not None}), "on": day}


def terms(
    place: Place, amount: int | None, currency: str, days: int | None, catalogue: Catalogue, user: str | None = None
) -> Iterator[Item]:
    """Waiting for the money of an invoice, at the capital rate of its day. Nothing where no days are agreed."""
    if not days or amount is None:
        return
    day = place.dates.rated_on
    rate = catalogue.rates.on("capital", user, day)
    if rate is None or rate.rate_bp is None:
        basis = {"days": days, "of_minor": amount, "missing": {"cost_rate": "capital", "on": day}}
        yield _known(place, "terms", None, currency, basis, COST_MISSING)
        return
    basis = {"days": days, "of_minor": amount, "rate_bp": rate.rate_bp, "cost_rate_key": rate.key}
    yield place.item("terms", -terms_cost(amount, days, rate.rate_bp), currency, basis)


def explained(
    place: Place,
    invoiced: Sequence[int | None],
    currency: str,
    lines: Sequence[Row],
    catalogue: Catalogue,
    day: str,
) -> Iterator[Item]:
    """List and discounts of an invoice, line by line: what the lines have of its amount (the sum of `invoiced`), less
    what they cost by the list of that day."""
    if any(amount is None for amount in invoiced):
        return
    of = tuple(amount for amount in invoiced if amount is not None)
    whole, weights = sum(of), tuple(totals(lines))
    if not lines:
        missing = {"missing": {"lines": 0}}
        for kind in ("list", "discount"):
            yield _known(place, kind, None, currency, missing, LIST_MISSING)
        return
    shares, listed, known = parts(whole, lines), [], True
    for line in lines:
        value, basis = _listed(line, currency, catalogue, place.dates, day)
        listed.append(value)
        known = known and value is not None
        more = {"product_key": line["product_key"], "entity": "deal_lines", "row_key": line["key"]}
        yield _known(place, "list", value, currency, basis, basis.pop("code", LIST_MISSING), **more)
    if shares is None:  # the lines do not say how to share it
        amount = whole - sum(value or 0 for value in listed) if known else None
        said: dict[str, Any] = {"of_minor": whole} | ({} if known else {"missing": {"on": day}})
        part = Part(of, (1,), 0, tuple(value or 0 for value in listed))
        yield _known(place, "discount", amount, currency, said, LIST_MISSING, part=part)
        return
    for n, (line, value, share) in enumerate(zip(lines, listed, shares, strict=True)):
        part = Part(of, weights, n, (value or 0,))
        more = {"product_key": line["product_key"], "entity": "deal_lines", "row_key": line["key"]}
        basis = {"part_minor": share, "list_minor": value, "discount_bp": line["discount_bp"]}
        basis |= {"missing": {"product_key": line["product_key"], "on": day}} if value is None else {}
        less = None if value is None else share - value
        yield _known(place, "discount", less, currency, basis, LIST_MISSING, **more, part=part)


def _listed(
    line: Row, currency: str, catalogue: Catalogue, dates: Dates, day: str
) -> tuple[int | None, dict[str, Any]]:
    """A line at its list price, in the invoice's currency."""
    product = line["product_key"]
    if "list_minor" in line:  # frozen with a quote
        unit, of, key = line["list_minor"], line["list_currency"], None
    else:
        price = price_on(catalogue.prices.get(product, ()), currency, day)
        unit, of, key = (price.amount_minor, price.currency, price.key) if price is not None else (None, None, None)
    value = worth(line["quantity"], unit) if unit is not None else None
    basis: dict[str, Any] = {"quantity": line["quantity"], "list_minor": unit, "list_currency": of, "price_key": key}
    if value is None or of is None:
        return None, {**basis, "missing": {"product_key": product, "on": day}}
    found = catalogue.exchange.value(value, of, currency, dates.rated_at)
    if isinstance(found, Missing):
        lacks = {"from_currency": of, "to_currency": currency, "on": found.on}
        return None, {**basis, "code": "rate_missing", "missing": lacks}
    return found[0], basis


# -- quoted ----------------------------------------------------------------------------------------------------------


def quoted(place: Place, head: Row, lines: Sequence[Row], catalogue: Catalogue, *, frozen: bool) -> Iterator[Item]:
    """`head` says amount, currency and payment days; lines of a frozen quote say their list prices and costs."""
    currency, amount = head["currency"] or "", head["amount_minor"]
    yield _known(place, "invoice", amount, currency, {}, AMOUNT_MISSING)
    yield from explained(place, [amount], currency, lines, catalogue, place.dates.on)
    if not lines:
        yield _known(place, "goods", None, currency, {"missing": {"lines": 0}}, COST_MISSING)
    for line in lines:
        yield _goods(place, line, currency, catalogue, frozen=frozen)
    yield from terms(place, amount, currency, head["payment_days"], catalogue)


def _goods(place: Place, line: Row, currency: str, catalogue: Catalogue, *, frozen: bool) -> Item:
    product, day = line["product_key"], place.dates.on
    if frozen:
        unit, of, key = line["cost_minor"], line["cost_currency"], line["cost_key"]
    else:
        cost = cost_on(catalogue.costs.get(product, ()), day)
        unit, of, key = (cost.amount_minor, cost.currency, cost.key) if cost is not None else (None, None, None)
    more = {"product_key": product, "entity": "deal_lines", "row_key": line["key"]}
    value = worth(line["quantity"], unit) if unit is not None else None
    basis: dict[str, Any] = {"quantity": line["quantity"], "cost_minor": unit, "unit_cost_key": key, "cost_on": day}
    if value is None:
        basis["missing"] = {"products": [product], "on": day}
    return _known(place, "goods", None if value is None else -value, of or currency, basis, COST_MISSING, **more)
