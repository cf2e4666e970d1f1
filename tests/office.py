"""A company with people who sync: phones that speak the real bytes of `POST /sync`, and eyes on the database.

A `Phone` numbers its mutations and keeps memberships as the protocol asks of every client (S13); it is deliberately
simpler than the reference device, so that a test of the server does not lean on it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from sfa.app.commands import COMMANDS
from sfa.core.clock import VirtualClock
from sfa.core.shapes import SHAPES
from sfa.crm import edits
from sfa.db import feed, scope
from sfa.db.database import Database
from sfa.db.tables import ROWS, devices, history
from sfa.db.writes import Door, Origin
from sync.protocol import CONTRACT_MAX, Item, Page, PushAnswer, Receipt, SyncAnswer
from sync.round import Caller, Round
from tests.builders import EVERYONE, NOW, delete_row, put_rows, register

SECRET = b"0123456789abcdef0123456789abcdef"
PAGES_MAX = 10_000
Rows = list[tuple[str, str, dict[str, Any]]]


class Phone:
    """One registration: sends mutations under rising numbers, keeps what pages bring."""

    def __init__(self, office: "Office", user: str, device: str) -> None:
        self.office, self.user, self.device = office, user, device
        self.caller = Caller(user, device)
        self.contract = CONTRACT_MAX
        self.n = 0
        self.cursor: str | None = None
        self.held: dict[tuple[str, str, str], Item] = {}
        self.resets: list[str] = []

    # -- push -------------------------------------------------------------------------------------------------------

    def mutation(self, kind: str, entity: str, key: str, **fields: Any) -> dict[str, Any]:
        """The next mutation of this phone; `set`, `base`, `at` and `unit` as on the wire."""
        self.n += 1
        at = self.office.clock.now_ms()
        return {"n": self.n, "entity": entity, "key": key, "kind": kind, "at": at, **fields}

    def body(self, mutations: Sequence[Any], **fields: Any) -> bytes:
        now = self.office.clock.now_ms()
        head = {"user": self.user, "now": now, "contract": self.contract}
        return msgspec.json.encode({**head, "mutations": mutations, "pull": False, **fields})

    def answer(self, body: bytes) -> bytes:
        return self.office.round.answer_blocking(self.caller, body)

    def push(self, *mutations: Any, **fields: Any) -> PushAnswer:
        answer = msgspec.json.decode(self.answer(self.body(mutations, **fields)), type=SyncAnswer)
        assert answer.push is not None
        return answer.push

    def do(self, kind: str, entity: str, key: str, **fields: Any) -> Receipt:
        """Send one mutation; -> its receipt."""
        (receipt,) = self.push(self.mutation(kind, entity, key, **fields)).receipts
        return receipt

    def edit(self, entity: str, key: str, base: int | None = None, **values: Any) -> Receipt:
        """Update a row, on the revision that stands unless `base` says another one."""
        known = self.office.rev(entity, key) if base is None else base
        return self.do("update", entity, key, base=known, set=values)

    # -- pull -------------------------------------------------------------------------------------------------------

    def page(self, cursor: str | None = None, **fields: Any) -> Page:
        """One page, without keeping anything of it."""
        asked = {"cursor": cursor, "pull": True, **fields}
        answer = msgspec.json.decode(self.answer(self.body((), **asked)), type=SyncAnswer)
        assert answer.page is not None
        return answer.page

    def catch_up(self, **fields: Any) -> list[Page]:
        """Pull until caught up, keeping memberships; a reset sweeps what was not sent again (S15)."""
        pages: list[Page] = []
        seen: set[tuple[str, str, str]] | None = None
        while len(pages) < PAGES_MAX:
            page = self.page(self.cursor, **fields)
            pages.append(page)
            if page.reset is not None:
                self.resets.append(page.reset)
                seen = set()
            for place in [place for place in self.held if place[0] in page.drops]:
                del self.held[place]
            for change in page.changes:
                for item in change.items:
                    place = (change.bucket, item.entity, item.key)
                    if item.gone:
                        self.held.pop(place, None)
                    else:
                        self.held[place] = item
                        if seen is not None:
                            seen.add(place)
            self.cursor = page.cursor
            if page.caught_up:
                if seen is not None:
                    self.held = {place: item for place, item in self.held.items() if place in seen}
                return pages
        raise AssertionError("never caught up")

    def sees(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(entity, key) -> row, of every row with a membership left."""
        return {(e, k): item.row or {} for (_, e, k), item in self.held.items()}

    def keys(self, entity: str) -> set[str]:
        return {key for found, key in self.sees() if found == entity}


