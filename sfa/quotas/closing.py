"""`period.close`: what every figure of a period was on the day of its closing is kept for good (R2).

Everything is frozen in the transaction of the command: the figure of each quota of the period and the contributions
that it is the sum of. Meanwhile nobody else commits a change of a row (the clock is held), so all figures tell of one
state; a crash leaves nothing. What comes later is a restatement (`sfa.quotas.closed`), never a change of what is kept.

A closing says its `number`: of two people who close at once, and of one who asks twice, one closes and the other is
told. The first closing states the window in which one named person may close again; the next ones do not lengthen it.
It is a matter of the server's time: figures are those that stand when the command arrives.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Connection, Row, delete, select

from sfa.core.access import CLOSES_PERIODS
from sfa.core.days import day_start_ms, local_day, plus_days, start_of_ms
from sfa.core.errors import Refused
from sfa.core.fields import KEY_PATTERN, Text
from sfa.core.rules import check_values
from sfa.crm.commands import Command
from sfa.crm.edits import Who
from sfa.db import feed, scope
from sfa.db.bulk import inserting
from sfa.db.cells import Cell
from sfa.db.tables import ROWS, closed_contributions, closed_figures
from sfa.db.uncredited import uncredited
from sfa.db.writes import Door, Origin
from sfa.quotas import engine
from sfa.quotas.measures import Contribution

GRACE_DAYS_MAX = 60
NUMBER_MAX = 1_000
ROWS_AT_ONCE = 5_000
MISSING_TOLD = 50
_CLOSINGS = ROWS["period_closings"]
_KEPT = tuple(column.name for column in closed_contributions.c if column.name != "closing_key")
_FIGURES, _CONTRIBUTIONS = inserting(closed_figures), inserting(closed_contributions)


class Close(Struct, frozen=True, forbid_unknown_fields=True):
    """`number` is that of this closing. The first one says for how many days `again_key` (whoever closes, by default)
    may close again, counted in whole local days after this one. `incomplete`: although rates are missing."""

    number: Annotated[int, Meta(ge=1, le=NUMBER_MAX)] = 1
    grace_days: Annotated[int, Meta(ge=0, le=GRACE_DAYS_MAX)] | None = None
    again_key: Annotated[str, Meta(pattern=KEY_PATTERN)] | None = None
    reason: Text | None = None
    incomplete: bool = False


def close(door: Door, who: Who, cell: Cell, arguments: Mapping[str, Any], origin: Origin) -> None:
    """Freeze the figures of a period; finance, directors and administrators do. What the same push changed before is
    stored first, so that it counts."""
    try:
        asked = msgspec.convert(dict(arguments), Close)
    except msgspec.ValidationError as error:
        raise Refused("command_invalid", f"period.close: {error}") from None
    if who.role not in CLOSES_PERIODS or who.user_key is None:
        raise Refused("not_permitted", f"the role {who.role} may not close periods")
    if cell.gone:
        raise Refused("row_unknown", f"period {cell.key} is deleted", entity="fiscal_periods", key=cell.key)
    zone = scope.zone(door.connection)
    _check_over(cell, min(origin.at, door.now_ms), zone)
    door.flush()
    _hold(door.connection, cell.key)
    _check_credited(door.connection, cell, zone)
    last = _last_closing(door.connection, cell.key)
    if asked.number != (last.number + 1 if last is not None else 1):
        raise _refused_number(cell, asked, last)
    window = _window(door, who, asked, zone) if last is None else _again(door, who, cell, asked, last)
    key = closing_key(cell.key, asked.number)
    _freeze(door.connection, key, cell.key, incomplete=asked.incomplete)
    said = {"period_key": cell.key, "number": asked.number, "closed_at": door.now_ms, "closed_by": who.user_key}
    values = {**said, **window, "reason": asked.reason}
    check_values("period_closings", values)
    door.put(door.cell("period_closings", key), values, origin, "period.close")


def closing_key(period_key: str, number: int) -> str:
    """The same wherever it is made, and of no other closing: what follows the last point is the number."""
    key = f"{period_key}.{number}"
    return key if len(key) <= 64 else f"{sha256(period_key.encode()).hexdigest()[:32]}.{number}"


def _check_over(period: Cell, at: int, zone: str) -> None:
    """By the clocks of the organisation (R32): when it was asked for, and when it arrived."""
    ends_at = start_of_ms(period.row["end_on"], zone)
    if at < ends_at:
        text = f"{period.row['name']} ends before {period.row['end_on']} in {zone}"
        raise Refused("period_not_over", text, ends_at=ends_at)


def _hold(connection: Connection, period_key: str) -> None:
    """Nobody else closes this period, and no change of a row commits, before this transaction ends. SQLite has one
    writer anyway."""
    if connection.dialect.name == "postgresql":
        periods = ROWS["fiscal_periods"]
        connection.execute(select(periods.c.key).where(periods.c.key == period_key).with_for_update())
        feed.take(connection, 0)


def _check_credited(connection: Connection, period: Cell, zone: str) -> None:
    """Deals that were won before an upgrade, and not credited since, would be missing for good."""
    start_at, end_at = (start_of_ms(period.row[field], zone) for field in ("start_on", "end_on"))
    found = uncredited(connection, start_at, end_at)
    if found:
        text = f"{len(found)} deals of {period.row['name']} are not credited yet: run `sfa credits rebuild`"
        raise Refused("credits_missing", text, deals=found[:MISSING_TOLD], more=max(0, len(found) - MISSING_TOLD))


def _last_closing(connection: Connection, period_key: str) -> Row[Any] | None:
    query = select(_CLOSINGS).where(_CLOSINGS.c.period_key == period_key)
    return connection.execute(query.order_by(_CLOSINGS.c.number.desc()).limit(1)).first()


def _refused_number(period: Cell, asked: Close, last: Row[Any] | None) -> Refused:
    if last is None or asked.number > last.number:
        following = 1 if last is None else last.number + 1
        return Refused("command_invalid", f"period.close: the next closing has number {following}", number=following)
    return _closed(period, last, "was closed")


def _closed(period: Cell, last: Row[Any], text: str) -> Refused:
    details = {name: getattr(last, name) for name in ("number", "closed_at", "closed_by", "grace_until", "again_key")}
    return Refused("period_closed", f"{period.row['name']} {text}", **details)


def _window(door: Door, who: Who, asked: Close, zone: str) -> dict[str, Any]:
    """Until the end of the last day of grace, by the organisation's clocks."""
    if not asked.grace_days:
        if asked.again_key is not None:
            raise Refused("command_invalid", "period.close: who may close again may do so within `grace_days`")
        return {"grace_until": None, "again_key": None}
    again = asked.again_key or who.user_key or ""
    person = door.cell("users", again, "none")
    if not person.exists or not person.row["active"] or person.row["role"] not in CLOSES_PERIODS:
        raise Refused("reference_unknown", f"{again} is nobody who may close periods", field="again_key", key=again)
    ends_on = plus_days(local_day(door.now_ms, zone), asked.grace_days + 1)
    return {"grace_until": day_start_ms(ends_on, zone), "again_key": again}


