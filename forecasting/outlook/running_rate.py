"""The statistical view: what periods brought goes on, node by node. Pure.

The company's series is told by the mean of four models (`engine.series`) from `MODELLED` periods on. Everybody else's,
and a shorter one, by a rule that a handful of periods can carry: the mean of what the last few brought, and of what the
same one of a year ago did, moved by how the company has grown since. (A thousand people's own models would take more
time than all else, at each look back; making levels add up hands down what the company's says.) Of a period that is
running, what still comes is the part that came in the same last days of earlier ones. Only periods that were over on
the day are seen; models are fitted once for each number of them.
"""

from collections.abc import Sequence

import numpy as np

from forecasting.engine.values import Floats
from forecasting.outlook.shape import Money, Tree
from forecasting.outlook.values import Span

LAST = 4  # periods that the level is of
MODELLED = 10  # periods that models need
FURTHEST = 4  # periods ahead that models are asked for
YEAR = 365.25
GROWTH = (0.5, 2.0)


class RunRate:
    def __init__(self, tree: Tree, money: Money, spans: Sequence[Span]) -> None:
        self._tree, self._money = tree, money
        self._spans = [span for span in spans if span.start >= money.first]
        self._leaves = (
            np.stack([money.between(span.start - 1, span.end - 1) for span in self._spans], axis=1)
            if self._spans
            else np.zeros((len(tree.leaf_node), 0))
        )
        self.totals = tree.up(self._leaves)
        length = float(np.median([span.end - span.start for span in self._spans])) if self._spans else YEAR
        self._modelled: dict[int, Floats | None] = {}
        self.season = max(round(YEAR / max(length, 1.0)), 1)

    def say(self, span: Span, day: int) -> Floats:
        """(nodes,) of what still comes after the day; NaN before a first period is over."""
        over = sum(1 for one in self._spans if one.end - 1 <= day)
        if not over:
            return np.full(len(self._tree), np.nan)
        return np.asarray(self._total(span, over) * self._left(span, day, over), dtype=np.float64)

    def _total(self, span: Span, over: int) -> Floats:
        found = self._by_rule(span, over)
        place = next((n for n, one in enumerate(self._spans) if one.key == span.key), over)
        models = self._by_models(over) if over <= place < over + FURTHEST else None
        if models is not None:
            found[0] = models[place - over]
        return found

    def _by_models(self, over: int) -> Floats | None:
        """What the company's next periods will bring; None where models cannot say."""
        if over < MODELLED:
            return None
        if over not in self._modelled:
            from forecasting.engine.series.forecasting import NoForecast, forecast_series  # heavy

            told = forecast_series(self.totals[0, :over], self.season, FURTHEST, non_negative=True)
            self._modelled[over] = None if isinstance(told, NoForecast) else told.points
        return self._modelled[over]

    def _by_rule(self, span: Span, over: int) -> Floats:
        seen = self.totals[:, :over]
        level = seen[:, -LAST:].mean(axis=1)
        same = [n for n in range(over) if abs(self._spans[n].start - span.start + YEAR) <= YEAR / self.season / 2]
        if not same or over < self.season + 1:
            return np.asarray(level, dtype=np.float64)
        now, then = self._grown(over)
        growth = float(np.clip(np.sqrt(now / then), *GROWTH)) if now > 0 and then > 0 else 1.0
        return np.asarray((level + seen[:, same[-1]] * growth) / 2, dtype=np.float64)

    def _grown(self, over: int) -> tuple[float, float]:
        """The company's last periods, and the same ones a year before."""
        count = min(LAST, over - self.season)
        company = self.totals[0, :over]
        return float(company[-count:].sum()), float(company[over - self.season - count : over - self.season].sum())

    def _left(self, span: Span, day: int, over: int) -> float:
        """The part of a period that comes in as many last days as this one still has."""
        days = span.end - 1 - max(span.start - 1, day)
        if day < span.start:
            return 1.0
        came = total = 0.0
        for n in range(max(over - 2 * LAST, 0), over):
            one = self._spans[n]
            after = max(one.end - 1 - days, one.start - 1)
            came += float(self._money.between(after, one.end - 1).sum())
            total += float(self.totals[0, n])
        return float(np.clip(came / total, 0.0, 1.0)) if total > 0 else days / (span.end - span.start)
