"""What happens on the server's own side: managers at their screens, imports, people who move, purges.

One call of `transaction` is one transaction with one to four changes through the production door; a change that is
refused is undone and the others stand. Some are about one account: it moves while its contacts and deals are edited.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from sfa.core.errors import Refused
from sfa.crm import duplicates, edits
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin
from tests.builders import DAY_MS, EVERYONE
from tests.simulation.actions import TEXTS, Maker, splits
from tests.simulation.company import PEOPLE, TEAMS, TERRITORIES
from tests.simulation.snapshot import Snapshot

Change = tuple[str, str, str, dict[str, Any]]  # kind, entity, key, values
DAYS = (30, 60, 400, None)
AGES = (1, 29, 31, 59, 89, 200, 399, 600)  # days


class Screens:
    def __init__(self, maker: Maker, today: Callable[[int], str], now_ms: Callable[[], int]) -> None:
        self._maker, self._rng = maker, maker.rng
        self._today, self._now_ms = today, now_ms

    def changes(self, snapshot: Snapshot) -> list[Change]:
        """What one transaction will try."""
        rng = self._rng
        if rng.random() < 0.35:
            return self._about_one_account(snapshot)
        makers = (
            self._edit,
            self._people,
            self._people,
            self._delete,
            self._team,
            self._deal,
            self._merge,
            self._twin,
            self._profile,
        )
        found = [rng.choice(makers)(snapshot) for _ in range(rng.choice((1, 1, 2, 3)))]
        return [change for change in found if change is not None]

    def transaction(self, connection: Connection, changes: list[Change]) -> int:
        """Apply them as an import or a manager would; -> the clock."""
        now = self._now_ms()
        door = Door(connection, now)
        origin = Origin(author_key="root", at=now, stored_at=now)
        for kind, entity, key, values in changes:
            mark = door.mark()
            try:
                self._apply(door, kind, entity, key, values, origin)
            except Refused:
                door.undo_to(mark)
        return door.flush()

    def _apply(self, door: Door, kind: str, entity: str, key: str, values: dict[str, Any], origin: Origin) -> None:
        cell = door.cell(entity, key)
        if kind == "create" and cell.rev == 0:
            edits.create(door, EVERYONE, entity, key, values, origin)
        elif cell.rev == 0 or (cell.gone and door.survivor(entity, key) != key):
            return
        elif kind == "delete":
            edits.delete(door, EVERYONE, cell, origin)
        elif kind == "merge":
            duplicates.merge(door, EVERYONE, cell, values, origin)
        else:
            edits.update(door, EVERYONE, cell, values, origin)

    # -- one change ---------------------------------------------------------------------------------------------

    def _some(self, snapshot: Snapshot, *entities: str, gone: bool = False) -> tuple[str, str, dict[str, Any]] | None:
        found = [s for (e, _), s in snapshot.rows.items() if e in entities and (gone or not s.gone)]
        if not found:
            return None
        entity = self._rng.choice(sorted({s.entity for s in found}))
        found = [s for s in found if s.entity == entity]
        stored = self._rng.choice(found[:2] if self._rng.random() < 0.4 else found)
        return stored.entity, stored.key, stored.row

    def _edit(self, snapshot: Snapshot) -> Change | None:
        """Any row, deleted ones too: an edit brings them back."""
        found = self._some(snapshot, *TEXTS, gone=True)
        if found is None:
            return None
        return "update", found[0], found[1], {self._rng.choice(TEXTS[found[0]]): self._maker.token()}

    def _delete(self, snapshot: Snapshot) -> Change | None:
        found = self._some(snapshot, "accounts", "contacts", "deals", "deal_lines", "notes", "visits", "tasks")
        return ("delete", found[0], found[1], {}) if found is not None else None

    def _merge(self, snapshot: Snapshot) -> Change | None:
        entity = self._rng.choice(("accounts", "contacts"))
        loser, into = self._some(snapshot, entity), self._some(snapshot, entity)
        if loser is None or into is None:
            return None
        self._maker.merged.append((entity, loser[1], into[1]))
        return "merge", entity, loser[1], {"into": into[1]}

    def _twin(self, snapshot: Snapshot) -> Change | None:
        """Somebody enters a person or a customer that is there already, and the finder may notice."""
        found = self._some(snapshot, "accounts", "contacts")
        if found is None:
            return None
        entity, _, row = found
        place = "territory_key" if entity == "accounts" else "account_key"
        return "create", entity, self._maker.key(entity), {"name": row["name"], place: row[place]}

    def _deal(self, snapshot: Snapshot) -> Change | None:
        found = self._some(snapshot, "deals")
        if found is None:
            return None
        if self._rng.random() < 0.5:
            return "update", "deals", found[1], {"owner_key": self._rng.choice(PEOPLE), "splits": []}
        return "update", "deals", found[1], {"splits": splits(self._rng, found[2]["owner_key"])}

    def _team(self, snapshot: Snapshot) -> Change | None:
        """An account's team: somebody joins, leaves, or is moved to another account."""
        account, member = self._some(snapshot, "accounts"), self._some(snapshot, "account_members", gone=True)
        choice = self._rng.random()
        if choice < 0.4 and account is not None:
            values = {"account_key": account[1], "user_key": self._rng.choice(PEOPLE)}
            return "create", "account_members", self._maker.key("account_members"), values
        if member is None or account is None:
            return None
        if choice < 0.7:
            return "delete", "account_members", member[1], {}
        return "update", "account_members", member[1], {"account_key": account[1]}

    def _people(self, snapshot: Snapshot) -> Change | None:
        """Who belongs where, today or from a day to come; who is what; how the trees hang."""
        rng = self._rng
        kind, groups = rng.choice((("team", TEAMS), ("territory", TERRITORIES)))
        entity = f"{kind}_members"
        member = self._some(snapshot, entity, gone=True)
        choice = rng.random()
        if choice < 0.3:
            values: dict[str, Any] = {f"{kind}_key": rng.choice(groups), "user_key": rng.choice(PEOPLE)}
            if kind == "team":
                values["role"] = rng.choice(("member", "manager"))
            values["valid_from"] = self._today(rng.choice((-3, 0, 0, 1, 2)))
            return "create", entity, self._maker.key(entity), values
        if choice < 0.45 and member is not None:
            return "delete", entity, member[1], {}
        if choice < 0.65 and member is not None:
            return (
                "update",
                entity,
                member[1],
                {"valid_to": self._today(rng.choice((0, 1, 2))) if rng.random() < 0.7 else None},
            )
        if choice < 0.72 and member is not None:
            return "update", entity, member[1], {f"{kind}_key": rng.choice(groups)}
        if choice < 0.85:
            edge = self._some(snapshot, f"{kind}_edges")
            if edge is not None:  # re-hung from the start, or only until a day
                until = {"valid_to": rng.choice((None, self._today(0), self._today(1)))}
                return (
                    "update",
                    f"{kind}_edges",
                    edge[1],
                    rng.choice(({"parent_key": rng.choice((*groups, None))}, until)),
                )
        if choice < 0.87:
            return "update", "organisations", "org", {"history_days": rng.choice((90, 548, 36_500))}
        if choice < 0.97:
            return (
                "update",
                "users",
                rng.choice(PEOPLE),
                {"role": rng.choice(("rep", "rep", "manager", "director", "finance"))},
            )
        return "update", "users", rng.choice(PEOPLE), {"active": rng.random() < 0.5}

    def _profile(self, snapshot: Snapshot) -> Change | None:
        """A role's devices carry more or less than others; or some row is found to be older than was thought."""
        rng = self._rng
        if rng.random() < 0.5:
            role = rng.choice(("rep", "manager", "director"))
            values = {f: rng.choice(DAYS) for f in ("visit_days", "note_days", "deal_days") if rng.random() < 0.7}
            known = ("device_profiles", role) in snapshot.rows
            return "update" if known else "create", "device_profiles", role, values | ({} if known else {"role": role})
        found = self._some(snapshot, "visits", "notes", gone=True)
        if found is None:
            return None
        field = "planned_at" if found[0] == "visits" else "written_at"
        return "update", found[0], found[1], {field: self._now_ms() - rng.choice(AGES) * DAY_MS}

    # -- an account and what hangs on it ----------------------------------------------------------------------------

    def _about_one_account(self, snapshot: Snapshot) -> list[Change]:
        rng = self._rng
        account = self._some(snapshot, "accounts")
        if account is None:
            return []
        key = account[1]
        below = [s for s in snapshot.rows.values() if s.row.get("account_key") == key]
        deals = {s.key for s in below if s.entity == "deals"}
        below += [s for s in snapshot.rows.values() if s.entity == "deal_lines" and s.row["deal_key"] in deals]
        changes: list[Change] = [
            ("update", "accounts", key, {"territory_key": rng.choice((*TERRITORIES, None))}),
        ]
        for stored in rng.sample(below, min(len(below), rng.choice((0, 1, 1, 2)))):
            values: dict[str, Any] = {f: self._maker.token() for f in TEXTS.get(stored.entity, ())[:1]}
            if stored.entity == "deal_lines":
                values = {"position": rng.randrange(100)}
            changes.append(
                rng.choice((("update", stored.entity, stored.key, values), ("delete", stored.entity, stored.key, {})))
            )
        if rng.random() < 0.4:
            values = {"account_key": key, "name": self._maker.token()}
            changes.append(("create", "contacts", self._maker.key("contacts"), values))
        if rng.random() < 0.2:
            changes.append(("delete", "accounts", key, {}))
        rng.shuffle(changes)
        return [c for c in changes if c[3] or c[0] == "delete"]


assert all(field in ROWS[entity].c for entity, fields in TEXTS.items() for field in fields)
