"""Learning from a company's own closed and open deals what becomes of open ones; nothing later than the day is seen."""

import numpy as np

from forecasting.engine.values import NEVER, Deals, Ints, as_known
from forecasting.engine.winrate.amounts import fit_amounts
from forecasting.engine.winrate.clock import Cohorts, cohorts_of, fit_clock
from forecasting.engine.winrate.model import VERSION, Model, NotComputable
from forecasting.engine.winrate.quarters import covering

AHEAD = 3 * 366  # days after the cut-off that have a place in a quarter
FEW = 30


def fit(deals: Deals, day: int, quarters: Ints | None = None) -> Model | NotComputable:
    """`quarters`: the first days of the company's quarters (civil ones without). `no_history` before a first end."""
    known = as_known(deals, day)
    ended = known.ended_on != NEVER
    lasting = ended & (known.ended_on > known.opened_on)
    if not lasting.any():
        return NotComputable("no_history", "no deal has been won or lost yet")
    calendar = covering(quarters, int(known.opened_on.min()), day + AHEAD)
    cohorts = _cohorts(known, day)
    won, lost = int((ended & known.won).sum()), int((ended & ~known.won).sum())
    said = [*(["one_outcome"] if 0 in (won, lost) else []), *(["few"] if won + lost < FEW else [])]
    clock = fit_clock(cohorts, calendar, "month" if won + lost >= FEW else "none")
    return Model(VERSION, day, len(known), won, lost, tuple(said), calendar, clock, fit_amounts(known))


def _cohorts(known: Deals, day: int) -> Cohorts:
    first = int(known.ended_on[known.ended_on > known.opened_on].min())
    ended = np.where(known.is_open, day + 1, known.ended_on)
    return cohorts_of(known.opened_on, ended, known.won, first, day)
