"""What a deal took beside its goods, as facts, each on its own day (R38-R40): charges, rebates, visits and the way to
them, work, expenses, commission. Pure.

Effort costs the rate of its owner on its local day. What names only the customer is shared among the customer's deals
that were open on that day (`sfa.profit.effort`); here it is told with this deal's part.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from sfa.core.credits import Cost, cost_on, day_of
from sfa.core.days import start_of_ms
from sfa.profit.dated import COST_MISSING, EffortRate, EffortRates, credited_on, worth
from sfa.profit.effort import OpenDeals, part_of
from sfa.profit.items import KINDS, Item, Part, PartItem, travel_cost, visit_cost, work_cost
from sfa.profit.rebates import Agreement, Event, accruals

Row = Mapping[str, Any]
CHARGES = ("rebate", "freight", "samples", "co_op", "goods_return", "credit_note", "other")


class Field(Struct, frozen=True):
    """What all facts of one deal's field work need."""

    deal_key: str
    zone: str
    as_of: int
    currency: str  # what is not computable is told in
    rates: EffortRates
    costs: Mapping[str, Sequence[Cost]]
    open: OpenDeals

    def at_of(self, day: str) -> int:
        return start_of_ms(day, self.zone)


def fact(
    kind: str,
    amount: int | None,
    currency: str,
    on: str,
    at: int,
    source: tuple[str, str],
    part: Part | None = None,
    **more: Any,
) -> Item:
    said: dict[str, Any] = {"user_key": None, "product_key": None, "basis": {}, **more}
    said["code"] = more.get("code", COST_MISSING) if amount is None else None
    entity, key = source
    return PartItem(kind, KINDS[kind].step, "actual", amount, currency, on, at, entity, key, **said, part=part)


# -- beside the price ------------------------------------------------------------------------------------------------


def charges(field: Field, rows: Iterable[Row], credited: tuple[str, ...]) -> Iterator[Item]:
    """`credited` are the days of the deal's credits: goods that come back are worth what they cost on the one that
    stood."""
    for row in rows:
        on, at, source = row["booked_on"], field.at_of(row["booked_on"]), ("deal_charges", row["key"])
        if at >= field.as_of:
            continue
        basis = {name: row[name] for name in ("text", "external_id", "quantity") if row[name] is not None}
        more = {"product_key": row["product_key"], "basis": basis}
        yield fact(row["kind"], -row["amount_minor"], row["currency"], on, at, source, **more)
        if row["kind"] == "goods_return" and row["product_key"] is not None and row["quantity"] is not None:
            yield _returned(field, row, on, at, credited_on(credited, on) or on)


def _returned(field: Field, row: Row, on: str, at: int, cost_day: str) -> Item:
    product = row["product_key"]
    cost = cost_on(field.costs.get(product, ()), cost_day)
    value = worth(row["quantity"], cost.amount_minor) if cost is not None else None
    basis = {"quantity": row["quantity"], "cost_on": cost_day}
    if cost is None or value is None:
        basis["missing"] = {"products": [product], "on": cost_day}
    else:
        basis |= {"cost_minor": cost.amount_minor, "unit_cost_key": cost.key}
    currency = cost.currency if cost is not None else row["currency"]
    return fact(
        "returned_goods", value, currency, on, at, ("deal_charges", row["key"]), product_key=product, basis=basis
    )


def rebates(field: Field, agreement: Agreement, events: Sequence[Event]) -> Iterator[Item]:
    """What this deal's ends were given of an agreement, and lost again."""
    for row in accruals(agreement, events):
        if row.end[0] != field.deal_key or row.amount_minor == 0:
            continue
        basis: dict[str, Any] = {"end": row.end[1], "mode": agreement.mode, "of_minor": row.basis_minor}
        basis |= {"by_deal_key": row.by[0], "by_end": row.by[1]}
        if row.rate_bp is not None:
            basis["rate_bp"] = row.rate_bp
        if row.amount_minor is None:
            basis["missing"] = {"rebate_agreement": agreement.key, "deal_key": row.lacks}
        amount = None if row.amount_minor is None else -row.amount_minor
        on, source = day_of(row.at, field.zone), ("rebate_agreements", agreement.key)
        more: dict[str, Any] = {"basis": basis, "code": row.code, "rated_at": row.rated_at}
        yield fact("rebate", amount, agreement.currency, on, row.at, source, **more)


# -- effort ----------------------------------------------------------------------------------------------------------


