"""What proposals and their parts allow when their rows are written, online and offline alike (R46, R49).

People change what was not sent; a change makes it a draft again, so that an approval is asked for anew. What was sent,
and its PDF, stay. A template counts its versions.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, select

from sfa.core.errors import Refused
from sfa.crm.about import lock_first
from sfa.db.cells import Cell
from sfa.db.tables import proposal_renders, proposal_versions
from sfa.db.writes import Door, Origin

PROPOSALS, LINES, TEMPLATES = "proposals", "proposal_lines", "proposal_templates"
OPEN = ("draft", "in_approval", "approved")
DRAFT = "draft"
_R, _V = proposal_renders.c, proposal_versions.c
Values = Mapping[str, Any]


def completed(entity: str, before: Values, values: Values) -> Values:
    """Of a template the number of the version that these values make."""
    if entity != TEMPLATES or all(before.get(field) == value for field, value in values.items()):
        return values
    return {**values, "version": (before.get("version") or 0) + 1}


def check_free(door: Door, cell: Cell, values: Values | None) -> None:
    """What was sent is revised first, and never deleted; a proposal printed is the server's. None is a deletion; what
    says the same again changes nothing."""
    if cell.entity == "attachments" and cell.row.get("proposal_key") and _changes(cell, values):
        raise Refused("proposal_kept", "the server keeps what it printed of a proposal", key=cell.key)
    if cell.entity not in (PROPOSALS, LINES) or not cell.row or not _changes(cell, values):
        return
    proposal = _proposal(door, cell)
    check_open(proposal)
    if values is None and cell is proposal and proposal.row["version"]:
        raise Refused("proposal_kept", key=proposal.key)


def check_open(proposal: Cell) -> None:
    if proposal.rev and proposal.row["status"] not in OPEN:
        status = proposal.row["status"]
        raise Refused("proposal_locked", f"the proposal is {status}: revise it first", status=status, key=proposal.key)


def hold(door: Door, key: str) -> None:
    """Of a line that is written: its proposal, which may become a draft by it, after the deal (S8)."""
    lock_first(door, PROPOSALS, key)
    door.cell(PROPOSALS, key)


def check_new(door: Door, cell: Cell) -> None:
    """A line of what was sent."""
    if cell.entity == LINES:
        check_open(_proposal(door, cell))


def follow(door: Door, cell: Cell, origin: Origin) -> None:
    """After a change: what waits for an approval, or has it, is a draft again."""
    if cell.entity not in (PROPOSALS, LINES):
        return
    proposal = _proposal(door, cell)
    if proposal.exists and proposal.row["status"] in OPEN and proposal.row["status"] != DRAFT:
        door.put(proposal, {"status": DRAFT, "needs": []}, origin, "follow")


def _changes(cell: Cell, values: Values | None) -> bool:
    return values is None or any(cell.row[field] != value for field, value in values.items())


def _proposal(door: Door, cell: Cell) -> Cell:
    return cell if cell.entity == PROPOSALS else door.cell(PROPOSALS, cell.row["proposal_key"], "share")


def forget_drafts(door: Door, people: Iterable[str], origin: Origin) -> None:
    """What was printed, or waits to be, of drafts for an erased person. Rows name the person by key alone; what was
    sent stays, as a record of the company's (docs/proposals.md)."""
    for proposal in door.load_where(PROPOSALS, "contact_key", sorted(people)):
        ours = (_R.proposal_key == proposal.key, _R.kind == "draft")
        door.connection.execute(delete(proposal_renders).where(*ours))
        sent = select(_V.pdf_key).where(_V.proposal_key == proposal.key, _V.pdf_key.is_not(None))
        kept = set(door.connection.execute(sent).scalars())
        mine = door.load_where("attachments", "deal_key", (proposal.row["deal_key"],))
        printed = [c for c in mine if c.exists and c.row["proposal_key"] == proposal.key and c.key not in kept]
        for file in printed:
            door.delete(file, origin, "erase")
        if proposal.exists and proposal.row["pdf_key"] in {file.key for file in printed}:
            blank = dict.fromkeys(("pdf_key", "pdf_digest", "render_state", "render_problem"))
            door.put(proposal, blank, origin, "erase")
