"""How far odds of winning may stand from the share won so far, where nothing tells of single deals who is won.

Then all that moves the odds is the calendar, and the past has seen each of its places only a few times: what two
quarters did alike may be luck that they shared. So the odds go from the share won so far towards what was learnt by no
more than the past can tell from the best: the least part of the way whose later days are said as well, up to one
standard error, as by the part that says them best. Months are what is counted as independent, not deals. As quarters
pass, that part comes nearer to the whole. Without any trial it is none of the way.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from forecasting.engine.values import Floats
from forecasting.engine.winrate.learning import Rows
from forecasting.engine.winrate.panel import LOST, WON

PARTS = np.linspace(0.0, 1.0, 21)
MONTH = 30  # days


class Trial(Protocol):
    @property
    def past(self) -> Rows: ...
    @property
    def later(self) -> Rows: ...


def odds_of(won: float, lost: float) -> float:
    """Their logarithm; of nothing they are even."""
    return float(np.log((won + 0.5) / (lost + 0.5)))


def drawn(odds: float, trust: float, win: Floats, lose: Floats) -> tuple[Floats, Floats]:
    """The rates with odds of which only the part `trust` stands from `odds`; how soon deals end is left as it was."""
    learnt = np.log(win) - np.log(lose)
    share = 1 / (1 + np.exp(-(odds + trust * (learnt - odds))))
    total = win + lose
    return total * share, total * (1 - share)


def trusted(trials: Sequence[Trial], win: Sequence[Floats], lose: Sequence[Floats]) -> float:
    """`win`, `lose`: of each trial, the rates on its later rows."""
    losses, month = [np.zeros((len(PARTS), 0))], [np.zeros(0, dtype=np.int64)]
    for trial, won, lost in zip(trials, win, lose, strict=True):
        panel = trial.later.panel
        at = np.flatnonzero((panel.happened == WON) | (panel.happened == LOST))
        if not len(at):
            continue
        odds = odds_of(*(float(trial.past.weight[trial.past.panel.happened == end].sum()) for end in (WON, LOST)))
        learnt = np.log(won[at]) - np.log(lost[at])
        said = odds + PARTS[:, None] * (learnt - odds)
        sign = np.where(panel.happened[at] == WON, -1.0, 1.0)
        losses.append(np.logaddexp(0.0, sign * said) * trial.later.weight[at])
        month.append((panel.day[at] + panel.days[at].astype(np.int64)) // MONTH)
    months, place = np.unique(np.concatenate(month), return_inverse=True)
    if not len(months):
        return 0.0
    of_month = np.stack([np.bincount(place, row, len(months)) for row in np.concatenate(losses, axis=1)])
    worse = of_month - of_month[np.argmin(of_month.sum(axis=1))]
    error = np.sqrt((worse**2).sum(axis=1))
    return float(PARTS[np.argmax(worse.sum(axis=1) <= error)])
