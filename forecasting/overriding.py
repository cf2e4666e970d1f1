"""Setting and taking back overrides, and writing down which stand no more (R25, R26): rows through the door.

Of one period, node, view and level there is one row, whose key follows from them, so that of two who set one at once
one is told `rev_stale`. It is never erased: history has everything that was set, by whom, and on what it was based.
"""

from hashlib import sha256
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from sqlalchemy import Connection, select

from forecasting.answers import Override, OverrideSet, PeriodTold, Setting
from forecasting.reading import World, find_period, read_world
from forecasting.spots import Sight
from forecasting.standing import (
    OVERRIDES,
    STANDING,
    Position,
    Stored,
    basis_for,
    cause_of,
    may_set,
    position,
    read_overrides,
    told,
)
from sfa.core.access import SEES_EVERYTHING
from sfa.core.errors import Refused
from sfa.core.forecast import VIEWS
from sfa.core.ids import is_key
from sfa.core.rules import check_values
from sfa.crm.edits import Who
from sfa.crm.online import begin, check_rev
from sfa.db import scope
from sfa.db.tables import ROWS, history
from sfa.db.writes import Door, Origin

ENTITY = "forecast_overrides"
LEVELS = ("own", "manager")
SET, REVERT, SUPERSEDE = "override.set", "override.revert", "override.supersede"


class Named(Struct, frozen=True):
    """Which figure: of a person or a team, in one period and cumulative view."""

    period_key: str
    node: str
    view: str
    level: str = "own"

    def key(self, decider: str | None) -> str:
        """The key of its row. `decider` is the team whose managers set it, of level manager: each team that the node
        comes to stand in begins anew, and does not see what was said where it stood before."""
        said = [self.period_key, self.node, self.view, self.level]
        if decider is not None:
            said.append(decider)
        return f"fo-{sha256(msgspec.json.encode(said)).hexdigest()[:40]}"


class Looked(Struct, frozen=True):
    """What the caller looked at: the revision of a figure, or (`fresh`) that there was none."""

    rev: int | None = None
    fresh: bool = False


def check_named(named: Named) -> None:
    """Refuses `request_invalid`, and `override_not_direct` for what nobody carries."""
    if named.view not in VIEWS or named.level not in LEVELS:
        raise Refused("request_invalid", f"a view is {', '.join(VIEWS)}, a level own or manager")
    kind, _, key = named.node.partition(":")
    if kind not in ("user", "team") or not is_key(key) or not is_key(named.period_key):
        raise Refused("request_invalid", "an override is of user:<key> or team:<key> in one period")


def sight_of(who: Who, *, shown: bool) -> Sight:
    """What a person's scope lets him see of a forecast."""
    held = who.held or frozenset()
    return Sight(
        everything=who.held is None or who.role in SEES_EVERYTHING,
        books=frozenset(b.removeprefix("book:") for b in held if b.startswith("book:") and "~" not in b),
        manages=frozenset(b.replace("manage:", "team:", 1) for b in held if b.startswith("manage:")),
        territories=frozenset(b for b in held if b.startswith("territory:") and "~" not in b),
        shown=shown,
        node=f"user:{who.user_key}",
    )


def check_may_set(world: World, named: Named, who: Who) -> Position:
    """Refuses `not_found` for a node that the caller does not see, `override_not_direct` for one that is not his own
    and does not report to him directly."""
    where = position(world, named.node)
    kind, _, key = named.node.partition(":")
    sight = sight_of(who, shown=False)
    seen = sight.everything or sight.above((*(where.path if where else ()), named.node))
    own = f"team:{key}" in (who.held or ()) if kind == "team" else key in sight.books
    if where is None or not (seen or own):
        raise Refused("not_found")
    if who.user_key is None or not may_set(world, where, named.level, who.user_key):
        raise Refused("override_not_direct", node=named.node, level=named.level)
    return where


def put(
    connection: Connection,
    now_ms: int,
    user_key: str,
    named: Named,
    said: OverrideSet,
    based_on_minor: int | None,
    looked: Looked,
) -> Override:
    """Set a figure -> the override as it stands. `based_on_minor` is what stood there when the caller looked, None
    where the forecast does not reckon with the node: a figure would count nowhere."""
    screen = begin(connection, now_ms, user_key)
    world = read_world(connection, now_ms=now_ms)
    where = check_may_set(world, named, screen.who)
    period = running(connection, world, named.period_key)
    if said.currency not in (UNSET, world.currency):
        raise Refused("field_invalid", f"an override is in {world.currency}, the company's currency", field="currency")
    if based_on_minor is None:
        raise Refused("override_not_direct", "the node is not in the tree", node=named.node, level=named.level)
    decider = _decider(where, named.level)
    cell = screen.door.cell(ENTITY, named.key(decider))
    if looked.fresh and cell.exists and _stands(connection, cell.key, world, period):
        raise Refused("rev_stale", "somebody set this figure meanwhile", rev=cell.rev)
    check_rev(cell, looked.rev)
    kind, _, key = named.node.partition(":")
    values: dict[str, Any] = {
        "period_key": named.period_key,
        "user_key": key if kind == "user" else None,
        "team_key": key if kind == "team" else None,
        "view": named.view,
        "level": named.level,
        "seen_by": decider,
        "author_key": user_key,
        "amount_minor": said.amount_minor,
        "currency": world.currency,
        "based_on_minor": based_on_minor,
        "based_on": basis_for(where, period),
        "note": said.note,
        "set_at": now_ms,
        "number": cell.row["number"] + 1 if cell.exists else 1,
        "status": STANDING,
        "cause": None,
        "ended_at": None,
    }
    check_values(ENTITY, values)
    screen.door.put(cell, values, screen.origin, SET)
    screen.door.flush()
    return _shown(connection, cell.key)