def _again(door: Door, who: Who, period: Cell, asked: Close, last: Row[Any]) -> dict[str, Any]:
    if asked.grace_days is not None or asked.again_key is not None:
        raise Refused("command_invalid", "period.close: the first closing has said who may close again, and until when")
    if last.grace_until is None or door.now_ms >= last.grace_until:
        raise _closed(period, last, "was closed for good")
    if who.user_key != last.again_key:
        raise _closed(period, last, f"may be closed again by {last.again_key} only")
    return {"grace_until": last.grace_until, "again_key": last.again_key}


# -- freezing --------------------------------------------------------------------------------------------------------


def _freeze(connection: Connection, key: str, period_key: str, *, incomplete: bool) -> None:
    """The figures as they stand, each the exact sum of its contributions (R10)."""
    quotas = engine.read_quotas(connection, ROWS["quotas"].c.period_key == period_key)
    figures = engine.figures(connection, quotas, None)
    if not incomplete:
        _check_complete(figures.values())
    for table in (closed_figures, closed_contributions):  # of a closing that its own transaction took back
        connection.execute(delete(table).where(table.c.closing_key == key))
    for some in _parts((_figure(key, figures[quota.key]) for quota in quotas), ROWS_AT_ONCE):
        _FIGURES.run(connection, some)
    for some in _parts((_part(key, c) for c in engine.contributions_of(connection, quotas, None)), ROWS_AT_ONCE):
        _CONTRIBUTIONS.run(connection, some)


def _check_complete(figures: Iterable[engine.Figure]) -> None:
    gaps = Counter(gap for figure in figures for gap in figure.missing)
    if gaps:
        missing = [{**msgspec.structs.asdict(gap), "quotas": count} for gap, count in sorted(gaps.items())]
        text = f"{len(missing)} rates are missing, so figures are not computable"
        raise Refused("rate_missing", text, missing=missing[:MISSING_TOLD], more=max(0, len(missing) - MISSING_TOLD))


def _figure(key: str, figure: engine.Figure) -> dict[str, Any]:
    return {
        "closing_key": key,
        "quota_key": figure.quota_key,
        "value": figure.value,
        "code": figure.code,
        "target": figure.target,
        "currency": figure.currency,
        "version": figure.version,
    }


def _part(key: str, found: Contribution) -> dict[str, Any]:
    kept = {name: getattr(found, name) for name in _KEPT}
    return {"closing_key": key, **kept}


def _parts(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    waiting = iter(rows)
    while part := list(islice(waiting, size)):
        yield part


COMMANDS: dict[str, Command] = {"period.close": Command("fiscal_periods", close, alone=True, flushes=True)}
