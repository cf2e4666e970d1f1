"""The range of a period from a company's deals alone: chances, newcomers, how wrong earlier ranges were, and the draws.

The steps in order: what single deals may become (`ask`, or the plain hazards), what will come, how such a window was
seen in the past and how wrong that was (`period.prospect`), and ten thousand draws of all of it (`simulate`). A mean
that the past prefers to the pipeline's moves every draw alike, so the parts still add up to the whole.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from forecasting.engine.ageing import learn_ageing
from forecasting.engine.newcomers import Newcomers, NoArrivals, expect, learn_arrivals
from forecasting.engine.period import Asking, Prospect, calendar_of, level_of, plain_chances, prospect
from forecasting.engine.simulate import DRAWS, Outcome, Split, expectation, simulate
from forecasting.engine.values import Chances, Deals, Floats, Ints, as_known


class Ranged(Struct, frozen=True, eq=False):
    """The draws, and what they were made of."""

    outcome: Outcome
    prospect: Prospect
    chances: Chances
    newcomers: Newcomers


class NoRange(Struct, frozen=True):
    """No figure, because: `no_history` (nothing has ended yet) or `nothing_won` (nothing won with an amount)."""

    code: str
    because: str


def period_range(
    deals: Deals,
    edges: Ints,
    quarters: Ints | None = None,
    *,
    by: str = "owner",
    groups: Sequence[str] | None = None,
    split: Split | None = None,
    won: Floats | None = None,
    ask: Asking | None = None,
    chances: Chances | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Ranged | NoRange:
    """What the days (edges[0], edges[-1]] may bring, as known at the end of edges[0].

    Groups are those that `by` names, unless they are given; `split` says whose the open deals are, in order of the open
    ones of `deals`, `won` what each group has already won in the period. `ask` gives the chances of open deals, now and
    on past days, where asking so often is not too dear. `chances` are those of today alone: single deals then have
    them, and the whole is what the views say that the plain hazards are one of, for those were judged on the past.
    """
    day, end = int(edges[0]), int(edges[-1])
    known = as_known(deals, day)
    calendar = calendar_of(quarters, known, end)
    ageing = learn_ageing(known, calendar)
    arrivals = learn_arrivals(known, day, calendar, by, ageing)
    if isinstance(arrivals, NoArrivals):
        return NoRange(arrivals.code, arrivals.because)
    given = chances is not None
    if chances is None:
        chances = plain_chances(known, edges, ageing) if ask is None else ask(known, edges)
    if chances is None:
        return NoRange("no_history", "no deal has been won or lost yet")
    owner = known.features.get(by, ("",) * len(known))
    of_open = [owner[n] for n in np.flatnonzero(known.is_open)]
    names = sorted({*of_open, *arrivals.owners}) if groups is None else list(groups)
    found = prospect(known, day, end, calendar, ask)
    coming = expect(arrivals, edges, names)
    if given:
        pipeline = expectation(chances)[0] + found.look.new
        level = level_of(found.mean, pipeline)
        found = replace(found, spread=replace(found.spread, level=level))
    outcome = simulate(
        chances,
        names,
        split or _owned(of_open, names),
        won=won,
        newcomers=coming,
        spread=found.spread,
        draws=draws,
        seed=seed,
    )
    return Ranged(outcome, found, chances, coming)


def _owned(owners: Sequence[str], names: Sequence[str]) -> Split:
    """Every deal is wholly its owner's; those of owners that are not asked for are nobody's."""
    place = {name: n for n, name in enumerate(names)}
    rows = [(n, place[name]) for n, name in enumerate(owners) if name in place]
    deal, group = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    return Split(deal, group, np.ones(len(rows)))
