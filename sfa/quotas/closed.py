"""Closed figures beside what they would be today (R2): read only, each asked in sets.

A closed figure is what the last closing of the quota's period kept; the restated one is the live figure of the same
moment. They differ by contributions (`sfa.quotas.restating`), which are listed with the records behind them; a record
that the caller may not see is counted and summed, and not named (S13).
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, and_, func, select

from sfa.core.errors import Refused
from sfa.core.money import ratio_bp
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, closed_contributions, closed_figures
from sfa.quotas.measures import Contribution
from sfa.quotas.restating import Part, Place, Was

KEYS_AT_ONCE = 500
PAGE_DEFAULT, PAGE_MAX = 50, 200
_QUOTAS, _CLOSINGS, _PERIODS = ROWS["quotas"], ROWS["period_closings"], ROWS["fiscal_periods"]


class Closed(Struct, frozen=True):
    """What one closing kept of a quota. `value` is null where it was not computable, `code` says why; `pct_bp` is null
    for a target that is zero or negative (R7)."""

    number: int
    closing_key: str
    closed_at: int
    closed_by: str
    grace_until: int | None
    again_key: str | None
    reason: str | None
    value: int | None
    code: str | None
    target: int
    currency: str | None
    version: int
    pct_bp: int | None


class Brief(Struct, frozen=True):
    """What a live figure shows beside itself of the last closing."""

    number: int
    value: int | None
    closed_at: int


def pct_of(value: int | None, target: int | None) -> int | None:
    """Basis points; nothing where the target is not above zero (R7)."""
    return ratio_bp(value, target) if value is not None and target is not None and target > 0 else None


def closed_of(connection: Connection, quota_keys: Iterable[str]) -> dict[str, Closed]:
    """quota -> what the last closing of its period kept; those that were not closed are left out."""
    wanted = sorted(set(quota_keys))
    found: dict[str, Closed] = {}
    for start in range(0, len(wanted), KEYS_AT_ONCE):
        keys = listed(connection, wanted[start : start + KEYS_AT_ONCE])
        for row in connection.execute(_LAST, {"keys": keys}):
            found[row.quota_key] = _closed(row)
    return found


def briefly(connection: Connection, quota_keys: Iterable[str]) -> dict[str, Brief]:
    """The same in short."""
    return {key: Brief(f.number, f.value, f.closed_at) for key, f in closed_of(connection, quota_keys).items()}


def closings_of(connection: Connection, quota_key: str, before: int, limit: int) -> list[Closed]:
    """Every closing that kept a figure of the quota, the latest first."""
    query = _READ.where(_QUOTAS.c.key == quota_key, _CLOSINGS.c.number < before)
    return [_closed(row) for row in connection.execute(query.order_by(_CLOSINGS.c.number.desc()).limit(limit))]


def contributions_of(connection: Connection, closing_key: str, quota_key: str) -> list[Part]:
    """What a closed figure was the sum of."""
    c = closed_contributions.c
    query = select(closed_contributions).where(c.closing_key == closing_key, c.quota_key == quota_key)
    return [
        _part(row, Place(row.entity, row.row_key, row.ordinal, row.reversal, row.user_key))
        for row in connection.execute(query)
    ]


def part_of(found: Contribution) -> Part:
    """A live contribution as a closing would keep it."""
    return _part(found, Place(found.entity, found.row_key, found.ordinal, found.reversal, found.user_key))


def _part(said: Any, place: Place) -> Part:
    return Part(*(getattr(said, name) for name in Was.__struct_fields__), place=place)


def _closed(row: Row[Any]) -> Closed:
    said = {name: getattr(row, name) for name in Closed.__struct_fields__ if name != "pct_bp"}
    return Closed(**said, pct_bp=pct_of(row.value, row.target))


_KEPT = and_(closed_figures.c.closing_key == _CLOSINGS.c.key, closed_figures.c.quota_key == _QUOTAS.c.key)
_READ = (
    select(
        closed_figures,
        _CLOSINGS.c.number,
        _CLOSINGS.c.closed_at,
        _CLOSINGS.c.closed_by,
        _CLOSINGS.c.grace_until,
        _CLOSINGS.c.again_key,
        _CLOSINGS.c.reason,
    )
    .select_from(_QUOTAS)
    .join(_CLOSINGS, _CLOSINGS.c.period_key == _QUOTAS.c.period_key)
    .join(closed_figures, _KEPT)
)
_OTHER = _CLOSINGS.alias("other")
_NEWEST = select(func.max(_OTHER.c.number)).where(_OTHER.c.period_key == _CLOSINGS.c.period_key).scalar_subquery()
_LAST = _READ.where(among(_QUOTAS.c.key, "keys"), _CLOSINGS.c.number == _NEWEST)


def check_page(limit: int) -> None:
    if not 1 <= limit <= PAGE_MAX:
        raise Refused("request_invalid", f"a page has 1 to {PAGE_MAX} rows")
