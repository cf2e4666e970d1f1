"""Which overrides stand, and whether they are stale (R26): derived when they are read, from what they were based on.

One that no longer stands says why: the days of its `period` are others, the node stands elsewhere in the tree (`team`),
who carried the figure or who set it does not any more (`owner`). A job writes that down; nothing is erased.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, select

from forecasting.answers import Basis, NodeRow, Override, PeriodTold, Place
from forecasting.ledger import Ledger
from forecasting.reading import World
from forecasting.rollup import LEVELS, Cell, Standing, adjust
from forecasting.spots import Spot, grow
from forecasting.tree import above
from sfa.core.days import local_day, plus_days, start_of_ms
from sfa.db.tables import ROWS

STANDING = "standing"
COMPANY = "company"
OVERRIDES = ROWS["forecast_overrides"]


class Stored(Struct, frozen=True, kw_only=True):
    """A row of `forecast_overrides`."""

    key: str
    rev: int
    period_key: str
    user_key: str | None
    team_key: str | None
    view: str
    level: str
    seen_by: str | None
    author_key: str
    amount_minor: int
    currency: str
    based_on_minor: int
    based_on: dict[str, Any]
    note: str | None
    set_at: int
    number: int
    status: str
    cause: str | None
    ended_at: int | None

    @property
    def node(self) -> str:
        return f"user:{self.user_key}" if self.user_key is not None else f"team:{self.team_key}"

    @property
    def cell(self) -> Cell:
        return self.node, self.view, self.level


def read_overrides(connection: Connection, *where: ColumnElement[bool]) -> list[Stored]:
    """Live rows by key."""
    columns = (OVERRIDES.c[name] for name in Stored.__struct_fields__)
    query = select(*columns).where(~OVERRIDES.c.gone, *where).order_by(OVERRIDES.c.key)
    return [Stored(**row) for row in connection.execute(query).mappings()]


class Position(Struct, frozen=True):
    """Who carries the figure of a node on a day, where it stands, and the team whose managers may put another in its
    place."""

    owners: list[str]
    path: list[str]
    above: str | None


def position(world: World, node: str, day: str | None = None) -> Position | None:
    """On a day, without one today. None where there is no such person or team any more; who left since was there."""
    day = day if day is not None else world.today
    is_over = day < world.today
    kind, _, key = node.partition(":")
    if kind == "user" and (is_over or world.works(key)):
        place = world.tree.place(key, day)
        return Position([key], list(place.path), above(place))
    if kind == "team" and (is_over or key in world.teams):
        place = Place(world.tree.team_path(key, day)[:-1])
        return Position(world.tree.managers(key, day), list(place.path), above(place))
    return None


def may_set(world: World, where: Position, level: str, user_key: str, day: str | None = None) -> bool:
    """One says his own totals, and those of who reports to him directly (R25)."""
    if level == "own":
        return user_key in where.owners
    day = day if day is not None else world.today
    return where.above is not None and user_key in world.tree.managers(where.above.partition(":")[2], day)


def basis_for(where: Position, period: PeriodTold) -> dict[str, Any]:
    """What an override is kept with, beside the value that stood there."""
    return {"owner": where.owners, "path": where.path, "start_on": period.start_on, "end_on": period.end_on}


def cause_of(stored: Stored, world: World, period: PeriodTold | None) -> str | None:
    """Why an override stands no more, None where it does. What stood until its period was over stands for good, however
    people and teams move after it."""
    said = stored.based_on
    if period is None or (said.get("start_on"), said.get("end_on")) != (period.start_on, period.end_on):
        return "period"
    day = min(world.today, plus_days(period.end_on, -1))
    where = position(world, stored.node, day)
    if where is None:
        return "owner" if stored.user_key is not None else "team"
    if said.get("path") != where.path or (stored.level == "manager" and where.above is None):
        return "team"
    carried = said.get("owner") or []
    if not may_set(world, where, stored.level, stored.author_key, day):
        return "owner"
    if carried and not set(carried) & set(where.owners):
        return "owner"
    return None


def told(stored: Stored, without: int | None = None, cause: str | None = None) -> Override:
    """`without` is what would stand in its place now. None: nobody asked, or it cannot be said."""
    delta = None if without is None else without - stored.based_on_minor
    values = {name: getattr(stored, name) for name in Override.__struct_fields__ if name in Stored.__struct_fields__}
    if cause is not None:
        values |= {"status": "superseded", "cause": cause}
    return Override(node=stored.node, stale=bool(delta), delta_minor=delta or None, **values)


# -- all of a period --------------------------------------------------------------------------------------------------


class Stood(Struct, frozen=True):
    """The overrides of a period as they stand in the company's currency: `standing` for roll-ups, `causes` of those
    that do not any more, by key."""

    standing: Standing
    causes: Mapping[str, str]


def stood(stored: Iterable[Stored], world: World, basis: Basis, found: Ledger) -> Stood:
    """`basis` is of the company's currency, by owner."""
    causes: dict[str, str] = {}
    here: dict[Cell, Stored] = {}
    for one in stored:
        if one.status == STANDING:
            cause = cause_of(one, world, basis.period)
            if cause is None:
                here[one.cell] = one
            else:
                causes[one.key] = cause
    values = {cell: _value(one, world, basis.currency) for cell, one in here.items()}
    without = _without(basis, found, values, world, here)
    same = {cell for cell, one in here.items() if one.currency == basis.currency}
    said = {cell: told(one, without.get(cell) if cell in same else None) for cell, one in here.items()}
    return Stood(Standing(values, said, _deciders(here)), causes)


