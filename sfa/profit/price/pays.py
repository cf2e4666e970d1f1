"""The plans by which those who share a deal would be paid for it, with what the period paid them so far (R41, R44).

Pure. Who sees cost is told of everybody, the others of themselves (R45). A plan that somebody has and does not see, one
on margins, is named and nothing is said of it, at a screen as on a phone, which has his assignment and not the plan.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sfa.core.access import SEES_COST, holds_on
from sfa.core.money import BP_WHOLE
from sfa.profit.price.commissions_ahead import Pay, Shared, Unseen
from sfa.quotas.conversion import Exchange

if TYPE_CHECKING:
    from sfa.profit.price.given import Asking


def shares_of(row: Mapping[str, Any]) -> list[Shared]:
    """Who shares a deal's amount, in the order of its splits; without any it is the owner's (R16)."""
    splits = row["splits"] or [{"user_key": row["owner_key"], "share_bp": BP_WHOLE}]
    weights = tuple(split["share_bp"] for split in splits)
    return [Shared(split["user_key"], weights, place) for place, split in enumerate(splits)]


def overlays_of(row: Mapping[str, Any]) -> list[Shared]:
    """Who is credited beside it."""
    return [Shared(over["user_key"], (), 0, over["share_bp"]) for over in row["overlays"] or ()]


def of_deal(asked: "Asking", exchange: Exchange, due_on: str) -> tuple[Pay | Unseen, ...]:
    people = {(shared.user_key, False): shared for shared in shares_of(asked.row)}
    people |= {(shared.user_key, True): shared for shared in overlays_of(asked.row)}
    sees = asked.role in SEES_COST
    told = sorted({user for user, _ in people if sees or user == asked.user_key})
    found: list[Pay] = []
    for owed in asked.owed(told):
        shared = people.get((owed.user_key, owed.overlay))
        if shared is not None and (sees or owed.measure != "margin"):
            found.append(Pay(owed=owed, shared=shared, deal_currency=asked.row["currency"], exchange=exchange))
    found.sort(key=lambda pay: (pay.owed.user_key, pay.owed.plan_key, pay.owed.period_key))
    return (*found, *(() if sees else _unseen(asked, told, due_on)))


def _unseen(asked: "Asking", users: Sequence[str], due_on: str) -> Iterator[Unseen]:
    """Of assignments that hold on the day, those to plans that are not in the caller's sight."""
    rows = (row for _, row in asked.of("commission_assignments", "user_key", users))
    given = {(row["plan_key"], row["user_key"]) for row in rows if holds_on(row["valid_from"], row["valid_to"], due_on)}
    seen = {key for key, _ in asked.of("commission_plans", "key", sorted({plan for plan, _ in given}))}
    yield from (Unseen(user, plan) for plan, user in sorted(given) if plan not in seen)
