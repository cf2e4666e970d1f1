"""What the past says of each choice: tried on days after those it was learnt from, several times over.

How much a block may say is learnt with it (`rates`), so what is told of deals is all taken in at first, and a block is
left out only where the days after are said better without it by more than the chance of one such trial: at a few
hundred deals that chance is larger than most of what is true, and whoever asks each block for a proof loses it. What is
not usual (a cohort, a past that counts less and less, a level) must be better by as much to come in. Whether anything
that is told of deals says which are won is a question of its own, asked apart from how soon they end.

The order: the clock (age, month and week of the quarter, age with month), what is told of deals in pace and in lean,
each of it, cohorts, how long the past counts, and whether the level of earlier trials mends later ones. The loss is
that of the rates to be won and lost on the rows (Poisson), in nats for each deal that ended.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct, structs

from forecasting.engine.values import Floats
from forecasting.engine.winrate.design import FEATURE, PROGRESS
from forecasting.engine.winrate.learning import Learnt, Rows, learn, rates_on, taken, thinned, until
from forecasting.engine.winrate.model import Judged, Scheme
from forecasting.engine.winrate.panel import LOST, WON
from forecasting.engine.winrate.trust import trusted

TRIALS = 8
BETWEEN = (7, 60)  # days between trials, by how long the past is
AHEAD = 91  # days after each trial that are judged
SEEN = 30  # ends before the first trial
MOST_ROWS = 40_000  # that a trial learns from and is judged on
HALF_LIVES = (365, 120, 45)
CLOCK = ("age", "week")
CLOCKS: tuple[tuple[str, ...], ...] = (("age",), ("age", "month"), ("age", "month", "age_month"))
WHOLE_CLOCK = ("age", "month", "week", "age_month")
LENIENT = -1.0  # standard errors: in, if it does no harm that shows
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
    trust: float


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
    """The scheme that the past leaves. Without trials: age alone, and nothing is judged."""
    trials = trials_of(rows, day, seed)
    if not trials:
        return Verdict(Scheme(("age",)), (), 1.0, 0.0)
    judged: list[Judged] = []
    best = tried(trials, Scheme(CLOCK))
    for clock in CLOCKS:
        best = _better(trials, best, Scheme(clock), "+".join(clock), judged)
    if "week" in best.scheme.blocks or "age_month" in best.scheme.blocks:
        best = _better(trials, best, Scheme(WHOLE_CLOCK), "+".join(WHOLE_CLOCK), judged)
    best = _of_deals(trials, best, _told(rows), judged)
    for scheme, name in ((_paced(best.scheme, "cohort"), "pace of cohort"), (_leaned(best.scheme, "cohort"), "cohort")):
        best = _better(trials, best, scheme, name, judged)
    for half_life in HALF_LIVES:
        if day - half_life > int(rows.panel.day.min(initial=day)):
            scheme = Scheme(best.scheme.blocks, best.scheme.pace, half_life)
            best = _better(trials, best, scheme, f"half-life {half_life}", judged)
    level = _mended(trials, best, judged)
    # What is told of deals has as many witnesses as there are deals; a place in the calendar was seen a few times.
    trust = 1.0 if tells_of_deals(best.scheme) else trusted(trials, best.win, best.lose)
    return Verdict(best.scheme, tuple(judged), level, trust)


def tells_of_deals(scheme: Scheme) -> bool:
    """Whether anything that is told of deals, beside their dates, says which of them will be won."""
    return any(name in (*PROGRESS, "amount") or name.startswith(FEATURE) for name in scheme.blocks)


def _told(rows: Rows) -> tuple[str, ...]:
    """What is told of these deals: how far they have come, amounts, features."""
    several = len(np.unique(rows.panel.stage)) > 1
    pushed = bool((rows.panel.pushes > 0).any())
    found = [name for name in PROGRESS if (pushed if name == "pushes" else several)]
    return (*found, *(["amount"] if np.isfinite(rows.amount).any() else []), *(FEATURE + n for n in rows.features))


def _of_deals(trials: Sequence[Trial], best: Said, told: tuple[str, ...], judged: list[Judged]) -> Said:
    """With all that is told of deals that does no harm; with leans only where these say who is won."""
    if not told:
        return best
    clock = best.scheme.blocks
    paced = _better(trials, best, Scheme(clock, told), "pace of all that is told", judged, LENIENT)
    leaning = _better(trials, paced, Scheme((*clock, *told)), "all that is told", judged)
    if leaning is not paced:
        for name in told:
            leaning = _spared(trials, leaning, name, f"without {name}", judged)
        return leaning
    for name in paced.scheme.pace:
        paced = _spared(trials, paced, name, f"without pace of {name}", judged)
    for name in told:
        paced = _better(trials, paced, _leaned(paced.scheme, name), name, judged)
    return paced


def _spared(trials: Sequence[Trial], best: Said, name: str, told: str, judged: list[Judged]) -> Said:
    """Without a block that does harm. It is learnt anew only where it would be better to have held one's tongue."""
    scheme = _without(best.scheme, name)
    silent = [rates_on(trial.later, scheme, learnt) for trial, learnt in zip(trials, best.learnt, strict=True)]
    gain, error = _gain(
        trials, best, structs.replace(best, win=[win for win, _ in silent], lose=[lose for _, lose in silent])
    )
    if gain <= error:
        judged.append(Judged(told, gain, error, taken=False))
        return best
    return _better(trials, best, scheme, told, judged)


def _without(scheme: Scheme, name: str) -> Scheme:
    blocks, pace = (tuple(other for other in names if other != name) for names in (scheme.blocks, scheme.pace))
    return Scheme(blocks, pace, scheme.half_life)


def _leaned(scheme: Scheme, name: str) -> Scheme:
    return Scheme((*scheme.blocks, name), _without(scheme, name).pace, scheme.half_life)


def _paced(scheme: Scheme, name: str) -> Scheme:
    return Scheme(scheme.blocks, (*scheme.pace, name), scheme.half_life)


def _better(
    trials: Sequence[Trial], best: Said, scheme: Scheme, name: str, judged: list[Judged], by: float = 1.0
) -> Said:
    """The other scheme, where it is better by so many standard errors."""
    other = tried(trials, scheme, best)
    gain, error = _gain(trials, best, other)
    taken = gain > max(error, LEAST_GAIN) * by
    judged.append(Judged(name, gain, error, taken))
    return other if taken else best


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
