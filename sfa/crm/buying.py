"""Who takes part in a decision: a person is in a deal once, and belongs to the deal's customer or its family.

The family is every customer below the same uppermost one; a deal without a customer takes anybody whom its author sees.
What was right stays when people or deals move afterwards. The caller holds the deal for writing, so that two who add
the same person at once meet each other.
"""

from sfa.core.errors import Refused
from sfa.crm.rights import PARENTS_MAX
from sfa.db.cells import Cell
from sfa.db.looking import load_below
from sfa.db.writes import Door

ENTITY = "deal_contacts"


def check(door: Door, cell: Cell) -> None:
    """Refuse `contact_there` with the row that stands, or `contact_elsewhere`."""
    deal_key, contact_key = cell.row["deal_key"], cell.row["contact_key"]
    load_below(door, ENTITY, (deal_key,))
    for other in door.alike(ENTITY, ("deal_key", "contact_key"), (deal_key, contact_key)):
        if other.exists and other is not cell:
            raise Refused("contact_there", key=other.key, role=other.row["role"])
    ours = door.cell("deals", deal_key, "share").row["account_key"]
    theirs = door.cell("contacts", contact_key, "share").row["account_key"]
    if ours is not None and ours != theirs and _uppermost(door, ours) != _uppermost(door, theirs):
        text = "the person belongs neither to the deal's customer nor to its family"
        raise Refused("contact_elsewhere", text, account_key=theirs, deal_account_key=ours)


def _uppermost(door: Door, account: str) -> str:
    for _ in range(PARENTS_MAX):
        above = door.cell("accounts", account, "none").row.get("parent_key")
        if above is None:
            break
        account = above
    return account
