"""How right calls were: the locked call against the closed figure of a person or team and a period (R29). Pure.

WAPE is the sum of all differences, whichever way, over the sum of what was closed; bias is the sum of differences with
their sign over the same, above zero where too much was called. Both are in basis points, and null with `not_computable`
where there is nothing to divide by (R7). Of a few calls a score says little, and is marked so. A call whose money could
not be said in the report's currency, or that names no amount of the view, is counted as left out and in no sum.
"""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from forecasting.answers import PeriodTold
from sfa.core.days import to_date
from sfa.core.money import ratio_bp

FEW = 5  # fewer calls than these are marked
NOT_COMPUTABLE, RATE_MISSING, NOT_CALLED = "not_computable", "rate_missing", "not_called"
VIEWS = ("commit", "likely", "best_case")  # of which a call names an amount


class Called(Struct, frozen=True, kw_only=True, gc=False):
    """A locked call beside what came of it, in the report's currency. `level` is `person`, or `team` with how deep the
    team lies on the lock's day (1 is directly below the company); `weeks` are whole ones from the lock to the period's
    end. `code` says why an amount is null: not_called, rate_missing."""

    key: str
    period_key: str
    node: str
    author_key: str
    due_on: str
    level: str
    weeks: int
    called_minor: int | None
    closed_minor: int | None
    code: str | None = None


class Score(Struct, frozen=True, kw_only=True):
    """Of the calls of a group (`of` names it). `off_minor` sums differences whichever way, `over_minor` with their
    sign; `few` marks fewer than `FEW` calls, `left_out` counts those that are in no sum."""

    of: str
    calls: int
    called_minor: int
    closed_minor: int
    off_minor: int
    over_minor: int
    wape_bp: int | None
    wape_code: str | None
    bias_bp: int | None
    bias_code: str | None
    few: bool
    left_out: int


class Accuracy(Struct, frozen=True, kw_only=True):
    """Scores of the groups, by what names them, and of `all` calls together; `items` are the calls themselves, by
    period, lock and node, at most `ITEMS_MAX` of `count`. `periods` are over as of the local day `as_of`."""

    as_of: str
    zone: str
    currency: str
    view: str
    by: str
    periods: list[PeriodTold]
    scores: list[Score]
    all: Score
    items: list[Called]
    count: int


def weeks_ahead(due_on: str, end_on: str) -> int:
    """Whole weeks from a lock to the end of its period."""
    return (to_date(end_on) - to_date(due_on)).days // 7


def score(of: str, calls: Iterable[Called]) -> Score:
    """Worked example (900 and 600 against 1,000 and 500): WAPE 200 / 1,500 = 13.33 %, bias 0."""
    count = left_out = called = closed = off = came_in_all = 0
    for call in calls:
        said, came = call.called_minor, call.closed_minor
        if said is None or came is None:
            left_out += 1
            continue
        count += 1
        called += said
        closed += came
        off += abs(said - came)
        came_in_all += abs(came)
    wape = ratio_bp(off, came_in_all)
    bias = ratio_bp(called - closed, abs(closed))
    return Score(
        of=of,
        calls=count,
        called_minor=called,
        closed_minor=closed,
        off_minor=off,
        over_minor=called - closed,
        wape_bp=wape,
        wape_code=NOT_COMPUTABLE if wape is None else None,
        bias_bp=bias,
        bias_code=NOT_COMPUTABLE if bias is None else None,
        few=count < FEW,
        left_out=left_out,
    )


def _person(call: Called) -> str | None:
    return call.node if call.node.startswith("user:") else None


def _manager(call: Called) -> str | None:
    return f"user:{call.author_key}" if call.node.startswith("team:") else None


# What calls are grouped by -> the group of a call, None where it is in none.
BY: Mapping[str, Callable[[Called], str | None]] = {
    "person": _person,  # who called his own number
    "manager": _manager,  # who called for teams
    "team": lambda call: call.node if call.node.startswith("team:") else None,
    "level": lambda call: call.level,
    "horizon": lambda call: f"{call.weeks:03}",  # weeks, so that texts are in their order
}


def scores(calls: Iterable[Called], by: str) -> tuple[list[Score], Score]:
    """-> (each group's by its name, that of all calls that are in a group): no call is in two."""
    groups: dict[str, list[Called]] = {}
    group_of = BY[by]
    for call in calls:
        of = group_of(call)
        if of is not None:
            groups.setdefault(of, []).append(call)
    together = score("all", (call for group in groups.values() for call in group))
    return [score(of.lstrip("0") or "0" if by == "horizon" else of, groups[of]) for of in sorted(groups)], together
