"""The question as the engine takes it: deals, the tree, money by day and person, periods. Pure.

Odd input has an odd answer and no exception: what lies outside of time is not there, a person who is named twice is
one, a node has one place in the tree (the first that is told), periods that end before they begin are none.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from forecasting.engine.hierarchy import Hierarchy, tree
from forecasting.engine.values import AMOUNT, NEVER, Changes, Deals, Floats, Ints, as_known
from forecasting.outlook.values import COMPANY, DealColumns, Question, Span

T = TypeVar("T", np.float64, np.int64)
PEOPLE = "people"
BACK = 6 * 366  # days of money that are looked at
LARGEST = 1e15  # minor units: sums of thousands are still whole numbers
AHEAD = 3 * 366  # days ahead in which a period may end


class Tree(Struct, frozen=True, eq=False):
    """Nodes in order of the tree, each after the one above it. `leaf_node` is the node of each distinct person,
    `leaf_of` the person of each position of the question; `depth` names levels, people are one level wherever."""

    names: tuple[str, ...]
    parent: tuple[int, ...]
    above: tuple[tuple[str, ...], ...]
    levels: tuple[str, ...]
    leaf_node: Ints
    leaf_of: Ints

    def __len__(self) -> int:
        return len(self.names)

    def up(self, of_leaves: NDArray[T]) -> NDArray[T]:
        """(people, ...) -> (nodes, ...): every node is the sum of those directly below it."""
        found = np.zeros((len(self.names), *of_leaves.shape[1:]), dtype=of_leaves.dtype)
        found[self.leaf_node] = of_leaves
        for node in range(len(self.names) - 1, 0, -1):
            found[self.parent[node]] += found[node]
        return found

    def hierarchy(self) -> Hierarchy:
        parents = [self.names[parent] if parent >= 0 else None for parent in self.parent]
        return tree(self.names, parents, self.levels)


class Money(Struct, frozen=True, eq=False):
    """What each person closed until the end of each day from `first - 1` on: (people, days)."""

    first: int
    until: Floats

    def between(self, after: int, end: int) -> Floats:
        """(people,) on the days (after, end]; days that are not known brought nothing."""
        last = self.until.shape[1] - 1
        low, high = (int(np.clip(day - self.first + 1, 0, last)) for day in (after, max(end, after)))
        found: Floats = self.until[:, high] - self.until[:, low]
        return found


def deals_of(question: Question) -> Deals:
    """As they were known at the end of the day. Deals that open later are not there, nor what changed of them."""
    columns = question.deals
    changes = _changes(columns, question.until)
    amount = np.array([np.nan if value is None else float(value) for value in columns.amount_minor], dtype=np.float64)
    opened = np.array(columns.opened_on, dtype=np.int64)
    ended = np.array(columns.ended_on, dtype=np.int64)
    ended = np.where((ended != NEVER) & (ended < opened), opened, ended)
    told = Deals(
        until=question.until,
        keys=tuple(columns.keys),
        opened_on=opened,
        ended_on=ended,
        won=np.array(columns.won, dtype=np.bool_) & (ended != NEVER),
        amount=amount,
        features={name: tuple(texts) for name, texts in sorted(columns.features.items())},
        stages=tuple(columns.stages),
        changes=changes,
    )
    return as_known(told, question.until)


def _changes(columns: DealColumns, until: int) -> Changes:
    """In order of deal and day; a stage, or a day, that was taken away or is not known says nothing."""
    kind = np.array(columns.change_kind, dtype=np.int64)
    value = np.array([np.nan if one is None else float(one) for one in columns.change_value], dtype=np.float64)
    deal, day = np.array(columns.change_deal, dtype=np.int64), np.array(columns.change_day, dtype=np.int64)
    told = (deal >= 0) & (deal < len(columns.keys)) & (day <= until)
    kept = np.flatnonzero(told & ((kind == AMOUNT) | np.isfinite(value)))
    kept = kept[np.lexsort((day[kept], deal[kept]))]
    return Changes(deal[kept], day[kept], kind[kept], value[kept])


def tree_of(question: Question) -> Tree:
    above: dict[str, tuple[str, ...]] = {COMPANY: ()}
    for leaf in question.leaves:
        way: tuple[str, ...] = (COMPANY,)
        teams = (node for node in leaf.above if node != COMPANY and not node.startswith("user:"))
        for node in (*teams, f"user:{leaf.user_key}"):
            above.setdefault(node, way)
            way = (*above[node], node)
    names = sorted(above, key=lambda name: (*above[name], name) if name != COMPANY else ())
    place = {name: n for n, name in enumerate(names)}
    people = sorted({f"user:{leaf.user_key}" for leaf in question.leaves}, key=lambda name: place[name])
    person = {name: n for n, name in enumerate(people)}
    return Tree(
        names=tuple(names),
        parent=tuple(place[above[name][-1]] if above[name] else -1 for name in names),
        above=tuple(above[name] for name in names),
        levels=tuple(PEOPLE if name in person else str(len(above[name])) for name in names),
        leaf_node=np.array([place[name] for name in people], dtype=np.int64),
        leaf_of=np.array([person[f"user:{one.user_key}"] for one in question.leaves], dtype=np.int64),
    )


def money_of(question: Question, of: Tree) -> Money:
    low = question.until - BACK
    rows = [
        (credit.day, int(of.leaf_of[credit.leaf]), float(credit.amount_minor))
        for credit in question.credits
        if low < credit.day <= question.until and 0 <= credit.leaf < len(of.leaf_of)
    ]
    first = min((day for day, _, _ in rows), default=question.until)
    daily = np.zeros((len(of.leaf_node), question.until - first + 2))
    for day, leaf, amount in rows:
        daily[leaf, day - first + 1] += amount
    return Money(first, np.cumsum(daily, axis=1))


def spans_of(question: Question) -> list[Span]:
    """In order of time, none of them twice, none that begins before the one before it has ended."""
    found: list[Span] = []
    for span in sorted(question.spans, key=lambda one: (one.start, one.end, one.key)):
        is_next = not found or (span.start >= found[-1].end and span.key not in {one.key for one in found})
        if span.end > span.start and is_next:
            found.append(span)
    return found


def quarters_of(spans: Sequence[Span]) -> Ints | None:
    """First days of the company's periods, by which selling has its rhythm; None (civil quarters) for longer ones."""
    if len(spans) < 2 or float(np.median([span.end - span.start for span in spans])) > 120:
        return None
    return np.array(sorted({span.start for span in spans} | {spans[-1].end}), dtype=np.int64)


def summed(group: Ints, values: Floats, count: int) -> Floats:
    """(count,) sums of the values of each group."""
    return np.bincount(group, weights=values, minlength=count).astype(np.float64)


def whole(parts: Floats) -> Ints:
    """Money in whole minor units, of which the sum is the rounded sum: what is left over goes where most of it was cut
    off, in order where that is equal. What is beyond `LARGEST` is that."""
    parts = np.clip(parts, -LARGEST, LARGEST)
    low = np.floor(parts)
    left = round(float(parts.sum())) - int(low.sum())
    order = np.argsort(-(parts - low), kind="stable")
    found = low.astype(np.int64)
    found[order[:left]] += 1  # 0 to as many as there are parts
    return found
