"""What the server holds, and who may see it, worked out anew from the tables alone.

Reads every row as it is stored, then places each with `buckets_of` and gives every user the scope of `scopes_on`: no
feed, no stored buckets and no stored intervals are believed. (That a row was found too old for the devices of some
roles, or of all, is believed: it depends on when a job ran.) A checker compares devices, and the stored buckets, with
this. Read in one transaction, it is a snapshot.
"""

from functools import cache
from typing import Any

import msgspec
from sqlalchemy import JSON, Boolean, Connection

from sfa.core.access import ROLES, Membership, Organisation, Parent, buckets_of, scopes_on
from sfa.core.hierarchy import Edge
from sfa.core.periods import local_day
from sfa.core.shapes import ABOUT_PAIRS, ABOUT_ROWS, PARENTS, SHAPES
from sfa.db.tables import ROWS

Place = tuple[str, str]  # entity, key
Rows = dict[Place, tuple[int, dict[str, Any]]]


class Stored:
    """One row of a table."""

    __slots__ = ("aged", "buckets", "entity", "gone", "key", "layers", "rev", "row")

    def __init__(
        self,
        entity: str,
        key: str,
        rev: int,
        gone: bool,
        aged: bool,
        layers: str | None,
        buckets: Any,
        row: dict[str, Any],
    ) -> None:
        self.entity, self.key, self.rev, self.gone, self.aged = entity, key, rev, gone, aged
        self.layers = layers.split(",") if layers else None
        self.buckets, self.row = tuple(buckets), row


@cache
def _columns(entity: str) -> tuple[str, list[tuple[str, str]]]:
    table = ROWS[entity]
    kinds = []
    for name in SHAPES[entity].types:
        kind = table.c[name].type
        kinds.append((name, "json" if isinstance(kind, JSON) else "bool" if isinstance(kind, Boolean) else ""))
    names = ", ".join(f'"{name}"' for name, _ in kinds)
    layers = "layers" if "layers" in table.c else "NULL"
    return f'SELECT key, rev, gone, aged, {layers}, buckets, {names} FROM "{entity}" ORDER BY key', kinds


def _value(value: Any, kind: str) -> Any:
    if kind == "json" and isinstance(value, str):
        return msgspec.json.decode(value)
    return bool(value) if kind == "bool" and value is not None else value


def _fetch(connection: Connection, sql: str) -> Any:
    """SQLite's own cursor spares half of a seed's time; the transaction is the same."""
    if connection.dialect.name == "sqlite":
        return connection.connection.driver_connection.execute(sql)  # type: ignore[union-attr]
    return connection.exec_driver_sql(sql)


class Table:
    """The rows of an entity; `mark` is another one where any of them is."""

    __slots__ = ("mark", "rows")

    def __init__(self, entity: str, mark: Any, found: Any) -> None:
        self.mark, self.rows = mark, dict[Place, Stored]()
        _, kinds = _columns(entity)
        for key, rev, gone, aged, layers, buckets, *values in found:
            row = {name: _value(v, kind) for (name, kind), v in zip(kinds, values, strict=True)}
            where = _value(buckets, "json")
            self.rows[entity, key] = Stored(entity, key, rev, bool(gone), bool(aged), layers, where, row)


# Whatever writes a row gives it a transaction of its own, and what removes one takes its number out of the sum.
WRITTEN = " UNION ALL ".join(
    f"SELECT '{name}', count(*), max(xmin::text::bigint), sum(xmin::text::bigint) FROM \"{name}\"" for name in ROWS
)


def _tables(connection: Connection, before: dict[str, Table]) -> dict[str, Table]:
    """Most tables are as they were when they were read before, and are not made again: SQLite's rows are compared,
    PostgreSQL is asked."""
    is_sqlite = connection.dialect.name == "sqlite"
    marks: Any = {} if is_sqlite else {name: tuple(mark) for name, *mark in _fetch(connection, WRITTEN)}
    found: dict[str, Table] = {}
    for entity in ROWS:
        sql, _ = _columns(entity)
        mark = _fetch(connection, sql).fetchall() if is_sqlite else marks[entity]
        table = before.get(entity)
        if table is None or table.mark != mark:
            table = Table(entity, mark, mark if is_sqlite else _fetch(connection, sql))
        found[entity] = table
    return found


