"""The one door for writes (S8): every change of a synced row, from a device, a screen, an import or a job.

A `Door` lives for one transaction. Rows are loaded in sets and changed in memory, each change with its author, device
and times; `flush` then writes rows, settles where every row lies (taking descendants along), and only then
takes its numbers from the clock and writes history and feed, so that numbers follow the order of commits (S6). A failed
mutation is undone in memory (`mark`, `undo_to`) and leaves no trace. The door decides no rights: callers do, with
`sfa.core.access`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from sfa.core.access import DECIDES_SCOPE, Parent, ages_since, buckets_of
from sfa.core.profiles import DAY_MS, PROFILE_DAYS_MIN, Profiles, is_online_only
from sfa.core.shapes import ABOUT_ROWS, SHAPES
from sfa.db import feed, names, past, scope, storing
from sfa.db.ageing import AGES_WITH, read_profiles
from sfa.db.alike import Indexes
from sfa.db.bulk import inserting
from sfa.db.cells import Cell, Lock, of_pair, parents_of, read_cells, read_children, read_column, read_where
from sfa.db.commissions import keep_commissions
from sfa.db.credits import keep_credits
from sfa.db.redirects import Redirects
from sfa.db.storing import Version
from sfa.db.tables import note_updates
from sfa.db.wins import tell_wins


class Origin(Struct, frozen=True):
    """Who changed it, from where and when (R54): `device_at` by the device's own clock, `at` corrected, `stored_at`
    by the server's. `via` is the merged key through which the edit came, `reviewed_by` who accepted it (S37)."""

    author_key: str | None
    at: int
    stored_at: int
    device_key: str | None = None
    n: int | None = None
    device_at: int | None = None
    via: str | None = None
    reviewed_by: str | None = None


