"""What a row may be and how it may change: pure, and the same on server and device.

`check_values` holds each value against its type and limits, `broken` lists what makes a whole row contradict itself,
and `TRANSITIONS` are the commands that move a row through its states (S27): each answers the fields it would set and,
where the row's state forbids it, why. They decide neither rights nor concurrency.
"""

from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct

from sfa.core import checklists, criteria, proposal_rows
from sfa.core.broken import Broken as Broken
from sfa.core.days import zone_of
from sfa.core.deal_states import DEAL_TRANSITIONS
from sfa.core.errors import Refused
from sfa.core.fields import MONEY_MAX, Day
from sfa.core.forecast_cycles import names_one
from sfa.core.ids import is_key
from sfa.core.money import MINOR_DIGITS
from sfa.core.recurrence import check_rule
from sfa.core.shapes import SHAPES
from sfa.core.transitions import Lookup, Rule, Transition
from sfa.core.visit_states import VISIT_TRANSITIONS

WHOLE_BP = 10_000
PLANS_FROM = "2000-01-01"  # a rule is expanded from its first day on
MONEY_MEASURES = ("revenue", "margin")
QUOTA_OWNERS = ("user_key", "team_key", "territory_key")
# Of one owner, period, measure and these there is one quota.
QUOTA_FILTERS = ("product_key", "unit", "account_tier", "visit_type", "overlay")
CONTACT_MEASURES = ("total_contacts", "unique_contacts")
DEAL_MEASURES = (*MONEY_MEASURES, "quantity")  # what is credited to people, overlays beside it
MEASURES = (*DEAL_MEASURES, *CONTACT_MEASURES, "new_accounts")
# What profit is reckoned from: its currency is one of ISO 4217.
REAL_MONEY = frozenset(
    {"cost_rates", "deal_charges", "expenses", "rebate_agreements", "commission_plans", "campaign_costs"}
    | {"forecast_calls", "proposals"}
)


# -- values ----------------------------------------------------------------------------------------------------------


@cache
def _days(entity: str) -> frozenset[str]:
    return frozenset(f for f, typ in SHAPES[entity].types.items() if typ == Day or Day in getattr(typ, "__args__", ()))


