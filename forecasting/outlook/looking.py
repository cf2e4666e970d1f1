"""What each view says of the rest of a period, person by person or node by node, with what was known on a day. Pure.

A view is told as what still comes, in minor units, after the day; what was closed before is known and no forecast. NaN
where a view says nothing. `Looker` looks at past days exactly as at today: open deals by the plain hazards
(`engine.ageing`), which are quick enough to be counted again for each look; but once there is a `LONG` past, only once
for each past period, on the eve of its first day, for all days in it. What is looked at is a period, or any other days.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from forecasting.engine.ageing import Ageing, learn_ageing
from forecasting.engine.newcomers import NoArrivals, expect, learn_arrivals
from forecasting.engine.period import calendar_of, plain_chances, shifted
from forecasting.engine.values import NEVER, Deals, Floats, Ints, as_known
from forecasting.outlook.running_rate import SHORTEST, YEAR, RunRate
from forecasting.outlook.shape import LARGEST, Money, Tree, summed
from forecasting.outlook.values import CALL, LAST_PERIOD, LAST_YEAR, PIPELINE, SERIES, Call, Span

SAID = (PIPELINE, SERIES, CALL, LAST_PERIOD, LAST_YEAR)
LONG = 364  # days known before the eve of a period, from which on hazards are those of the eve
NEAR_A_YEAR = 20  # days by which a period of a year ago may begin off
SOLD_LATELY = 366


class Pipeline(Struct, frozen=True, eq=False):
    """Of the people: what open deals bring, and deals to come, and the variance that luck alone gives to both.
    `common` is the variance of the factor by which all that is to come varies."""

    open: Floats
    new: Floats
    luck: Floats
    common: float


class Look(Struct, frozen=True, eq=False):
    """A period as it was seen at the end of `day`: (nodes,) what was won by then, (views, nodes) what views say still
    comes, by `SAID`, and the variance of the pipeline's (nodes,), NaN where it says nothing."""

    span: Span
    day: int
    won: Floats
    said: Floats
    luck: Floats