def _decider(where: Position, level: str) -> str | None:
    return (where.above or "").partition(":")[2] if level == "manager" else None


def _stands(connection: Connection, key: str, world: World, period: PeriodTold) -> bool:
    """Also before the job has written down that it does not any more."""
    found = read_overrides(connection, OVERRIDES.c.key == key, OVERRIDES.c.status == STANDING)
    return any(cause_of(one, world, period) is None for one in found)


def revert(connection: Connection, now_ms: int, user_key: str, named: Named, looked: Looked) -> Override:
    """Take a figure back; what was rolled up counts again, and the figure stays in the history."""
    screen = begin(connection, now_ms, user_key)
    world = read_world(connection, now_ms=now_ms)
    where = check_may_set(world, named, screen.who)
    cell = screen.door.cell(ENTITY, named.key(_decider(where, named.level)))
    if not cell.exists:
        raise Refused("not_found")
    running(connection, world, named.period_key)
    check_rev(cell, looked.rev)
    if cell.row["status"] != STANDING:
        raise Refused("not_found", "no figure stands there")
    screen.door.put(cell, {"status": "reverted", "cause": "reverted", "ended_at": now_ms}, screen.origin, REVERT)
    screen.door.flush()
    return _shown(connection, cell.key)


def running(connection: Connection, world: World, period_key: str) -> PeriodTold:
    """A period that is not over. Refuses `period_unknown`, `forecast_period_over`."""
    period = find_period(connection, period_key, world.today, world.period_kind)
    if period.end_on <= world.today:
        raise Refused("forecast_period_over", period_key=period_key, end_on=period.end_on)
    return period


def _shown(connection: Connection, key: str) -> Override:
    (found,) = read_overrides(connection, OVERRIDES.c.key == key)
    return told(found, found.based_on_minor if found.status == STANDING else None)


# -- the job ----------------------------------------------------------------------------------------------------------


def supersede(connection: Connection, now_ms: int) -> int:
    """Write down which overrides of periods that are not over stand no more and why -> how many. A run that finds all
    as it should writes nothing."""
    periods = ROWS["fiscal_periods"].c
    over = select(periods.key).where(~periods.gone, periods.end_on <= scope.today(connection, now_ms))
    standing = read_overrides(connection, OVERRIDES.c.status == STANDING, OVERRIDES.c.period_key.not_in(over))
    if not standing:
        return 0
    world = read_world(connection, now_ms=now_ms)
    spans = _periods(connection, {one.period_key for one in standing})
    ended: dict[str, tuple[int, str]] = {}
    for one in standing:
        cause = cause_of(one, world, spans.get(one.period_key))
        if cause is not None:
            ended[one.key] = one.rev, cause
    door, origin = Door(connection, now_ms), Origin(author_key=None, at=now_ms, stored_at=now_ms)
    door.load(ENTITY, ended)
    written = 0
    for key, (rev, cause) in sorted(ended.items()):
        cell = door.cell(ENTITY, key)
        if cell.exists and cell.rev == rev:  # else it was set or taken back since it was read: the next run judges that
            door.put(cell, {"status": "superseded", "cause": cause, "ended_at": now_ms}, origin, SUPERSEDE)
            written += 1
    door.flush()
    return written


def _periods(connection: Connection, keys: set[str]) -> dict[str, PeriodTold]:
    p = ROWS["fiscal_periods"].c
    query = select(p.key, p.name, p.kind, p.start_on, p.end_on).where(~p.gone, p.key.in_(sorted(keys)))
    return {row[0]: PeriodTold(*row) for row in connection.execute(query)}


# -- what was set -----------------------------------------------------------------------------------------------------


def settings(connection: Connection, stored: list[Stored]) -> dict[str, list[Setting]]:
    """Everything that was ever said in the places of these, oldest first."""
    h = history.c
    query = select(h.key, h.rev, h.at, h.author_key, h.changes).where(
        h.entity == ENTITY, h.key.in_([one.key for one in stored])
    )
    steps: dict[str, list[Any]] = {}
    for key, *step in connection.execute(query.order_by(h.key, h.rev)) if stored else ():
        steps.setdefault(key, []).append(step)
    return {one.key: _settings(steps.get(one.key, [])) for one in stored}


def _settings(steps: list[Any]) -> list[Setting]:
    row: dict[str, Any] = {}
    found: list[Setting] = []
    names = [name for name in Setting.__struct_fields__ if name not in ("rev", "at", "author_key")]
    for rev, at, author, changes in steps:
        row |= {field: new for field, (_, new) in changes.items()}
        said: dict[str, Any] = {name: row.get(name) for name in names}
        found.append(Setting(rev=rev, at=at, author_key=author, **said))
    return found