def _deciders(here: Mapping[Cell, Stored]) -> dict[Cell, str]:
    return {cell: f"team:{one.seen_by}" for cell, one in here.items() if one.seen_by is not None}


def _without(
    basis: Basis, found: Ledger, values: Mapping[Cell, int | None], world: World, here: Mapping[Cell, Stored]
) -> dict[Cell, int | None]:
    """`here` are those that were set before; the others are set today."""
    grown = grow(basis, found, COMPANY) if values else None
    if grown is None:
        return {}
    without = adjust(grown, found, Standing(values))
    if not world.shown:
        set_on = {cell: local_day(one.set_at, world.zone) for cell, one in here.items()}
        for node, view, level in values:
            row = basis.nodes.get(node) if node.startswith("user:") and level == "manager" else None
            if row is not None:
                _leave_out(grown.root, row, view, without, world, set_on)
    return without


def _leave_out(
    root: Spot, row: NodeRow, view: str, without: dict[Cell, int | None], world: World, set_on: Mapping[Cell, str]
) -> None:
    """Who manages a team, or one above it, reads on what its figures stand: what was said of himself, where he is below
    it as well, is not in that (R25), but his own figure. Where a figure stands between, nothing of it is above. Whether
    he managed it is asked of the day on which a figure was set, so that it does not become stale by his coming."""
    way = _way(root, (*row.parents, row.node))
    four = way[-1].four[view] if way else None
    if four is None or four.manager_adjusted is None or four.own_adjusted is None:
        return
    hidden, user = four.manager_adjusted - four.own_adjusted, _key(row.node)
    for n, team in reversed(list(enumerate(row.parents))):
        cell = next((cell for level in LEVELS if (cell := (team, view, level)) in without), None)
        if cell is None:
            continue
        day, readers = set_on.get(cell, world.today), row.parents[: n + (cell[2] == "own")]
        value = without[cell]
        if value is not None and any(user in world.tree.managers(_key(of), day) for of in readers):
            without[cell] = value - hidden
        return  # the figure of who manages what is above stands on this one


def _key(node: str) -> str:
    return node.partition(":")[2]


def _way(root: Spot, nodes: Iterable[str]) -> list[Spot]:
    """The spots down to a node; none where it does not stand there."""
    way: list[Spot] = []
    for node in nodes:
        below = root.children.get(node)
        if below is None:
            return []
        root = below
        way.append(below)
    return way


def would_stand(basis: Basis, found: Ledger, standing: Standing, cell: Cell, world: World) -> int | None:
    """What stands in the place of an override that is about to be set, with all others; None where some of that cannot
    be converted."""
    return _without(basis, found, {**standing.values, cell: 0}, world, {}).get(cell)


def in_currency(standing: Standing, world: World, currency: str) -> Standing:
    """The same figures in another currency, at the rate of the report's day."""
    if currency == world.currency:
        return standing
    rate = world.exchange.applied(world.currency, currency, start_of_ms(world.today, world.zone))
    values = {
        cell: None if value is None or rate is None else rate.value(value) for cell, value in standing.values.items()
    }
    return Standing(values, standing.told, standing.deciders)


def _value(stored: Stored, world: World, currency: str) -> int | None:
    if stored.currency == currency:
        return stored.amount_minor
    rate = world.exchange.applied(stored.currency, currency, start_of_ms(world.today, world.zone))
    return None if rate is None else rate.value(stored.amount_minor)
