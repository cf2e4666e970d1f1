"""Who is credited with a deal, for how much and when (R9, R16, R17, R21): pure, the same on server and device.

A deal has *ends*: the one that stands, and earlier ones that a reopening reversed (`closings`). An end in a won stage
is credited once, at the event (won, signed, invoiced) that the rule of its won day names; without a rule when it was
won. Splits share out the amount so that the parts sum to the cent; overlays are credited beside it and enter no total.
A reversed end keeps its credits and has each once more as a `reversal`, which counts negative, at its reopening.
Does not do: where credits are kept (`sfa.db.credits`), conversion between currencies, who else sees them.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import UNSET, Struct, UnsetType, structs

from sfa.core.days import local_day
from sfa.core.fields import MONEY_MAX
from sfa.core.money import BP_WHOLE, Rounding, allocate, apply_bp, rounded

MICRO = 1_000_000
QUANTITY_MAX = 9 * 10**18  # what a column of millionths holds
DATED_MIN, FIRST_DAY = -62_135_596_800_000, "0001-01-01"  # what begins before lies east of UTC, on the first day
DATED_MAX = 253_300_000_000_000  # later instants than any zone can say the day of
EVENTS = {"won": "closed_at", "signed": "signed_at", "invoiced": "invoiced_at"}


class End(Struct, frozen=True):
    """One closing of a deal; `reopened_at` where it was reversed. `n` counts from 1. `event` is the one that credited a
    reversed end (None for none), UNSET where that was not written down: then today's rules say it."""

    n: int
    stage_key: str
    closed_at: int
    signed_at: int | None
    invoiced_at: int | None
    reopened_at: int | None
    owner_key: str
    amount_minor: int | None
    currency: str | None
    splits: tuple[tuple[str, int], ...]
    overlays: tuple[tuple[str, int], ...]
    event: str | UnsetType | None = UNSET


class Credit(Struct, frozen=True):
    """One person's part of one end, in the deal's currency; a `reversal` counts negative. `owner`: of the deal, or who
    has the largest part where the owner has none, because it was handed on (R18).
    Money is converted at the rate of `rated_at`: a reversal takes back what the credit was worth (R34)."""

    n: int
    user_key: str
    overlay: bool
    reversal: bool
    at: int
    rated_at: int
    event: str
    owner: bool
    share_bp: int
    amount_minor: int | None
    currency: str | None


class Line(Struct, frozen=True):
    product_key: str
    quantity: str


class Cost(Struct, frozen=True):
    """What one unit of a product costs on the days [valid_from, valid_to)."""

    key: str
    product_key: str
    amount_minor: int
    currency: str
    valid_from: str
    valid_to: str | None


def ends_of(deal: Mapping[str, Any]) -> list[End]:
    """Every end of a deal's row, in order; none while it has never been closed."""
    earlier = deal.get("closings") or ()
    found = [_end(n, closing, closing.get("reopened_at")) for n, closing in enumerate(earlier, 1)]
    if deal["closed_at"] is not None:
        found.append(_end(len(earlier) + 1, deal, None))
    return found


def standing(deal: Mapping[str, Any]) -> End:
    """A deal as it would end now, open or closed: what its shares are shares of."""
    return _end(len(deal.get("closings") or ()) + 1, {**deal, "closed_at": deal.get("closed_at") or 0}, None)


def _end(n: int, said: Mapping[str, Any], reopened_at: int | None) -> End:
    return End(
        n=n,
        stage_key=said["stage_key"],
        closed_at=said["closed_at"],
        signed_at=said.get("signed_at"),
        invoiced_at=said.get("invoiced_at"),
        reopened_at=reopened_at,
        owner_key=said["owner_key"],
        amount_minor=said.get("amount_minor"),
        currency=said.get("currency"),
        splits=_shares(said.get("splits")),
        overlays=_shares(said.get("overlays")),
        event=said.get("event", UNSET) if reopened_at is not None else UNSET,
    )


def _shares(said: Iterable[Any] | None) -> tuple[tuple[str, int], ...]:
    """Each person once; what is no share (a field of an older app) credits nobody."""
    found: dict[str, int] = {}
    for share in said or ():
        user, bp = (share.get("user_key"), share.get("share_bp")) if isinstance(share, dict) else (None, None)
        if isinstance(user, str) and type(bp) is int and 0 <= bp <= BP_WHOLE:
            found[user] = min(found.get(user, 0) + bp, BP_WHOLE)
    return tuple(found.items())


def day_of(at: int, zone: str) -> str:
    """The local day of an instant, of any instant that a field may hold or that a day begins at (`start_of_ms`)."""
    if at < DATED_MIN:
        return FIRST_DAY
    return local_day(min(at, DATED_MAX), zone)


