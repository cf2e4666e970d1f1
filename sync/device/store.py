"""The device's local file: synced rows, memberships, the outbox, and one row of state.

One store belongs to one user at one server: a shared tablet has one file for each (S23). Every change of meaning is one
`transaction()`, so that a device that is killed at any line finds either all of it or nothing. Writes are flushed to
disk at commit: a number that was sent and then forgotten by the file would be given twice.

- `rows` are the server's words only; what the user typed since lies in `outbox`.
- `memberships` say through which buckets a row is held. No membership, no row.
- `generation` tells what arrived since the last reset, or refill of a bucket, from what is older (S15, S16).
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from sync.device.transport import ConnectionLost
from sync.protocol import CONTRACT_MAX

SCHEMA_VERSION = 6
BUSY_TIMEOUT_S = 10.0
ALONE_TIMEOUT_S = 90.0  # longer than a request may take
PRIVATE = 0o600
NOTICES_MAX = 200
CLOCK_BACK_MS = 24 * 3600 * 1000  # a clock may be corrected by a day without locking anybody out

# A registration is `active`; or `reused`: it was cloned and can push no more, until the user logs in anew; or `moving`:
# it is new, and the queue moves to it with the first answer, which says whether the server lost anything. One that was
# `revoked` takes no more edits: what is queued is drained as it stands, then everything is erased.
REGISTRATION = ("active", "reused", "moving", "revoked")

SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    user TEXT,                              -- JSON: key, name, email, role
    device_key TEXT,                        -- the registration
    access_token TEXT,
    refresh_token TEXT,
    epoch TEXT,                             -- which history of the server the cursor belongs to
    cursor TEXT,
    generation INTEGER NOT NULL DEFAULT 0,
    sweeping INTEGER NOT NULL DEFAULT 0,    -- older generations go at caught_up
    seen_seq INTEGER NOT NULL DEFAULT -1,   -- seq of the last caught_up page
    push_seq INTEGER NOT NULL DEFAULT 0,    -- seq of the last push
    next_n INTEGER NOT NULL DEFAULT 1,      -- the number of the next mutation
    expected_n INTEGER NOT NULL DEFAULT 1,  -- the number that the server takes next, as it last said
    durable_n INTEGER NOT NULL DEFAULT 0,
    registration TEXT NOT NULL DEFAULT 'active', -- one of REGISTRATION
    heard_at INTEGER                        -- this device's clock, when the server last answered
);
INSERT OR IGNORE INTO state (id) VALUES (1);
CREATE TABLE IF NOT EXISTS rows (
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    rev INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    doc TEXT NOT NULL,                      -- the row as JSON
    PRIMARY KEY (entity, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memberships (
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    bucket TEXT NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (entity, key, bucket)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ix_memberships_bucket ON memberships (bucket);
CREATE TABLE IF NOT EXISTS refills (       -- buckets that are being fetched again
    bucket TEXT PRIMARY KEY,
    generation INTEGER NOT NULL             -- what is older goes at caught_up
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    n INTEGER PRIMARY KEY,
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,                    -- this device's clock
    base INTEGER NOT NULL,                  -- revision of the synced row when the edit was made
    fields TEXT NOT NULL,                   -- JSON: changed fields, or a command's arguments
    unit_id TEXT,
    unit_size INTEGER,
    base_doc TEXT,                          -- the synced row at base, for the overlay's merge
    outcome TEXT,                           -- null while queued
    rev INTEGER NOT NULL DEFAULT 0,         -- of the row after it, says the receipt
    seq INTEGER NOT NULL DEFAULT 0,         -- of the push that the server answered
    receipt TEXT,
    repairs TEXT,                           -- the refusal in whose place it is sent
    contract INTEGER NOT NULL DEFAULT 1     -- the version that the app spoke when it was queued (S32)
);
CREATE INDEX IF NOT EXISTS ix_outbox_row ON outbox (entity, key);
CREATE TABLE IF NOT EXISTS notices (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS lease (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    given_at INTEGER NOT NULL,              -- this device's clock, both
    until_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS files (        -- copies that lie in the folder beside this file
    key TEXT PRIMARY KEY,                   -- of the attachment
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    upload TEXT,                            -- where the server has it, once it was begun
    is_known INTEGER NOT NULL DEFAULT 0,    -- the server took its row, or handed it over
    is_sent INTEGER NOT NULL DEFAULT 0,
    code TEXT,                              -- why the server refused the content
    stored_at INTEGER,                      -- this device's clock, when it learned that the server has the bytes
    was_held INTEGER NOT NULL DEFAULT 0     -- its row came here: where it is not any more, it has left
);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


class Person(Struct, frozen=True):
    """Who is logged in, as the server says."""

    key: str
    name: str = ""
    email: str = ""
    role: str = "rep"


class State(Struct, frozen=True):
    """The one row of state; the table above says what its fields mean."""

    user: Person | None
    device_key: str | None
    access_token: str | None
    refresh_token: str | None
    epoch: str | None
    cursor: str | None
    generation: int
    sweeping: bool
    seen_seq: int
    push_seq: int
    next_n: int
    expected_n: int
    durable_n: int
    registration: str
    heard_at: int | None


class Notice(Struct, frozen=True):
    """Something that the user must be able to learn later too: a reset, skipped numbers, a dead registration, that
    all was erased."""

    at: int
    kind: str
    text: str


def _keep_private(path: Path) -> None:
    """Rows, queue and tokens are for the owner of the file alone; SQLite's files beside it take its mode."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
    if path.stat().st_mode & 0o777 != PRIVATE:
        path.chmod(PRIVATE)


