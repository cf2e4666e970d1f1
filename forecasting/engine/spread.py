"""How wrong earlier forecasts of such a period were, and so how much all deals of the next one vary together.

Each past period tells what was expected on its day, how much of the error luck alone explains (deals won or not, their
amounts), and what came. What luck does not explain is a bias and a common factor. Both are uncertain after a few
periods, so they are not one number each but weights on a grid: a company with three quarters gets wider ranges than one
with twenty that were as wrong. Before any past there is the prior, which is wide; with it stands the code `few`.
"""

import numpy as np
from msgspec import Struct
from scipy.special import gammaincinv, gammaln

from forecasting.engine.values import Floats

FEW = 4
USUAL_BIAS = 0.10  # prior: spread of the logarithm of what comes by what is expected
USUAL_SPREAD = 0.17  # prior: scale of the common factor's standard deviation
BIASES = np.exp(np.linspace(-0.45, 0.45, 31))
GOLDEN = (5**0.5 - 1) / 2
SPREADS = np.concatenate([[0.005], np.linspace(0.025, 0.8, 32)])


class Past(Struct, frozen=True, eq=False):
    """Of past periods: what was expected on the day, the variance that luck alone gives it, and what came. `weight` is
    what each counts for: under 1 where they overlap."""

    expected: Floats
    variance: Floats
    actual: Floats
    weight: float = 1.0


class Spread(Struct, frozen=True, eq=False):
    """Weights of pairs of a bias and a standard deviation of the common factor; `level` multiplies what is drawn.

    `bias` and `deviation` and `weight` have one position for each pair. `said`: `few` past periods.
    """

    bias: Floats
    deviation: Floats
    weight: Floats
    level: float
    periods: int
    said: tuple[str, ...]


CERTAIN = Spread(np.ones(1), np.zeros(1), np.ones(1), 1.0, 0, ())


def learn(past: Past, level: float = 1.0) -> Spread:
    """What past periods say; those with nothing expected say nothing."""
    usable = np.isfinite(past.expected) & (past.expected > 0) & np.isfinite(past.actual) & np.isfinite(past.variance)
    expected, actual = past.expected[usable], past.actual[usable]
    bias, deviation = (grid.ravel() for grid in np.meshgrid(BIASES, SPREADS, indexing="ij"))
    log = -0.5 * (np.log(bias) / USUAL_BIAS) ** 2 - 0.5 * (deviation / USUAL_SPREAD) ** 2
    for mean, luck, came in zip(expected, past.variance[usable], actual, strict=True):
        log = log + past.weight * _log_density(came, mean * bias, luck * bias**2 + (mean * bias * deviation) ** 2)
    weight = np.exp(log - log.max())
    count = len(expected)
    return Spread(bias, deviation, weight / weight.sum(), level, count, ("few",) if count < FEW else ())


def _log_density(came: float, mean: Floats, variance: Floats) -> Floats:
    """Of a gamma distribution: what is won is never negative, and more often far above than far below."""
    scale = np.maximum(variance, 1e-12 * mean * mean) / mean
    shape = mean / scale
    at = np.maximum(came, 0.02 * mean)
    found: Floats = (shape - 1) * np.log(at / scale) - at / scale - gammaln(shape) - np.log(scale)
    return found


def factors(spread: Spread, draws: int, rng: np.random.Generator, stretch: float = 1.0) -> Floats:
    """The common factor of each draw, shuffled. `stretch` multiplies how far it goes from its bias."""
    reached = np.cumsum(spread.weight)
    # Evenly over the pairs and evenly over each one's distribution (a lattice), so that little is left to luck.
    begin = rng.random(2)
    even = (np.arange(draws) + begin[0]) / draws
    other = np.clip((np.arange(draws) * GOLDEN + begin[1]) % 1.0, 1e-9, 1 - 1e-9)
    pick = np.minimum(np.searchsorted(reached, even * reached[-1], side="right"), len(reached) - 1)
    shape = 1 / np.maximum(spread.deviation[pick] * stretch, 1e-3) ** 2
    drawn = np.where(spread.deviation[pick] > 0, gammaincinv(shape, other) / shape, 1.0) * spread.bias[pick]
    found: Floats = rng.permutation(drawn)
    return found


def deviations(spread: Spread) -> tuple[float, float]:
    """For people: the expected bias, and the common factor's standard deviation."""
    return float(spread.weight @ spread.bias), float(np.sqrt(spread.weight @ spread.deviation**2))
