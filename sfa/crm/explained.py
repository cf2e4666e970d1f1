"""One conflict, refusal or suggestion in words and codes: what stands, what lost, who, when, why, and what can be done.

Everything is read in one snapshot, and is only what the caller sees anyway: the row that it is about lies in the same
buckets. Times are told as the device had them and corrected (S28). `allowed` of an action is what role and ownership
say now; the command looks again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from sfa.core.access import may_change_row, may_write
from sfa.core.errors import CATALOGUE, Refused
from sfa.core.ids import is_key
from sfa.crm.conflicts import locked_fields, not_theirs
from sfa.crm.decisions import viewed
from sfa.crm.edits import Who
from sfa.crm.online import RowView, person
from sfa.crm.open_visits import REASON
from sfa.db.tables import ROWS, history, visit_pairs

GONE = "gone"
HISTORY_MAX = 200  # how far back the writer of a value is searched
WHY = {
    "latest": "two people wrote one thing: the later time stands, the other value is kept",
    "ask": "two people wrote something that only a person can decide: what stood stays",
    "server": "what the server has stays, the other value is kept",
    "invariant": "together the two edits would contradict each other: what stood stays",
    "restore": "an edit brought a deleted row back; it can be deleted again",
    "agree": "two devices did the same thing; the words that the second one said beside it are kept",
    "one_open": "two visits of one person were open at once: both stay; restoring takes this one back",
    "person": "somebody put another value back; what it replaced is kept",
}
KINDS = {
    "duplicate": "both rows may be one; accepting merges the first into the other",
    "handover": "its author lost the row while this was queued; accepting applies it as his work",
}
BY = {
    "conflicts": "who sees the row and may set what it is about",
    "refusals": "its author",
    "suggestions": "who sees the row and may change it",
}
ACTIONS = {"conflicts": ("restore", "dismiss"), "suggestions": ("accept", "decline")}
FORBIDS = {  # the states in which an action is over
    "restore": ("restored",),
    "dismiss": ("restored", "dismissed", "repaired"),
    "accept": ("accepted", "declined", "withdrawn"),
    "decline": ("accepted", "declined", "withdrawn"),
    "repair": ("repaired",),
}


class Said(Struct, frozen=True):
    """One side: who wrote which values. `device_at` is what that device's clock said, `at` is corrected, `stored_at`
    when the server took it; None where nothing of it is known."""

    values: Any
    author_key: str | None = None
    author: str | None = None
    device_key: str | None = None
    n: int | None = None
    device_at: int | None = None
    at: int | None = None
    stored_at: int | None = None


class Action(Struct, frozen=True):
    """What may be done: `code` says why not, if it is not `allowed`; `by` who may."""

    action: str
    allowed: bool
    by: str
    code: str | None = None


class Told(Struct, frozen=True):
    """`text` tells it in a sentence, `code` and `why` the reason. Of a conflict: what `lost`, what `stood` and what the
    row says `now`; of a refusal: its content as it was `sent`, the refusal that it `waits_for`, those that wait for it
    (`waiting`); of a suggestion: the rows it is `about`, of a conflict of two visits the other one, as far as the
    caller sees them. `settled` is who decided, once somebody did."""

    key: str
    rev: int
    row: dict[str, Any]
    code: str
    why: str
    text: str
    actions: list[Action]
    lost: Said | None = None
    stood: Said | None = None
    now: dict[str, Any] | None = None
    sent: Said | None = None
    waits_for: str | None = None
    waiting: list[str] = []
    about: list[RowView] = []
    settled: Said | None = None


def told(connection: Connection, user_key: str, what: str, key: str) -> Told:
    """`not_found` alike for what is not there and what the caller may not see."""
    who = person(connection, user_key)
    row = _stored(connection, what, key) if is_key(key) else None
    if row is None or row["gone"] or not _sees(who, row):
        raise Refused("not_found")
    tell = {"conflicts": _conflict, "refusals": _refusal, "suggestions": _suggestion}[what]
    return tell(connection, who, row)


def _stored(connection: Connection, entity: str, key: str) -> Mapping[str, Any] | None:
    table = ROWS[entity]
    found = connection.execute(select(table).where(table.c.key == key)).mappings().first()
    return dict(found) if found is not None else None


def _sees(who: Who, row: Mapping[str, Any]) -> bool:
    return who.held is None or not who.held.isdisjoint(row["buckets"])


def _target(connection: Connection, who: Who, row: Mapping[str, Any], field: str = "row_key") -> Any:
    found = _stored(connection, row["entity"], row[field]) if row["entity"] in ROWS else None
    return found if found is not None and _sees(who, found) else None


# -- the three ------------------------------------------------------------------------------------------------------


def _conflict(connection: Connection, who: Who, row: Mapping[str, Any]) -> Told:
    made = _entries(connection, "conflicts", row["key"])
    first = made[0] if made else None
    about = first["changes"].get("row_key", [None, row["row_key"]])[1] if first is not None else row["row_key"]
    before = _entries(connection, row["entity"], about, until=first["stored_at"] if first is not None else None)
    own = row["n"] is not None  # the edit that met the row lost; otherwise the row's value did
    mine, theirs = (row["losing"], row["standing"]) if own else (row["standing"], row["losing"])
    names = _names(connection)
    by_edit = _said(names, mine, first)
    by_other = _said(names, theirs, _writer(before, theirs, first))
    lost, stood = (by_edit, by_other) if own else (by_other, by_edit)
    target = _target(connection, who, row)
    fields = [f for f in (row["standing"] or {}) if target is not None and f in target]
    now = {f: target[f] for f in fields} if target is not None else None
    words = "the deletion" if row["field_group"] == GONE else f"{row['field_group']} = {lost.values!r}"
    text = (
        f"{row['field_group']} of {row['entity']} {row['row_key']}: {words} of {lost.author or 'nobody known'} did not "
        f"stand against {stood.author or 'what stood'}; it is {row['status']}"
    )
    actions = _actions(who, "conflicts", row, target)
    why = WHY.get(row["strategy"], "")
    settled = _settled(names, made, row)
    view = viewed("conflicts", row)
    sides = (lost, stood)
    also = _other_visit(connection, who, row)
    return Told(
        view.key, view.rev, view.row, row["strategy"], why, text, actions, *sides, now=now, about=also, settled=settled
    )


def _other_visit(connection: Connection, who: Who, row: Mapping[str, Any]) -> list[RowView]:
    """The second one of two that were open at once (R13), if the caller sees it."""
    pairs = visit_pairs.c
    pair = connection.execute(select(pairs.visit_key, pairs.other_key).where(pairs.conflict_key == row["key"])).first()
    if pair is None or row["reason"] != REASON:
        return []
    (other,) = set(pair) - {row["row_key"]}
    found = _target(connection, who, {**row, "row_key": other})
    return [viewed(row["entity"], found)] if found is not None else []


def _refusal(connection: Connection, who: Who, row: Mapping[str, Any]) -> Told:
    table = ROWS["refusals"]
    mine = (table.c.author_key == row["author_key"], table.c.device_key == row["device_key"], ~table.c.gone)
    kept = list(connection.execute(select(table.c.key).where(*mine, table.c.depends_on_n == row["n"])).scalars())
    cause = select(table.c.key).where(*mine, table.c.n == row["depends_on_n"]).order_by(table.c.key).limit(1)
    waits_for = connection.execute(cause).scalar() if row["depends_on_n"] is not None else None
    made, names = _entries(connection, "refusals", row["key"]), _names(connection)
    view = viewed("refusals", row)
    actions = [_refusal_action(who, row, action) for action in ("repair", "dismiss")]
    why = CATALOGUE[row["code"]].title if row["code"] in CATALOGUE else ""
    text = f"{row['kind'] or 'a mutation'} of {row['entity'] or 'nothing readable'} {row['row_key']}: {row['text']}"
    return Told(
        view.key,
        view.rev,
        view.row,
        row["code"],
        why,
        text,
        actions,
        sent=_said(names, row["mutation"], made[0] if made else None),
        waits_for=waits_for,
        waiting=sorted(kept),
        settled=_settled(names, made, row),
    )


def _suggestion(connection: Connection, who: Who, row: Mapping[str, Any]) -> Told:
    target = _target(connection, who, row)
    about = [(row["row_key"], target)]
    if row.get("other_key"):
        about.append((row["other_key"], _target(connection, who, row, "other_key")))
    rows = [viewed(row["entity"], found) for _, found in about if found is not None]
    view = viewed("suggestions", row)
    why = KINDS.get(row["kind"], f"a suggestion of the kind {row['kind']}")
    text = f"{row['entity']} {' and '.join(key for key, _ in about)}: {why}; it is {row['status']}"
    made = _entries(connection, "suggestions", row["key"])
    return Told(
        view.key,
        view.rev,
        view.row,
        row["kind"],
        why,
        text,
        _actions(who, "suggestions", row, target),
        about=rows,
        settled=_settled(_names(connection), made, row),
    )


# -- what can be done -------------------------------------------------------------------------------------------------


def _actions(who: Who, what: str, row: Mapping[str, Any], target: Any) -> list[Action]:
    code = None
    if row.get("kind") == "handover":
        code = _forbids_handover(who, row, target)
    elif target is None:
        code = "row_unknown"
    elif not (may_write(who.role, row["entity"]) and may_change_row(row["entity"], target, who.held or frozenset())):
        code = "not_permitted"
    elif what == "conflicts" and not_theirs(who.role, row) is not None:
        code = "field_not_permitted"
    found = []
    for action in ACTIONS[what]:
        over = "conflict_closed" if row["status"] in FORBIDS[action] else None
        if code is None and over is None and action == "restore" and locked_fields(target, row):
            over = "visit_locked"
        found.append(Action(action, over is None and code is None, BY[what], over or code))
    return found


def _forbids_handover(who: Who, row: Mapping[str, Any], target: Any) -> str | None:
    """As far as one look tells: accepting does all of it, and looks at every row."""
    held = who.held or frozenset()
    if any(not may_write(who.role, kept["mutation"]["entity"]) for kept in row["mutations"]):
        return "not_permitted"
    if row["entity"] in ("territories", "users") or row["also_in"] in held:
        return None  # it is about what is not there yet, or nobody else works with the row
    if target is None:
        return "row_unknown"
    author = frozenset({f"book:{row['author_key']}"})
    return None if may_change_row(row["entity"], target, held | author) else "not_permitted"


def _refusal_action(who: Who, row: Mapping[str, Any], action: str) -> Action:
    code = None
    if row["status"] in FORBIDS[action]:
        code = "conflict_closed"
    elif row["author_key"] != who.user_key:
        code = "not_permitted"
    elif action == "repair" and not is_repairable(row):
        code = "repair_impossible"
    return Action(action, code is None, BY["refusals"], code)


def is_repairable(row: Mapping[str, Any]) -> bool:
    """Whether a refusal's content can be read. What came under a number that was used is sent again by its device."""
    return bool(row["entity"] and isinstance(row["mutation"], dict) and row["code"] != "mutation_reused")


