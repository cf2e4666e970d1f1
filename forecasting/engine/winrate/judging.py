"""What earns its place: each choice is tried on days after those it was learnt from, several times over, and kept only
where it says those days better than the same without it, by more than the chance of one such trial.

The order of choices: the clock (none, age, month and week of the quarter, age with month), how long the past counts,
how far a deal has come, each thing that is known of it, and at last whether the level of earlier trials mends later
ones. The loss is that of the rates to be won and lost on the rows (Poisson), in nats for each deal that ended.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from forecasting.engine.values import Floats
from forecasting.engine.winrate.design import FEATURE, PROGRESS
from forecasting.engine.winrate.learning import Learnt, Rows, learn, rates_on, taken, thinned, until
from forecasting.engine.winrate.model import Judged, Scheme
from forecasting.engine.winrate.panel import LOST, WON

TRIALS = 8
BETWEEN = (7, 60)  # days between trials, by how long the past is
AHEAD = 91  # days after each trial that are judged
SEEN = 30  # ends before the first trial
MOST_ROWS = 40_000  # that a trial learns from and is judged on
HALF_LIVES = (365, 120, 45)
CLOCKS: tuple[tuple[str, ...], ...] = ((), ("age",), ("age", "month"), ("age", "month", "age_month"), ("age", "week"))
CLOCKS_AFTER: tuple[tuple[str, ...], ...] = (("age", "month", "week", "age_month"),)
LEAST_GAIN = 1e-4  # nats for a deal that ended, below which nothing is worth a place
LEVEL_PRIOR = 15.0  # ends that say a level is right


class Trial(Struct, frozen=True, eq=False):
    """Learn on `past` until `day`, judge on `later`."""

    day: int
    past: Rows
    later: Rows


class Verdict(Struct, frozen=True):
    scheme: Scheme
    judged: tuple[Judged, ...]
    level: float


def trials_of(rows: Rows, day: int, seed: int) -> list[Trial]:
    """The oldest first; none where the past is too short."""
    panel = rows.panel
    ends = np.sort(panel.day[(panel.happened == WON) | (panel.happened == LOST)])
    if len(ends) < 2 * SEEN:
        return []
    # Who knew less than half of the past says little of what is known now.
    earliest = max(int(ends[SEEN]), (int(panel.day.min()) + day) // 2)
    between = int(np.clip((day - earliest) // (TRIALS + 1), *BETWEEN))
    starts = [day - n * between for n in range(TRIALS, 0, -1) if day - n * between >= earliest]
    rng = np.random.default_rng([seed, 8])
    found = []
    for start in starts:
        after = (panel.day > start) & (panel.day <= start + AHEAD) & (panel.opened <= start)
        later = thinned(taken(rows, np.flatnonzero(after)), rng, MOST_ROWS)
        found.append(Trial(start, thinned(until(rows, start), rng, MOST_ROWS), later))
    return found


class Said(Struct, frozen=True, eq=False):
    """Of each trial, the rates to be won and lost on its later rows."""

    scheme: Scheme
    win: list[Floats]
    lose: list[Floats]
    learnt: list[Learnt]


def tried(trials: Sequence[Trial], scheme: Scheme, near: Said | None = None) -> Said:
    both, learnt = [], []
    for n, trial in enumerate(trials):
        begin = None if near is None else near.learnt[n]
        learnt.append(learn(trial.past, scheme, trial.day, begin))
        both.append(rates_on(trial.later, scheme, learnt[-1]))
    return Said(scheme, [win for win, _ in both], [lose for _, lose in both], learnt)


def judge(rows: Rows, day: int, seed: int = 0) -> Verdict:
    """The scheme that the past earned. Without trials: age alone, and nothing is judged."""
    trials = trials_of(rows, day, seed)
    if not trials:
        return Verdict(Scheme(("age",)), (), 1.0)
    judged: list[Judged] = []
    best = tried(trials, Scheme(CLOCKS[0]))
    for blocks in CLOCKS[1:]:
        best = _better(trials, best, Scheme(blocks), "+".join(blocks), judged)
    if best.scheme.blocks in (("age", "week"), ("age", "month", "age_month")):
        for blocks in CLOCKS_AFTER:
            best = _better(trials, best, Scheme(blocks), "+".join(blocks), judged)
    for block in _progress(rows):
        best = _with(trials, best, block, judged)
    told = [*(["amount"] if np.isfinite(rows.amount).any() else []), *(FEATURE + n for n in rows.features), "cohort"]
    for name in told:
        best = _paced(trials, best, name, judged)
    for name in told:
        best = _with(trials, best, name, judged)
    for half_life in HALF_LIVES:
        if day - half_life > int(rows.panel.day.min(initial=day)):
            scheme = Scheme(best.scheme.blocks, best.scheme.pace, half_life)
            best = _better(trials, best, scheme, f"half-life {half_life}", judged)
    level = _mended(trials, best, judged)
    return Verdict(best.scheme, tuple(judged), level)


def _progress(rows: Rows) -> list[str]:
    several = len(np.unique(rows.panel.stage)) > 1
    pushed = bool((rows.panel.pushes > 0).any())
    return [name for name in PROGRESS if (pushed if name == "pushes" else several)]


def _with(trials: Sequence[Trial], best: Said, block: str, judged: list[Judged]) -> Said:
    pace = tuple(name for name in best.scheme.pace if name != block)
    scheme = Scheme((*best.scheme.blocks, block), pace, best.scheme.half_life)
    return _better(trials, best, scheme, block, judged)


def _paced(trials: Sequence[Trial], best: Said, block: str, judged: list[Judged]) -> Said:
    scheme = Scheme(best.scheme.blocks, (*best.scheme.pace, block), best.scheme.half_life)
    return _better(trials, best, scheme, f"pace of {block}", judged)


def _better(trials: Sequence[Trial], best: Said, scheme: Scheme, name: str, judged: list[Judged]) -> Said:
    other = tried(trials, scheme, best)
    gain, error = _gain(trials, best, other)
    earned = gain > max(error, LEAST_GAIN)
    judged.append(Judged(name, gain, error, earned))
    return other if earned else best


def _gain(trials: Sequence[Trial], best: Said, other: Said) -> tuple[float, float]:
    """How much less the loss is for a deal that ended, and its standard error: deals are independent, rows are not."""
    by_deal, ends = [], 0.0
    for n, trial in enumerate(trials):
        losses = _losses(trial, best.win[n], best.lose[n]) - _losses(trial, other.win[n], other.lose[n])
        by_deal.append(np.bincount(np.unique(trial.later.panel.deal, return_inverse=True)[1], weights=losses))
        ends += float(_ended(trial).sum())
    sums = np.concatenate(by_deal)
    ends = max(ends, 1.0)
    return float(sums.sum() / ends), float(np.sqrt(max((sums**2).sum(), 0.0)) / ends)


def _ended(trial: Trial) -> Floats:
    happened = trial.later.panel.happened
    ended: Floats = ((happened == WON) | (happened == LOST)).astype(np.float64)
    return ended


def _losses(trial: Trial, win: Floats, lose: Floats) -> Floats:
    later = trial.later.panel
    events = (later.happened == WON) * np.log(win) + (later.happened == LOST) * np.log(lose)
    losses: Floats = (later.days * (win + lose) - events) * trial.later.weight
    return losses


def _mended(trials: Sequence[Trial], best: Said, judged: list[Judged]) -> float:
    """By what the rates are multiplied, where the levels of the trials before would have mended each later one."""
    if len(trials) < 2:
        return 1.0
    mended_win, mended_lose = list(best.win), list(best.lose)
    for n in range(1, len(trials)):
        level = _level(trials[:n], best, trials[n].day)
        mended_win[n], mended_lose[n] = best.win[n] * level, best.lose[n] * level
    gain, error = _gain(trials, best, Said(best.scheme, mended_win, mended_lose, best.learnt))
    judged.append(Judged("level", gain, error, gain > error))
    return _level(trials, best, trials[-1].day + AHEAD) if gain > error else 1.0


def _level(trials: Sequence[Trial], best: Said, until: int) -> float:
    """By what the rates of the trials were too low, on days to `until` of each one's later rows."""
    seen = meant = LEVEL_PRIOR
    for n, trial in enumerate(trials):
        later = trial.later.panel
        counted = (later.day <= until) * trial.later.weight
        seen += float((_ended(trial) * counted).sum())
        meant += float((later.days * (best.win[n] + best.lose[n]) * counted).sum())
    return seen / meant
