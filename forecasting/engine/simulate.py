"""What a period may bring, ten thousand times: open deals, deals that do not exist yet, and what is already won.

Each deal draws once, from a stream of its own that its key and the seed give: so the order of deals does not matter,
two weeks differ by what changed and not by luck, and a deal is won in one of two periods, never in both. In a draw all
deals share a common factor of winning (`spread`), whose mean is kept out of their chances exactly. What is said of a
node is the quantiles of the sum of its leaves' draws, so every draw adds up whatever the tree is.

Not its business: chances (`winrate`), how many deals come (`newcomers`), how wrong earlier ranges were (`spread`).
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from scipy.special import ndtri

from forecasting.engine.newcomers import Newcomers
from forecasting.engine.spread import CERTAIN, Spread, factors
from forecasting.engine.values import Chances, Floats, Ints

DRAWS = 10_000
EXACT = 400.0  # newcomers of a group in one draw; more are drawn as one sum
LEAST_ELASTIC, GRAINS = 0.3, 20  # of the factor's elasticity: a deal more or less does not change it
LOTS = ndtri((np.arange(10_007) + 0.5) / 10_007)  # normal ones; a prime number of them, so that every pace visits all
SURE = 1 - 1e-9
NODES = 512  # of the factor's distribution, to keep each deal's chance what it was
HAZARDS = np.concatenate([[0.0], np.geomspace(1e-7, 1e4, 600)])


class Split(Struct, frozen=True, eq=False):
    """Whose deals are: columns of position of the deal, position of the group, share of it. Shares of a deal are 1 in
    sum, or what remains belongs to nobody who is asked for."""

    deal: Ints
    group: Ints
    share: Floats


class Outcome(Struct, frozen=True, eq=False):
    """Minor units. `won` has the shape (groups,); `open` and `new` (groups, draws).

    `filling` (steps, draws) is what is won of all groups together until the end of each step of the window.
    """

    groups: tuple[str, ...]
    won: Floats
    open: Floats
    new: Floats
    filling: Floats


class Range(Struct, frozen=True):
    """Minor units; `reach` is the probability of reaching the quota, None without one."""

    p10: float
    p50: float
    p90: float
    mean: float
    reach: float | None = None


def simulate(
    chances: Chances,
    groups: Sequence[str],
    split: Split,
    *,
    won: Floats | None = None,
    newcomers: Newcomers | None = None,
    spread: Spread = CERTAIN,
    window: tuple[int, int] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Outcome:
    """Draws of what is won in the steps window[0] to window[1] (half-open, all without one) of `chances`.

    `won` is what each group has already won in the period; `newcomers` are in the same groups and steps.
    """
    first, after = window or (0, len(chances.edges) - 1)
    if draws < 1 or not 0 <= first <= after < len(chances.edges):
        raise ValueError("a window within the steps, and at least one draw")
    # The bias was seen in money, so money is moved by it; what varies about it varies the chances.
    bias = float(spread.weight @ spread.bias)
    stretch = 1 / _elasticity(chances, newcomers)
    common = factors(spread, draws, stream(seed, "common", ""), stretch) / bias
    shape = (len(groups), draws)
    from_open, filling = np.zeros(shape), np.zeros((after - first, draws))
    _open_deals(chances, split, common, (first, after), seed, from_open, filling)
    new = np.zeros(shape)
    if newcomers is not None:
        _newcomers(newcomers, groups, common, (first, after), seed, new, filling)
    if bias != 1.0:
        for drawn in (from_open, new, filling):
            drawn *= bias
    so_far = np.zeros(len(groups)) if won is None else np.asarray(won, dtype=np.float64)
    return Outcome(tuple(groups), so_far, from_open, new, np.cumsum(filling, axis=0))


def total(outcome: Outcome, leaves: Ints | None = None) -> Floats:
    """The draws of a node: the sum of its leaves (positions of groups), of all without them."""
    rows = np.arange(len(outcome.groups)) if leaves is None else leaves
    drawn: Floats = outcome.won[rows].sum() + outcome.open[rows].sum(axis=0) + outcome.new[rows].sum(axis=0)
    return drawn


def say(draws: Floats, quota: float | None = None) -> Range:
    p10, p50, p90 = (float(found) for found in np.quantile(draws, [0.1, 0.5, 0.9]))
    reach = None if quota is None else float(np.mean(draws >= quota))
    return Range(p10, p50, p90, float(draws.mean()), reach)


def expectation(chances: Chances, window: tuple[int, int] | None = None) -> tuple[float, float]:
    """Mean and variance of what open deals bring in the window, each for itself, without a common factor."""
    first, after = window or (0, len(chances.edges) - 1)
    chance = chances.win[:, first:after].sum(axis=1)
    amount = _worth(chances)
    mean = chance * amount
    square = chance * amount * amount * np.exp(np.minimum(chances.spread, 3.0) ** 2)
    return float(mean.sum()), float((square - mean * mean).sum())


def _elasticity(chances: Chances, newcomers: Newcomers | None) -> float:
    """By how many per cent money moves if the common factor moves by one: deals that are nearly sure move little.

    How much money varies together was learnt from money, so the factor must vary by as much more. Over all steps, so
    that every window has the same factor.
    """
    chance = np.clip(chances.win.sum(axis=1), 0.0, SURE)
    worth = _worth(chances)
    moved, whole = float((1 - chance) * -np.log1p(-chance) @ worth), float(chance @ worth)
    if newcomers is not None and len(newcomers.amounts):
        new = float(newcomers.rate.sum() * (newcomers.weights @ newcomers.amounts) / newcomers.weights.sum())
        moved, whole = moved + new, whole + new
    return max(round(moved / whole * GRAINS) / GRAINS, LEAST_ELASTIC) if whole > 0 else 1.0


def _worth(chances: Chances) -> Floats:
    """An amount that is missing, zero or negative brings nothing; who asks says so beside the range."""
    return np.where(np.isfinite(chances.amount) & (chances.amount > 0), chances.amount, 0.0)


def _open_deals(
    chances: Chances, split: Split, common: Floats, window: tuple[int, int], seed: int, found: Floats, filling: Floats
) -> None:
    first, after = window
    reached = np.cumsum(np.clip(chances.win, 0.0, 1.0), axis=1)
    hazard = np.concatenate([np.zeros((len(reached), 1)), _hazards(reached, common)], axis=1)
    worth, factor = _worth(chances), common.astype(np.float32)
    order = np.argsort(split.deal, kind="stable")
    begins = np.searchsorted(split.deal[order], np.arange(len(chances.keys) + 1))
    # Sums of floating numbers depend on their order, so deals are taken in order of their keys.
    for n in sorted(range(len(chances.keys)), key=chances.keys.__getitem__):
        edges = hazard[n, first : after + 1]
        if worth[n] <= 0 or not len(edges) or edges[-1] <= edges[0]:
            continue
        luck = stream(seed, "deal", chances.keys[n])
        patience = luck.standard_exponential(len(common), dtype=np.float32)
        patience /= factor
        hit = np.flatnonzero(patience < edges[-1])
        if edges[0] > 0:
            hit = hit[patience[hit] >= edges[0]]
        width, begin, pace = float(chances.spread[n]), luck.integers(1, len(LOTS)), luck.integers(1, len(LOTS))
        # Each draw has its place among the lots, whatever window is asked for and whichever draws are won.
        amount = worth[n] * np.exp(LOTS[(hit * pace + begin) % len(LOTS)] * width - width * width / 2)
        step = np.searchsorted(edges[1:], patience[hit], side="right")
        filling[step, hit] += amount
        for row in order[begins[n] : begins[n + 1]]:
            found[split.group[row], hit] += split.share[row] * amount


def _hazards(chance: Floats, common: Floats) -> Floats:
    """The hazard of each chance, so that with the common factor (mean taken out) the chance is what it was."""
    sample = np.quantile(common / common.mean(), (np.arange(NODES) + 0.5) / NODES)
    sample /= sample.mean()
    reached = -np.expm1(-np.outer(HAZARDS, sample)).mean(axis=1)
    reached, kept = np.unique(reached, return_index=True)
    found: Floats = np.where(chance >= SURE, np.inf, np.interp(chance, reached, HAZARDS[kept]))
    return found


def _newcomers(
    newcomers: Newcomers,
    groups: Sequence[str],
    common: Floats,
    window: tuple[int, int],
    seed: int,
    found: Floats,
    filling: Floats,
) -> None:
    first, after = window
    own = stream(seed, "arrivals", "")
    varied = (
        common
        if newcomers.variance <= 0
        else common * own.gamma(1 / newcomers.variance, newcomers.variance, len(common))
    )
    for g in sorted(range(len(groups)), key=groups.__getitem__):
        rates = newcomers.rate[g, first:after]
        if rates.sum() <= 0 or not len(newcomers.amounts):
            continue
        luck = stream(seed, "new", groups[g])
        if rates.sum() <= EXACT:
            _each(newcomers, rates, varied, luck, found[g], filling)
        else:
            for step, rate in enumerate(rates):
                drawn = _sums(newcomers, rate * varied, luck)
                found[g] += drawn
                filling[step] += drawn


def _each(
    newcomers: Newcomers, rates: Floats, varied: Floats, stream: np.random.Generator, found: Floats, filling: Floats
) -> None:
    counts = stream.poisson(rates.sum() * varied)
    draw = np.repeat(np.arange(len(varied)), counts)
    amount = newcomers.amounts[_picked(newcomers.weights, stream.random(len(draw)))]
    found += np.bincount(draw, weights=amount, minlength=len(varied))
    until = np.cumsum(rates)
    step = np.minimum(np.searchsorted(until, stream.random(len(draw)) * until[-1], side="right"), len(rates) - 1)
    filling += np.bincount(step * len(varied) + draw, weights=amount, minlength=filling.size).reshape(filling.shape)


def _picked(weights: Floats, at: Floats) -> Ints:
    """Positions by weight, of evenly drawn numbers in [0, 1)."""
    if (weights == weights[0]).all():
        found: Ints = (at * len(weights)).astype(np.int64)
        return found
    reached = np.cumsum(weights)
    picked = np.searchsorted(reached, at * reached[-1], side="right")
    return np.asarray(np.minimum(picked, len(weights) - 1), dtype=np.int64)


def _sums(newcomers: Newcomers, rate: Floats, stream: np.random.Generator) -> Floats:
    """Sums of very many amounts, by their mean and variance, which a gamma distribution keeps."""
    share = newcomers.weights / newcomers.weights.sum()
    mean, square = float(share @ newcomers.amounts), float(share @ newcomers.amounts**2)
    if mean <= 0:
        return np.zeros(len(rate))
    scale = square / mean
    drawn: Floats = stream.gamma(np.maximum(rate * mean / scale, 1e-12), scale)
    return drawn


def stream(seed: int, kind: str, key: str) -> np.random.Generator:
    """Of something that is named: what is drawn of it does not hang on what else there is."""
    told = hashlib.blake2b(f"{kind}\0{key}".encode(), digest_size=16, key=str(seed).encode()[:64]).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(told, dtype="<u8").astype(np.uint64)))
