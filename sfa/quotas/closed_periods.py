"""A period with its closings, and which of its figures differ by now (R2): one row for each quota, and the sums.

Only figures that the caller may know are counted (R45), and he is told where that is not all of them (R30). Sums are
kept apart by whom a quota measures, by measure and by unit: a team's figure holds its members' (R6, R19).
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, func, select

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.edits import Who
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS, closed_figures
from sfa.quotas import closed, engine
from sfa.quotas.closed import Closed, check_page
from sfa.quotas.measures import QuotaRow
from sfa.quotas.restatement import Restated, restated_of
from sfa.quotas.sight import seen, sees_figure

_QUOTAS, _CLOSINGS = ROWS["quotas"], ROWS["period_closings"]
CLOSINGS_TOLD = 100


class Closing(Struct, frozen=True):
    """`figures` were kept by it, of which `incomplete` were not computable."""

    key: str
    number: int
    closed_at: int
    closed_by: str
    grace_until: int | None
    again_key: str | None
    reason: str | None
    figures: int
    incomplete: int


class Differing(Struct, frozen=True):
    """A quota whose figure is another one by now, or was not computable then or is not now (`delta` null)."""

    quota_key: str
    of: str
    holder_key: str
    measure: str
    unit: str | None
    closed: Closed
    restated: Restated
    delta: int | None


class SumOf(Struct, frozen=True):
    """`of` is user, team or territory; `unit` the currency, or what quantities are counted in."""

    of: str
    measure: str
    unit: str | None
    quotas: int
    closed: int
    restated: int
    delta: int


class PeriodTold(Struct, frozen=True):
    """`quotas` are those that the caller sees, `differing` of them are another figure than closed, `unclosed` came
    after the last closing. `partial`: there are quotas that he does not see."""

    period_key: str
    name: str
    start_on: str
    end_on: str
    closings: list[Closing]
    quotas: int
    differing: int
    unclosed: int
    partial: bool
    sums: list[SumOf]
    items: list[Differing]
    next: str | None


def told(connection: Connection, user_key: str, period_key: str, after: str | None, limit: int) -> PeriodTold:
    """The differing quotas in the order of their keys; no closing at all is an empty list of them."""
    check_page(limit)
    if after is not None and not is_key(after):
        raise Refused("request_invalid", "`after` is a `next`")
    who = person(connection, user_key)
    period = seen(connection, who, "fiscal_periods", period_key)
    mine, every = _keys(connection, who, period_key)
    found = [q for q in engine.read_quotas(connection, _QUOTAS.c.period_key == period_key) if q.key in mine]
    quotas = [q for q in found if sees_figure(who, q.measure)]
    figures = engine.figures(connection, quotas, None)
    stood = closed.closed_of(connection, mine)
    pairs = [(q, stood[q.key], restated_of(figures[q.key])) for q in quotas if q.key in stood]
    differing = [_differing(*pair) for pair in pairs if pair[1].value != pair[2].value]
    page = [d for d in differing if after is None or d.quota_key > after]
    return PeriodTold(
        period_key,
        period.name,
        period.start_on,
        period.end_on,
        _closings(connection, period_key),
        len(quotas),
        len(differing),
        len(quotas) - len(pairs),
        len(quotas) < every,
        _sums(pairs),
        page[:limit],
        page[limit - 1].quota_key if len(page) > limit else None,
    )


def _keys(connection: Connection, who: Who, period_key: str) -> tuple[set[str], int]:
    """-> (the quotas of the period that the caller sees, how many there are)."""
    held = listed(connection, who.held or ())
    of_period = (_QUOTAS.c.period_key == period_key, ~_QUOTAS.c.gone)
    query = select(_QUOTAS.c.key).where(*of_period, lies_in(_QUOTAS.c.buckets, "held"))
    every = connection.execute(select(func.count()).select_from(_QUOTAS).where(*of_period)).scalar()
    return set(connection.execute(query, {"held": held}).scalars()), every or 0


def _closings(connection: Connection, period_key: str) -> list[Closing]:
    """The latest first."""
    said = [_CLOSINGS.c[name] for name in Closing.__struct_fields__[:-2]]
    counted = (func.count(closed_figures.c.quota_key), func.count(closed_figures.c.code))
    query: Select[Any] = (
        select(*said, *counted)
        .select_from(_CLOSINGS.outerjoin(closed_figures, closed_figures.c.closing_key == _CLOSINGS.c.key))
        .where(_CLOSINGS.c.period_key == period_key)
        .group_by(*said)
    )
    found = connection.execute(query.order_by(_CLOSINGS.c.number.desc()).limit(CLOSINGS_TOLD))
    return [Closing(*row) for row in found]


def _differing(quota: QuotaRow, was: Closed, now: Restated) -> Differing:
    delta = now.value - was.value if now.value is not None and was.value is not None else None
    return Differing(quota.key, *quota.holder, quota.measure, _unit(quota), was, now, delta)


def _unit(quota: QuotaRow) -> str | None:
    return quota.currency or quota.unit


def _sums(pairs: Sequence[tuple[QuotaRow, Closed, Restated]]) -> list[SumOf]:
    """Of what is computable then and now."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for quota, was, now in pairs:
        if was.value is not None and now.value is not None:
            numbers = found.setdefault((quota.holder[0], quota.measure, _unit(quota) or ""), [0, 0, 0])
            for place, value in enumerate((1, was.value, now.value)):
                numbers[place] += value
    return [
        SumOf(of, measure, unit or None, count, was, now, now - was)
        for (of, measure, unit), (count, was, now) in sorted(found.items())
    ]
