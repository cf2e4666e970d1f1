"""The company that is measured: five hundred rows through the one door, then multiplied by set-based statements.

A copy of a row differs in its key, in the keys of its parents and in a mark of 64 digits made of its key (or the copies
would compress to nothing), as text inside its document and history too, and gets its own number of the clock; rows,
history, feed, heads and clock agree afterwards as if the door had written each. A rep holds ten territories with all
accounts and contacts in them; one user elsewhere makes the changes that nobody else sees.
"""

import hashlib
from functools import lru_cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Table, insert, text

from sfa.core.ids import KeyMaker
from sfa.crm import edits
from sfa.crm.edits import Who
from sfa.db import digests
from sfa.db.database import Database
from sfa.db.tables import ROWS, devices, history
from sfa.db.writes import Door, Origin
from sfa.web.principal import Principal
from sfa.web.refresh_tokens import begin_family
from sfa.web.tokens import AccessTokens

NOW = 1_767_600_000_000
EVERYONE = Who(None, "admin", None)
TERRITORIES = 10
REPS = 16
DEVICES_OF_A_REP = 8  # a registration may ask 600 times at once: polls are spread over all of them
SEED_ACCOUNTS = 50
SEED_CONTACTS = 450
SEED_ROWS = SEED_ACCOUNTS + SEED_CONTACTS
REFERENCES = {"accounts": (), "contacts": ("account_key",)}
MARKED = {"accounts": ("website",), "contacts": ("title", "email")}
VISITS_OF_A_REP = 16
DAY_MS = 24 * 3600 * 1000
LONG = 400 * 24 * 3600
COPIES_AT_ONCE = 100
LOADING_CACHE_KIB = 1_500_000  # a small cache would write each page many times: keys arrive in no order

Rows = list[tuple[str, str, dict[str, Any]]]


class Device(Struct, frozen=True):
    """A registration with its access token."""

    user: str
    key: str
    token: str


def _people() -> Rows:
    since = {"valid_from": "2025-01-01"}
    rows: Rows = [("organisations", "org", {"name": "Company", "zone": "Europe/Madrid", "currency": "EUR"})]
    reps = [f"rep-{i}" for i in range(REPS)]
    for user in (*reps, "far"):
        rows.append(("users", user, {"name": user, "email": f"{user}@example.com", "role": "rep"}))
    rows.append(("teams", "sales", {"name": "Sales"}))
    for territory in (*(f"t-{i}" for i in range(TERRITORIES)), "t-far"):
        rows.append(("territories", territory, {"name": territory}))
    for user in reps:
        rows.append(("team_members", f"m-{user}", {"team_key": "sales", "user_key": user, **since}))
        for i in range(TERRITORIES):
            rows.append(("territory_members", f"{user}-{i}", {"territory_key": f"t-{i}", "user_key": user, **since}))
    rows.append(("territory_members", "far", {"territory_key": "t-far", "user_key": "far", **since}))
    rows.append(("accounts", "a-far", {"name": "Far away", "territory_key": "t-far"}))
    return rows


def mark_of(key: str) -> str:
    return _md5(key) + _md5(f"{key}!")


def _md5(value: str) -> str:
    return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()


def account_values(i: int) -> dict[str, Any]:
    """About 450 bytes as a document."""
    return {
        "website": f"https://www.bakery-and-sons.example/customers/{mark_of(f'a-{i}')}",
        "name": f"Bakery and Sons {i}",
        "territory_key": f"t-{i % TERRITORIES}",
        "status": "customer",
        "tier": "B",
        "city": "Bilbao",
        "country": "ES",
    }


def contact_values(i: int, account: str) -> dict[str, Any]:
    """About 450 bytes as a document."""
    return {
        "account_key": account,
        "name": f"Maria Fernandez de la Torre {i}",
        "title": f"Head of purchasing {mark_of(f'c-{i}')}",
        "phone": f"+34 944 {i:06d}",
        "mobile": f"+34 600 {i:06d}",
        "email": f"{mark_of(f'c-{i}')}@bakery-and-sons.example",
        "language": "es-ES",
        "external_id": f"legacy-crm-{i:08d}",
    }


