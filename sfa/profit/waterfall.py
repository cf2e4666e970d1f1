"""The price waterfall (R38): facts of one side, in one currency, step by step down to the profit. Pure.

Each step is the exact sum of its facts and each total the exact sum of the steps before it, so nothing is rounded here.
A fact that is not computable makes its step and every later total not computable, with the reason; it never counts as
zero (R34). List and discounts explain the invoice and sum to it; where a list price is missing, only they are unknown.
Does not do: conversion (amounts come converted), who may see what (`hidden` cuts a waterfall for those who may not).
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct, structs

from sfa.core.money import BP_WHOLE, Rounding, rounded
from sfa.profit.items import KINDS, OPEN_TOTALS, STEPS, TOTALS, Item, allowed

NOT_PERMITTED = "not_permitted"


class Counted(Struct, frozen=True):
    """A fact with its amount in the waterfall's currency; null with a `code` where it is not computable. `rate` is the
    one it was converted at, null where it was of that currency."""

    item: Item
    amount_minor: int | None
    code: str | None = None
    rate: str | None = None
    missing: dict[str, Any] | None = None


class Step(Struct, frozen=True):
    """What a step adds, and the facts that it is the sum of. Null: not computable, or not for the caller (`code`)."""

    step: str
    amount_minor: int | None
    code: str | None
    items: list[Counted]


class Total(Struct, frozen=True):
    """What stands after the steps that lead to it."""

    total: str
    amount_minor: int | None
    code: str | None


class Ratios(Struct, frozen=True):
    """In basis points, null where not computable (R36): the discount of the list price, `margin_bp` of the pocket
    price, `markup_bp` of the goods cost, the profit of the pocket price."""

    discount_bp: int | None
    margin_bp: int | None
    markup_bp: int | None
    profit_bp: int | None


class Waterfall(Struct, frozen=True):
    currency: str
    steps: list[Step]
    totals: list[Total]
    ratios: Ratios
    missing: list[dict[str, Any]]

    def total(self, name: str) -> Total:
        return self.totals[TOTALS.index(name)]

    def step(self, name: str) -> Step:
        return self.steps[tuple(STEPS).index(name)]


def waterfall(counted: Iterable[Counted], currency: str, until: str = "profit") -> Waterfall:
    """Every step and total, from facts in any order. Totals behind `until` are `not_quoted`: an offer says nothing of
    what serving it will cost."""
    by_step: dict[str, list[Counted]] = {step: [] for step in STEPS}
    for fact in counted:
        by_step[KINDS[fact.item.kind].step].append(fact)
    steps = [_step(name, sorted(facts, key=_place)) for name, facts in by_step.items()]
    totals = _totals(steps, until)
    return Waterfall(currency, steps, totals, _ratios(steps, totals), _missing(steps))


def _place(fact: Counted) -> tuple[Any, ...]:
    """The order of facts within a step: of time, then of what they are."""
    item = fact.item
    said = (item.kind, item.entity, item.row_key, item.product_key or "", item.user_key or "")
    return (item.at, *said, item.amount_minor or 0)


def _step(name: str, facts: Sequence[Counted]) -> Step:
    code = next((fact.code or "amount_missing" for fact in facts if fact.amount_minor is None), None)
    amount = None if code is not None else sum(fact.amount_minor or 0 for fact in facts)
    return Step(name, amount, code, list(facts))


def _totals(steps: Sequence[Step], until: str) -> list[Total]:
    by_name = {step.step: step for step in steps}
    found = [_total("list", by_name["list"].amount_minor, by_name["list"].code)]
    running, code = 0, None
    for name, total in list(STEPS.items())[2:]:
        step = by_name[name]
        if TOTALS.index(total) > TOTALS.index(until):
            code = code or "not_quoted"
        code = code or step.code
        running += step.amount_minor or 0
        found.append(_total(total, None if code is not None else running, code))
    return found


def _total(name: str, amount: int | None, code: str | None) -> Total:
    return Total(name, amount, code)


def _ratios(steps: Sequence[Step], totals: Sequence[Total]) -> Ratios:
    amounts: dict[str, int | None] = {total.total: total.amount_minor for total in totals}
    by_name = {step.step: step.amount_minor for step in steps}
    discount, goods = by_name["discount"], by_name["goods"]
    return Ratios(
        discount_bp=_share(None if discount is None else -discount, amounts["list"]),
        margin_bp=_share(amounts["margin"], amounts["pocket"]),
        markup_bp=_share(amounts["margin"], None if goods is None else -goods),
        profit_bp=_share(amounts["profit"], amounts["pocket"]),
    )


def _share(part: int | None, whole: int | None) -> int | None:
    """Of nothing, or of less than nothing, there is no share."""
    if part is None or whole is None or whole <= 0:
        return None
    return rounded(Fraction(part * BP_WHOLE, whole), Rounding.HALF_UP)


def _missing(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """What is missing, each thing once, with the kinds of facts that lack it."""
    found: dict[str, dict[str, Any]] = {}
    for step in steps:
        for fact in step.items:
            if fact.amount_minor is None:
                said = {"code": fact.code or "amount_missing", "kind": fact.item.kind, **(fact.missing or {})}
                found[repr(sorted(said.items(), key=lambda pair: pair[0]))] = said
    return [found[key] for key in sorted(found)]


# -- for whom ---------------------------------------------------------------------------------------------------------


def hidden(whole: Waterfall, user_key: str) -> Waterfall:
    """The same for somebody who does not see cost (R45): open facts and his own, no total behind the invoice, and no
    word of what is left out but that something is."""
    steps = [_cut(step, user_key) for step in whole.steps]
    totals = [t if t.total in OPEN_TOTALS else Total(t.total, None, NOT_PERMITTED) for t in whole.totals]
    ratios = structs.replace(whole.ratios, margin_bp=None, markup_bp=None, profit_bp=None)
    return Waterfall(whole.currency, steps, totals, ratios, _missing(steps))


def _cut(step: Step, user_key: str) -> Step:
    if STEPS[step.step] in OPEN_TOTALS:
        return step
    mine = (fact for fact in step.items if allowed(fact.item, user_key, sees_cost=False))
    told = [_own(fact) for fact in mine if not _of_margin(fact.item)]
    return Step(step.step, None, NOT_PERMITTED, told)


def _of_margin(item: Item) -> bool:
    """What a plan on margins pays for one deal is told only to who sees cost: divided by the plan's rate it is the
    margin. What is merely ahead has no amount for the others (`sfa.profit.price.commissions_ahead`)."""
    return item.entity == "commission_entries" and item.basis.get("measure") != "revenue"


def _own(fact: Counted) -> Counted:
    """A commission is told without what it was reckoned from."""
    if fact.item.kind != "commission":
        return fact
    kept = {name: said for name, said in fact.item.basis.items() if name in ("kind", "plan_key", "period_key")}
    return structs.replace(fact, item=structs.replace(fact.item, basis=kept))
