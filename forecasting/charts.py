"""Answers as pictures: which figures of an answer are drawn, and in what words its holes are told. Pure.

A picture is made of the answer that the caller gets, so it shows nothing that he may not see. What is drawn is
`forecasting/pictures/`; how, is its business.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from forecasting.accuracy import Accuracy
from forecasting.answers import Money, Node, Rollup
from forecasting.moving import Movement
from forecasting.pictures.values import About, AccuracyPicture, Called, MovementPicture, RollupPicture, Stack, Step
from forecasting.tables import bars_of

NOTHING: Mapping[str, int] = {}
NAMELESS = {"company": "Company", "territory:": "No territory", "product:": "No product"}
DIRECT = "direct"  # the key of no node: what lies at the node itself
HOLE_WORDS = {
    "amount_missing": ("1 deal without amount", "{} deals without amount"),
    "close_on_missing": ("1 deal without closing day", "{} deals without closing day"),
    "rate_missing": ("1 amount in a currency without rate", "{} amounts in currencies without rate"),
    "owner_missing": ("1 deal without owner", "{} deals without owner"),
    "credit_awaited": ("1 won deal not credited yet", "{} won deals not credited yet"),
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


def movement_picture(told: Movement, name: str, view: str | None = None) -> MovementPicture:
    """Every bar from the opening to the closing, of a node that people call `name`."""
    about = About(
        node=name,
        period=told.period.name,
        currency=told.currency,
        as_of=f"{told.since.taken_on} to {told.to.taken_on}",
        source=f"snapshots {told.since.number} and {told.to.number}",
        notes=notes(Counter(hole.code for hole in told.missing), told.why),
    )
    return MovementPicture(about, [Step(bar.name, bar.deals, bar.amounts) for bar in bars_of(told)], view)


def accuracy_picture(told: Accuracy, name: str | None = None) -> AccuracyPicture:
    """Calls of one lock and period are one point: their sums, of one level, so that no money is in it twice: that of
    people before that of teams. `name` is that of the node; None where nobody was asked for. What names no amount is in
    no sum."""
    level = min((call.level for call in told.items), default="person")
    sums: dict[tuple[str, str], Called] = {}
    names = {period.key: period.name for period in told.periods}
    for call in told.items:
        if call.level == level and call.called_minor is not None and call.closed_minor is not None:
            period = names[call.period_key]
            before = sums.get((call.due_on, period), Called(call.due_on, period, 0, 0))
            sums[call.due_on, period] = _added(before, call.called_minor, call.closed_minor)
    periods = [period.name for period in told.periods]
    about = About(
        node=name or ("All people" if level == "person" else f"All of level {level}"),
        period=" to ".join(dict.fromkeys([*periods[:1], *periods[-1:]])),
        currency=told.currency,
        as_of=told.as_of,
        source="locked calls",
        notes=(f"{told.all.left_out} calls without an amount",) if told.all.left_out else (),
    )
    score = next((score for score in told.scores if told.by == "level" and score.of == level), told.all)
    calls = [sums[place] for place in sorted(sums)]
    return AccuracyPicture(about, calls, told.view, score.wape_bp, score.bias_bp, score.few)


def _added(before: Called, called_minor: int, closed_minor: int) -> Called:
    closed = (before.closed_minor or 0) + closed_minor
    return Called(before.due_on, before.period, before.call_minor + called_minor, closed)


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