def put(connection: Connection, rows: Rows) -> None:
    door = Door(connection, NOW)
    origin = Origin(author_key=None, at=NOW, stored_at=NOW)
    for entity, key, values in rows:
        cell = door.cell(entity, key)
        if cell.rev == 0:
            edits.create(door, EVERYONE, entity, key, values, origin)
        else:
            edits.update(door, EVERYONE, cell, values, origin)
    door.flush()


def found(database: Database) -> None:
    """People, territories and the seed rows."""
    database.write(put, _people())
    database.write(put, [("accounts", f"a-{i}", account_values(i)) for i in range(SEED_ACCOUNTS)])
    database.write(
        put, [("contacts", f"c-{i}", contact_values(i, f"a-{i % SEED_ACCOUNTS}")) for i in range(SEED_CONTACTS)]
    )


def plan_days(database: Database, now_ms: int) -> None:
    """What each rep does today and tomorrow: sixteen visits, each with a note and an open deal at the customer."""
    rows: Rows = [("stages", "lead", {"name": "Lead", "position": 1})]
    for rep in range(REPS):
        for i in range(VISITS_OF_A_REP):
            account, key, owner = f"a-{(rep * 3 + i) % SEED_ACCOUNTS}", f"{rep}-{i}", f"rep-{rep}"
            at = now_ms + (i // (VISITS_OF_A_REP // 2)) * DAY_MS
            note = f"Wants to see the new range. {mark_of(key)}"
            deal = {"name": f"Range {i}", "owner_key": owner, "account_key": account, "stage_key": "lead"}
            rows += [
                ("visits", f"v-{key}", {"account_key": account, "owner_key": owner, "planned_at": at}),
                ("notes", f"n-{key}", {"account_key": account, "author_key": owner, "body": note}),
                ("deals", f"d-{key}", deal),
            ]
    database.write(put, rows)


def register(
    database: Database,
    tokens: AccessTokens,
    now_ms: int,
    keys: KeyMaker,
    *,
    of_a_rep: int = DEVICES_OF_A_REP,
    name: str = "d",
) -> list[Device]:
    """So many registrations for each rep, each with a token that lasts for the run."""

    def work(connection: Connection) -> list[Device]:
        made: list[Device] = []
        for place in range(of_a_rep):
            for i in range(REPS):
                user, key = f"rep-{i}", f"{name}-{i}-{place}"
                row: dict[str, object] = {
                    "key": key,
                    "user_key": user,
                    "name": key,
                    "platform": "bench",
                    "app_version": "1",
                }
                row.update(state="active", created_at=now_ms, last_n=0, durable_n=0, skewed=False)
                connection.execute(insert(devices), row)
                refresh = begin_family(connection, key, now_ms, LONG, keys.new)
                made.append(Device(user, key, tokens.mint(Principal(user, "rep", key), refresh.key)))
        return made

    return database.write(work)


def grow(database: Database, copies_now: int, copies: int) -> None:
    """Multiply the seed rows up to `copies` of each; the seed itself is the first."""
    for low in range(copies_now, copies, COPIES_AT_ONCE):
        database.write(_grow, low, min(copies, low + COPIES_AT_ONCE))
    database.write(digests.repair)


def _grow(connection: Connection, copies_now: int, copies: int) -> None:
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        raw: Any = connection.connection.driver_connection
        raw.execute(f"PRAGMA cache_size = -{LOADING_CACHE_KIB}")
        raw.create_function("md5", 1, lru_cache(_md5), deterministic=True)  # PostgreSQL has it
    numbers = "SELECT value AS k FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) AS s(value)"
    if sqlite:
        numbers = (
            "SELECT k FROM (WITH RECURSIVE s(k) AS (SELECT :low UNION ALL SELECT k + 1 FROM s WHERE k < :high) "
            "SELECT k FROM s)"
        )
    span = {"low": copies_now, "high": copies - 1}
    for entity, references in REFERENCES.items():
        seed = f"key LIKE '{entity[0]}-%' AND key NOT LIKE '%.%' AND key <> 'a-far'"
        connection.execute(text(_rows(ROWS[entity], references, numbers, seed)), span)
        connection.execute(text(_history(entity, numbers, seed)), span)
        connection.execute(text(_feed(entity, numbers, seed, sqlite)), span)
        connection.execute(text("UPDATE clock SET seq = (SELECT max(seq) FROM feed) WHERE id = 1"))
    connection.execute(
        text("UPDATE bucket_heads SET seq = (SELECT max(seq) FROM feed f WHERE f.bucket = bucket_heads.bucket)")
    )


def _rows(table: Table, references: tuple[str, ...], numbers: str, seed: str) -> str:
    names = [column.name for column in table.c]
    copied = {name: f"r.{name} || '.' || n.k" for name in ("key", *references)}
    copied.update({name: _remarked(f"r.{name}") for name in MARKED[table.name]})
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(copied.get(n, f'r.{n}') for n in names)} "
        f"FROM (SELECT * FROM {table.name} WHERE {seed}) r CROSS JOIN ({numbers}) n"
    )


