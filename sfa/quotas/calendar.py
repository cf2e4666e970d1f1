"""The fiscal calendar as data: periods made for the years ahead, and what a day belongs to (R31, R32).

`make_periods` is a job. Promises: the periods of this fiscal year and the next ones are there, with the keys and days
of `fiscal_calendars`; a run that finds them so writes nothing. A changed calendar moves and takes back periods that
nothing names; those that quotas or closings name stay as they are (`sfa.crm.beside` refuses a calendar that would move
them). Names that people gave to periods stay, and periods of theirs under other keys. A company without a calendar row
makes its periods itself.
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from sfa.core.calendars import calendars_of, rows_of, year_of, years_from
from sfa.core.days import check_day
from sfa.core.periods import Period, PeriodKind
from sfa.crm import beside
from sfa.crm.beside import PERIOD_FIELDS
from sfa.db import scope
from sfa.db.cells import Cell
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin

YEARS_AHEAD = 3  # this one and two more
KIND = "calendar"
_PERIODS = ROWS["fiscal_periods"]


class Made(Struct, frozen=True):
    """What a run did; `kept` are periods in use that the calendar would have otherwise."""

    written: int = 0
    deleted: int = 0
    kept: int = 0


class Place(Struct, frozen=True):
    """A fiscal year, quarter or month. `key` is the row of it, null where there is none."""

    name: str
    start_on: str
    end_on: str
    key: str | None


class DayTold(Struct, frozen=True):
    """Where a local day of the organisation lies; days run from midnight to midnight in `zone`."""

    on: str
    zone: str
    year: Place
    quarter: Place
    month: Place


def make_periods(connection: Connection, now_ms: int) -> Made | None:
    """None where the company has no calendar. One run at a time, and none while a calendar changes."""
    if not beside.stored_calendars(connection):
        return None
    scope.lock_organisation(connection)
    beside.lock_quotas(connection)
    calendars = calendars_of(beside.stored_calendars(connection).values())
    years = [year.year for year in years_from(calendars, scope.today(connection, now_ms), YEARS_AHEAD)]
    wanted = {key: row for year in years for key, row in rows_of(calendars, year).items()}
    door = Door(connection, now_ms)
    keys = [key for key in connection.execute(select(_PERIODS.c.key)).scalars() if year_of(key) in years]
    door.load("fiscal_periods", {*keys, *wanted})
    used = beside.in_use(connection, sorted({*keys, *wanted}))
    made = _write(door, wanted, used, Origin(author_key=None, at=now_ms, stored_at=now_ms))
    door.flush()
    return made


def _write(door: Door, wanted: dict[str, dict[str, Any]], used: set[str], origin: Origin) -> Made:
    written = deleted = kept = 0
    for key, row in wanted.items():
        cell = door.cell("fiscal_periods", key)
        if _says(cell, row):
            continue
        if cell.exists and key in used:
            kept += 1
            continue
        door.put(cell, row if cell.rev == 0 else {field: row[field] for field in PERIOD_FIELDS}, origin, KIND)
        written += 1
    for cell in sorted(door.cells_of("fiscal_periods"), key=lambda cell: cell.key):
        if cell.exists and cell.key not in wanted:
            if cell.key in used:
                kept += 1
                continue
            door.delete(cell, origin, KIND)
            deleted += 1
    return Made(written, deleted, kept)


def _says(cell: Cell, row: dict[str, Any]) -> bool:
    return cell.exists and all(cell.row[field] == row[field] for field in PERIOD_FIELDS)


def day_told(connection: Connection, now_ms: int, on: str | None) -> DayTold:
    """The year, quarter and month of a day, of today unless it is said. Refuses `field_invalid`, `period_unknown`."""
    day = check_day(on) if on is not None else scope.today(connection, now_ms)
    calendars = calendars_of(beside.stored_calendars(connection).values())
    found = [calendars.period_of(day, kind) for kind in (PeriodKind.YEAR, PeriodKind.QUARTER, PeriodKind.MONTH)]
    query = select(_PERIODS.c.key).where(_PERIODS.c.key.in_([period.name for period in found]), ~_PERIODS.c.gone)
    keys = set(connection.execute(query).scalars())
    return DayTold(day, scope.zone(connection), *(_place(period, keys) for period in found))


def _place(period: Period, keys: set[str]) -> Place:
    return Place(period.name, period.start_on, period.end_on, period.name if period.name in keys else None)