class Snapshot:
    """All rows, by entity and key; `visible(user)` is what that user must hold, exactly. `before` is one that was taken
    of the same database: what was not written since is read from there."""

    def __init__(self, connection: Connection, now_ms: int, before: "Snapshot | None" = None) -> None:
        self._tables: dict[str, Table] = _tables(connection, before._tables if before is not None else {})
        self.rows: dict[Place, Stored] = {}
        for table in self._tables.values():
            self.rows.update(table.rows)
        pairs = _fetch(connection, "SELECT conflict_key, visit_key, other_key FROM visit_pairs")
        self.visit_pairs = {key: frozenset(visits) for key, *visits in pairs}
        zone = next((s.row["zone"] for s in self.live("organisations")), "UTC")
        self.held = scopes_on(self._organisation(), local_day(now_ms, zone))
        self._team: dict[str, list[str]] = {}
        for member in self.live("account_members"):
            self._team.setdefault(member.row["account_key"], []).append(member.row["user_key"])
        self._placed: dict[Place, tuple[str, ...]] = {}
        self.in_bucket: dict[str, list[Stored]] = {}
        for stored in self.rows.values():
            if not stored.gone and not stored.aged:
                for bucket in self.buckets(stored):
                    for place in [bucket] if stored.layers is None else [f"{bucket}~{x}" for x in stored.layers]:
                        self.in_bucket.setdefault(place, []).append(stored)
        self._visible: dict[str, Rows] = {}

    def live(self, entity: str) -> list[Stored]:
        return [s for (e, _), s in self.rows.items() if e == entity and not s.gone]

    def _organisation(self) -> Organisation:
        def edges(kind: str) -> tuple[Edge, ...]:
            return tuple(
                Edge(s.row[f"{kind}_key"], s.row["parent_key"], s.row["valid_from"], s.row["valid_to"])
                for s in self.live(f"{kind}_edges")
            )

        def members(kind: str) -> tuple[Membership, ...]:
            return tuple(
                Membership(
                    s.row["user_key"],
                    s.row[f"{kind}_key"],
                    s.row["valid_from"],
                    s.row["valid_to"],
                    s.row.get("role") == "manager",
                )
                for s in self.live(f"{kind}_members")
            )

        return Organisation(
            people=frozenset(s.key for s in self.live("users")),
            roles={s.key: s.row["role"] for s in self.live("users") if s.row["active"]},
            teams=frozenset(s.key for s in self.live("teams")),
            territories=frozenset(s.key for s in self.live("territories")),
            team_edges=edges("team"),
            territory_edges=edges("territory"),
            team_members=members("team"),
            territory_members=members("territory"),
            past=self._past(),
        )

    def _past(self) -> dict[str, str]:
        """role -> what its devices carry, if that is more than some other's or rows still lie in that layer."""
        default = next((s.row["history_days"] for s in self.live("organisations")), 548)
        said = {s.row["role"]: s.row for s in sorted(self.live("device_profiles"), key=lambda s: s.key, reverse=True)}
        days = {
            role: tuple(said.get(role, {}).get(f) or default for f in ("visit_days", "note_days", "deal_days"))
            for role in ROLES
        }
        least = tuple(min(each) for each in zip(*days.values(), strict=True))
        lie = {layer for s in self.rows.values() if not s.gone and not s.aged for layer in s.layers or ()}
        layers = {role: ".".join(map(str, days[role])) for role in ROLES}
        return {role: layer for role, layer in layers.items() if days[role] != least or layer in lie}

    def buckets(self, stored: Stored) -> tuple[str, ...]:
        """Where a row must lie; a deleted row keeps its place."""
        place = (stored.entity, stored.key)
        if place not in self._placed:
            above = self._above(stored)
            parent = None
            if above is not None:
                territory = above.row.get("territory_key") if above.entity == "accounts" else None
                parent = Parent(self.buckets(above), f"territory:{territory}" if territory else None)
            team = self._team.get(stored.key, ()) if stored.entity == "accounts" else ()
            found = buckets_of(stored.entity, stored.row, parent, team)
            if stored.entity in ABOUT_PAIRS and stored.row["other_key"]:  # only where both rows lie
                other = self.rows.get((stored.row["entity"], stored.row["other_key"]))
                there = self.buckets(other) if other is not None else ()
                found = tuple(bucket for bucket in found if bucket in there)
            self._placed[place] = found
        return self._placed[place]

    def _above(self, stored: Stored) -> Stored | None:
        if stored.entity in ABOUT_ROWS:
            return self.rows.get((stored.row["entity"], stored.row["row_key"]))
        target, field = PARENTS.get(stored.entity, ("", ""))
        return self.rows.get((target, stored.row[field])) if target and stored.row[field] else None

    def visible(self, user: str) -> Rows:
        if user not in self._visible:
            self._visible[user] = {
                (s.entity, s.key): (s.rev, s.row)
                for bucket in self.held.get(user, frozenset())
                for s in self.in_bucket.get(bucket, ())
            }
        return self._visible[user]

    def tombstones(self) -> list[tuple[Place, int, set[str]]]:
        """(row, revision, buckets) of what is deleted, or too old for some devices: they knew it up to then."""
        gone = (s for s in self.rows.values() if s.gone or s.aged or s.layers is not None)
        return [((s.entity, s.key), s.rev, set(self.buckets(s))) for s in gone]
