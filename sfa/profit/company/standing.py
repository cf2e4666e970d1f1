"""Is this customer worth the effort? Profitable, improvable or unprofitable, why, and what would help most. Pure.

A customer is *profitable* when it earned in the span, *improvable* when it did not but one change would make it, and
*unprofitable* when none would. Each change is reckoned by the same rule from what the customer cost: what it would have
earned more, all else as it was. Words are stable; numbers stand beside them:

- `visit_half`: half the visits and ways, from `VISITS_MIN` visits on; gains half of what they cost, half up.
- `price_to_norm`: prices as the company's own norm (`norm_bp` of the list price) where they were below it.
- `shorter_terms`: money within `TERMS_DAYS` days instead of later; gains that part of what waiting cost.
- `stop_samples`: no samples; gains what they cost.
"""

from typing import Any

from msgspec import Struct

from sfa.profit.company.tallied import Earned
from sfa.profit.items import half_up

VISITS_MIN = 4
TERMS_DAYS = 30
HIGH_BP = 2_000  # of the revenue: what is called high in reasons
SERVE = ("visits", "travel", "work", "expenses")


class Habits(Struct, frozen=True):
    """What changes are reckoned from: completed visits, list value of what was sold (null: not known), the norm of the
    company in basis points of the list (null: none), amount-weighted days until money comes (null: none agreed)."""

    visits: int
    list_minor: int | None = None
    norm_bp: int | None = None
    payment_days: int | None = None


class Verdict(Struct, frozen=True):
    """`reasons` are {code, amount_minor, share_bp?}, the largest first; `best_change` {code, gain_minor, profit_minor}:
    what it would gain and the profit then. Standing `unknown`: something is missing."""

    standing: str
    reasons: list[dict[str, Any]]
    best_change: dict[str, Any] | None
    changes: list[dict[str, Any]]


def verdict(earned: Earned, habits: Habits) -> Verdict:
    """From the figures of a span of days."""
    profit = earned.profit_minor
    if profit is None:
        return Verdict("unknown", [], None, [])
    ranked = sorted(gains(earned, habits), key=lambda gain: (-gain[1], gain[0]))
    changes: list[dict[str, Any]] = [
        {"code": code, "gain_minor": gain, "profit_minor": profit + gain} for code, gain in ranked
    ]
    best = changes[0] if changes else None
    if profit > 0:
        standing = "profitable"
    else:
        standing = "improvable" if best is not None and best["profit_minor"] > 0 else "unprofitable"
    return Verdict(standing, reasons(earned), best, changes)


def gains(earned: Earned, habits: Habits) -> list[tuple[str, int]]:
    """Every change that would gain something, with what it would."""
    cost = {kind: -(amount or 0) for kind, amount in earned.kinds.items()}
    found: list[tuple[str, int]] = []
    if habits.visits >= VISITS_MIN:
        found.append(("visit_half", half_up(cost.get("visits", 0) + cost.get("travel", 0), 2)))
    if habits.list_minor is not None and habits.norm_bp is not None and earned.invoice_minor is not None:
        found.append(("price_to_norm", half_up(habits.list_minor * habits.norm_bp, 10_000) - earned.invoice_minor))
    if habits.payment_days is not None and habits.payment_days > TERMS_DAYS:
        saved = half_up(cost.get("terms", 0) * (habits.payment_days - TERMS_DAYS), habits.payment_days)
        found.append(("shorter_terms", saved))
    found.append(("stop_samples", cost.get("samples", 0)))
    return [(code, gain) for code, gain in found if gain > 0]


def reasons(earned: Earned) -> list[dict[str, Any]]:
    """What weighs: costs of a fifth of the revenue and more, goods above the price, and effort without revenue."""
    revenue, found = earned.invoice_minor or 0, []
    margin = earned.margin_minor
    serve = -sum(earned.kinds.get(kind) or 0 for kind in SERVE)
    if revenue <= 0 and serve > 0:
        found.append({"code": "effort_without_revenue", "amount_minor": serve})
    if revenue > 0 and margin is not None and margin < 0:
        found.append(
            {"code": "sold_below_cost", "amount_minor": -margin, "share_bp": half_up(-margin * 10_000, revenue)}
        )
    groups = {
        "service_cost_high": serve,
        "off_invoice_high": -((earned.pocket_minor or 0) - revenue),
        "commission_high": -(earned.kinds.get("commission") or 0),
    }
    for code, amount in groups.items():
        if revenue > 0 and amount * 10_000 >= revenue * HIGH_BP:
            found.append({"code": code, "amount_minor": amount, "share_bp": half_up(amount * 10_000, revenue)})
    return sorted(found, key=lambda reason: (-reason["amount_minor"], reason["code"]))
