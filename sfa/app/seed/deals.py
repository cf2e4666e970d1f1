"""Deals with their lines, walked through the stages up to today: each move is a version of its own in the history."""

from typing import Any

from sfa.app.seed.company import COMPETITORS, PRODUCTS, STAGES, Rep, list_price, price_in, reason_key
from sfa.app.seed.costs import TERMS_OF_TIER
from sfa.app.seed.made import Days, Dice, Made
from sfa.app.seed.words import LOST_REASONS, STEPS
from sfa.core.ids import KeyMaker
from sfa.core.money import BP_WHOLE

DEALS_OF_TIER = {"A": 3, "B": 2, "C": 1, "D": 1}  # at most
WON_SHARE, LOST_AT_EACH_STEP, SPLIT_SHARE = 0.8, 0.13, 0.05
STEP_DAYS = (5, 35)
EXPECTED_DAYS = (20, 110)
TIERS_WITH_ROLES = "AB"
DISCOUNTS_BP = (0, 0, 0, 500, 500, 1_000, 1_500)
OPEN_STAGES = tuple(key for key, _, kind, _, _ in STAGES if kind == "open")


def make_deals(
    made: list[Made],
    reps: list[Rep],
    rep: Rep,
    account: str,
    people: list[tuple[str, str]],
    tier: str,
    oldest: int,
    days: Days,
    dice: Dice,
    keys: KeyMaker,
) -> None:
    """Add the deals of one customer, begun at most `oldest` days ago."""
    for _ in range(dice.between(0, DEALS_OF_TIER[tier])):
        begun = -dice.between(1, max(oldest - 10, 2))
        key, currency = keys.new(), rep.region.currency
        lines = _lines(key, currency, tier, days.year - int(days.text(begun)[:4]), dice)
        first = PRODUCTS_BY_KEY[lines[0]["product_key"]]
        at = days.at_work(begun, dice)
        values: dict[str, Any] = {
            "name": f"{first.name}{' and more' if len(lines) > 1 else ''}",
            "owner_key": rep.key,
            "account_key": account,
            "contact_key": dice.one(people)[0],
            "stage_key": OPEN_STAGES[0],
            "amount_minor": sum(_worth(line) for line in lines),
            "currency": currency,
            "opened_on": days.text(begun),
            "close_on": days.text(min(begun + dice.between(*EXPECTED_DAYS), 100)),
            "next_step": dice.one(STEPS),
            "payment_days": TERMS_OF_TIER[tier],
        }
        if dice.happens(SPLIT_SHARE) and len(reps) > 1:
            other = reps[rep.number ^ 1] if rep.number ^ 1 < len(reps) else reps[rep.number - 1]
            values["splits"] = [{"user_key": rep.key, "share_bp": 7_000}, {"user_key": other.key, "share_bp": 3_000}]
        made.append(Made("deals", key, values, at, rep.key))
        made.extend(Made("deal_lines", keys.new(), line, at, rep.key) for line in lines)
        if tier in TIERS_WITH_ROLES:
            role = {"deal_key": key, "contact_key": values["contact_key"], "role": "decision_maker"}
            made.append(Made("deal_contacts", keys.new(), role, at, rep.key))
        _walk(made, key, rep.key, begun, days, dice)


PRODUCTS_BY_KEY = {product.key: product for product in PRODUCTS}


def _lines(deal: str, currency: str, tier: str, years_ago: int, dice: Dice) -> list[dict[str, Any]]:
    chosen = sorted({dice.below(len(PRODUCTS)) for _ in range(dice.between(1, 3))})
    return [
        {
            "deal_key": deal,
            "product_key": PRODUCTS[place].key,
            "position": position,
            "quantity": str(dice.between(1, 12 if tier in "AB" else 5)),
            "unit_price_minor": price_in(list_price(PRODUCTS[place], years_ago), currency),
            "discount_bp": dice.one(DISCOUNTS_BP),
        }
        for position, place in enumerate(chosen, start=1)
    ]


def _worth(line: dict[str, Any]) -> int:
    """The line's amount, half up: prices are not negative here."""
    gross = int(line["quantity"]) * int(line["unit_price_minor"]) * (BP_WHOLE - int(line["discount_bp"]))
    return (2 * gross + BP_WHOLE) // (2 * BP_WHOLE)


def _walk(made: list[Made], deal: str, owner: str, begun: int, days: Days, dice: Dice) -> None:
    """From stage to stage until today is reached, the deal is lost, or it is decided at the end."""
    day = begun
    for stage in (*OPEN_STAGES[1:], ""):
        day = days.working(day + dice.between(*STEP_DAYS))
        if day >= 0:
            return
        at = days.at_work(day, dice)
        lost = dice.happens(LOST_AT_EACH_STEP) if stage else not dice.happens(WON_SHARE)
        closing = {"closed_at": at, "stage_since": at, "close_on": days.text(day), "next_step": None}
        if lost:
            reason = dice.one(LOST_REASONS)
            values = {"stage_key": "lost", "lost_reason": reason, "lost_reason_key": reason_key(reason), **closing}
            if reason == "competitor":
                values["competitor_key"] = dice.one(tuple(COMPETITORS))
            made.append(Made("deals", deal, values, at, owner, "deal.lose"))
            return
        if not stage:
            made.append(
                Made("deals", deal, {"stage_key": "won", "lost_reason": None, **closing}, at, owner, "deal.win")
            )
            return
        moved = {"stage_key": stage, "lost_reason": None, "closed_at": None, "stage_since": at}
        made.append(Made("deals", deal, moved, at, owner, "deal.move"))