# -- who said what ------------------------------------------------------------------------------------------------


def _entries(connection: Connection, entity: str, key: str, until: int | None = None) -> list[Any]:
    """A row's history, the oldest first; the newest `HISTORY_MAX` of it where it ends at `until`."""
    table = history
    query = select(table).where(table.c.entity == entity, table.c.key == key)
    if until is None:
        return list(connection.execute(query.order_by(table.c.rev).limit(HISTORY_MAX)).mappings())
    query = query.where(table.c.stored_at <= until).order_by(table.c.rev.desc()).limit(HISTORY_MAX)
    return list(reversed(connection.execute(query).mappings().all()))


def _writer(entries: Iterable[Any], values: Any, conflict: Any) -> Any:
    """Who wrote one of these values last, the edit that made the conflict aside."""
    by = (conflict["device_key"], conflict["n"]) if conflict is not None else None
    found = None
    for entry in entries:
        changes = entry["changes"] or {}
        wrote = isinstance(values, dict) and any(f in changes and changes[f][1] == v for f, v in values.items())
        deleted = values == {GONE: True} and entry["kind"] == "delete"
        if (wrote or deleted) and (by is None or by[1] is None or (entry["device_key"], entry["n"]) != by):
            found = entry
    return found


def _said(names: "Names", values: Any, entry: Any) -> Said:
    if entry is None:
        return Said(values)
    author = entry["author_key"]
    return Said(
        values,
        author,
        names.get(author),
        entry["device_key"],
        entry["n"],
        entry["device_at"],
        entry["at"],
        entry["stored_at"],
    )


def _settled(names: "Names", made: list[Any], row: Mapping[str, Any]) -> Said | None:
    """The newest entry that moved the status to what it is."""
    if row["status"] == "open":
        return None  # perhaps again
    for entry in reversed(made[1:]):
        if (entry["changes"] or {}).get("status", [None, None])[1] == row["status"]:
            return _said(names, row["status"], entry)
    return None


class Names:
    """People's names, read one by one as they are named: a decision names two or three. People are in everybody's
    scope."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, str | None] = {}

    def get(self, key: str | None) -> str | None:
        """The name, or the key where there is none."""
        if key is not None and key not in self._known:
            users = ROWS["users"]
            self._known[key] = self._connection.execute(select(users.c.name).where(users.c.key == key)).scalar() or key
        return self._known[key] if key is not None else None


def _names(connection: Connection) -> Names:
    return Names(connection)
