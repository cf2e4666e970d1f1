"""What may become of the open deals, by a model: in steps of days, and their amounts."""

import numpy as np

from forecasting.engine.values import Chances, Deals, Ints
from forecasting.engine.winrate.amounts import expected
from forecasting.engine.winrate.clock import hazards_on
from forecasting.engine.winrate.model import Model


def chances(model: Model, deals: Deals, edges: Ints) -> Chances:
    """Of the open deals among `deals`, which are as known at the end of `edges[0]`; steps as in `Chances`."""
    if len(edges) < 2 or (np.diff(edges) <= 0).any() or int(edges[0]) != deals.until:
        raise ValueError("edges rise from the last day that is known")
    rows = np.flatnonzero(deals.is_open)
    opened = deals.opened_on[rows]
    win, lose = np.zeros((len(rows), len(edges) - 1)), np.zeros((len(rows), len(edges) - 1))
    stay = np.ones(len(rows))
    step = 0
    for day in range(int(edges[0]) + 1, int(edges[-1]) + 1):
        step += int(day > edges[step + 1])
        to_win, to_lose = hazards_on(model.clock, model.quarters, opened, day)
        win[:, step] += stay * to_win
        lose[:, step] += stay * to_lose
        stay = stay * (1.0 - to_win - to_lose)
    amount, spread = expected(model.amounts, deals.amount[rows])
    return Chances(tuple(deals.keys[n] for n in rows), np.asarray(edges, dtype=np.int64), win, lose, amount, spread)