_FIELDS = tuple(State.__struct_fields__)
_READ_STATE = f"SELECT {', '.join(_FIELDS)} FROM state"
_person = msgspec.json.Decoder(Person)


class Store:
    """An open local file, or `:memory:`. One thread at a time. `speaks` is the contract version of the app (S32)."""

    speaks = CONTRACT_MAX

    def __init__(
        self, path: str | Path = ":memory:", connect: Callable[..., sqlite3.Connection] = sqlite3.connect
    ) -> None:
        self._path = None if str(path) == ":memory:" else Path(path)
        self.folder = self._path.with_name(f"{self._path.name}.files") if self._path is not None else None
        if self._path is not None:
            _keep_private(self._path)
        self._connection = connect(str(path), isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S)
        self._joined = False
        (version,) = self.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise ValueError(f"this store was written by a newer app (schema {version})")
        if str(path) != ":memory:":
            self.execute("PRAGMA journal_mode = WAL")
            self.execute("PRAGMA synchronous = FULL")
        if version < SCHEMA_VERSION:
            self._add_columns()
            self._connection.executescript(SCHEMA)

    def _add_columns(self) -> None:
        """What a file of an older app lacks: its queue was written by an app of version 1, and it let copies go as soon
        as they had arrived."""
        columns = [row[1] for row in self.execute("PRAGMA table_info(outbox)")]
        if columns and "repairs" not in columns:
            self.execute("ALTER TABLE outbox ADD COLUMN repairs TEXT")
        if columns and "contract" not in columns:
            self.execute("ALTER TABLE outbox ADD COLUMN contract INTEGER NOT NULL DEFAULT 1")
        columns = [row[1] for row in self.execute("PRAGMA table_info(state)")]
        if columns and "heard_at" not in columns:
            self.execute("ALTER TABLE state ADD COLUMN heard_at INTEGER")
        columns = [row[1] for row in self.execute("PRAGMA table_info(files)")]
        if columns and "stored_at" not in columns:
            self.execute("ALTER TABLE files ADD COLUMN stored_at INTEGER")
            self.execute("ALTER TABLE files ADD COLUMN was_held INTEGER NOT NULL DEFAULT 0")

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process or thread with this store is in here. A refresh token is good for one refresh: two at once
        would look like a thief's. The lock goes with its holder, and edits do not wait for it."""
        if self._path is None:
            yield
            return
        place = self._path.with_name(self._path.name + "-alone")
        _keep_private(place)
        lock = sqlite3.connect(str(place), isolation_level=None, timeout=ALONE_TIMEOUT_S)
        try:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                raise ConnectionLost(f"another sync of this store is refreshing its login: {error}") from error
            yield
        finally:
            lock.close()

    # -- statements and transactions ----------------------------------------------------------------------------

    def execute(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        return self._connection.execute(sql, tuple(values))

    def executemany(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._connection.executemany(sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; inside another one it becomes part of that."""
        with self._begun("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Several reads of one state of the file, while another process may be syncing."""
        with self._begun("BEGIN"):
            yield

    @contextmanager
    def _begun(self, begin: str) -> Iterator[None]:
        if self._joined:
            yield
            return
        self.execute(begin)
        self._joined = True
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
            raise
        finally:
            self._joined = False

    # -- state --------------------------------------------------------------------------------------------------

    def state(self) -> State:
        found = dict(zip(_FIELDS, self.execute(_READ_STATE).fetchone(), strict=True))
        found["user"] = _person.decode(found["user"]) if found["user"] is not None else None
        found["sweeping"] = bool(found["sweeping"])
        return State(**found)

    def set_state(self, **values: Any) -> None:
        if isinstance(values.get("user"), Person):
            values["user"] = msgspec.json.encode(values["user"]).decode()
        self.execute(f"UPDATE state SET {', '.join(f'{name} = ?' for name in values)}", values.values())

    # -- the lease, and the end -----------------------------------------------------------------------------------

    def keep_lease(self, given_at: int, until_at: int) -> None:
        self.execute("INSERT OR REPLACE INTO lease (id, given_at, until_at) VALUES (1, ?, ?)", (given_at, until_at))

    def is_leased(self, now_ms: int) -> bool:
        """Whether what is held may be shown. A clock that was set back to before the lease does not prolong it."""
        found = self.execute("SELECT given_at - ?, until_at FROM lease", (CLOCK_BACK_MS,)).fetchone()
        return found is None or bool(found[0] <= now_ms < found[1])

    def erase(self, at: int, why: str) -> None:
        """Nothing of the company stays in the file, nor beside it: rows, queue, tokens and person are overwritten. The
        copies of files go first: a store that died in the middle is told again, one without a person is not."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.execute("PRAGMA secure_delete = ON")
        with self.transaction():
            for table in ("rows", "memberships", "refills", "outbox", "notices", "lease", "files", "state"):
                self.execute(f"DELETE FROM {table}")
            self.execute("INSERT INTO state (id) VALUES (1)")
            self.note(at, "erased", why)
        self.execute("VACUUM")
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # -- notices ------------------------------------------------------------------------------------------------

    def note(self, at: int, kind: str, text: str) -> None:
        self.execute("INSERT INTO notices (at, kind, text) VALUES (?, ?, ?)", (at, kind, text))
        self.execute("DELETE FROM notices WHERE id <= (SELECT max(id) FROM notices) - ?", (NOTICES_MAX,))

    def notices(self) -> list[Notice]:
        """The newest last."""
        return [Notice(*row) for row in self.execute("SELECT at, kind, text FROM notices ORDER BY id")]
