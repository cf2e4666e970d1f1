"""Where days lie in the company's periods, and what the plain hazards say of deals that are open. Pure."""

import numpy as np

from forecasting.engine.ageing import Ageing, sizes_of, stages_now, ways
from forecasting.engine.values import NEVER, Chances, Deals, Ints
from forecasting.engine.winrate.amounts import expected, fit_amounts
from forecasting.engine.winrate.quarters import covering


def calendar_of(quarters: Ints | None, deals: Deals, end: int) -> Ints:
    """The company's quarters, lengthened until they cover all that is looked at."""
    first = int(deals.opened_on.min()) if len(deals) else end
    return covering(quarters, min(first, end) - 400, end + 400)


def shifted(quarters: Ints, day: int, back: int) -> int:
    """The day at the same place of the quarter `back` quarters before that of the day after `day`."""
    n = min(int(np.searchsorted(quarters, day + 1, side="right")) - 1, len(quarters) - 2)
    if n - back < 0:
        return NEVER
    gone = (day + 1 - quarters[n]) / (quarters[n + 1] - quarters[n])
    length = quarters[n - back + 1] - quarters[n - back]
    return int(quarters[n - back] + round(gone * length) - 1)


def plain_chances(known: Deals, edges: Ints, ageing: Ageing | None) -> Chances | None:
    """Chances by the plain hazards, of deals as known at the end of edges[0]."""
    if ageing is None:
        return None
    rows = np.flatnonzero(known.is_open)
    size = sizes_of(known, ageing.limits)[rows]
    found = ways(ageing, known.opened_on[rows], stages_now(known)[rows], size, edges)
    amount, spread = expected(fit_amounts(known), known.amount[rows])
    return Chances(tuple(known.keys[n] for n in rows), edges, found.win, found.lose, amount, spread)