def visits(field: Field, rows: Iterable[Row]) -> Iterator[Item]:
    for row in rows:
        start, end = row["checked_in_at"], row["checked_out_at"]
        if start is None or end is None or end <= start or start >= field.as_of:
            continue
        ms = end - start
        on = day_of(start, field.zone)
        rate = field.rates.on("visit_hour", row["owner_key"], on)
        basis = {"ms": ms, "minutes": ms // 60_000}
        amount = visit_cost(ms, rate.amount_minor) if rate is not None and rate.amount_minor is not None else None
        yield from _effort(field, "visits", ("visits", row), amount, rate, on, start, basis)


def travel(field: Field, rows: Iterable[Row]) -> Iterator[Item]:
    for row in rows:
        at = row["started_at"]
        if at >= field.as_of or row["distance_m"] <= 0:
            continue
        on = day_of(at, field.zone)
        rate = field.rates.on("kilometre", row["owner_key"], on)
        basis = {"metres": row["distance_m"], "source": row["source"], "visit_key": row["visit_key"]}
        known = rate is not None and rate.amount_minor is not None
        amount = travel_cost(row["distance_m"], rate.amount_minor) if known else None  # type: ignore[union-attr,arg-type]
        yield from _effort(field, "travel", ("travel_legs", row), amount, rate, on, at, basis)


def work(field: Field, rows: Iterable[Row]) -> Iterator[Item]:
    for row in rows:
        on = row["done_on"]
        at = field.at_of(on)
        if at >= field.as_of:
            continue
        rate = field.rates.on("work_hour", row["owner_key"], on)
        basis = {"minutes": row["minutes"], "work": row["kind"]}
        known = rate is not None and rate.amount_minor is not None
        amount = work_cost(row["minutes"], rate.amount_minor) if known else None  # type: ignore[union-attr,arg-type]
        yield from _effort(field, "work", ("work_entries", row), amount, rate, on, at, basis)


RATES = {"visits": "visit_hour", "travel": "kilometre", "work": "work_hour"}


def _effort(
    field: Field,
    kind: str,
    source: tuple[str, Row],
    cost: int | None,
    rate: EffortRate | None,
    on: str,
    at: int,
    basis: dict[str, Any],
) -> Iterator[Item]:
    owner = source[1]["owner_key"]
    if rate is None or cost is None:
        basis |= {"missing": {"cost_rate": RATES[kind], "user_key": owner}}
    else:
        basis |= {"rate_minor": rate.amount_minor, "cost_rate_key": rate.key}
    currency = rate.currency if rate is not None and rate.currency is not None else field.currency
    yield from _own_part(field, kind, source, cost, currency, on, at, basis)


def _own_part(
    field: Field,
    kind: str,
    source: tuple[str, Row],
    cost: int | None,
    currency: str,
    on: str,
    at: int,
    basis: dict[str, Any],
    **more: Any,
) -> Iterator[Item]:
    """All of it where the row names the deal, else this deal's part of it."""
    entity, row = source
    amount, part = cost, None
    if row["deal_key"] != field.deal_key:
        deals = field.open.on(on)
        place = bisect_left(deals, field.deal_key)
        if deals[place : place + 1] != [field.deal_key]:
            return
        if cost is not None:
            amount = part_of(cost, place, len(deals))
            part = Part((cost,), (1,) * len(deals), place, sign=-1)
        basis = {**basis, "of_minor": cost, "deals": len(deals)}
    told = {"user_key": row["owner_key"], "basis": basis, "part": part, **more}
    yield fact(kind, None if amount is None else -amount, currency, on, at, (entity, row["key"]), **told)


def expenses(field: Field, rows: Iterable[Row]) -> Iterator[Item]:
    for row in rows:
        on = row["spent_on"]
        at = field.at_of(on)
        if at >= field.as_of:
            continue
        kind = "samples" if row["kind"] == "sample" else "expenses"
        amount, currency, basis = row["amount_minor"], row["currency"], {"expense": row["kind"]}
        if row["receipt_key"] is not None:
            basis["receipt_key"] = row["receipt_key"]
        if amount is None:
            amount, currency, said = _sample(field, row, on)
            basis |= said
        source, more = ("expenses", row), {"product_key": row["product_key"]}
        yield from _own_part(field, kind, source, amount, currency or field.currency, on, at, basis, **more)


def _sample(field: Field, row: Row, on: str) -> tuple[int | None, str | None, dict[str, Any]]:
    """What the product costs on that day; one piece where no quantity is said."""
    quantity, product = row["quantity"] or "1", row["product_key"]
    cost = cost_on(field.costs.get(product, ()), on)
    value = worth(quantity, cost.amount_minor) if cost is not None else None
    if cost is None or value is None:
        return None, None, {"quantity": quantity, "missing": {"products": [product], "on": on}}
    return value, cost.currency, {"quantity": quantity, "cost_minor": cost.amount_minor, "unit_cost_key": cost.key}


def commissions(rows: Iterable[Row], zone: str) -> Iterator[Item]:
    """What was accrued and taken back, as the ledger says (R41); what takes back converts as what it takes back did."""
    names = ("kind", "plan_key", "period_key", "number", "n", "overlay", "basis_minor", "rate_bp", "reverses", "reason")
    every = list(rows)
    accrued = {(row["user_key"], row["plan_key"], row["period_key"], row["number"]): row["at"] for row in every}
    for row in every:
        basis = {name: row[name] for name in (*names, "measure") if row[name] is not None}
        then = accrued.get((row["user_key"], row["plan_key"], row["reverses_period"], row["reverses"]))
        source = ("commission_entries", row["plan_key"])
        more = {"user_key": row["user_key"], "basis": basis, "rated_at": then}
        on = day_of(row["at"], zone)
        yield fact("commission", -row["amount_minor"], row["currency"], on, row["at"], source, **more)
