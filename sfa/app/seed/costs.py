"""What selling costs in a made-up company, what may be given away and how people are paid: no dice, so nothing else
shifts.

The company's own is made once; with a customer come a meal or a sample on a visit, work on an offer, freight and a
credit note of deals that were won, a rebate for some of the large ones, and whom a campaign reached.
"""

from collections.abc import Iterator
from typing import Any

from sfa.app.seed.made import MINUTE_MS, ZONE, Days, Made
from sfa.core.days import local_day

CURRENCY = "EUR"
YEARS_BACK = 2
TERMS_OF_TIER = {"A": 60, "B": 45, "C": 30, "D": 14}  # days until a customer pays
RATES = {"visit_hour": 68_00, "work_hour": 52_00, "kilometre": 42}
CAPITAL_BP, STEP_PERCENT = 650, 3  # what a year adds
LIMITS = {"rep": 1_000, "manager": 2_000, "director": 4_000, "finance": 4_000}
SERVICE_LIMIT_BP = 500  # a rep's, on service
CAMPAIGNS = {"fair": ("Spring fair", 18_000_00), "webinar": ("Pump care online", 2_400_00)}
TIERS = [
    {"from_minor": 0, "rate_bp": 0},
    {"from_minor": 20_000_00, "rate_bp": 150},
    {"from_minor": 80_000_00, "rate_bp": 300},
]
PAY = [{"from_minor": 0, "rate_bp": 200}, {"from_minor": 180_000_00, "rate_bp": 350}]  # of a quarter
SPENT_EVERY, SAMPLE_EVERY, WORK_EVERY, FREIGHT_EVERY, NOTE_EVERY, REBATE_EVERY, TOUCH_EVERY = 6, 14, 4, 3, 40, 8, 9
FREIGHT_PERMILLE, NOTE_PERCENT = 12, 5


def company_costs(reps: list[str], days: Days, at: int) -> Iterator[Made]:
    """Rates of effort, limits of discounts, campaigns with their costs, a plan of commission for every rep."""
    since = f"{days.year - YEARS_BACK}-01-01"
    for ago in range(YEARS_BACK, -1, -1):
        year = days.year - ago
        dated = {"valid_from": f"{year}-01-01", "valid_to": f"{year + 1}-01-01" if ago else None}
        for kind, amount in RATES.items():
            said = {"kind": kind, "amount_minor": _years_ago(amount, ago), "currency": CURRENCY, **dated}
            yield Made("cost_rates", f"{kind}-{year}", said, at)
        yield Made("cost_rates", f"capital-{year}", {"kind": "capital", "rate_bp": CAPITAL_BP, **dated}, at)
    for role, limit in LIMITS.items():
        yield Made("discount_limits", role, {"role": role, "limit_bp": limit, "valid_from": since}, at)
    service = {"role": "rep", "family": "Service", "limit_bp": SERVICE_LIMIT_BP, "valid_from": since}
    yield Made("discount_limits", "rep-service", service, at)
    for key, (name, amount) in CAMPAIGNS.items():
        start = days.text(days.working(-150))
        yield Made("campaigns", key, {"name": name, "start_on": start, "end_on": days.text(-30)}, at)
        cost = {"campaign_key": key, "amount_minor": amount, "currency": CURRENCY, "booked_on": start}
        yield Made("campaign_costs", f"{key}-cost", cost, at, "finance-1")
    plan = {"name": "Field sales", "tiers": PAY, "currency": CURRENCY, "valid_from": since}
    yield Made("commission_plans", "field", plan, at, "finance-1")
    for rep in reps:
        said = {"plan_key": "field", "user_key": rep, "valid_from": since}
        yield Made("commission_assignments", f"field-{rep}", said, at, "finance-1")


def _years_ago(amount_minor: int, years: int) -> int:
    for _ in range(years):
        amount_minor = amount_minor * 100 // (100 + STEP_PERCENT)
    return amount_minor


def make_costs(made: list[Made], rep: str, currency: str, number: int, days: Days) -> None:
    """Add to a customer's rows."""
    account, visits = made[0], [r for r in made if r.entity == "visits" and r.values.get("status") == "completed"]
    deals = [r for r in made if r.entity == "deals" and r.kind == "create"]
    won = {r.key: r for r in made if r.kind == "deal.win"}
    if visits:
        made += _spent(account.key, visits[0], rep, currency, number)
    if deals and number % WORK_EVERY == 0:
        said = {"owner_key": rep, "account_key": account.key, "deal_key": deals[0].key, "minutes": 45 + number % 5 * 30}
        said |= {"done_on": deals[0].values["opened_on"], "text": "Drawing and offer"}
        made.append(Made("work_entries", f"{account.key}.work", said, deals[0].at, rep))
    if account.values["tier"] == "A" and number % REBATE_EVERY == 0:
        dated = {"valid_from": f"{days.year}-01-01", "valid_to": f"{days.year + 1}-01-01"}
        mode = "whole" if number % (2 * REBATE_EVERY) else "bands"
        said = {"account_key": account.key, "mode": mode, "tiers": TIERS, "currency": currency, **dated}
        made.append(Made("rebate_agreements", f"{account.key}.rebate", said, account.at, "finance-1"))
    if number % TOUCH_EVERY == 0:
        campaign = tuple(CAMPAIGNS)[number // TOUCH_EVERY % len(CAMPAIGNS)]
        touched_at = max(account.at, days.at(-100, 10 * 60))
        said = {"campaign_key": campaign, "account_key": account.key, "touched_at": touched_at}
        made.append(Made("campaign_touches", f"{account.key}.touch", said, touched_at, rep))
    for deal in deals:
        if deal.key in won:
            made += _charges(deal, won[deal.key], number)


def _spent(account: str, visit: Made, rep: str, currency: str, number: int) -> Iterator[Made]:
    """On the first visit that took place: a meal, and now and then a sample."""
    on = local_day(visit.values["checked_in_at"], ZONE)
    said: dict[str, Any] = {"owner_key": rep, "account_key": account, "visit_key": visit.key, "spent_on": on}
    if number % SPENT_EVERY == 0:
        money = {"kind": "meal", "amount_minor": 24_00 + number % 37 * 90, "currency": currency, "text": "Lunch"}
        yield Made("expenses", f"{account}.meal", {**said, **money}, visit.at, rep)
    if number % SAMPLE_EVERY == 0:
        sample = {"kind": "sample", "product_key": "p-seal", "quantity": "1"}
        yield Made("expenses", f"{account}.sample", {**said, **sample}, visit.at, rep)


def _charges(deal: Made, win: Made, number: int) -> Iterator[Made]:
    """In the period in which they are booked: freight with the win, a credit note as soon as it was noticed."""
    amount, on = deal.values["amount_minor"], local_day(win.at, ZONE)
    said = {"deal_key": deal.key, "currency": deal.values["currency"], "booked_on": on}
    if number % FREIGHT_EVERY == 0:
        freight = {"kind": "freight", "amount_minor": amount * FREIGHT_PERMILLE // 1_000}
        yield Made("deal_charges", f"{deal.key}.freight", {**said, **freight}, win.at + MINUTE_MS, "finance-1")
    if number % NOTE_EVERY == 0:
        note = {"kind": "credit_note", "amount_minor": amount * NOTE_PERCENT // 100, "text": "Late delivery"}
        yield Made("deal_charges", f"{deal.key}.note", {**said, **note}, win.at + MINUTE_MS, "finance-1")
