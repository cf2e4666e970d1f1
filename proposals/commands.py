"""A proposal's way from a draft to what the buyer has, as commands (R46, R49, R52, R53).

The same functions serve a screen and a phone that was offline. The proposal's row is locked meanwhile, so of two who do
the same at once the second finds it done: everything that is asked twice happens once. Whatever may be refused is asked
before anything is stored beside the rows, and what is stored is part of the one transaction: a process that dies leaves
nothing half done, and no number is taken by what was not sent.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Connection

from proposals import approving, lifecycle, numbering, printable, probing, store
from proposals.buyer import replying
from proposals.delivery import ordering, sending
from proposals.document import Document
from proposals.drafting import Drawn, drawn
from proposals.lifecycle import APPROVED, DRAFT, IN_APPROVAL, SENT, WITHDRAWN
from proposals.needing import Needed, needed
from proposals.quoting import offer_of_deal, products_of
from proposals.rendering import keeping, pictures, queue
from proposals.rendering.queue import Asked
from proposals.starting import propose
from proposals.templates.gaps import missing as gaps_of
from proposals.templates.gaps import problems_of
from proposals.templates.problems import refuse
from proposals.templates.template import BUILT_IN, Template
from sfa.core.access import ROLES
from sfa.core.errors import Refused
from sfa.core.fields import Instant
from sfa.core.transitions import NoArguments
from sfa.crm import edits
from sfa.crm.addressees import UNOPENED
from sfa.crm.commands import Act, Command
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.writes import Door, Origin
from sfa.profit.deal import quotes

ENTITY = "proposals"
Arguments = Mapping[str, Any]
Wanted = TypeVar("Wanted", bound=Struct)
Text = Annotated[str, Meta(max_length=2_000)]
Version = Annotated[int, Meta(ge=1)]


class Approve(Struct, frozen=True, forbid_unknown_fields=True):
    """`values`: the digest of what was looked at, or `submitted_at`: what the row said of it when it was. One of them
    is said, and nothing else is approved. A phone says the latter, which it has without the rows that the digest is
    of."""

    values: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")] | None = None
    submitted_at: Instant | None = None
    text: Text | None = None


class Reject(Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=2_000)]


class Send(Struct, frozen=True, forbid_unknown_fields=True):
    """Which version this shall be, and what it came to when it was looked at: an order that waited on a device sends
    nothing else."""

    version: Version
    total_minor: int


class Withdraw(Struct, frozen=True, forbid_unknown_fields=True):
    """The version that is meant."""

    version: Version
    reason: Text | None = None


def submit(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """Ask for approval; where none is needed, or one that was given still holds, it is approved at once."""
    _read(f"{ENTITY}.submit", arguments, NoArguments)
    _check_works(door, who, cell)
    goes_on = lifecycle.goes_on(lifecycle.SUBMIT, cell.row["status"])
    if not goes_on and not _is_outdated(door, who, cell):
        return
    made, need = _ready(door, who, cell, origin.at)
    if probing.is_untold(who, need):
        probing.check_often(door, who, cell)
    left = left_of(door, cell.key, need)
    left = (approving.NOBODY,) if approving.NOBODY in left else left
    at = max(door.now_ms, (cell.row["submitted_at"] or 0) + 1)  # names this submission, and no other
    said = {"submitted_at": at, "submitted_by": who.user_key, "total_minor": made.priced.total_minor}
    if left:
        ledger = {"at": origin.at, "user_key": who.user_key, "role": ",".join(left), "text": None}
        store.note(door.connection, cell.key, store.ASKED, need.terms, ledger)
    _put(door, cell, {**said, "status": IN_APPROVAL if left else APPROVED, "needs": list(left)}, origin, "submit")


def _is_outdated(door: Door, who: Who, cell: Cell) -> bool:
    """What was submitted is not what stands, although nobody changed the proposal: the deal's customer is another one,
    the template says other words, limits were lowered, an approval is too old."""
    need = needed(door, cell.row, drawn(door, cell.key, cell.row, door.now_ms), who.role, door.now_ms)
    if cell.row["status"] == APPROVED:
        return bool(left_of(door, cell.key, need))
    return bool(approving.worsened(_asked(door, cell), need.terms))


def approve(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """For the first role of those that must, and every one below the approver's own."""
    asked = _read("proposal.approve", arguments, Approve)
    if asked.values is None and asked.submitted_at is None:
        raise Refused("command_invalid", "proposal.approve: say values or submitted_at, as they were looked at")
    _check_there(cell)
    _check_decides(door, who, cell)
    if not lifecycle.goes_on(lifecycle.APPROVE, cell.row["status"]):
        return
    if asked.submitted_at is not None and asked.submitted_at != cell.row["submitted_at"]:
        raise Refused("approval_changed", key=cell.key)
    needs = cell.row["needs"]
    left = approving.left_after(needs, who.role)
    if len(left) == len(needs):
        if store.has_approved(door.connection, cell.key, who.user_key):
            return  # his step of this submission is done, and it waits for somebody above
        raise Refused("approval_not_yours", f"this waits for the approval of a {needs[0]}", needs=needs)
    made = drawn(door, cell.key, cell.row, origin.at)
    need = needed(door, cell.row, made, role_of_submitter(door, cell), origin.at)
    if asked.values is None and approving.worsened(_asked(door, cell), need.terms):
        raise Refused("approval_changed", key=cell.key)
    if asked.values is not None and asked.values != need.digest:
        raise Refused("approval_changed", key=cell.key)
    ledger = {"at": origin.at, "user_key": who.user_key, "role": who.role, "text": asked.text}
    store.note(door.connection, cell.key, store.APPROVED, need.terms, ledger)
    said = {"needs": list(left), "status": IN_APPROVAL if left else APPROVED}
    _put(door, cell, {**said, "decided": _decided("approved", who, origin, asked.text)}, origin, "approve")


