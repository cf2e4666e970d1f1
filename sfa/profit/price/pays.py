"""The plans by which those who share a deal would be paid for it, with what the period paid them so far (R41, R44).

Pure. Who sees cost is told of everybody, the others of themselves (R45).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sfa.core.access import SEES_COST
from sfa.core.money import BP_WHOLE
from sfa.profit.price.commissions_ahead import Pay, Shared
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


def of_deal(asked: "Asking", exchange: Exchange) -> tuple[Pay, ...]:
    people = {(shared.user_key, False): shared for shared in shares_of(asked.row)}
    people |= {(shared.user_key, True): shared for shared in overlays_of(asked.row)}
    told = {user for user, _ in people if asked.role in SEES_COST or user == asked.user_key}
    found = []
    for owed in asked.owed(sorted(told)):
        shared = people.get((owed.user_key, owed.overlay))
        if shared is not None:
            found.append(Pay(owed=owed, shared=shared, deal_currency=asked.row["currency"], exchange=exchange))
    return tuple(found)