class Door:
    def __init__(self, connection: Connection, now_ms: int, profiles: Profiles | None = None) -> None:
        """`profiles` spare a read where rows are old; they are those of the company."""
        self.connection = connection
        self.now_ms = now_ms
        self._cells: dict[tuple[str, str], Cell] = {}
        self._indexes = Indexes()
        self._teams: dict[str, dict[str, Cell]] = {}  # account -> its team's cells
        self._teams_read: set[str] = set()
        self._weak: set[tuple[str, str]] = set()  # loaded without the lock of a row to be changed
        self._undo: list[tuple[Cell, tuple[Any, ...]]] = []
        self._history: list[Version] = []
        self.redirects = Redirects(connection)
        self.texts: list[dict[str, Any]] = []  # rows of `note_updates` (S25), undone and flushed with the rest
        self._profiles = profiles
        self.read_below: set[tuple[str, str]] = set()  # (entity, row above): all that lies there was loaded
        self.known: dict[str, Any] = {}  # what checks have read of this transaction's stored rows, until the flush

    # -- reading ------------------------------------------------------------------------------------------------

    def load(self, entity: str, keys: Iterable[str], lock: Lock = "update") -> None:
        """Bring rows under the door in one query; what it holds already stays as it is."""
        missing = sorted({key for key in keys if (entity, key) not in self._cells})  # new rows enter the feed so
        if missing:
            for cell in read_cells(self.connection, entity, missing, lock):
                self._adopt(cell)
            for key in missing:
                if (entity, key) not in self._cells:
                    self._adopt(Cell(entity, key))
            if lock != "update":
                self._weak.update((entity, key) for key in missing)

    def cell(self, entity: str, key: str, lock: Lock = "update") -> Cell:
        """The row, or a cell with revision 0 where there is none yet."""
        found = self._cells.get((entity, key))
        if found is None:
            self.load(entity, (key,), lock)
            found = self._cells[entity, key]
        return found

    def cells_of(self, entity: str) -> list[Cell]:
        """The rows of an entity that the door holds, as they are in this transaction."""
        return self._indexes.of(entity)

    def has_changed(self, entity: str, key: str) -> bool:
        """Whether a row was changed in this transaction; nothing is read."""
        found = self._cells.get((entity, key))
        return found is not None and found.touched

    def alike(self, entity: str, fields: tuple[str, ...], said: tuple[Any, ...]) -> list[Cell]:
        """Of the rows that the door holds, deleted ones too, those whose fields say this, along an index."""
        return self._indexes.alike(entity, fields, said, self._undo)

    def load_children(self, entity: str, keys: Iterable[str]) -> list[Cell]:
        """Every row that takes its buckets from one of these, as the door knows it (loaded or made here)."""
        places = {(entity, key) for key in keys}
        for cell in read_children(self.connection, entity, (key for _, key in places)):
            self._adopt(cell)
        return [cell for cell in self._cells.values() if not places.isdisjoint(parents_of(cell))]

    def load_where(self, entity: str, column: str, keys: Iterable[str]) -> list[Cell]:
        """The rows that name one of these keys in a column, as the door knows them."""
        wanted = set(keys)
        for cell in read_where(self.connection, entity, column, wanted):
            self._adopt(cell)
        return [cell for cell in self.cells_of(entity) if cell.row.get(column) in wanted]

    def _adopt(self, cell: Cell) -> Cell:
        """What the door holds already is newer than what was read."""
        held = self._cells.setdefault((cell.entity, cell.key), cell)
        self._indexes.add(held)
        if held.entity == "account_members" and held.row:
            self._teams.setdefault(held.row["account_key"], {})[held.key] = held
        return held

    def peek(self, entity: str, column: str, keys: Iterable[str]) -> set[str]:
        """What these rows hold in a column, read without a lock: to know whom to lock first."""
        return read_column(self.connection, entity, column, keys) - {None}

    def value_on(self, device: str, cell: Cell, rev: int, field: str) -> Any:
        """What a device held in a field when it made an edit on revision `rev` (S24)."""
        return past.value_on(device, cell.row[field], field, self.since(cell, rev))

    def since(self, cell: Cell, rev: int) -> list[past.Changes]:
        """Every change of a row after a revision, those of this transaction too."""
        mine = (v for v in self._history if (v.entity, v.key) == (cell.entity, cell.key) and v.rev > rev)
        here = [(v.changes, v.device_key, v.rev, v.kind) for v in mine]
        return [*past.changes_after(self.connection, cell, rev), *here]

    def first_value(self, cell: Cell, field: str) -> Any:
        """What a field said when the row was made."""
        made = (changes for changes, *_ in self.since(cell, 0))
        return next((changes[field][1] for changes in made if field in changes), cell.row[field])

    def survivor(self, entity: str, key: str) -> str:
        """Where a merged key leads (S22); the key itself where it was not merged."""
        return self.redirects.survivor(entity, key)

    # -- changing -----------------------------------------------------------------------------------------------

    def put(
        self,
        cell: Cell,
        values: Mapping[str, Any],
        origin: Origin,
        kind: str = "update",
        verbatim: Iterable[str] | None = None,
    ) -> None:
        """Set fields of a row, creating or reviving it. `verbatim` names the groups whose value is this device's own,
        not the outcome of a merge (S24); None means all."""
        self._touch(cell)
        shape = SHAPES[cell.entity]
        if cell.rev == 0:
            base = dict(_BLANK[cell.entity])
            base["created_at"], base["created_by"] = origin.at, origin.author_key
            kind = "create"
        else:
            base = cell.row
        changes = {f: [base[f], v] for f, v in values.items() if cell.rev == 0 or base[f] != v}
        cell.rev += 1
        cell.row = {**base, **values}
        cell.gone = False
        said = [cell.rev, origin.device_key, origin.at, origin.device_key, origin.author_key]
        stamps = {**cell.stamps, **dict.fromkeys(map(shape.group_of.__getitem__, values), said)}
        if verbatim is not None:
            merged = [cell.rev, None, *said[2:]]
            own = set(verbatim)
            stamps |= {g: merged for g in map(shape.group_of.__getitem__, values) if g not in own}
        cell.stamps = stamps
        self._adopt(cell)
        self._record(cell, kind, changes, origin)

    def delete(self, cell: Cell, origin: Origin, kind: str = "delete") -> None:
        """Mark a row deleted; it stays in its table, so that an edit can bring it back (S26)."""
        self._touch(cell)
        cell.rev += 1
        cell.gone = True
        cell.stamps = {
            **cell.stamps,
            "gone": [cell.rev, origin.device_key, origin.at, origin.device_key, origin.author_key],
        }
        self._record(cell, kind, {}, origin)

    def redirect(
        self, loser: Cell, survivor: Cell, children: list[list[str]], filled: dict[str, Any], origin: Origin
    ) -> None:
        """Keep where a merged key leads, what the loser was, which children moved and what the survivor took (S22)."""
        row = {
            "entity": loser.entity,
            "loser_key": loser.key,
            "survivor_key": survivor.key,
            "merged_at": origin.at,
            "merged_by": origin.author_key,
            "survivor_rev": survivor.rev,
            "losing": loser.row,
            "children": children,
            "into_key": survivor.key,
            "filled": filled,
        }
        self.redirects.begin(row)

    def review(self, entity: str, keys: Iterable[str], *, again: bool = False) -> None:
        """Look again where rows lie, without changing them; `again` tells their documents anew."""
        self.load(entity, keys)
        for key in keys:
            cell = self._cells[entity, key]
            cell.moved, cell.touched = True, again

    def mark(self) -> tuple[int, int, int, int]:
        return len(self._undo), len(self._history), len(self.redirects.log), len(self.texts)

    def undo_to(self, mark: tuple[int, int, int, int]) -> None:
        """Forget every change since the mark: nothing of them was written yet."""
        undone, recorded, redirected, typed = mark
        while len(self._undo) > undone:
            cell, state = self._undo.pop()
            cell.restore(state)
        del self._history[recorded:]
        del self.redirects.log[redirected:]
        del self.texts[typed:]

    def _touch(self, cell: Cell) -> None:
        self._undo.append((cell, cell.state()))
        cell.dirty = cell.moved = cell.touched = True

    def _record(self, cell: Cell, kind: str, changes: dict[str, Any], origin: Origin) -> None:
        of, by = (cell.entity, cell.key, cell.rev, kind, changes), (origin.author_key, origin.device_key, origin.n)
        times = (origin.device_at, origin.at, origin.stored_at)
        self._history.append(Version(*of, *by, *times, origin.via, origin.reviewed_by))

    # -- where rows lie -----------------------------------------------------------------------------------------

    def _read_teams(self, accounts: Iterable[Cell]) -> None:
        """The account teams of stored accounts, in one query; a new account's team is all in memory."""
        missing = {cell.key for cell in accounts if cell.stored} - self._teams_read
        if missing:
            self._teams_read |= missing
            for cell in read_where(self.connection, "account_members", "account_key", missing):
                self._adopt(cell)

    def team_of(self, account: Cell) -> list[str]:
        """The users of an account's team, as of this transaction."""
        self._read_teams((account,))
        team = self._teams.get(account.key, {}).values()
        return [c.row["user_key"] for c in team if c.exists and c.row["account_key"] == account.key]

    def buckets(self, cell: Cell, known: dict[Cell, tuple[str, ...]] | None = None) -> tuple[str, ...]:
        """Where the row lies, as of this transaction; ancestors are locked before they are read. `known` keeps what was
        found out already, for as long as nothing changes."""
        if not cell.moved:
            return cell.buckets
        if known is not None and cell in known:
            return known[cell]
        parent: Parent | None = None
        for entity, key in parents_of(cell):
            above = self.cell(entity, key, "none" if of_pair(cell) else "share")
            territory = above.row.get("territory_key") if entity == "accounts" else None
            found_there = Parent(self.buckets(above, known), f"territory:{territory}" if territory else None)
            parent = found_there if parent is None else parent.meeting(found_there)
        team = self.team_of(cell) if cell.entity == "accounts" else ()
        found = buckets_of(cell.entity, cell.row, parent, team)
        if known is not None:
            known[cell] = found
        return found

    def _load_parents(self, cells: list[Cell]) -> None:
        """Every storey above (a line's proposal, its deal; an amendment's visit, a consent's contact; its account),
        each in one query for all of them."""
        named: dict[str, dict[str, None]] = {}
        for cell in cells:
            if not of_pair(cell):
                for entity, key in parents_of(cell):
                    named.setdefault(entity, {})[key] = None
        for above in ("visits", "proposals", "deals", "contacts", "quotas", "accounts"):
            keys = named.get(above, {})
            self.load(above, keys, "share")
            for key in keys:
                for entity, parent in parents_of(self._cells[above, key]):
                    named.setdefault(entity, {})[parent] = None

    def _lock_movers(self, moved: list[Cell]) -> None:
        """Whose place may change was perhaps only shared: wait for whoever writes below it, so that its children, which
        are read next, are all of them (S8)."""
        weak: dict[str, list[str]] = {}
        for cell in moved:
            if cell.stored and (cell.entity, cell.key) in self._weak:
                weak.setdefault(cell.entity, []).append(cell.key)
        for entity in sorted(weak):
            self._weak.difference_update(
                (cell.entity, cell.key) for cell in read_cells(self.connection, entity, weak[entity], "update")
            )

    def _settle(self) -> list[tuple[Cell, tuple[str, ...]]]:
        """-> every touched or moved cell with the buckets it lay in before. Descends where buckets changed."""
        for account, team in self._teams.items():  # a member who was moved here is in the old account's team too
            if any(cell.touched for cell in team.values()):
                self.cell("accounts", account).moved = True
        moved = [cell for cell in self._cells.values() if cell.moved]
        self._lock_movers(moved)
        self._load_parents(moved)
        self._read_teams(cell for cell in moved if cell.entity == "accounts")
        settled: list[tuple[Cell, tuple[str, ...]]] = []
        waiting = [cell for cell in self._cells.values() if cell.moved]
        placed: dict[Cell, tuple[str, ...]] = {}
        above = {"accounts": 0, "deals": 1, "visits": 1, "contacts": 1, "quotas": 1, "proposals": 2}
        order = {**above, **dict.fromkeys(ABOUT_ROWS, 4)}
        rounds = 0
        known: dict[Cell, tuple[str, ...]] = {}
        while waiting:
            rounds += 1
            cells, waiting = sorted(waiting, key=lambda c: order.get(c.entity, 3)), []
            changed: dict[str, list[str]] = {}
            known = {}  # of this round: in the next one more rows have moved
            for cell in cells:
                layers, after = self._layers(cell), self.buckets(cell, known)
                moves, ages = after != placed.get(cell, cell.buckets), layers != cell.layers
                if (moves or ages) and cell.stored:
                    changed.setdefault(cell.entity, []).append(cell.key)
                if cell not in placed:
                    settled.append((cell, cell.places if cell.stored and not cell.was_gone else ()))
                placed[cell] = after
                cell.dirty = cell.dirty or moves or ages
                cell.layers = layers
            for entity, keys in changed.items():
                for child in self.load_children(entity, keys):
                    child.moved = True
                    # Again where it was reckoned before its parent had moved: its own children must follow.
                    if child not in placed or self.buckets(child) != placed[child]:
                        waiting.append(child)
            waiting = list(dict.fromkeys(waiting))
        final = known if rounds == 1 else {}  # nothing has moved since
        for cell, _ in settled:
            after = self.buckets(cell, final)
            cell.dirty = cell.dirty or after != cell.buckets
            cell.buckets = after
        return settled

    def _layers(self, cell: Cell) -> tuple[str, ...] | None:
        """Whose devices still carry a row (S10); a deal's lines and a visit's corrections go with it."""
        if cell.entity in AGES_WITH:
            above, field = AGES_WITH[cell.entity]
            return self.cell(above, cell.row[field], "share").layers
        if is_online_only(cell.entity, cell.row):
            return ()
        since = ages_since(cell.entity, cell.row) if cell.rev else None
        if since is None or since > self.now_ms - PROFILE_DAYS_MIN * DAY_MS:
            return None
        self._profiles = self._profiles or read_profiles(self.connection)
        return self._profiles.layers(cell.entity, since, self.now_ms)

    # -- writing ------------------------------------------------------------------------------------------------

    def settled(self) -> tuple[list[Cell], list[Version]]:
        """Every row with the place where it lies, and every version, as a flush would write them (`sfa.db.sealed`)."""
        return [cell for cell, _ in self._settle()], self._history

    def flush(self) -> int:
        """Write everything; -> the clock's seq after it (0 where nothing changed)."""
        _TEXTS.run(self.connection, self.texts)
        self.texts.clear()
        settled = self._settle()
        if not settled and not self.redirects.log:
            return 0
        changed = [cell for cell, _ in settled if cell.dirty]
        storing.write(self.connection, changed)
        names.write(self.connection, changed)
        changed_credits = keep_credits(self.connection, self._cells, self._history)
        keep_commissions(self.connection, self._cells, self._history, changed_credits, self.now_ms)
        tell_wins(self.connection, self._cells, self._history)
        self.redirects.write()
        plan = None
        if any(cell.touched and cell.entity in DECIDES_SCOPE for cell, _ in settled):
            plan = scope.plan(self.connection, self.now_ms)
        entries = [entry for cell, before in settled for entry in feed.entries(cell, before)]
        numbers = len(entries) + (len(plan.changes) if plan else 0)
        last = feed.take(self.connection, numbers or min(1, len(self._history)))  # what no device has counts as well
        stood = last - (plan.begins if plan else 0)
        feed.write(self.connection, entries, stood)
        storing.write_versions(self.connection, storing.version_values(self._history), stood)
        if plan is not None:
            scope.write(self.connection, plan, last, len(entries))
        for cell, _ in settled:
            cell.stored, cell.dirty, cell.moved, cell.touched = True, False, False, False
            cell.was_gone = cell.gone
        self._undo.clear()
        self._history.clear()
        self.known.clear()
        return last


_BLANK: dict[str, dict[str, Any]] = {e: {**dict.fromkeys(s.types), **s.defaults} for e, s in SHAPES.items()}
_TEXTS = inserting(note_updates)
