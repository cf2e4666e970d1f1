"""How visits are judged and repeated in a made-up company, what was heard and agreed: no dice, so nothing else
shifts."""

from typing import Any

from sfa.app.seed.company import Rep
from sfa.app.seed.made import MINUTE_MS, ZONE, Days, Made

EVERY = 10  # one customer of so many is visited by a plan
WEEKS_OF_TIER = {"A": 2, "B": 4, "C": 8, "D": 26}
KINDS = ("need", "competitor", "price", "complaint", "order_wish")
QUESTIONS = [
    {"id": "stock", "text": "Is enough in stock?", "kind": "yes_no", "required": True},
    {"id": "mood", "text": "How content are they?", "kind": "choice", "choices": ["content", "so-so", "angry"]},
]


def make_field_work(made: list[Made], rep: Rep, number: int, days: Days) -> None:
    """Add to a customer's rows; with the first customer of all also what the company says of visits."""
    account = made[0]
    if number == 0:
        made += _rules(days)
    if number % EVERY:
        return
    own = {"account_key": account.key, "owner_key": rep.key}
    plan = {**own, "start_time": "09:30", "zone": ZONE, "valid_from": days.text(days.working(1)), "purpose": "Round"}
    rule = f"FREQ=WEEKLY;INTERVAL={WEEKS_OF_TIER[account.values['tier']]}"
    made.append(Made("visit_plans", f"{account.key}.plan", {**plan, "rrule": rule}, account.at, rep.key))
    visit = next((row for row in made if row.entity == "visits" and row.values.get("status") == "completed"), None)
    if visit is None:
        return
    at = visit.values["checked_in_at"]
    said = {"account_key": account.key, "author_key": rep.key, "visit_key": visit.key, "said_at": at}
    kind = KINDS[number // EVERY % len(KINDS)]
    made.append(Made("signals", f"{account.key}.signal", {**said, "kind": kind}, visit.at, rep.key))
    made += _relations(made, own, number, visit)
    way: dict[str, Any] = {"owner_key": rep.key, "visit_key": visit.key, "started_at": at - 20 * MINUTE_MS}
    way |= {"ended_at": at, "source": "odometer", "distance_m": 9_400}
    made.append(Made("travel_legs", f"{account.key}.way", way, visit.at, rep.key))


def _relations(made: list[Made], own: dict[str, Any], number: int, visit: Made) -> list[Made]:
    """What became known of the customer around a visit: a need, a call, and what somebody there allows."""
    account, at, author = own["account_key"], visit.values["checked_in_at"], own["owner_key"]
    person = next((row.key for row in made if row.entity == "contacts"), None)
    need = {"account_key": account, "contact_key": person, "text": "Spare parts within a day"}
    call = {**own, "contact_key": person, "called_at": at - 26 * 60 * MINUTE_MS, "minutes": 6, "outcome": "Date agreed"}
    found = [
        Made("customer_needs", f"{account}.need", need, visit.at, author),
        Made("calls", f"{account}.call", call, visit.at, author),
    ]
    if person is not None:
        said = {"contact_key": person, "purpose": "newsletter", "channel": "email", "granted": number // EVERY % 3 > 0}
        said |= {"decided_at": at, "source": "asked on a visit"}
        found.append(Made("consents", f"{account}.consent", said, visit.at, author))
    return found


def _rules(days: Days) -> list[Made]:
    """The company's own: nobody in particular wrote them."""
    first, at = {"valid_from": f"{days.year - 1}-01-01"}, days.now_ms - MINUTE_MS
    rules: list[tuple[str, str, dict[str, Any]]] = [
        ("visit_policies", "visits", {"radius_m": 300}),
        ("checklist_templates", "visits", {"name": "Visit", "questions": QUESTIONS}),
    ]
    rules += [
        ("cadence_rules", f"tier-{tier}", {"tier": tier, "every": weeks, "unit": "week", "lead_days": 7})
        for tier, weeks in WEEKS_OF_TIER.items()
    ]
    return [Made(entity, key, {**values, **first}, at) for entity, key, values in rules]