def holds_nul(value: Any) -> bool:
    """Whether any text of a value, however deep, holds what PostgreSQL cannot keep."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            if "\x00" in part:
                return True
        elif isinstance(part, dict):
            waiting += (*part, *part.values())
        elif isinstance(part, list):
            waiting += part
    return False


@cache
def _every_field(entity: str) -> type[Struct]:
    """All fields of an entity, none required: holding the given ones against it takes one call."""
    fields = [(name, typ, None) for name, typ in SHAPES[entity].types.items()]
    return msgspec.defstruct(f"Some_{entity}", fields, kw_only=True, forbid_unknown_fields=True)


def _hold(entity: str, values: Mapping[str, Any]) -> bool:
    """Whether all values are surely in order. False only says that they must be looked at one by one."""
    if not _days(entity).isdisjoint(values):
        return False
    try:
        msgspec.convert(values, _every_field(entity))
    except msgspec.ValidationError:
        return False
    return not any("\x00" in v if type(v) is str else holds_nul(v) for v in values.values() if v is not None)


def check_values(entity: str, values: Mapping[str, Any]) -> None:
    """Refuse unknown fields and values of a wrong type or size."""
    if _hold(entity, values):
        return
    types = SHAPES[entity].types
    days = _days(entity)
    for field, value in values.items():
        typ = types.get(field)
        if typ is None:
            raise Refused("field_unknown", f"{entity} has no field {field[:100]!r}", field=field[:100])
        try:
            msgspec.convert(value, typ)
            if field in days and value is not None:
                date.fromisoformat(value)
            if holds_nul(value):
                raise ValueError("a text must not contain the character NUL")
        except (msgspec.ValidationError, ValueError) as error:
            raise Refused("field_invalid", f"{entity}.{field}: {error}", field=field) from None


def check_required(entity: str, values: Mapping[str, Any]) -> None:
    missing = sorted(f for f in SHAPES[entity].required if f not in values)
    if missing:
        raise Refused("field_required", f"{entity} needs {', '.join(missing)}", fields=missing)


# -- whole rows ------------------------------------------------------------------------------------------------------


def broken(entity: str, row: Mapping[str, Any]) -> Broken | None:
    """The first thing that makes a row contradict itself, or None."""
    start, end = row.get("valid_from"), row.get("valid_to")
    if start is not None and end is not None and end <= start:
        return Broken("invariant_failed", "valid_to must lie after valid_from")
    rule = _ROW_RULES.get(entity)
    found = rule(row) if rule is not None else None
    return found or (_currency(row) if entity in REAL_MONEY else None)


def _currency(row: Mapping[str, Any]) -> Broken | None:
    """Of a currency that nobody knows the digits of nothing can be reckoned or written."""
    if row["currency"] is None or row["currency"] in MINOR_DIGITS:
        return None
    text = f"{row['currency']!r} is not a currency of ISO 4217"
    return Broken("currency_unknown", text, {"field": "currency", "currency": row["currency"]})


def _organisation(row: Mapping[str, Any]) -> Broken | None:
    """Every day and every scope hangs on the zone (S11)."""
    try:
        zone_of(row["zone"])
    except Refused as refused:
        return Broken(refused.code, refused.text)
    return None


def _visit(row: Mapping[str, Any]) -> Broken | None:
    if row["checked_out_at"] is not None and row["checked_in_at"] is None:
        return Broken("invariant_failed", "a visit is checked in before it is checked out")
    if row["checked_out_at"] is not None and row["checked_out_at"] < row["checked_in_at"]:
        return Broken("invariant_failed", "a visit cannot end before it starts")
    if len(set(row.get("participants") or ())) < len(row.get("participants") or ()):
        return Broken("invariant_failed", "somebody went along twice")
    wrong = checklists.wrong_answers(row.get("answers"))
    return Broken("invariant_failed", wrong) if wrong is not None else _position(row)


def _plan(row: Mapping[str, Any]) -> Broken | None:
    """What the days of a plan are made of can be read (`sfa.visits.recurrence` makes them)."""
    if row["valid_from"] < PLANS_FROM:
        return Broken("invariant_failed", f"a plan begins on {PLANS_FROM} or later")
    try:
        zone_of(row["zone"])
        for day in row["exceptions"]:
            date.fromisoformat(day)
        if row["rrule"] is not None:
            check_rule(row["rrule"])
    except Refused as refused:
        return Broken(refused.code, refused.text)
    except ValueError as error:
        return Broken("field_invalid", f"visit_plans.exceptions: {error}")
    return None


def _template(row: Mapping[str, Any]) -> Broken | None:
    wrong = checklists.wrong_question(row["questions"])
    return Broken("invariant_failed", wrong) if wrong is not None else None


def _signal(row: Mapping[str, Any]) -> Broken | None:
    if (row["amount_minor"] is None) != (row["currency"] is None):
        return Broken("invariant_failed", "amount and currency belong together")
    return None


def _leg(row: Mapping[str, Any]) -> Broken | None:
    if row["ended_at"] < row["started_at"]:
        return Broken("invariant_failed", "a way cannot end before it starts")
    for gap in row["gaps"]:
        if set(gap) != {"from_at", "to_at"} or not all(type(at) is int for at in gap.values()):
            return Broken("invariant_failed", "a gap is {from_at, to_at}, instants")
        if not row["started_at"] <= gap["from_at"] < gap["to_at"] <= row["ended_at"]:
            return Broken("invariant_failed", "a gap lies within its way")
    return None


def _position(row: Mapping[str, Any]) -> Broken | None:
    if (row["latitude"] is None) != (row["longitude"] is None):
        return Broken("invariant_failed", "latitude and longitude belong together")
    return None


def _account(row: Mapping[str, Any]) -> Broken | None:
    if (row["revenue_minor"] is None) != (row["revenue_currency"] is None):
        return Broken("invariant_failed", "revenue and its currency belong together")
    return _position(row)


def _need(row: Mapping[str, Any]) -> Broken | None:
    if row["product_key"] is None and not (row["text"] or "").strip():
        return Broken("invariant_failed", "a need says what: a product, a text, or both")
    return None


def _deal(row: Mapping[str, Any]) -> Broken | None:
    if (row["amount_minor"] is None) != (row["currency"] is None):
        return Broken("invariant_failed", "amount and currency belong together")
    splits = row["splits"] or []
    wrong = _splits(splits, row["owner_key"])
    return wrong or _overlays(row["overlays"] or [], {row["owner_key"], *(split["user_key"] for split in splits)})


def _shares(name: str, shares: list[Any], least: int) -> Broken | None:
    """Each share is of one person, who is named once."""
    for share in shares:
        if set(share) != {"user_key", "share_bp"} or not is_key(share["user_key"]):
            return Broken("splits_invalid", f"one of {name} is {{user_key, share_bp}}", {"field": name})
        if type(share["share_bp"]) is not int or not least <= share["share_bp"] <= WHOLE_BP:
            text = f"share_bp is a whole number of basis points, {least} to {WHOLE_BP}"
            return Broken("splits_invalid", text, {"field": name, "user_key": share["user_key"]})
    users = [share["user_key"] for share in shares]
    twice = sorted({user for user in users if users.count(user) > 1})
    if twice:
        return Broken("splits_invalid", f"{name} name each person once", {"field": name, "twice": twice})
    return None


def _splits(splits: list[Any], owner: str) -> Broken | None:
    """Revenue splits total exactly 100 % with the owner included (R16)."""
    if not splits:
        return None
    wrong = _shares("splits", splits, 0)
    if wrong is not None:
        return wrong
    total = sum(split["share_bp"] for split in splits)
    details: dict[str, Any] = {"field": "splits", "total_bp": total, "missing_bp": WHOLE_BP - total}
    if owner not in {split["user_key"] for split in splits}:
        return Broken("splits_invalid", f"the owner {owner} has no split", {**details, "missing": [owner]})
    if total != WHOLE_BP:
        return Broken("splits_invalid", f"splits total {total} of {WHOLE_BP} basis points", details)
    return None


def _overlays(overlays: list[Any], sharing: set[str]) -> Broken | None:
    """Overlay credit lies beside the shares: it totals what it totals, and is of nobody who has one (R16)."""
    wrong = _shares("overlays", overlays, 1)
    if wrong is not None:
        return wrong
    twice = sorted({overlay["user_key"] for overlay in overlays} & sharing)
    if twice:
        text = "who owns a deal or has a split has no overlay beside it"
        return Broken("splits_invalid", text, {"field": "overlays", "twice": twice})
    return None


def _pipeline_stage(row: Mapping[str, Any]) -> Broken | None:
    wrong = criteria.wrong_criteria(row["exit_criteria"] or [])
    return Broken("invariant_failed", wrong, {"field": "exit_criteria"}) if wrong is not None else None


def _quota(row: Mapping[str, Any]) -> Broken | None:
    if sum(row[f] is not None for f in QUOTA_OWNERS) != 1:
        return Broken("quota_owner_invalid", "a quota belongs to exactly one user, team or territory")
    if (row["measure"] in MONEY_MEASURES) != (row["currency"] is not None):
        return Broken("invariant_failed", "money measures have a currency, counts have none")
    if (row["measure"] == "quantity") != (row["unit"] is not None or row["product_key"] is not None):
        return Broken("invariant_failed", "a quantity says its unit or its product, and nothing else does")
    if row["measure"] not in CONTACT_MEASURES and (row["visit_type"] is not None or row["account_tier"] is not None):
        return Broken("invariant_failed", "only contacts are narrowed to a tier or a type of visit")
    if row["overlay"] and row["measure"] not in DEAL_MEASURES:
        return Broken("invariant_failed", "only what deals credit counts overlays", {"field": "overlay"})
    return None


def _period(row: Mapping[str, Any]) -> Broken | None:
    return Broken("invariant_failed", "a period ends after it starts") if row["end_on"] <= row["start_on"] else None


def _rate(row: Mapping[str, Any]) -> Broken | None:
    if row["base_currency"] == row["quote_currency"] or float(row["rate"]) == 0:
        return Broken("invariant_failed", "a rate joins two currencies and is not zero")
    return None


def _money(row: Mapping[str, Any]) -> Broken | None:
    if (row["amount_minor"] is None) != (row["currency"] is None):
        return Broken("invariant_failed", "amount and currency belong together")
    return None


def _goods(row: Mapping[str, Any]) -> Broken | None:
    if row["quantity"] is not None and row["product_key"] is None:
        return Broken("invariant_failed", "a quantity is of a product")
    return None


def _cost_rate(row: Mapping[str, Any]) -> Broken | None:
    if (row["kind"] == "capital") != (row["rate_bp"] is not None) or (row["kind"] == "capital") != (
        row["amount_minor"] is None
    ):
        return Broken("invariant_failed", "capital has a rate, an hour or a kilometre has an amount")
    return _money(row)


def _expense(row: Mapping[str, Any]) -> Broken | None:
    if row["amount_minor"] is None and (row["kind"] != "sample" or row["product_key"] is None):
        return Broken("invariant_failed", "an expense says its amount; a sample may say its product instead")
    return _money(row) or _goods(row)


def _tiers(row: Mapping[str, Any], start: str) -> Broken | None:
    """The first begins at nothing, each later one higher."""
    froms = []
    for tier in row["tiers"]:
        if set(tier) != {start, "rate_bp"} or type(tier[start]) is not int or type(tier["rate_bp"]) is not int:
            return Broken("tiers_invalid", f"a tier is {{{start}, rate_bp}}, whole numbers", {"field": "tiers"})
        if not 0 <= tier["rate_bp"] <= WHOLE_BP or not 0 <= tier[start] <= MONEY_MAX:
            return Broken("tiers_invalid", f"rate_bp is 0 to {WHOLE_BP}, {start} 0 or more", {"field": "tiers"})
        froms.append(tier[start])
    if not froms or froms[0] != 0 or any(later <= earlier for earlier, later in pairwise(froms)):
        return Broken("tiers_invalid", "tiers begin at 0 and each one higher than the one before", {"field": "tiers"})
    return None


def _rebate(row: Mapping[str, Any]) -> Broken | None:
    return _tiers(row, "from_minor")


def _plan_of_commission(row: Mapping[str, Any]) -> Broken | None:
    return _tiers(row, "from_bp" if row["of_quota"] else "from_minor")


def _campaign(row: Mapping[str, Any]) -> Broken | None:
    if row["end_on"] is not None and row["end_on"] < row["start_on"]:
        return Broken("invariant_failed", "a campaign ends after it starts")
    return None


_ROW_RULES: dict[str, Callable[[Mapping[str, Any]], Broken | None]] = {
    "organisations": _organisation,
    "accounts": _account,
    "visits": _visit,
    "visit_plans": _plan,
    "checklist_templates": _template,
    "signals": _signal,
    "travel_legs": _leg,
    "customer_needs": _need,
    "deals": _deal,
    "stages": _pipeline_stage,
    "quotas": _quota,
    "fiscal_periods": _period,
    "rates": _rate,
    "cost_rates": _cost_rate,
    "deal_charges": _goods,
    "expenses": _expense,
    "rebate_agreements": _rebate,
    "commission_plans": _plan_of_commission,
    "campaigns": _campaign,
    **proposal_rows.RULES,
    "forecast_calls": lambda row: None if names_one(row) else Broken("forecast_node_invalid", ""),
}


# -- commands that move a row through its states ---------------------------------------------------------------------

TRANSITIONS: dict[str, Rule] = {**VISIT_TRANSITIONS, **DEAL_TRANSITIONS}


def check_arguments(command: str, arguments: Mapping[str, Any]) -> None:
    """What holds for the arguments of every command, wherever it comes from: asked before anything looks at them."""
    if holds_nul(dict(arguments)):
        raise Refused("command_invalid", f"{command}: a text must not contain the character NUL")


def transition(
    command: str, row: Mapping[str, Any], arguments: Mapping[str, Any], at: int, lookup: Lookup
) -> Transition:
    """What a command would do to a row. Refuses arguments that are not of its form."""
    rule = TRANSITIONS[command]
    check_arguments(command, arguments)
    try:
        args = msgspec.convert(dict(arguments), rule.args)
    except msgspec.ValidationError as error:
        raise Refused("command_invalid", f"{command}: {error}") from None
    done = rule.act(row, args, at, lookup)
    check_values(rule.entity, done.values)
    return done
