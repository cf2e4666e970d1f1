"""What proposals and their parts allow when their rows are written, online and offline alike (R46, R49).

People change what was not sent; a change makes it a draft again, so that an approval is asked for anew. What was sent,
and its PDF, stay. A template counts its versions.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Text, cast, delete, or_, select

from sfa.core.errors import Refused
from sfa.crm import addressees
from sfa.crm.about import lock_first
from sfa.db.cells import Cell
from sfa.db.tables import ROWS, history, proposal_renders, proposal_versions
from sfa.db.writes import Door, Origin
from sfa.files import arrivals

PROPOSALS, LINES, TEMPLATES = "proposals", "proposal_lines", "proposal_templates"
OPEN = ("draft", "in_approval", "approved")
DRAFT = "draft"
BELOW = (LINES, addressees.ENTITY)  # written under the lock of their proposal
PRINTED = "pdf-"  # keys of attachments that the server makes begin so
_R, _V = proposal_renders.c, proposal_versions.c
Values = Mapping[str, Any]


def completed(entity: str, before: Values, values: Values) -> Values:
    """Of a template the number of the version that these values make."""
    if entity != TEMPLATES or all(before.get(field) == value for field, value in values.items()):
        return values
    return {**values, "version": (before.get("version") or 0) + 1}


def check_free(door: Door, cell: Cell, values: Values | None) -> None:
    """What was sent is revised first, and never deleted; a proposal printed is the server's. None is a deletion; what
    says the same again changes nothing, unless it brings a deleted row back."""
    if cell.entity == "attachments" and cell.row.get("proposal_key") and _changes(cell, values):
        raise Refused("proposal_kept", "the server keeps what it printed of a proposal", key=cell.key)
    if cell.entity == addressees.ENTITY:
        addressees.check_free(door, cell, values)
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
    """Of a line or a recipient that is written: its proposal, which may become a draft by it, or be signed
    meanwhile, after the deal (S8)."""
    lock_first(door, PROPOSALS, key)
    door.cell(PROPOSALS, key)


def check_new(door: Door, cell: Cell) -> None:
    """A line of what was sent; a file under a key that a PDF would get."""
    if cell.entity == "attachments" and cell.key.startswith(PRINTED):
        raise Refused("key_taken", f"keys of files that begin with {PRINTED} are the server's", key=cell.key)
    if cell.entity == LINES:
        check_open(_proposal(door, cell))
    if cell.entity == addressees.ENTITY:
        addressees.check_new(door, cell)


def follow(door: Door, cell: Cell, origin: Origin, before: Values | None = None, *, is_new: bool = False) -> None:
    """After a change: what waits for an approval, or has it, is a draft again; so it is when its deal, which is locked,
    becomes another customer's."""
    if cell.entity in (PROPOSALS, LINES):
        _undo(door, _proposal(door, cell), origin)
    elif cell.entity == addressees.ENTITY:
        addressees.follow(door, cell, before, origin, is_new=is_new)
    elif cell.entity == "deals" and before and before["account_key"] != cell.row["account_key"]:
        table = ROWS[PROPOSALS].c
        wanted = select(table.key).where(table.deal_key == cell.key, table.status.in_(OPEN), ~table.gone)
        for key in door.connection.execute(wanted.order_by(table.key)).scalars().all():
            _undo(door, door.cell(PROPOSALS, key), origin)


def _undo(door: Door, proposal: Cell, origin: Origin) -> None:
    if proposal.exists and proposal.row["status"] in OPEN and proposal.row["status"] != DRAFT:
        door.put(proposal, {"status": DRAFT, "needs": []}, origin, "follow")


def _changes(cell: Cell, values: Values | None) -> bool:
    return values is None or cell.gone or any(cell.row[field] != value for field, value in values.items())


def _proposal(door: Door, cell: Cell) -> Cell:
    return cell if cell.entity == PROPOSALS else door.cell(PROPOSALS, cell.row["proposal_key"], "share")


def forget_drafts(door: Door, people: Iterable[str], origin: Origin) -> set[str]:
    """What was printed, or waits to be, of drafts for an erased person, also where the draft names somebody else by
    now. Rows name the person by key alone; what was sent stays, as a record of the company's (docs/proposals.md).
    -> the contents that nobody may get any more, locked: for `arrivals.forget` after the flush"""
    proposals = _drafted_for(door, set(people))
    files, wanted = ROWS["attachments"].c, [cell.key for cell in proposals]
    of_deals = files.deal_key.in_({cell.row["deal_key"] for cell in proposals})
    printed = door.connection.execute(select(files.sha256).where(of_deals, files.proposal_key.in_(wanted))).scalars()
    arrivals.hold(door.connection, set(printed))  # content first, then row
    going: set[str] = set()
    for proposal in proposals:
        ours = (_R.proposal_key == proposal.key, _R.kind == "draft")
        door.connection.execute(delete(proposal_renders).where(*ours))
        sent = select(_V.pdf_key).where(_V.proposal_key == proposal.key, _V.pdf_key.is_not(None))
        kept = set(door.connection.execute(sent).scalars())
        mine = door.load_where("attachments", "deal_key", (proposal.row["deal_key"],))
        drafts = [c for c in mine if c.row["proposal_key"] == proposal.key and c.key not in kept]
        going |= {file.row["sha256"] for file in drafts}
        for file in (c for c in drafts if c.exists):
            door.delete(file, origin, "erase")
        if proposal.exists and proposal.row["pdf_key"] in {file.key for file in drafts}:
            blank = dict.fromkeys(("pdf_key", "pdf_digest", "render_state", "render_problem"))
            door.put(proposal, blank, origin, "erase")
    return going


def _drafted_for(door: Door, people: set[str]) -> list[Cell]:
    """Proposals that name one of these people, or ever did."""
    said = cast(history.c.changes, Text)
    named = or_(*(said.contains(f'"{key}"', autoescape=True) for key in sorted(people)))
    once = select(history.c.key).where(history.c.entity == PROPOSALS, named)
    keys = {cell.key for cell in door.load_where(PROPOSALS, "contact_key", people)}
    keys |= set(door.connection.execute(once).scalars())
    door.load(PROPOSALS, keys)
    return [door.cell(PROPOSALS, key) for key in sorted(keys)]
