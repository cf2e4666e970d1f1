"""Learning from a company's own closed and open deals what becomes of open ones; nothing later than the day is seen."""

import numpy as np

from forecasting.engine.values import NEVER, STAGE, Deals, Floats, Ints, as_known
from forecasting.engine.winrate.amounts import fit_amounts
from forecasting.engine.winrate.design import words_of
from forecasting.engine.winrate.judging import Verdict, judge, tells_of_deals
from forecasting.engine.winrate.learning import MOST_ROWS, learn, learn_ways, rows_of, thinned
from forecasting.engine.winrate.model import VERSION, Model, NotComputable
from forecasting.engine.winrate.panel import LOST, WON, panel_of, told_of
from forecasting.engine.winrate.quarters import covering, places
from forecasting.engine.winrate.trust import odds_of

AHEAD = 4 * 366  # days after the cut-off that have a place in a quarter
FEW = 30
MOVES_PRIOR = 1.0


def fit(deals: Deals, day: int, quarters: Ints | None = None, seed: int = 0) -> Model | NotComputable:
    """A model of the deals as known at the end of `day`; `no_history` before a first deal ended.

    `quarters`: the first days of the company's quarters (civil ones without). `seed` matters only for large pasts, of
    which the days on which nothing happened are thinned.
    """
    known = as_known(deals, day)
    ended = known.ended_on != NEVER
    lasting = ended & (known.ended_on > known.opened_on)
    if not lasting.any():
        return NotComputable("no_history", "no deal has been won or lost yet")
    first = int(known.ended_on[lasting].min())
    calendar = covering(quarters, min(int(known.opened_on.min()), first), day + AHEAD)
    panel = panel_of(known, places(calendar, first, day), first, day)
    words = words_of(known, np.flatnonzero(ended))
    rows = rows_of(known, panel, words)
    verdict = judge(rows, day, seed)
    rng = np.random.default_rng([seed, 9])
    ends = learn(thinned(rows, rng), verdict.scheme, day)
    learnt = learn_ways(thinned(rows, rng, MOST_ROWS // 3), verdict.scheme, day, ends)
    won, lost = int((ended & known.won).sum()), int((ended & ~known.won).sum())
    return Model(
        version=VERSION,
        day=day,
        deals=len(known),
        won=won,
        lost=lost,
        said=_said(verdict, won, lost, bool((ended & (known.ended_on < known.opened_on)).any())),
        scheme=verdict.scheme,
        judged=verdict.judged,
        quarters=calendar,
        stages=known.stages,
        words=words,
        since=int(known.opened_on.min()),
        size_centre=learnt.sizes.centre,
        size_scale=learnt.sizes.scale,
        win=learnt.win,
        lose=learnt.lose,
        move=learnt.move,
        push=learnt.push,
        moves=_moves(known),
        level=verdict.level,
        odds=odds_of(*(int((panel.happened == end).sum()) for end in (WON, LOST))),
        trust=verdict.trust,
        amounts=fit_amounts(known),
    )


def _said(verdict: Verdict, won: int, lost: int, wrong: bool) -> tuple[str, ...]:
    return (
        *(["one_outcome"] if 0 in (won, lost) else []),
        *(["few"] if won + lost < FEW else []),
        *(["dates_wrong"] if wrong else []),
        *(["not_judged"] if not verdict.judged else []),
        *(["no_signal"] if not tells_of_deals(verdict.scheme) else []),
    )


def _moves(known: Deals) -> Floats:
    """Of the moves out of each stage, the share that went to each; before any was seen, to the next one."""
    count = max(len(known.stages), 1)
    told = told_of(known, STAGE)
    stage = np.clip(told.value, 0, count - 1).astype(np.int64)
    later = np.flatnonzero((told.deal[1:] == told.deal[:-1]) & (stage[1:] != stage[:-1]))
    seen = np.bincount(stage[later] * count + stage[later + 1], minlength=count * count).reshape(count, count)
    usual = np.eye(count, k=1) * MOVES_PRIOR
    usual[-1, -1] = 1.0
    total = seen + usual
    return np.asarray(total / total.sum(axis=1, keepdims=True), dtype=np.float64)
