"""What a deal brings if it is won: the last amount that was said of it, times how such amounts turned out.

A won deal is compared with what was said before the day it was won. Ratios far out are drawn in, so that one wrong
amount does not move all. Amounts that are zero, negative or missing say nothing, and such deals get the usual amount.
"""

import numpy as np

from forecasting.engine.values import AMOUNT, NEVER, Changes, Deals, Floats, Ints
from forecasting.engine.winrate.model import Amounts

FEW = 10.0  # won deals that a ratio of one must outweigh
WIDEST = 1.5


def said_before(changes: Changes, count: int, days: Ints) -> Floats:
    """The last positive amount of each deal told before its day of `days`; NaN for none."""
    found = np.full(count, np.nan)
    kept = (changes.kind == AMOUNT) & (changes.day < days[changes.deal]) & (changes.value > 0)
    found[changes.deal[kept]] = changes.value[kept]
    return found


def fit_amounts(deals: Deals) -> Amounts:
    won = deals.won & (deals.ended_on != NEVER) & np.isfinite(deals.amount) & (deals.amount > 0)
    brought = deals.amount[won]
    usual = float(brought.mean()) if len(brought) else 0.0
    usual_spread = _spread(np.log(brought)) if len(brought) > 1 else 0.0
    said = said_before(deals.changes, len(deals), deals.ended_on)
    both = won & np.isfinite(said)
    if not both.any():
        return Amounts(1.0, usual_spread, usual, usual_spread)
    logs = np.log(deals.amount[both] / said[both])
    low, high = np.quantile(logs, [0.01, 0.99])
    inside = np.clip(logs, low, high)
    weight = said[both] * np.exp(inside)
    ratio = (weight.sum() + FEW * said[both].mean()) / (said[both].sum() + FEW * said[both].mean())
    return Amounts(float(ratio), _spread(inside), usual, usual_spread)


def expected(amounts: Amounts, last: Floats) -> tuple[Floats, Floats]:
    known = np.isfinite(last) & (last > 0)
    amount = np.where(known, np.where(known, last, 0.0) * amounts.ratio, amounts.usual)
    return amount, np.where(known, amounts.spread, amounts.usual_spread)


def _spread(logs: Floats) -> float:
    return min(float(np.std(logs)), WIDEST)