def _renamed(document: str, entity: str) -> str:
    """SQL that puts the copy's keys in the place of the seed's inside a document or a list of changes. A key stands
    between quotation marks there, and no other value is equal to one."""
    for field in ("key", *REFERENCES[entity]):
        base = "r.key" if field == "key" else f"(SELECT x.{field} FROM {entity} x WHERE x.key = r.key)"
        document = f"replace({document}, '\"' || {base} || '\"', '\"' || {base} || '.' || n.k || '\"')"
    return _remarked(document)


def _remarked(value: str) -> str:
    """SQL that puts the copy's mark in the place of the seed's."""
    old, new = (f"md5({key}) || md5({key} || '!')" for key in ("r.key", "(r.key || '.' || n.k)"))
    return f"replace({value}, {old}, {new})"


def _history(entity: str, numbers: str, seed: str) -> str:
    names = [column.name for column in history.c]
    changes = f"CAST({_renamed('CAST(r.changes AS text)', entity)} AS json)"
    copied = {"key": "r.key || '.' || n.k", "changes": changes}
    return (
        f"INSERT INTO history ({', '.join(names)}) SELECT {', '.join(copied.get(n, f'r.{n}') for n in names)} "
        f"FROM (SELECT * FROM history WHERE entity = '{entity}' AND {seed}) r CROSS JOIN ({numbers}) n"
    )


def _feed(entity: str, numbers: str, seed: str, sqlite: bool) -> str:
    plain = "CAST(r.doc AS text)" if sqlite else "convert_from(r.doc, 'UTF8')"
    doc = _renamed(plain, entity)
    doc = f"CAST({doc} AS blob)" if sqlite else f"convert_to({doc}, 'UTF8')"
    seq = "(SELECT seq FROM clock WHERE id = 1) + row_number() OVER (ORDER BY n.k, r.seq)"
    return (
        "INSERT INTO feed (bucket, entity, key, seq, first, rev, gone, doc) "
        "SELECT bucket, entity, key, seq, seq, rev, gone, doc FROM ("
        f"SELECT r.bucket, r.entity, r.key || '.' || n.k AS key, {seq} AS seq, r.rev, r.gone, {doc} AS doc "
        f"FROM (SELECT * FROM feed WHERE entity = '{entity}' AND {seed}) r CROSS JOIN ({numbers}) n) made"
    )


def change_twenty(database: Database) -> int:
    """Twenty contacts changed through the door; -> the clock before it: a cursor from there sees exactly these."""
    before = database.read(clock_seq)
    rows: Rows = [("contacts", f"c-{i}", {"phone": f"+34 900 {before + i:09d}"}) for i in range(20)]
    database.write(put, rows)
    return before


def change_elsewhere(database: Database) -> None:
    """Five changes that no rep sees: the clock moves on, no bucket of theirs does."""
    seq = database.read(clock_seq)
    database.write(put, [("contacts", f"x-{i}", contact_values(seq + i, "a-far")) for i in range(5)])


def clock_seq(connection: Connection) -> int:
    return int(connection.execute(text("SELECT seq FROM clock WHERE id = 1")).scalar_one())