class Looker:
    """Of one company. `first` is the first day of which anything that was closed is known."""

    def __init__(
        self,
        deals: Deals,
        tree: Tree,
        money: Money,
        spans: Sequence[Span],
        calls: Sequence[Call],
        quarters: Ints | None,
    ) -> None:
        self.tree, self.spans = tree, spans
        self._deals, self._money = deals, money
        self.calendar = calendar_of(quarters, deals, max([deals.until, *(span.end for span in spans)]))
        self._leaf = {tree.names[node].removeprefix("user:"): n for n, node in enumerate(tree.leaf_node)}
        self.people = list(self._leaf)
        place = {name: n for n, name in enumerate(tree.names)}
        self._calls: dict[str, list[tuple[int, int, float]]] = {}
        for call in sorted(calls, key=lambda one: (one.day, one.node, one.amount_minor)):
            if call.node in place:
                self._calls.setdefault(call.period_key, []).append(
                    (call.day, place[call.node], float(call.amount_minor))
                )
        self._ageings: dict[int, Ageing | None] = {}
        ended = deals.ended_on[deals.ended_on != NEVER]
        known = [int(ended.min())] if len(ended) else []
        self.first = min(
            [*known, *([money.first] if money.until[:, -1:].size and money.until.any() else [])], default=None
        )
        self.rate = RunRate(tree, money, spans, self.calendar, self.first)

    def look(self, span: Span, day: int, pipeline: Pipeline | None = None) -> Look:
        """`pipeline` where it is known already."""
        won = self.tree.up(self._money.between(min(span.start - 1, day), day))
        if pipeline is None:
            pipeline = self.pipeline(span, day)
        said = np.full((len(SAID), len(self.tree)), np.nan)
        luck = np.full(len(self.tree), np.nan)
        if pipeline is not None:
            both = self.tree.up(np.stack([pipeline.open + pipeline.new, pipeline.luck, pipeline.new], axis=1))
            said[0] = both[:, 0]
            luck = both[:, 1] + pipeline.common * both[:, 2] ** 2
        said[1] = self.rate.say(span, day)
        said[2] = self._called(span, day, won)
        said[3:] = self._before(span, day)
        return Look(span, day, won, said, luck)

    def came(self, span: Span, day: int) -> Floats:
        return self.tree.up(self._money.between(max(span.start - 1, day), span.end - 1))

    def can_look(self, day: int) -> bool:
        return self.first is not None and day >= self.first + SHORTEST

    # -- pipeline

    def pipeline(self, span: Span, day: int) -> Pipeline | None:
        """By the plain hazards; None before the first end of a deal."""
        after, end = max(span.start - 1, day), span.end - 1
        ageing = self._ageing(day)
        if ageing is None:
            return None
        if end <= after:
            nothing = np.zeros(len(self.people))
            return Pipeline(nothing, nothing, nothing, 0.0)
        known = as_known(self._deals, day)
        edges = np.array([day, after, end] if after > day else [day, end], dtype=np.int64)
        chances = plain_chances(known, edges, ageing)
        arrivals = learn_arrivals(known, day, self.calendar, ageing=ageing)
        assert chances is not None  # there is an ageing
        owner = known.features.get("owner", ("",) * len(known))
        leaf = np.array([self._leaf.get(owner[n], -1) for n in np.flatnonzero(known.is_open)], dtype=np.int64)
        mine = leaf >= 0
        chance = chances.win[:, -1][mine]
        amount = np.clip(np.where(np.isfinite(chances.amount), chances.amount, 0.0), 0.0, LARGEST)[mine]
        square = chance * amount**2 * np.exp(np.minimum(chances.spread[mine], 3.0) ** 2) - (chance * amount) ** 2
        count = len(self.people)
        open_ = summed(leaf[mine], chance * amount, count)
        luck = summed(leaf[mine], np.maximum(square, 0.0), count)
        if isinstance(arrivals, NoArrivals) or not count:
            return Pipeline(open_, np.zeros(count), luck, 0.0)
        coming = expect(arrivals, edges, self.people)
        rate = coming.rate[:, -1]
        new = rate * float(coming.amounts.mean())
        return Pipeline(open_, new, luck + rate * float((coming.amounts**2).mean()), coming.variance)

    def _ageing(self, day: int) -> Ageing | None:
        """Counted on the eve of the period that the day lies in, or on the day: never later."""
        eve = max((span.start - 1 for span in self.spans if span.start - 1 <= day), default=day)
        if self.first is None or eve < self.first + LONG:
            eve = day
        if eve not in self._ageings:
            self._ageings[eve] = learn_ageing(as_known(self._deals, eve), self.calendar)
        return self._ageings[eve]

    # -- people, and the past itself

    def _called(self, span: Span, day: int, won: Floats) -> Floats:
        """The last call of each node that was locked by the day; where nobody calls for a node, the sum of those
        directly below it, if all of them who sell say one. A call below what is won says that nothing more comes."""
        found = np.full(len(self.tree), np.nan)
        for on, node, amount in self._calls.get(span.key, ()):
            if on <= day:
                found[node] = amount
        if not np.isfinite(found).any():
            return found
        lately = self.tree.up(np.abs(self._money.between(day - SOLD_LATELY, day)))
        sums, missing = np.zeros(len(self.tree)), np.zeros(len(self.tree), dtype=np.bool_)
        said = np.zeros(len(self.tree), dtype=np.bool_)
        for node in range(len(self.tree) - 1, -1, -1):
            if np.isnan(found[node]) and said[node] and not missing[node]:
                found[node] = sums[node]
            above = self.tree.parent[node]
            if above < 0:
                continue
            if np.isfinite(found[node]):
                sums[above] += found[node]
                said[above] = True
            elif lately[node] > 0:
                missing[above] = True
        return np.maximum(found - won, 0.0)

    def _before(self, span: Span, day: int) -> Floats:
        """(2, nodes): what the same last days brought of the last period that was over, and of the one a year before;
        of days that are no period, those at their place."""
        found = np.full((2, len(self.tree)), np.nan)
        pairs = self._periods_before(span, day) if span in self.spans else self._places_before(span, day)
        for row, days in enumerate(pairs):
            if days is not None:
                found[row] = self.tree.up(self._money.between(*days))
        return found

    def _periods_before(self, span: Span, day: int) -> list[tuple[int, int] | None]:
        left = span.end - 1 - max(span.start - 1, day)
        over = [one for one in self.spans if one.end - 1 <= day and one.end <= span.start]
        year = [one for one in over if abs(one.start - span.start + 365) <= NEAR_A_YEAR]
        found: list[tuple[int, int] | None] = []
        for one in (over[-1] if over else None, year[-1] if year else None):
            if one is None or self.first is None or one.start < self.first:
                found.append(None)
            else:
                after = one.start - 1 if day < span.start else max(one.end - 1 - left, one.start - 1)
                found.append((after, one.end - 1))
        return found

    def _places_before(self, span: Span, day: int) -> list[tuple[int, int] | None]:
        found: list[tuple[int, int] | None] = []
        for back in (1, round(YEAR / float(np.median(np.diff(self.calendar))))):
            after, end = (shifted(self.calendar, one, back) for one in (max(span.start - 1, day), span.end - 1))
            there = self.first is not None and after >= self.first - 1 and after < end <= day
            found.append((after, end) if there else None)
        return found
