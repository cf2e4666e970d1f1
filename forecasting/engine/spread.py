"""How wrong earlier forecasts of such a period were, and so how much all deals of the next one vary together.

Each past period tells what was expected on its day, how much of the error luck alone explains (deals won or not, their
amounts), and what came. What luck does not explain is a bias and a common factor. Both are uncertain after a few
periods, so they are not one number each but weights on a grid: a company with three quarters gets wider ranges than one
with twenty that were as wrong. Before any past there is the prior, which is wide; with it stands the code `few`.

Below the company the nodes of each level (teams, people) vary on their own as well, each beyond what it shares with
those above it. How much is learnt of all nodes of a level together (`learn_levels`). It moves what each has of the
whole and not the whole, for how wrong the whole was is what the company's factor was learnt from.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from scipy.special import gammaincinv, gammaln

from forecasting.engine.values import Floats

FEW = 4
USUAL_BIAS = 0.03  # prior: scale of the logarithm of what comes by what is expected
TAILS = 3.0  # degrees of freedom of that prior: most companies are off by little, and some by much
USUAL_SPREAD = 0.17  # prior: scale of the common factor's standard deviation
BIASES = np.exp(np.linspace(-0.45, 0.45, 31))
GOLDEN = (5**0.5 - 1) / 2
USUAL_OWN = 0.2  # the same of a node below the company
OWN = np.array([0.005, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3])
MOST = 200  # nodes of a level that are learnt from: more say nothing else
ROUNDS = 2  # of the levels below the company in turn
SPREADS = np.concatenate([[0.005], np.linspace(0.025, 0.8, 32)])


class Past(Struct, frozen=True, eq=False):
    """Of past periods: what was expected on the day, the variance that luck alone gives it, and what
    came. `weight` is what each counts for: under 1 where they overlap."""

    expected: Floats
    variance: Floats
    actual: Floats
    weight: float = 1.0


class Spread(Struct, frozen=True, eq=False):
    """Weights of pairs of a bias and a standard deviation of the common factor.

    `bias` and `deviation` and `weight` have one position for each pair. `said`: `few` past periods.
    """

    bias: Floats
    deviation: Floats
    weight: Floats
    periods: int
    said: tuple[str, ...]


class Levels(Struct, frozen=True, eq=False):
    """`common` is the root's. `own` has the weights of `OWN`, standard deviations, for each level below it."""

    common: Spread
    own: Mapping[str, Floats]


CERTAIN = Spread(np.ones(1), np.zeros(1), np.ones(1), 0, ())


def learn(past: Past) -> Spread:
    """What past periods say; those with nothing expected say nothing."""
    usable = np.isfinite(past.expected) & (past.expected > 0) & np.isfinite(past.actual) & np.isfinite(past.variance)
    expected, actual = past.expected[usable], past.actual[usable]
    bias, deviation = (grid.ravel() for grid in np.meshgrid(BIASES, SPREADS, indexing="ij"))
    log = -0.5 * (TAILS + 1) * np.log1p((np.log(bias) / USUAL_BIAS) ** 2 / TAILS)
    log = log - 0.5 * (deviation / USUAL_SPREAD) ** 2
    for mean, luck, came in zip(expected, past.variance[usable], actual, strict=True):
        log = log + past.weight * _log_density(came, mean * bias, luck * bias**2 + (mean * bias * deviation) ** 2)
    weight = np.exp(log - log.max())
    count = len(expected)
    return Spread(bias, deviation, weight / weight.sum(), count, ("few",) if count < FEW else ())


UNSEEN = learn(Past(np.zeros(0), np.zeros(0), np.zeros(0)))


def _log_density(came: Floats | float, mean: Floats, variance: Floats) -> Floats:
    """Of a gamma distribution: what is won is never negative, and more often far above than far below."""
    scale = np.maximum(variance, 1e-12 * mean * mean) / mean
    shape = mean / scale
    at = np.maximum(came, 0.02 * mean)
    found: Floats = (shape - 1) * np.log(at / scale) - at / scale - gammaln(shape) - np.log(scale)
    return found


def learn_levels(
    levels: Sequence[str], parent: Sequence[int], expected: Floats, luck: Floats, actual: Floats, weight: float = 1.0
) -> Levels:
    """Of past periods (periods, nodes), nodes after the one above them, the first one the root."""
    prior = np.exp(-0.5 * (OWN / USUAL_OWN) ** 2)
    own = {level: prior / prior.sum() for level in dict.fromkeys(levels[1:])}
    common = learn(Past(expected[:, 0], luck[:, 0], actual[:, 0], weight))
    bias = deviations(common)[0]
    for _ in range(ROUNDS if len(expected) else 0):
        for level in own:
            nodes = [n for n, name in enumerate(levels) if n and name == level]
            nodes = nodes[:: -(-len(nodes) // MOST)]
            without = Levels(common, own | {level: np.eye(1, len(OWN))[0]})
            known = (luck + beyond(levels, parent, expected, without))[:, nodes]
            own[level] = _own(expected[:, nodes] * bias, known * bias**2, actual[:, nodes], weight)
    return Levels(common, own)


def _own(mean: Floats, variance: Floats, actual: Floats, weight: float) -> Floats:
    usable = np.isfinite(mean) & (mean > 0) & np.isfinite(actual) & np.isfinite(variance)
    mean, variance, actual = mean[usable], variance[usable], actual[usable]
    log = -0.5 * (OWN / USUAL_OWN) ** 2
    whole = variance[:, None] + (mean[:, None] * OWN) ** 2
    log = log + weight * _log_density(actual[:, None], mean[:, None], whole).sum(axis=0)
    found = np.exp(log - log.max())
    return np.asarray(found / found.sum(), dtype=np.float64)


def beyond(levels: Sequence[str], parent: Sequence[int], mean: Floats, spread: Levels) -> Floats:
    """The variance of each node (…, nodes) that luck does not explain: what it shares with those above it, what is its
    own, and what is of those below it; of the company the common factor alone."""
    squares = {level: float(weights @ OWN**2) for level, weights in spread.own.items()}
    shared = np.zeros(len(levels))
    shared[0] = deviations(spread.common)[1] ** 2
    for n in range(1, len(levels)):
        shared[n] = shared[parent[n]] + squares[levels[n]]
    below = np.zeros_like(mean)
    filled = np.where(np.isfinite(mean), mean, 0.0)
    for n in range(len(levels) - 1, 0, -1):
        below[..., parent[n]] += below[..., n] + squares[levels[n]] * filled[..., n] ** 2
    below[..., 0] = 0.0
    return np.asarray(mean**2 * shared + below, dtype=np.float64)


def own_factors(weights: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Of one node: of mean 1, by the deviations of its level."""
    deviation = OWN[np.minimum(np.searchsorted(np.cumsum(weights), rng.random(draws)), len(OWN) - 1)]
    found: Floats = np.exp(rng.standard_normal(draws) * deviation - deviation**2 / 2)
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
