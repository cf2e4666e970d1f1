"""Why a range is another than it was: the mean of one run to that of a later one, step by step, and the deals behind
it.

The steps sum to the difference, exactly: what was closed meanwhile, what was expected of deals that are open no more,
of new ones, of those whose chance, day or amount is another, of business that was not there yet, what other views and
levels moved; and `other`, what rounding leaves. Deals of runs that are no longer kept are one step, `open`.
"""

from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import Connection

from forecasting.outlook import store, telling
from forecasting.outlook.store import Run
from forecasting.outlook.telling import Looked, RunTold, Wanted, told
from forecasting.outlook.values import Outlook, Range
from sfa.core.days import check_day, plus_days
from sfa.core.errors import Refused

CLOSED, WON, LOST, LEFT, NEW, CHANGED, OPEN = "closed", "won", "lost", "left", "new", "changed", "open"
NEWCOMERS, ADJUSTED, OTHER = "newcomers", "adjusted", "other"
STEPS = (CLOSED, WON, LOST, LEFT, NEW, CHANGED, OPEN, NEWCOMERS, ADJUSTED, OTHER)
WEEK_DAYS, DEALS_MAX = 7, 20


class Step(Struct, frozen=True):
    """By how much of the mean, and by how many deals."""

    code: str
    amount_minor: int
    deals: int = 0


class DealMoved(Struct, frozen=True):
    """What was expected of a deal, and what is now; `name` is null where the caller does not see it today."""

    key: str
    name: str | None
    code: str
    before_minor: int
    after_minor: int


class Moved(Struct, frozen=True, kw_only=True):
    """`before` and `after` are the ranges of both runs; `deals` those that moved most."""

    since: RunTold
    to: RunTold
    currency: str
    node: str
    period_key: str
    before: Range
    after: Range
    steps: list[Step]
    deals: list[DealMoved]


def moved(connection: Connection, user_key: str, wanted: Wanted, since: str | None) -> Moved:
    """From the last run of `since`, a week ago unless said, to that of `wanted`. Refuses as an outlook does, and
    `outlook_missing` where there is no earlier run, or none in this currency that looked at the period."""
    found = telling.look(connection, user_key, wanted)
    day = since if since is not None else plus_days(found.run.as_of, -WEEK_DAYS)
    earlier = store.newest(connection, check_day(day))
    if earlier is None or earlier.number >= found.run.number or earlier.currency != found.run.currency:
        raise Refused("outlook_missing", f"there is no run of {day} or before to compare with", day=day)
    after = _outlook(connection, found.run, found.node, wanted.period)
    before = _outlook(connection, earlier, found.node, after.period_key)
    if before.range is None or after.range is None:
        raise Refused(
            "outlook_missing", "one of the runs says no range of this node", code_of_run=before.code or after.code
        )
    steps, deals = _steps(connection, found, earlier, before, after)
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
    )


def _outlook(connection: Connection, run: Run, node: str, period: str | None) -> Outlook:
    document = store.nodes(connection, run.number, [node]).get(node)
    for outlook in document.periods if document is not None else ():
        if period in (None, outlook.period_key):
            return outlook
    raise Refused("outlook_missing", f"the run of {run.as_of} says nothing of {node} in this period", day=run.as_of)


def _steps(
    connection: Connection, found: Looked, earlier: Run, before: Outlook, after: Outlook
) -> tuple[list[Step], list[DealMoved]]:
    assert before.range is not None
    assert after.range is not None
    sums = {CLOSED: after.won_minor - before.won_minor, NEWCOMERS: after.new_minor - before.new_minor}
    sums[ADJUSTED] = after.adjusted_minor - before.adjusted_minor
    past, now = _expected(connection, earlier, found.node, before), _expected(connection, found.run, found.node, after)
    counts: dict[str, int] = {}
    deals: list[DealMoved] = []
    if past is None or now is None:
        sums[OPEN] = after.open_minor - before.open_minor
    else:
        keys = sorted(key for key in past.keys() | now.keys() if past.get(key, 0) != now.get(key, 0))
        rows = telling.deal_rows(connection, found.who, keys)
        for key in keys:
            code = _class(key, past, now, rows)
            change = now.get(key, 0) - past.get(key, 0)
            sums[code], counts[code] = sums.get(code, 0) + change, counts.get(code, 0) + 1
            name = rows[key][0] if key in rows else None
            deals.append(DealMoved(key, name, code, past.get(key, 0), now.get(key, 0)))
    sums[OTHER] = after.range.mean_minor - before.range.mean_minor - sum(sums.values())
    deals.sort(key=lambda deal: (-abs(deal.after_minor - deal.before_minor), deal.key))
    steps = [Step(code, sums[code], counts.get(code, 0)) for code in STEPS if sums.get(code) or counts.get(code)]
    return steps, deals[:DEALS_MAX]


def _class(key: str, past: Mapping[str, int], now: Mapping[str, int], rows: Mapping[str, tuple[str, str, str]]) -> str:
    if key in past and key in now:
        return CHANGED
    if key in now:
        return NEW
    state = rows[key][2] if key in rows else LEFT
    return state if state in (WON, LOST) else LEFT


def _expected(connection: Connection, run: Run, node: str, period: Outlook) -> dict[str, int] | None:
    """deal -> what was expected of it in the period, of everybody in the node; None where it is not kept any more."""
    tree = store.tree(connection, run.number)
    people = [name.removeprefix("user:") for name, above in tree.items() if node in (name, *above)]
    found = store.deals(connection, run.number, people)
    if not found and period.open_minor:
        return None
    place = telling.ahead(connection, run.number).index(period.period_key)
    return {deal.key: deal.expected_minor[place] for of in found.values() for deal in of}