def reject(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """It shall not be like this: a draft again, with the reason; earlier approvals count no more."""
    asked = _read("proposal.reject", arguments, Reject)
    _check_there(cell)
    _check_decides(door, who, cell)
    before = cell.row["decided"] or {}
    if cell.row["status"] == DRAFT and before.get("kind") == "rejected" and before.get("by") == who.user_key:
        return
    lifecycle.goes_on(lifecycle.REJECT, cell.row["status"])
    if approving.left_after(cell.row["needs"], who.role) == tuple(cell.row["needs"]):
        raise Refused("approval_not_yours", needs=cell.row["needs"])
    terms = _asked(door, cell)
    ledger = {"at": origin.at, "user_key": who.user_key, "role": who.role, "text": asked.text}
    store.note(door.connection, cell.key, store.REJECTED, terms, ledger)
    said = {"status": DRAFT, "needs": [], "decided": _decided("rejected", who, origin, asked.text)}
    _put(door, cell, said, origin, "reject")


def render(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """A PDF: of a draft as it stands, marked as one; of what was sent the one that everybody gets, again if printing it
    had failed."""
    _read("proposal.render", arguments, NoArguments)
    _check_works(door, who, cell)
    connection, row = door.connection, cell.row
    if row["status"] in lifecycle.OPEN:
        made = drawn(door, cell.key, row, origin.at)
        _check_prints(door, cell.key, made.document)
        name = keeping.file_name(row["title"], None, made.document.version)
        wanted = Asked(
            proposal_key=cell.key,
            document=made.document,
            template=made.template,
            kind=queue.DRAFT,
            name=name,
            asked_by=who.user_key,
        )
    else:
        wanted = _of_version(door, cell, who.user_key)
    order = queue.ask(connection, door.now_ms, wanted)
    _put(door, cell, keeping.said_of(order), origin, "render")


def send(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """Freeze what is offered as the next version, under the proposal's number, with the deal's quote; ask for its PDF.
    An approval that is needed must be given and hold. It is sent when the server does it: a phone only asked for it."""
    asked = _read("proposal.send", arguments, Send)
    _check_works(door, who, cell)
    if not lifecycle.is_to_send(cell.row, asked.version):
        sent = store.version_of(door.connection, cell.key, asked.version)
        if sent.total_minor != asked.total_minor:
            raise lifecycle.changed(cell.row, total_minor=sent.total_minor)
        return
    deal = door.cell("deals", cell.row["deal_key"])
    if deal.gone or deal.row["closed_at"] is not None:
        raise Refused("illegal_transition", "proposal.send: the deal is closed: reopen it first")
    made, need = _ready(door, who, cell, door.now_ms)
    if made.priced.total_minor != asked.total_minor:
        raise lifecycle.changed(cell.row, total_minor=made.priced.total_minor)
    if made.document.valid_until < made.document.issued_on:
        raise Refused("proposal_expired", valid_until=made.document.valid_until, field="valid_until")
    if cell.row["status"] != APPROVED and probing.is_untold(who, need):
        told = cell.row["needs"] or list(left_of(door, cell.key, need.openly()))
        raise Refused("approval_needed", "submit it first: who must approve is said then", needs=told)
    left = left_of(door, cell.key, need)
    if left:
        raise Refused("approval_needed", f"this needs the approval of a {left[0]}", needs=list(left))
    store.hold_enclosures(door.connection, made.document)
    _freeze(door, who, cell, deal, made, origin)


def _freeze(door: Door, who: Who, cell: Cell, deal: Cell, made: Drawn, origin: Origin) -> None:
    """Nothing is refused any more."""
    connection, by, at = door.connection, who.user_key, door.now_ms
    quote = quotes.freeze(door, deal, offer_of_deal(made), by, at)
    day, prefix = made.document.issued_on, made.template_row["number_prefix"]
    number = store.number_of(connection, cell.key) or numbering.take(connection, prefix, day)
    document = msgspec.structs.replace(made.document, number=number.text)
    template_key = cell.row["template_key"]
    if template_key is not None:
        store.keep_template(connection, made.template, at, by)
    said = {"sent_at": at, "sent_by": by, "quote": quote, "template_key": template_key}
    said["products"] = msgspec.json.encode(products_of(made), order="deterministic")
    digest, version = store.keep(connection, cell.key, deal.key, document, made.offer, number, said)
    store.keep_enclosures(connection, cell.key, document, cell.row["enclosures"])
    sending.sent(door, cell, deal, document, digest, origin)
    row = {"status": SENT, "needs": [], "number": number.text, "version": version, "digest": digest}
    row |= {"total_minor": made.priced.total_minor, "sent_at": at, "sent_by": by, "withdrawn_at": None}
    row |= {**UNOPENED, "outcome": None}  # of the version that is sent now
    order = queue.ask(connection, door.now_ms, _wanted(cell.key, document, made.template, by, queue.SENT))
    _put(door, cell, {**row, **_pdf(keeping.said_of(order), digest)}, origin, "send")


def withdraw(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """What was sent last is offered no more, also while it is revised."""
    asked = _read("proposal.withdraw", arguments, Withdraw)
    _check_works(door, who, cell)
    found = {one.version: one.status for one in store.versions_of(door.connection, cell.key)}
    if not lifecycle.is_to_withdraw(cell.row, asked.version, found.get(asked.version)):
        return
    store.end(door.connection, cell.key, asked.version, WITHDRAWN, origin.at, who.user_key, asked.reason)
    sending.withdrawn(door, cell, asked.version, origin, asked.reason)
    _put(door, cell, {"status": WITHDRAWN, "withdrawn_at": origin.at}, origin, "withdraw")


def revise(door: Door, who: Who, cell: Cell, arguments: Arguments, origin: Origin) -> None:
    """What was sent can be changed for the next version. The one that was sent stands until that is sent."""
    _read("proposal.revise", arguments, NoArguments)
    _check_works(door, who, cell)
    if not lifecycle.goes_on(lifecycle.REVISE, cell.row["status"]):
        return
    _put(door, cell, {"status": DRAFT, "needs": [], "decided": None}, origin, "revise")


# -- what several of them need -----------------------------------------------------------------------------------------


def _ready(door: Door, who: Who, cell: Cell, at: int) -> tuple[Drawn, Needed]:
    """A proposal that lacks nothing and that somebody may approve, as far as this person is told."""
    made = drawn(door, cell.key, cell.row, at)
    if missing := [*made.missing, *_unsaid(made)]:
        raise Refused("proposal_incomplete", f"it lacks {', '.join(missing)}", missing=missing)
    _check_prints(door, cell.key, made.document)
    need = needed(door, cell.row, made, who.role, at)
    if approving.NOBODY in (need.open_chain if probing.is_untold(who, need) else need.chain):
        raise Refused("approval_impossible", needs=list(need.chain))
    return made, need


def _unsaid(made: Drawn) -> list[str]:
    """Fields that a company's template prints and that have no value. Refuses a template that cannot be printed."""
    if not (made.template.source or made.template.css):
        return []
    refuse(problems_of(made.template))
    return [gap.field for gap in gaps_of(made.document, made.template)]


def _check_prints(door: Door, key: str, document: Document) -> None:
    """As far as that is known before it is laid out."""
    printable.check(document)
    shown = {picture.sha256 for picture in printable.pictures_of(document)}
    printable.check_pictures(pictures.size_of(door.connection, key, shown))


def left_of(door: Door, key: str, need: Needed) -> tuple[str, ...]:
    """Of the chain, what no approval covers that was given and is not too old (R49)."""
    left = need.chain
    if left:
        for given in store.approvals_of(door.connection, key):
            old = approving.aged(given.terms, given.at, door.now_ms)
            if not old and not approving.worsened(given.terms, need.terms):
                left = approving.left_after(left, given.role)
    return left


def _asked(door: Door, cell: Cell) -> approving.Terms:
    terms = store.asked_last(door.connection, cell.key)
    assert terms is not None  # nothing is in approval that was not asked for
    return terms


def role_of_submitter(door: Door, cell: Cell) -> str:
    user = door.cell("users", cell.row["submitted_by"], "none") if cell.row["submitted_by"] else None
    return str(user.row["role"]) if user is not None and user.exists else ROLES[0]


def _of_version(door: Door, cell: Cell, by: str | None) -> Asked:
    version = int(cell.row["version"])
    document = store.document_of(door.connection, cell.key, version)
    template = template_of_version(door.connection, document)
    return _wanted(cell.key, document, template, by, queue.WAITED_FOR)


def _wanted(key: str, document: Document, template: Template, by: str | None, priority: int) -> Asked:
    name = keeping.file_name(document.title, document.number, document.version)
    return Asked(
        proposal_key=key,
        document=document,
        template=template,
        kind=queue.FINAL,
        name=name,
        asked_by=by,
        priority=priority,
    )


def _pdf(said: dict[str, Any], digest: str) -> dict[str, Any]:
    """The PDF of a draft is not that of what was sent."""
    return {"pdf_key": None, "pdf_digest": None, **said} if said.get("pdf_digest") != digest else said


def _decided(kind: str, who: Who, origin: Origin, text: str | None) -> dict[str, Any]:
    return {"kind": kind, "by": who.user_key, "role": who.role, "at": origin.at, "text": text}


def template_of_version(connection: Connection, document: Document) -> Template:
    """By which it was sent: as it was kept then, or built in."""
    ref = document.template
    kept = store.template_kept(connection, ref.key, ref.version)
    return kept or BUILT_IN.get(ref.key, BUILT_IN["classic"])


def _put(door: Door, cell: Cell, said: dict[str, Any], origin: Origin, act: str) -> None:
    changed = {field: value for field, value in said.items() if cell.row[field] != value}
    if changed:
        door.put(cell, changed, origin, f"proposal.{act}")


def _read(command: str, arguments: Arguments, kind: type[Wanted]) -> Wanted:
    try:
        return msgspec.convert(dict(arguments), kind)
    except msgspec.ValidationError as error:
        raise Refused("command_invalid", f"{command}: {error}") from None


def _check_there(cell: Cell) -> None:
    if cell.gone:
        raise Refused("row_unknown", f"proposal {cell.key} is deleted", entity=ENTITY, key=cell.key)


def _check_works(door: Door, who: Who, cell: Cell) -> None:
    """Whoever may change the proposal."""
    _check_there(cell)
    edits.check_rights(who, ENTITY, (), creating=False)
    edits.check_owned(door, who, cell)


def _check_decides(door: Door, who: Who, cell: Cell) -> None:
    """Somebody above the deal's owner, who neither wrote it nor asked for it."""
    if who.held is None:
        return
    deal = edits.work_of(door, cell)
    if f"book:{deal.row['owner_key']}" not in who.held:
        raise Refused("approval_not_yours", "somebody above the deal's owner decides")
    if who.user_key in (cell.row["author_key"], cell.row["submitted_by"]):
        raise Refused("approval_not_yours", "nobody approves what he wrote or asked for himself")


ACTS: dict[str, Act] = {
    "proposal.submit": submit,
    "proposal.approve": approve,
    "proposal.reject": reject,
    "proposal.render": render,
    "proposal.send": send,
    "proposal.withdraw": withdraw,
    "proposal.revise": revise,
}
# What decides or sends asks who it is that does it (R49): whoever has the deal by now does it himself, or not at all.
HANDED = frozenset({"proposal.render", "proposal.revise"})
COMMANDS: dict[str, Command] = {
    **{name: Command(ENTITY, act, alone=True, handed=name in HANDED) for name, act in ACTS.items()},
    "deal.propose": Command("deals", propose),
    **replying.COMMANDS,
    **ordering.COMMANDS,
}
