"""A small company for tests: two regions, two reps and a manager in one of them, a rep in the other, a director.

Built through the one door, as everything is. Keys are words, so that a failing test reads well.
"""

from typing import Any

from sqlalchemy import Connection, insert

from sfa.crm import edits
from sfa.crm.edits import Who
from sfa.db.database import Database
from sfa.db.tables import devices
from sfa.db.writes import Door, Origin

NOW = 1_767_600_000_000  # Monday 2026-01-05 08:00 UTC
DAY_MS = 24 * 3600 * 1000
EVERYONE = Who(None, "admin", None)

USERS = {
    "ana": "rep",
    "bob": "rep",
    "cleo": "rep",
    "mia": "manager",
    "dirk": "director",
    "fay": "finance",
    "root": "admin",
}
COMPANY: list[tuple[str, str, dict[str, Any]]] = [
    ("organisations", "org", {"name": "Company", "zone": "Europe/Madrid", "currency": "EUR"}),
    *(
        ("users", user, {"name": user.title(), "email": f"{user}@example.com", "role": role})
        for user, role in USERS.items()
    ),
    ("teams", "all-sales", {"name": "All sales"}),
    ("teams", "north", {"name": "North"}),
    ("teams", "south", {"name": "South"}),
    ("team_edges", "e-all", {"team_key": "all-sales", "valid_from": "2025-01-01"}),
    ("team_edges", "e-north", {"team_key": "north", "parent_key": "all-sales", "valid_from": "2025-01-01"}),
    ("team_edges", "e-south", {"team_key": "south", "parent_key": "all-sales", "valid_from": "2025-01-01"}),
    ("territories", "t-north", {"name": "North"}),
    ("territories", "t-south", {"name": "South"}),
    ("territory_edges", "te-north", {"territory_key": "t-north", "valid_from": "2025-01-01"}),
    ("territory_edges", "te-south", {"territory_key": "t-south", "valid_from": "2025-01-01"}),
    ("team_members", "m-ana", {"team_key": "north", "user_key": "ana", "valid_from": "2025-01-01"}),
    ("team_members", "m-bob", {"team_key": "north", "user_key": "bob", "valid_from": "2025-01-01"}),
    ("team_members", "m-cleo", {"team_key": "south", "user_key": "cleo", "valid_from": "2025-01-01"}),
    ("team_members", "m-mia", {"team_key": "north", "user_key": "mia", "role": "manager", "valid_from": "2025-01-01"}),
    (
        "team_members",
        "m-dirk",
        {"team_key": "all-sales", "user_key": "dirk", "role": "manager", "valid_from": "2025-01-01"},
    ),
    ("territory_members", "tm-ana", {"territory_key": "t-north", "user_key": "ana", "valid_from": "2025-01-01"}),
    ("territory_members", "tm-bob", {"territory_key": "t-north", "user_key": "bob", "valid_from": "2025-01-01"}),
    ("territory_members", "tm-cleo", {"territory_key": "t-south", "user_key": "cleo", "valid_from": "2025-01-01"}),
    ("stages", "lead", {"name": "Lead", "position": 1, "probability_bp": 1000}),
    ("stages", "offer", {"name": "Offer", "position": 2, "probability_bp": 5000}),
    ("stages", "won", {"name": "Won", "position": 9, "kind": "won", "probability_bp": 10000, "category": "closed"}),
    ("stages", "lost", {"name": "Lost", "position": 10, "kind": "lost", "category": "omitted"}),
    ("products", "pump", {"name": "Pump"}),
    ("prices", "p-pump", {"product_key": "pump", "amount_minor": 10000, "currency": "EUR", "valid_from": "2025-01-01"}),
    (
        "unit_costs",
        "c-pump",
        {"product_key": "pump", "amount_minor": 6000, "currency": "EUR", "valid_from": "2025-01-01"},
    ),
    ("accounts", "acme", {"name": "Acme", "territory_key": "t-north", "city": "Bilbao"}),
    ("accounts", "zeta", {"name": "Zeta", "territory_key": "t-south", "city": "Cadiz"}),
    ("contacts", "carl", {"account_key": "acme", "name": "Carl", "phone": "1"}),
    ("contacts", "zoe", {"account_key": "zeta", "name": "Zoe"}),
    (
        "deals",
        "deal-a",
        {
            "name": "Pumps",
            "owner_key": "ana",
            "account_key": "acme",
            "stage_key": "lead",
            "amount_minor": 500000,
            "currency": "EUR",
        },
    ),
]


def put_rows(connection: Connection, rows: list[tuple[str, str, dict[str, Any]]], now_ms: int = NOW) -> int:
    """Write rows through the door, as an import would; -> the clock after it."""
    door = Door(connection, now_ms)
    origin = Origin(author_key=None, at=now_ms, stored_at=now_ms)
    for entity, key, values in rows:
        cell = door.cell(entity, key)
        if cell.rev == 0:
            edits.create(door, EVERYONE, entity, key, values, origin)
        else:
            edits.update(door, EVERYONE, cell, values, origin)
    return door.flush()


def delete_row(connection: Connection, entity: str, key: str, now_ms: int = NOW) -> int:
    door = Door(connection, now_ms)
    edits.delete(door, EVERYONE, door.cell(entity, key), Origin(author_key=None, at=now_ms, stored_at=now_ms))
    return door.flush()


def register(connection: Connection, device: str, user: str, now_ms: int = NOW) -> None:
    row = {"key": device, "user_key": user, "name": device, "platform": "test", "app_version": "1", "state": "active"}
    connection.execute(insert(devices), [{**row, "created_at": now_ms, "last_n": 0, "durable_n": 0, "skewed": False}])


def company(database: Database) -> None:
    """The company, and one registration `d-<user>` for each user."""

    def build(connection: Connection) -> None:
        put_rows(connection, COMPANY)
        for user in USERS:
            register(connection, f"d-{user}", user)

    database.write(build)