def event_on(rules: Mapping[str, Mapping[str, Any]], day: str) -> str:
    """The event that credits what is won on a day: of several rules the one that began last."""
    valid = [(r["valid_from"], key) for key, r in rules.items() if r["valid_from"] <= day < (r["valid_to"] or "9999")]
    return str(rules[max(valid)[1]]["event"]) if valid else "won"


def shared_out(amount_minor: int | None, end: End) -> list[tuple[str, int, int | None]]:
    """-> (user, share, part) of everybody among whom an end is split: the parts sum to the whole."""
    splits = end.splits or ((end.owner_key, BP_WHOLE),)
    weights = [share for _, share in splits]
    if amount_minor is None or not any(weights):
        return [(user, share, None) for user, share in splits]
    return [(user, share, part) for (user, share), part in zip(splits, allocate(amount_minor, weights), strict=True)]


def overlaid(amount_minor: int | None, end: End) -> list[tuple[str, int, int | None]]:
    """-> (user, share, part) of the overlays, each a share of the whole, half up."""
    return [
        (user, share, None if amount_minor is None else apply_bp(amount_minor, share, Rounding.HALF_UP))
        for user, share in end.overlays
    ]


def credits_of_end(end: End, won: Container[str], rules: Mapping[str, Mapping[str, Any]], zone: str) -> list[Credit]:
    """What an end credits, its reversal included; nothing where it is not won, or its event has not come."""
    if end.stage_key not in won:
        return []
    event = event_on(rules, day_of(end.closed_at, zone)) if end.event is UNSET else end.event
    at = {"won": end.closed_at, "signed": end.signed_at, "invoiced": end.invoiced_at}.get(event or "")
    if event is None or at is None:
        return []
    parts = [(part, False) for part in shared_out(end.amount_minor, end)]
    parts += [(part, True) for part in overlaid(end.amount_minor, end)]
    owner = _gains(end)
    found = [
        Credit(end.n, user, overlay, False, at, at, event, user == owner, share, amount, end.currency)
        for (user, share, amount), overlay in parts
    ]
    return found + reversed_at(found, end.reopened_at)


def _gains(end: End) -> str:
    """Whose win an end is, of those who share it: its owner, unless he has no part in it."""
    parts = dict(end.splits)
    if parts.get(end.owner_key, 0) or not any(parts.values()):
        return end.owner_key
    return max(parts, key=lambda user: parts[user])


def reversed_at(credits_: Sequence[Credit], reopened_at: int | None) -> list[Credit]:
    """The same once more, negative by meaning, at the reopening (R21)."""
    return [structs.replace(c, reversal=True, at=reopened_at) for c in credits_] if reopened_at is not None else []


def credits_of(
    deal: Mapping[str, Any], won: Container[str], rules: Mapping[str, Mapping[str, Any]], zone: str
) -> list[Credit]:
    """Every credit of a deal's row. `won` are the keys of won stages, `rules` the rows of `credit_rules` by key."""
    return [credit for end in ends_of(deal) for credit in credits_of_end(end, won, rules, zone)]


def is_awaited(deal: Mapping[str, Any], won: Container[str], rules: Mapping[str, Mapping[str, Any]], zone: str) -> bool:
    """Whether a deal is won and the event that credits it has not happened (R17)."""
    if deal["closed_at"] is None or deal["stage_key"] not in won:
        return False
    return not credits_of_end(ends_of(deal)[-1], won, rules, zone)


# -- cost and quantity ------------------------------------------------------------------------------------------------


def cost_on(costs: Iterable[Cost], day: str) -> Cost | None:
    """The cost of a product that is valid on a day: of several the one that began last."""
    valid = [c for c in costs if c.valid_from <= day < (c.valid_to or "9999")]
    return max(valid, key=lambda c: (c.valid_from, c.key), default=None)


def cost_of(lines: Sequence[Line], costs: Mapping[str, Sequence[Cost]], day: str) -> tuple[int, str] | None:
    """What the lines cost on a day, rounded once, half up. None where there is no line, a cost is missing, the costs
    are in two currencies, or the sum is beyond what money may be."""
    total, currency = Fraction(0), None
    for line in lines:
        cost = cost_on(costs.get(line.product_key, ()), day)
        if cost is None or currency not in (None, cost.currency):
            return None
        currency = cost.currency
        total += Fraction(line.quantity) * cost.amount_minor
    if currency is None or abs(total) > MONEY_MAX:
        return None
    return rounded(total, Rounding.HALF_UP), currency


def quantities_of(lines: Iterable[Line]) -> dict[str, int]:
    """product -> millionths of its unit over all lines, half up."""
    found: dict[str, Fraction] = {}
    for line in lines:
        found[line.product_key] = found.get(line.product_key, Fraction(0)) + Fraction(line.quantity)
    return {key: min(rounded(total * MICRO, Rounding.HALF_UP), QUANTITY_MAX) for key, total in sorted(found.items())}
