"""The open days of deals as rows: stretches of days in which nothing that is counted changes.

A row begins where a deal's stage, its pushes, its age bin, the week or the month of the quarter or its time in the
stage change; so a model of rates a day needs a row, not a day. What happens on a day belongs to what was known at the
end of the day before. Days before the first end that is known do not count: a file that begins there has lost the deals
that ended earlier. A deal that ended on the day it opened was never seen open, one that ended before it opened is
wrong; neither has rows.
"""

import numpy as np
from msgspec import Struct

from forecasting.engine.values import EXPECTED, NEVER, STAGE, Bools, Deals, Floats, Ints
from forecasting.engine.winrate.quarters import Places

NONE, WON, LOST, MOVED, PUSHED = range(5)
MOST_PUSHES = 3
COHORTS = 120
# First days of bins: fixed, so that no later day chooses them. Ages in a quarter are told apart by about a tenth.
AGES = np.array(
    [1, 2, 3, 5, 8, 11, 14, 18, 23, *range(30, 120, 10), *range(120, 180, 20), 180, 210, 240, 300, 365, 480, 730, 1095],
    dtype=np.int64,
)
SPANS = np.array([1, 14, 30, 60, 90, 140, 365], dtype=np.int64)  # coarse ages, for what belongs together with age
WAITS = np.array([0, 4, 8, 15, 31, 61, 121], dtype=np.int64)  # days in the stage


class Panel(Struct, frozen=True, eq=False):
    """One position for each row. `day` is its first day; `happened` is what happened on its last one."""

    deal: Ints
    day: Ints
    days: Floats
    age: Ints
    span: Ints
    month: Ints
    week: Ints
    stage: Ints
    wait: Ints
    pushes: Ints
    happened: Ints
    cohort: Ints
    opened: Ints

    def __len__(self) -> int:
        return len(self.deal)

    def taken(self, rows: Ints) -> "Panel":
        return Panel(*(getattr(self, name)[rows] for name in self.__struct_fields__))


class Told(Struct, frozen=True, eq=False):
    """Changes of one kind in order of deal and day, with the days' order as one number for looking back."""

    key: Ints
    deal: Ints
    day: Ints
    value: Floats


REACH = 1 << 22  # more than any ordinal of a day


def told_of(deals: Deals, kind: int) -> Told:
    changes = deals.changes
    kept = changes.kind == kind
    deal, day = changes.deal[kept], changes.day[kept]
    return Told(deal * REACH + day, deal, day, changes.value[kept])


def last_before(told: Told, deal: Ints, day: Ints) -> Ints:
    """The position of the last change of each deal before its day; -1 where there was none."""
    found = np.searchsorted(told.key, deal * REACH + day, side="left") - 1
    there = (found >= 0) & (told.deal[np.maximum(found, 0)] == deal) if len(told.deal) else np.zeros(len(deal), bool)
    return np.where(there, found, -1)


