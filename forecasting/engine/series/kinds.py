"""What sort of series it is, and which of its values count.

Gaps are NaN (or infinite). Those before the first value are cut, and so are zeros before the first sale. A gap inside
is filled between its neighbours. What is missing at the end is forecast as well and then left out, so the answer begins
after the last step that was given, whether or not it had a value.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from forecasting.engine.values import Floats

NO_HISTORY, TOO_MANY_GAPS = "no_history", "too_many_gaps"  # why there is no forecast
CONSTANT, INTERMITTENT, TOO_SHORT, REGULAR = "constant", "intermittent", "too_short", "regular"
GAPS_FILLED, STARTED_LATE, SEASON_TOO_SHORT = "gaps_filled", "started_late", "season_too_short"  # what was done

LEAST = 10  # values that models with four and more parameters need
GAPS_MOST = 0.5  # of the steps between the first and the last value
INTERVAL_LEAST = 1.32  # steps between two sales, from which on a series is intermittent (Syntetos and Boylan)


class Known(Struct, frozen=True, eq=False):
    """`values` has no gaps; `behind` steps at the end had no value; `notes` say what was done."""

    values: Floats
    behind: int
    notes: tuple[str, ...]


def known(values: ArrayLike) -> Known | str:
    """The part of a series that counts, or why there is none."""
    given = np.asarray(values, dtype=np.float64).ravel()
    there = np.flatnonzero(np.isfinite(given))
    if not len(there):
        return NO_HISTORY
    notes = []
    part = given[there[0] : there[-1] + 1]
    whole = np.isfinite(part)
    if 1 - whole.mean() > GAPS_MOST:
        return TOO_MANY_GAPS
    if not whole.all():
        steps = np.arange(len(part))
        part = np.interp(steps, steps[whole], part[whole])
        notes.append(GAPS_FILLED)
    sold = np.flatnonzero(part)
    if len(sold) and sold[0] and kind_of(part[sold[0] :]) != INTERMITTENT:
        part = part[sold[0] :]
        notes.append(STARTED_LATE)
    return Known(np.ascontiguousarray(part), len(given) - 1 - int(there[-1]), tuple(notes))


def kind_of(values: Floats) -> str:
    if float(np.ptp(values)) <= 1e-12 * float(np.abs(values).max()):
        return CONSTANT
    if len(values) < LEAST:
        return TOO_SHORT
    if values.min() >= 0 and len(values) / np.count_nonzero(values) >= INTERVAL_LEAST:
        return INTERMITTENT
    return REGULAR
