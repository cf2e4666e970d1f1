"""`quota.approve`, `quota.reset`, `quota.challenge`, `quota.decide`: the life of a quota as commands (R5, R53).

The same functions serve a screen and a phone that was offline. The quota's row is locked meanwhile, so of two who
approve at once one wins and the other is told; versions and challenges get keys made of the quota and their number, so
two of one number cannot be. Who plans decides, but nobody about what he is measured by: a manager's own team quota is
approved by the level above. Whom it measures challenges: the rep himself, the managers of the team, who covers the
territory.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import select

from sfa.core.access import SEES_EVERYTHING, holds_on
from sfa.core.days import plus_days
from sfa.core.errors import Refused
from sfa.core.rules import check_values
from sfa.crm import edits, rights
from sfa.crm.commands import Command
from sfa.crm.edits import Who
from sfa.db import scope
from sfa.db.cells import Cell
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin
from sfa.quotas import life, spreading
from sfa.quotas.life import Approve, Challenge, Decide, Reset
from sfa.quotas.spreading import part_key

VERSIONS, CHALLENGES = "quota_versions", "quota_challenges"
Asked = TypeVar("Asked", bound=Struct)
Arguments = Mapping[str, Any]
_TEAMS, _TERRITORIES = ROWS["team_members"], ROWS["territory_members"]


def approve(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """The target as it stands counts from `valid_from` on."""
    asked = _asked("quota.approve", arguments, Approve)
    _check_decides(door, who, cell, origin)
    if asked.valid_from is not None:
        check_values(VERSIONS, {"valid_from": asked.valid_from})
    versions = sorted((c.row for c in _of(door, VERSIONS, cell)), key=lambda row: row["number"])
    today = scope.today(door.connection, origin.at)
    period = door.cell("fiscal_periods", cell.row["period_key"], "none").row
    version = life.approve(cell.row, versions, asked, who.user_key, today, plus_days(period["end_on"], -1))
    if version is None:
        return
    by = {"quota_key": cell.key, "approved_by": who.user_key or "", "approved_at": origin.at}
    values = {**version, **by}
    check_values(VERSIONS, values)
    number = version["number"]
    door.put(door.cell(VERSIONS, part_key(cell.key, f"v{number}")), values, origin, "quota.approve")
    door.put(cell, {"status": life.APPROVED, "approvals": number}, origin, "quota.approve")


def reset(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """A draft again, that can be changed; its versions stay and count."""
    _asked("quota.reset", arguments, Reset)
    _check_decides(door, who, cell, origin)
    said = life.reset(cell.row)
    if said is not None:
        door.put(cell, said, origin, "quota.reset")


def challenge(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """Whom it measures says that it is wrong."""
    asked = _asked("quota.challenge", arguments, Challenge)
    _check_there(cell)
    user = who.user_key
    if user is None or not measures(door, cell.row, user, scope.today(door.connection, origin.at)):
        raise Refused("not_permitted", "a quota is challenged by whom it measures")
    known = {c.key: c.row for c in _of(door, CHALLENGES, cell)}
    said = life.challenge(known, asked, user)
    if said is None:
        return
    values = {**said, "quota_key": cell.key}
    check_values(CHALLENGES, values)
    key = part_key(cell.key, f"c{len(known) + 1}")
    door.put(door.cell(CHALLENGES, key), values, origin, "quota.challenge")


def decide(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """Accept or decline a challenge; an accepted one makes the quota a draft with the new target."""
    asked = _asked("quota.decide", arguments, Decide)
    _check_decides(door, who, cell, origin)
    known = {c.key: c for c in _of(door, CHALLENGES, cell)}
    made = known.get(asked.challenge_key)
    if made is None:
        text = f"there is no challenge {asked.challenge_key!r} of this quota"
        raise Refused("row_unknown", text, entity=CHALLENGES, key=asked.challenge_key)
    decision = life.decide(cell.row, made.row, asked, who.user_key)
    if decision is None:
        return
    said, changes = decision
    values = {**said, "decided_at": origin.at}
    check_values(CHALLENGES, values)
    door.put(made, values, origin, "quota.decide")
    if changes:
        door.put(cell, changes, origin, "quota.decide")


def spread(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """The target cut into quotas of the quarters or months."""
    asked = _asked("quota.spread", arguments, spreading.Asked)
    _check_there(cell)
    _check_sets(who, cell)
    spreading.spread_quota(door, who, cell, asked, origin)


def measures(door: Door, quota: Mapping[str, Any], user: str, day: str) -> bool:
    """Whether a person is measured by a quota on a local day: his own, that of a team that he manages, that of a
    territory that he covers himself."""
    if quota["user_key"] is not None:
        return bool(quota["user_key"] == user)
    table, field = (_TEAMS, "team_key") if quota["team_key"] is not None else (_TERRITORIES, "territory_key")
    query = select(table.c.valid_from, table.c.valid_to)
    query = query.where(table.c.user_key == user, table.c[field] == quota[field], ~table.c.gone)
    if table is _TEAMS:
        query = query.where(table.c.role == "manager")
    return any(holds_on(start, end, day) for start, end in door.connection.execute(query))


def _asked(command: str, arguments: Arguments, kind: type[Asked]) -> Asked:
    try:
        return msgspec.convert(dict(arguments), kind)
    except msgspec.ValidationError as error:
        raise Refused("command_invalid", f"{command}: {error}") from None


def _check_there(cell: Cell) -> None:
    if cell.gone:
        raise Refused("row_unknown", f"quota {cell.key} is deleted", entity="quotas", key=cell.key)


def _check_sets(who: Who, cell: Cell) -> None:
    """Whoever may change the target."""
    edits.check_rights(who, "quotas", (), creating=False)
    if who.held is not None:
        rights.check_sets_target(who.role, who.user_key, who.held, cell.row)


def _check_decides(door: Door, who: Who, cell: Cell, origin: Origin) -> None:
    """Whoever sets targets, of others than himself: nor of the team that he manages or the territory that he covers."""
    _check_there(cell)
    _check_sets(who, cell)
    if who.held is None or who.user_key is None:
        return
    if who.role in SEES_EVERYTHING and cell.row["user_key"] != who.user_key:
        return  # there is no level above them
    if measures(door, cell.row, who.user_key, scope.today(door.connection, origin.at)):
        raise Refused("not_permitted", "the level above decides about a quota that measures you")


def _of(door: Door, entity: str, quota: Cell) -> list[Cell]:
    """The quota's versions or challenges."""
    return [cell for cell in door.load_where(entity, "quota_key", (quota.key,)) if cell.exists]


Act = Callable[[Door, Who, Cell, Arguments, Origin], None]
ACTS: dict[str, Act] = {
    "quota.approve": approve,
    "quota.reset": reset,
    "quota.challenge": challenge,
    "quota.decide": decide,
    "quota.spread": spread,
}
COMMANDS: dict[str, Command] = {name: Command("quotas", act) for name, act in ACTS.items()}
