"""Several views of the same figure become one: pipeline, statistics, people's calls, and the past itself. Pure.

A view weighs by how right it was: the inverse of its squared error, to the sixth power, so nearly the best alone; a
baseline ("same days of the last period or year") that was better than all that was made with effort speaks nearly
alone. Before any period is seen each view has a usual error, which weighs as many periods as `FEW` (logarithms are what
is averaged): so a short past moves weights little, and no view wins by having spoken once. Late periods count more.

A view that is missing in a period (nobody called) is taken for as wrong there as it usually is. Views and what came are
in the same unit; periods are in the order of time. Several nodes may be judged together, each by its own size: more
history, one set of weights.
"""

from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from forecasting.engine.values import Floats

FEW = 4.0  # periods that what is usual weighs against what was seen
HALF = 16.0  # periods: what was right then counts half, as companies change
SEEN = 0.5  # of the periods: who spoke in fewer does not say what is usual
TINY = 1e-9
STEEP = 6  # power of the squared error
TOO_SHORT, NO_HISTORY, NO_VIEW = "too_short", "no_history", "no_view"


class Blend(Struct, frozen=True, eq=False):
    """`weights` add up to 1, empty where `code` is `no_view` (nobody says anything). `off` is the squared error that
    each view is thought to have, in units of the size of what came; what was not seen is in it as what is usual."""

    weights: Mapping[str, float]
    periods: int
    off: Mapping[str, float]
    code: str | None = None


def weigh(said: Mapping[str, ArrayLike], came: ArrayLike, usual: Mapping[str, float] | None = None) -> Blend:
    """`came` (periods,) or (periods, nodes), NaN where it is not known; each of `said` the same shape, NaN for nothing
    said. `usual` are squared errors by that of the median view, 1 where nothing is named."""
    actual = _columns(came)
    views = {name: _columns(values) for name, values in said.items()}
    if wrong := sorted(name for name, values in views.items() if values.shape != actual.shape):
        raise ValueError(f"not of the shape of what came: {', '.join(wrong)}")
    before = np.array([(usual or {}).get(name, 1.0) for name in views])
    if not views:
        return Blend({}, 0, {}, NO_VIEW)
    known = np.isfinite(actual)
    periods = int(known.any(axis=1).sum())
    size = np.where(known, np.abs(actual), 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    judged = known & (size > 0)
    late = 0.5 ** (np.arange(len(actual))[::-1] / HALF)
    parts = np.divide(late[:, None], max(int((size > 0).sum()), 1)) * judged
    squares, counts = np.zeros(len(views)), np.zeros(len(views))
    for n, values in enumerate(views.values()):
        there = judged & np.isfinite(values)
        wrong_by = np.divide(values - actual, size, out=np.zeros_like(actual), where=there)
        squares[n], counts[n] = (parts * wrong_by**2).sum(), (parts * there).sum()
    heard = counts > 0
    if not heard.any():
        return Blend(_parts(before, list(views)), periods, {}, TOO_SHORT if periods else NO_HISTORY)
    whole = float(parts.sum())
    often = counts >= min(counts.max(), SEEN * whole)
    median = float(np.median(squares[often] / counts[often]))
    usually = median * before + TINY
    seen = (squares + usually) / (counts + 1)  # one hit says nothing yet
    off = np.exp((counts * np.log(seen) + (FEW + whole - counts) * np.log(usually)) / (whole + FEW))
    return Blend(_parts(off, list(views)), periods, dict(zip(views, off.tolist(), strict=True)))


def _parts(off: Floats, names: list[str]) -> dict[str, float]:
    weights = (off.min() / off) ** STEEP
    return dict(zip(names, (weights / weights.sum()).tolist(), strict=True))


def blended(weights: Floats, said: Floats) -> tuple[Floats, Floats]:
    """(views, nodes) of both -> what is said of each node, NaN where nobody says anything, and by which weights: who
    says nothing leaves his to the others, and where nobody who has a weight speaks, the others do in equal parts."""
    there = np.isfinite(said)
    used = np.where(there, weights, 0.0)
    used = np.where(used.sum(axis=0) > 0, used, there.astype(np.float64))
    whole = used.sum(axis=0)
    used = np.divide(used, whole, out=np.zeros_like(used), where=whole > 0)
    values = (used * np.where(there, said, 0.0)).sum(axis=0)
    return np.where(whole > 0, values, np.nan), used


def _columns(values: ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    return found[:, None] if found.ndim == 1 else found
