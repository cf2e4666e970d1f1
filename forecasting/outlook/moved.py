"""Why a range is another than it was: the mean of one run to that of a later one, step by step, and the deals behind
it.

The steps sum to the difference, exactly: what was closed meanwhile, what was expected of deals that are open no more,
of new ones, of those whose chance, day, amount or part here is another, of business that was not there yet, what other
views and levels moved; and `other`, what rounding leaves. Deals of runs that are no longer kept are one step, `open`. A
step is of the whole node; deals are named to who sees them, the others are counted.
"""

from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import Connection

from forecasting.outlook import open_deals, store, telling
from forecasting.outlook.open_deals import LOST, WON, DealRow
from forecasting.outlook.store import Run
from forecasting.outlook.telling import Looked, RunTold, Wanted, told
from forecasting.outlook.values import Outlook, Range
from sfa.core.days import check_day, plus_days
from sfa.core.errors import Refused

CLOSED, LEFT, NEW, CHANGED, OPEN = "closed", "left", "new", "changed", "open"
NEWCOMERS, ADJUSTED, OTHER = "newcomers", "adjusted", "other"
STEPS = (CLOSED, WON, LOST, LEFT, NEW, CHANGED, OPEN, NEWCOMERS, ADJUSTED, OTHER)
WEEK_DAYS, DEALS_MAX = 7, 20


class Step(Struct, frozen=True):
    """By how much of the mean, and by how many deals."""

    code: str
    amount_minor: int
    deals: int = 0


class DealMoved(Struct, frozen=True):
    """What was expected of the part of a deal that lies in the node, and what is now."""

    key: str
    name: str
    code: str
    before_minor: int
    after_minor: int


class Moved(Struct, frozen=True, kw_only=True):
    """`before` and `after` are the ranges of both runs; `deals` those that moved most, of which the caller sees today,
    and `hidden` counts those that he does not."""

    since: RunTold
    to: RunTold
    currency: str
    node: str
    period_key: str
    before: Range
    after: Range
    steps: list[Step]
    deals: list[DealMoved]
    hidden: int


def moved(connection: Connection, user_key: str, wanted: Wanted, since: str | None) -> Moved:
    """From the last run of `since`, a week ago unless said, to that of `wanted`. Refuses as an outlook does, and
    `outlook_missing` where there is no earlier run, or none in this currency that looked at the period, or the node was
    not the caller's to see where it stood then."""
    found = telling.look(connection, user_key, wanted)
    day = since if since is not None else plus_days(found.run.as_of, -WEEK_DAYS)
    earlier = store.newest(connection, check_day(day))
    if earlier is None or earlier.number >= found.run.number or earlier.currency != found.run.currency:
        raise Refused("outlook_missing", f"there is no run of {day} or before to compare with", day=day)
    then = Looked(earlier, store.tree(connection, earlier.number), found.node, found.who, found.sight)
    if found.node in then.tree and not then.sees(found.node):
        raise Refused("outlook_missing", f"the run of {earlier.as_of} is not yours to see", day=earlier.as_of)
    after = _outlook(connection, found.run, found.node, wanted.period)
    before = _outlook(connection, earlier, found.node, after.period_key)
    if before.range is None or after.range is None:
        raise Refused(
            "outlook_missing", "one of the runs says no range of this node", code_of_run=before.code or after.code
        )
    steps, deals, hidden = _steps(connection, found, then, before, after)
    return Moved(
        since=told(earlier),
        to=told(found.run),
        currency=found.run.currency or "",
        node=found.node,
        period_key=after.period_key,
        before=before.range,
        after=after.range,
        steps=steps,
        deals=deals,
        hidden=hidden,
    )


def _outlook(connection: Connection, run: Run, node: str, period: str | None) -> Outlook:
    document = store.nodes(connection, run.number, [node]).get(node)
    for outlook in document.periods if document is not None else ():
        if period in (None, outlook.period_key):
            return outlook
    raise Refused("outlook_missing", f"the run of {run.as_of} says nothing of {node} in this period", day=run.as_of)


def _steps(
    connection: Connection, found: Looked, then: Looked, before: Outlook, after: Outlook
) -> tuple[list[Step], list[DealMoved], int]:
    assert before.range is not None
    assert after.range is not None
    sums = {CLOSED: after.won_minor - before.won_minor, NEWCOMERS: after.new_minor - before.new_minor}
    sums[ADJUSTED] = after.adjusted_minor - before.adjusted_minor
    past, now = _expected(connection, then, before), _expected(connection, found, after)
    counts: dict[str, int] = {}
    deals: list[DealMoved] = []
    keys: list[str] = []
    if past is None or now is None:
        sums[OPEN] = after.open_minor - before.open_minor
    else:
        keys = sorted(key for key in past.keys() | now.keys() if past.get(key, 0) != now.get(key, 0))
        rows, seen = open_deals.rows_of(connection, keys), open_deals.rows_of(connection, keys, found.who)
        for key in keys:
            code = _class(key, past, now, rows)
            change = now.get(key, 0) - past.get(key, 0)
            sums[code], counts[code] = sums.get(code, 0) + change, counts.get(code, 0) + 1
            if key in seen:
                deals.append(DealMoved(key, seen[key].name, code, past.get(key, 0), now.get(key, 0)))
    sums[OTHER] = after.range.mean_minor - before.range.mean_minor - sum(sums.values())
    deals.sort(key=lambda deal: (-abs(deal.after_minor - deal.before_minor), deal.key))
    steps = [Step(code, sums[code], counts.get(code, 0)) for code in STEPS if sums.get(code) or counts.get(code)]
    return steps, deals[:DEALS_MAX], len(keys) - len(deals)


def _class(key: str, past: Mapping[str, int], now: Mapping[str, int], rows: Mapping[str, DealRow]) -> str:
    if key in past and key in now:
        return CHANGED
    if key in now:
        return NEW
    state = rows[key].state if key in rows else LEFT
    return state if state in (WON, LOST) else LEFT


def _expected(connection: Connection, looked: Looked, period: Outlook) -> dict[str, int] | None:
    """deal -> what was expected in the period of the parts that lie in the node; None where it is not kept any more."""
    found = open_deals.lying_with(connection, looked.run.number, looked.people)
    if found is None:
        return None
    place = open_deals.ahead(connection, looked.run.number).index(period.period_key)
    return {here.outlook.key: here.of(here.outlook.expected_minor[place]) for here in found}
