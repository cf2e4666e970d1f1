"""Which campaign a deal owes itself to: touches before the credit share it by the organisation's model. Pure.

`first` and `last` give all to one touch, `linear` to all alike, `position` 40 % to the first and the last each and the
rest to those between (of two: half each), `decay` halves a touch for each whole week that it lies before the credit.
Weights are whole and exact; an amount is shared by largest remainder, so that its parts sum to it (R16).
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from sfa.core.money import allocate

MODELS = ("first", "last", "linear", "position", "decay")
SCALE = 1_000_000  # what the weights of a deal sum to
WEEK_MS = 7 * 86_400_000
HALVINGS_MAX = 600  # beyond these a touch weighs nothing beside a later one


class Touch(Struct, frozen=True, order=True):
    at: int
    key: str
    campaign_key: str


def within(touches: Sequence[Touch], at: int, days: int) -> list[Touch]:
    """Those that count for a credit: not after it, and at most so many days before; in the order of time."""
    since = at - days * 86_400_000
    return sorted(touch for touch in touches if since <= touch.at <= at)


def weights(model: str, touches: Sequence[Touch], at: int) -> list[int]:
    """What each touch weighs, in order; they sum to exactly `SCALE`, or there are none."""
    count = len(touches)
    if not count:
        return []
    match model:
        case "first":
            raw = [1, *[0] * (count - 1)]
        case "last":
            raw = [*[0] * (count - 1), 1]
        case "position" if count > 2:
            raw = [2 * (count - 2), *[1] * (count - 2), 2 * (count - 2)]  # 40 : 20 / (n - 2) : 40
        case "decay":
            ages = [(at - touch.at) // WEEK_MS for touch in touches]
            oldest = min(max(ages), min(ages) + HALVINGS_MAX)
            raw = [1 << (oldest - age) if age <= oldest else 0 for age in ages]
        case _:
            raw = [1] * count
    return allocate(SCALE, raw)


def by_campaign(amount: int, touches: Sequence[Touch], shares: Sequence[int]) -> dict[str, int]:
    """An amount shared out by touches, told by campaign: sums to it."""
    found: dict[str, int] = {}
    for touch, part in zip(touches, allocate(amount, shares), strict=True):
        found[touch.campaign_key] = found.get(touch.campaign_key, 0) + part
    return found


def influence(touches: Sequence[Touch], shares: Sequence[int]) -> Mapping[str, int]:
    """campaign -> its part of the deal, in millionths."""
    found: dict[str, int] = {}
    for touch, share in zip(touches, shares, strict=True):
        found[touch.campaign_key] = found.get(touch.campaign_key, 0) + share
    return found
