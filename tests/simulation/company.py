"""The company that every seed starts with: the tests' small one, with a bit more to move, merge and quarrel about."""

from typing import Any

from sqlalchemy import Connection, update

from sfa.db.tables import clock
from tests.builders import COMPANY, put_rows

PEOPLE = ("ana", "bob", "cleo", "mia", "dirk")  # who may hold a phone
REPS = ("ana", "bob", "cleo")
TERRITORIES = ("t-north", "t-south", "t-east")
TEAMS = ("all-sales", "north", "south")
EPOCH = "e" * 32  # in every cursor: a seed spoils the same bytes each time
STAGES_OPEN = ("lead", "offer")

MORE: list[tuple[str, str, dict[str, Any]]] = [
    ("territories", "t-east", {"name": "East"}),
    (
        "territory_edges",
        "te-east",
        {"territory_key": "t-east", "parent_key": "t-north", "valid_from": "2025-01-01"},
    ),
    ("accounts", "east", {"name": "East", "territory_key": "t-east"}),
    ("accounts", "solo", {"name": "Solo"}),
    ("account_members", "am-solo", {"account_key": "solo", "user_key": "cleo"}),
    ("account_members", "am-acme", {"account_key": "acme", "user_key": "cleo"}),
    ("contacts", "carla", {"account_key": "acme", "name": "Carla"}),
    ("contacts", "ed", {"account_key": "east", "name": "Ed"}),
    ("visits", "visit-a", {"account_key": "acme", "owner_key": "ana", "planned_at": 1_767_610_000_000}),
    ("notes", "note-a", {"account_key": "acme", "visit_key": "visit-a", "author_key": "ana", "body": "x"}),
    ("deals", "deal-b", {"name": "Valves", "owner_key": "bob", "account_key": "east", "stage_key": "lead"}),
    ("deals", "deal-c", {"name": "Alone", "owner_key": "cleo", "stage_key": "offer"}),
    ("deal_lines", "line-a", {"deal_key": "deal-a", "product_key": "pump"}),
    ("deal_lines", "line-b", {"deal_key": "deal-b", "product_key": "pump"}),
    ("tasks", "task-a", {"owner_key": "ana", "title": "Call"}),
    ("lost_reasons", "rival", {"name": "Somebody else", "asks_competitor": True}),
    ("competitors", "acme-pumps", {"name": "Acme Pumps"}),
]


def build(connection: Connection) -> None:
    put_rows(connection, [*COMPANY, *MORE])
    connection.execute(update(clock).values(epoch=EPOCH))
