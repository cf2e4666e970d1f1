"""The statistical view: what days brought goes on, node by node. Pure.

A day brings what days of its third of the period brought in the last year; a node gets the part that it had of that.
For the company, where periods are asked for and four years of them are over (with less, models are no better than the
rule, on companies of known truth), the mean of four models (`engine.series`) of what
whole periods brought says half of it: times the part that came in the same last days of earlier ones. (A thousand
people's own models would take more time than all else, at each look back; making levels add up hands down what the
company's says.) Only what was known on the day is seen; models are fitted once for each number of periods.
"""

from collections.abc import Sequence

import numpy as np

from forecasting.engine.ageing import THIRDS, third_of
from forecasting.engine.values import Floats, Ints
from forecasting.outlook.shape import Money, Tree
from forecasting.outlook.values import Span

SHORTEST = 28  # days that must be known
LAST = 364  # days back: whole weeks
ALIKE = 7  # days of any third that count for each
SHARED = 8  # periods that the part in the last days is of
MODELLED, YEARS = 10, 4  # periods, and years of them, that models need
FURTHEST = 4  # periods ahead that models are asked for
YEAR = 365.25


class RunRate:
    """`first` is the first day of which anything that was closed is known."""

    def __init__(self, tree: Tree, money: Money, spans: Sequence[Span], calendar: Ints, first: int | None) -> None:
        self._tree, self._money, self._calendar, self._first = tree, money, calendar, first
        self._spans = [span for span in spans if span.start >= money.first]
        self._daily = np.diff(money.until.sum(axis=0))
        of_spans = [float(money.between(span.start - 1, span.end - 1).sum()) for span in self._spans]
        self._totals = np.array(of_spans, dtype=np.float64)
        length = float(np.median([span.end - span.start for span in self._spans])) if self._spans else YEAR
        self._modelled: dict[int, Floats | None] = {}
        self.season = max(round(YEAR / max(length, 1.0)), 1)

    def say(self, span: Span, day: int) -> Floats:
        """(nodes,) of what still comes after the day; NaN before a month is known."""
        if self._first is None or day - self._first + 1 < SHORTEST:
            return np.full(len(self._tree), np.nan)
        begin = max(self._first, day - LAST)
        whole = self._by_thirds(begin, day, max(span.start - 1, day), span.end - 1)
        lately = self._tree.up(self._money.between(begin - 1, day))
        part = lately / lately[0] if lately[0] > 0 else np.full(len(self._tree), np.nan)
        found = np.maximum(np.where(np.isfinite(part), part, 0.0) * whole, 0.0)
        found[0] = max(whole, 0.0)
        models = self._by_models(span, day)
        if models is not None:
            found[0] = (found[0] + models) / 2
        return np.asarray(found, dtype=np.float64)

    def _by_thirds(self, begin: int, day: int, after: int, end: int) -> float:
        days = np.arange(begin, end + 1)
        third = third_of(self._calendar, days)
        past = days <= day
        place = days[past] - self._money.first
        known = (place >= 0) & (place < len(self._daily))
        money = np.where(known, self._daily[np.clip(place, 0, max(len(self._daily) - 1, 0))], 0.0)
        sums = np.bincount(third[past], weights=money, minlength=THIRDS)
        counts = np.bincount(third[past], minlength=THIRDS)
        rates = (sums + float(money.mean()) * ALIKE) / (counts + ALIKE)  # a third with few days is drawn to all days
        return float(rates[third[days > after]].sum())

    def _by_models(self, span: Span, day: int) -> float | None:
        """What still comes for the company; None where models cannot say."""
        over = sum(1 for one in self._spans if one.end - 1 <= day)
        place = next((n for n, one in enumerate(self._spans) if one == span), None)
        if place is None or over < max(MODELLED, YEARS * self.season) or not over <= place < over + FURTHEST:
            return None
        if over not in self._modelled:
            from forecasting.engine.series.forecasting import NoForecast, forecast_series  # heavy

            told = forecast_series(self._totals[:over], self.season, FURTHEST, non_negative=True)
            self._modelled[over] = None if isinstance(told, NoForecast) else told.points
        points = self._modelled[over]
        return None if points is None else float(points[place - over]) * self._left(span, day, over)

    def _left(self, span: Span, day: int, over: int) -> float:
        """The part of a period that comes in as many last days as this one still has."""
        days = span.end - 1 - max(span.start - 1, day)
        if day < span.start:
            return 1.0
        came = total = 0.0
        for n in range(max(over - SHARED, 0), over):
            one = self._spans[n]
            after = max(one.end - 1 - days, one.start - 1)
            came += float(self._money.between(after, one.end - 1).sum())
            total += float(self._totals[n])
        return float(np.clip(came / total, 0.0, 1.0)) if total > 0 else days / (span.end - span.start)