def panel_of(deals: Deals, places: Places, first: int, until: int) -> Panel:
    """The rows of the days from `first` to `until`, of deals as known at the end of `until`."""
    end = np.where(deals.is_open, until, deals.ended_on)
    begin = np.maximum(deals.opened_on + 1, first)
    alive = np.flatnonzero((end >= begin) & (deals.is_open | (deals.ended_on > deals.opened_on)))
    stages, expected = told_of(deals, STAGE), told_of(deals, EXPECTED)
    breaks = [
        (alive, begin[alive]),
        (stages.deal, stages.day + 1),
        (expected.deal, expected.day + 1),
        *((alive, deals.opened_on[alive] + age) for age in AGES[1:]),
        *((stages.deal, stages.day + 1 + wait) for wait in WAITS[1:]),
        *_of_calendar(places, alive, begin[alive], end[alive]),
    ]
    inside = [(deal[k], day[k]) for deal, day in breaks for k in [(day >= begin[deal]) & (day <= end[deal])]]
    live = np.zeros(len(deals), dtype=np.bool_)
    live[alive] = True
    keys = np.unique(np.concatenate([(deal * REACH + day)[live[deal]] for deal, day in inside]))
    deal, day = keys // REACH, keys % REACH
    last = np.ones(len(keys), dtype=np.bool_)
    last[:-1] = deal[1:] != deal[:-1]
    final = end[deal]
    after = np.where(last, final + 1, np.append(day[1:], 0))
    stage_at = last_before(stages, deal, day)
    stage = np.where(stage_at >= 0, stages.value[stage_at] if len(stages.value) else 0, 0).astype(np.int64)
    since = np.where(stage_at >= 0, stages.day[stage_at] if len(stages.day) else 0, deals.opened_on[deal])
    place = places.at(day)
    age = day - deals.opened_on[deal]
    return Panel(
        deal=deal,
        day=day,
        days=(after - day).astype(np.float64),
        age=np.searchsorted(AGES, age, side="right") - 1,
        span=np.searchsorted(SPANS, age, side="right") - 1,
        month=places.month[place],
        week=places.week[place],
        stage=np.clip(stage, 0, max(len(deals.stages) - 1, 0)),
        wait=np.clip(np.searchsorted(WAITS, day - 1 - since, side="right") - 1, 0, len(WAITS) - 1),
        pushes=pushes_before(deals, deal, day),
        happened=_happened(deals, deal, after - 1, last, stages, stage, expected),
        opened=deals.opened_on[deal],
        cohort=cohort_of(deals.opened_on[deal], int(deals.opened_on.min())),
    )


def cohort_of(opened: Ints, since: int) -> Ints:
    """The thirty days in which a deal opened, counted from a day; what is beyond the last number shares it."""
    return np.clip((opened - since) // 30, 0, COHORTS - 1)


def pushes_before(deals: Deals, deal: Ints, day: Ints) -> Ints:
    """How often the expected day of each deal had been put off before its day; more than three do not matter."""
    expected = told_of(deals, EXPECTED)
    if not len(expected.key):
        return np.zeros(len(deal), dtype=np.int64)
    later = np.zeros(len(expected.key), dtype=np.int64)
    same = expected.deal[1:] == expected.deal[:-1]
    later[1:] = same & (expected.value[1:] > expected.value[:-1]) & (expected.value[:-1] != NEVER)
    counted = np.concatenate([[0], np.cumsum(later)])
    first = np.searchsorted(expected.key, deal * REACH, side="left")
    reached = np.searchsorted(expected.key, deal * REACH + day, side="left")
    pushes: Ints = np.minimum(counted[reached] - counted[first], MOST_PUSHES)
    return pushes


def _of_calendar(places: Places, deal: Ints, begin: Ints, end: Ints) -> list[tuple[Ints, Ints]]:
    """The days on which a week or a month of the quarter begins, within each deal's days."""
    new = np.flatnonzero((np.diff(places.week) != 0) | (np.diff(places.month) != 0)) + 1 + places.first
    low, high = np.searchsorted(new, begin), np.searchsorted(new, end, side="right")
    counts = np.maximum(high - low, 0)
    at = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    return [(np.repeat(deal, counts), new[at])]


def _happened(deals: Deals, deal: Ints, on: Ints, last: Bools, stages: Told, stage: Ints, expected: Told) -> Ints:
    """What happened on the last day of each row; an end outweighs a move, a move a push."""
    ended = last & (deals.ended_on[deal] == on)
    moved = _changed_on(stages, deal, on)
    to = last_before(stages, deal, on + 1)
    moved &= (to >= 0) & (np.where(to >= 0, stages.value[to] if len(stages.value) else 0, 0) != stage)
    pushed = pushes_before(deals, deal, on + 1) > pushes_before(deals, deal, on)
    found = np.where(pushed & _changed_on(expected, deal, on), PUSHED, NONE)
    found = np.where(moved, MOVED, found)
    return np.where(ended, np.where(deals.won[deal], WON, LOST), found).astype(np.int64)


def _changed_on(told: Told, deal: Ints, on: Ints) -> Bools:
    at = np.searchsorted(told.key, deal * REACH + on, side="left")
    if not len(told.key):
        return np.zeros(len(deal), dtype=np.bool_)
    found: Bools = told.key[np.minimum(at, len(told.key) - 1)] == deal * REACH + on
    return found
