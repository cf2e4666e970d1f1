"""Answers as pictures: which figures of an answer are drawn, and in what words its holes are told. Pure.

A picture is made of the answer that the caller gets, so it shows nothing that he may not see. What is drawn is
`forecasting/pictures/`; how, is its business.
"""

from collections.abc import Iterable, Mapping, Sequence

from forecasting.answers import Money, Node, PeriodTold, Rollup
from forecasting.pictures.values import About, AccuracyPicture, Called, MovementPicture, RollupPicture, Stack, Step
from forecasting.tables import Bar

NOTHING: Mapping[str, int] = {}
NAMELESS = {"company": "Company", "territory:": "No territory", "product:": "No product"}
DIRECT = "direct"  # the key of no node: what lies at the node itself
HOLE_WORDS = {
    "amount_missing": ("1 deal without amount", "{} deals without amount"),
    "close_on_missing": ("1 deal without closing day", "{} deals without closing day"),
    "rate_missing": ("1 amount in a currency without rate", "{} amounts in currencies without rate"),
    "owner_missing": ("1 deal without owner", "{} deals without owner"),
}
WHY_WORDS = {"not_seen": "some money is not yours to see"}


def rollup_picture(
    told: Rollup, quotas: Mapping[str, int] = NOTHING, calls: Mapping[str, int] = NOTHING
) -> RollupPicture:
    """The node that was asked for and those directly below it; quotas and calls of the view `commit` by node, in minor
    units of the answer's currency."""
    top = told.nodes[0]
    below = [node for node in told.nodes[1:] if node.parent == top.node and node.depth == top.depth + 1]
    parts = [_stack(node, quotas, calls) for node in below]
    direct = _amounts(top.direct)
    if parts and any(direct.values()):
        parts.append(Stack(DIRECT, "Not below", direct))
    by = "" if told.by == "owner" else f" by {told.by}"
    about = About(
        node=f"{name_of(top.node, top.name)}{by}",
        period=told.period.name,
        currency=told.currency,
        as_of=told.as_of,
        source="live" if told.as_of_snapshot is None else f"snapshot {told.as_of_snapshot}",
        notes=notes(top.missing, top.why),
    )
    return RollupPicture(about, _stack(top, quotas, calls), parts)


def movement_picture(
    *,
    period: PeriodTold,
    node: str,
    currency: str,
    days: tuple[str, str],
    numbers: tuple[int, int],
    bars: Sequence[Bar],
    holes: Mapping[str, int] = NOTHING,
    why: Iterable[str] = (),
    view: str | None = None,
) -> MovementPicture:
    """All `bars` from the opening to the closing; `node` is its name, `days` and `numbers` are of the two snapshots."""
    about = About(
        node=node,
        period=period.name,
        currency=currency,
        as_of=f"{days[0]} to {days[1]}",
        source=f"snapshots {numbers[0]} and {numbers[1]}",
        notes=notes(holes, why),
    )
    return MovementPicture(about, [Step(bar.name, bar.deals, dict(bar.amounts)) for bar in bars], view)


def accuracy_picture(
    about: About, calls: Sequence[Called], view: str, *, wape_bp: int | None, bias_bp: int | None, few: bool
) -> AccuracyPicture:
    """Calls of one lock and period are one point: their sums. WAPE and bias are those of the answer."""
    sums: dict[tuple[str, str], Called] = {}
    for call in calls:
        place = (call.due_on, call.period)
        before = sums.get(place)
        sums[place] = call if before is None else _added(before, call)
    return AccuracyPicture(about, [sums[place] for place in sorted(sums)], view, wape_bp, bias_bp, few)


def _added(one: Called, other: Called) -> Called:
    is_over = one.closed_minor is not None and other.closed_minor is not None
    closed = (one.closed_minor or 0) + (other.closed_minor or 0) if is_over else None
    return Called(one.due_on, one.period, one.call_minor + other.call_minor, closed)


def name_of(node: str, name: str | None) -> str:
    return name or NAMELESS.get(node) or node.partition(":")[2]


def notes(holes: Mapping[str, int], why: Iterable[str]) -> tuple[str, ...]:
    """Holes with their number, and what else makes a figure partial, in words."""
    told = []
    for code, count in sorted(holes.items()):
        one, many = HOLE_WORDS.get(code, (code, f"{{}} times {code}"))
        told.append(one if count == 1 else many.format(count))
    return (*([", ".join(told)] if told else []), *(WHY_WORDS[code] for code in why if code in WHY_WORDS))


def _stack(node: Node, quotas: Mapping[str, int], calls: Mapping[str, int]) -> Stack:
    return Stack(
        node.node,
        name_of(node.node, node.name),
        _amounts(node.buckets),
        quotas.get(node.node) if node.here else None,
        calls.get(node.node) if node.here else None,
    )


def _amounts(buckets: Mapping[str, Money]) -> dict[str, int]:
    return {bucket: money.amount_minor for bucket, money in buckets.items()}