class Office:
    """The company's server, its clock and everybody's phones."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = VirtualClock(NOW)
        self.round = Round(database, self.clock, SECRET, COMMANDS)
        self._phones: dict[str, Phone] = {}

    def phone(self, user: str, device: str | None = None) -> Phone:
        """The phone `d-<user>`, or another one of the same person, which is registered then."""
        name = device or f"d-{user}"
        if name not in self._phones:
            if device is not None:
                self.database.write(register, device, user)
            self._phones[name] = Phone(self, user, name)
        return self._phones[name]

    # -- what others do ---------------------------------------------------------------------------------------------

    def put(self, *rows: tuple[str, str, dict[str, Any]]) -> int:
        """Write rows in one transaction, as a manager's screen would, by nobody's device; -> the clock."""
        return self.database.write(put_rows, list(rows), self.clock.now_ms())

    def delete(self, entity: str, key: str) -> int:
        return self.database.write(delete_row, entity, key, self.clock.now_ms())

    def put_and_delete(self, rows: Rows, deleted: Sequence[tuple[str, str]]) -> int:
        """Both in one transaction."""

        def work(connection: Connection) -> int:
            now = self.clock.now_ms()
            door, origin = Door(connection, now), Origin(author_key=None, at=now, stored_at=now)
            for entity, key, values in rows:
                cell = door.cell(entity, key)
                if cell.rev:
                    edits.update(door, EVERYONE, cell, values, origin)
                else:
                    edits.create(door, EVERYONE, entity, key, values, origin)
            for entity, key in deleted:
                edits.delete(door, EVERYONE, door.cell(entity, key), origin)
            return door.flush()

        return self.database.write(work)

    def put_server_row(self, entity: str, key: str, values: dict[str, Any]) -> int:
        """A row that only the server writes."""

        def work(connection: Connection) -> int:
            now = self.clock.now_ms()
            door = Door(connection, now)
            door.put(door.cell(entity, key), values, Origin(author_key=None, at=now, stored_at=now), "create")
            return door.flush()

        return self.database.write(work)

    # -- what is stored ---------------------------------------------------------------------------------------------

    def find(self, entity: str, key: str) -> dict[str, Any] | None:
        """The stored row with its system columns, deleted or not."""
        table = ROWS[entity]
        return self._first(select(table).where(table.c.key == key))

    def row(self, entity: str, key: str) -> dict[str, Any]:
        found = self.find(entity, key)
        assert found is not None, f"there is no {entity} {key}"
        return found

    def rev(self, entity: str, key: str) -> int:
        found = self.find(entity, key)
        return int(found["rev"]) if found else 0

    def rows(self, entity: str) -> list[dict[str, Any]]:
        """Every live row, by key."""
        table = ROWS[entity]
        return self.all(select(table).where(~table.c.gone).order_by(table.c.key))

    def history(self, entity: str, key: str) -> list[dict[str, Any]]:
        table = history
        return self.all(select(table).where(table.c.entity == entity, table.c.key == key).order_by(table.c.rev))

    def device(self, key: str) -> dict[str, Any]:
        found = self._first(select(devices).where(devices.c.key == key))
        assert found is not None
        return found

    def seq(self) -> int:
        return self.database.read(feed.face).seq

    def held(self, user: str) -> frozenset[str]:
        return self.database.read(scope.held_now, user)

    def visible(self, user: str) -> dict[tuple[str, str], dict[str, Any]]:
        """What the server says a user may see: every live row that lies in a held bucket, read off the tables."""
        held = self.held(user)
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for entity in ROWS:
            for row in self.rows(entity):
                if not held.isdisjoint(row["buckets"]):
                    found[entity, row["key"]] = {field: row[field] for field in SHAPES[entity].types}
        return found

    def all(self, query: Any) -> list[dict[str, Any]]:
        return self.database.read(lambda c: [dict(r) for r in c.execute(query).mappings()])

    def _first(self, query: Any) -> dict[str, Any] | None:
        return next(iter(self.all(query)), None)
