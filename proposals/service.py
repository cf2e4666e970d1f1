"""What screens read of proposals: totals of drafts, documents, versions, approvals, and what waits for whom.

Everything is read in one snapshot, and only what the caller sees; nothing is told of costs or margins (R45): who asks
what must be approved is told roles, and of discounts how far they lie below the list.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, select

from proposals import approving, probing, sample, store
from proposals.approving import NOBODY
from proposals.commands import left_of, role_of_submitter, template_of_version
from proposals.document import canonical
from proposals.document import digest_of as digest_of_document
from proposals.drafting import currency_of, drawn, drawn_of
from proposals.lifecycle import IN_APPROVAL, OPEN
from proposals.needing import Rules, needed, rules_of
from proposals.rendering.values import Order
from proposals.store import Step, Version
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm import edits
from sfa.crm.edits import Who
from sfa.crm.online import person
from sfa.db.cells import Cell
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, history
from sfa.db.writes import Door
from sfa.profit.price.limits import Approval

PAGE_DEFAULT, PAGE_MAX = 50, 200
PICTURES = "/api/proposal-pictures/"
_P, _D = ROWS["proposals"], ROWS["deals"]


class Summary(Struct, frozen=True, kw_only=True):
    """One proposal in a list. Totals are those of the draft as it stands, of what was sent those that were sent; null,
    with the `code` that says why, where a draft cannot be priced."""

    key: str
    rev: int
    deal_key: str
    title: str
    author_key: str
    status: str
    number: str | None
    version: int
    currency: str
    valid_until: str | None
    net_minor: int | None
    tax_minor: int | None
    total_minor: int | None
    needs: list[str]
    render_state: str | None
    sent_at: int | None
    code: str | None


class Summaries(Struct, frozen=True):
    items: list[Summary]


class Waiting(Struct, frozen=True, kw_only=True):
    """What waits for an approval of the caller's. `values` is what `proposal.approve` names, so that nothing else is
    approved than what was looked at; null, with the `code` that says why, where it cannot be made any more."""

    key: str
    rev: int
    deal_key: str
    title: str
    submitted_by: str | None
    submitted_at: int | None
    currency: str
    total_minor: int | None
    needs: list[str]
    values: str | None = None
    discounts: list[Approval] = []
    code: str | None = None


class Inbox(Struct, frozen=True):
    """A page. `next` is null on the last one."""

    items: list[Waiting]
    next: str | None


class Approvals(Struct, frozen=True, kw_only=True):
    """`chain` are the roles that the values as they stand ask for when the caller submits them, `left` those whose
    approval is not there yet; `possible` is false where nobody may. Of what margins ask for, who does not see cost is
    told nothing until it is submitted (R45). `discounts` say of each line how far it lies below
    the list. `given` is the ledger."""

    key: str
    status: str
    values: str
    chain: list[str]
    left: list[str]
    possible: bool
    discounts: list[Approval]
    given: list[Step]


class Versions(Struct, frozen=True):
    items: list[Version]


class TemplateVersion(Struct, frozen=True, kw_only=True):
    """A version of a template: when it came to be and by whom; `digest` and `sent_at` once one was sent with it."""

    version: int
    at: int
    by: str | None
    fields: list[str]
    digest: str | None
    sent_at: int | None


class TemplateVersions(Struct, frozen=True):
    items: list[TemplateVersion]


class Shown(Struct, frozen=True):
    """A document as bytes, and the digest that names them."""

    digest: str
    body: bytes


# -- reading -----------------------------------------------------------------------------------------------------------


def of_deal(connection: Connection, user: str, now_ms: int, key: str) -> Summaries:
    """The proposals of a deal, the newest first."""
    who, door = person(connection, user), Door(connection, now_ms)
    _seen(door, who, "deals", key)
    query = select(_P.c.key).where(_P.c.deal_key == key, ~_P.c.gone).order_by(_P.c.created_at.desc(), _P.c.key)
    keys = list(connection.execute(query).scalars())
    door.load("proposals", keys, "none")
    return Summaries([_summary(door, door.cell("proposals", each, "none")) for each in keys])


def document(connection: Connection, user: str, now_ms: int, key: str, version: int | None) -> Shown:
    """Of a version that was sent the very bytes that its digest is of; of a draft the document as it would be now."""
    who, door = person(connection, user), Door(connection, now_ms)
    cell = _seen(door, who, "proposals", key)
    number = version or (None if cell.row["status"] in OPEN else cell.row["version"])
    if number is not None:
        found = store.version_of(connection, key, number)
        return Shown(found.digest, store.body_of(connection, key, number))
    made = drawn(door, key, cell.row, now_ms).document
    return Shown(digest_of_document(made), canonical(made))


def preview(connection: Connection, user: str, now_ms: int, key: str, version: int | None) -> Order:
    """What makes the page of a document: it has no other totals than the document itself (R50)."""
    who, door = person(connection, user), Door(connection, now_ms)
    cell = _seen(door, who, "proposals", key)
    number = version or (None if cell.row["status"] in OPEN else cell.row["version"])
    if number is None:
        made = drawn(door, key, cell.row, now_ms)
        return Order(canonical(made.document), made.template, form="screen", pictures=PICTURES)
    kept = store.document_of(connection, key, number)
    template = template_of_version(connection, kept)
    return Order(store.body_of(connection, key, number), template, form="screen", pictures=PICTURES)


def versions(connection: Connection, user: str, now_ms: int, key: str) -> Versions:
    """What was sent, the newest first."""
    _seen(Door(connection, now_ms), person(connection, user), "proposals", key)
    return Versions(store.versions_of(connection, key))


def approvals(connection: Connection, user: str, now_ms: int, key: str) -> Approvals:
    """Whom the values as they stand ask. What was submitted asks whom it was said then to ask."""
    who, door = person(connection, user), Door(connection, now_ms)
    cell = _seen(door, who, "proposals", key)
    waits = cell.row["status"] == IN_APPROVAL
    role = role_of_submitter(door, cell) if waits else who.role
    need = needed(door, cell.row, drawn(door, key, cell.row, now_ms), role, now_ms)
    given = store.steps_of(connection, key)
    if probing.is_untold(who, need):
        need = need.openly()
    chain, left = list(need.chain), list(left_of(door, key, need))
    if waits:
        asked = next(step.role for step in reversed(given) if step.kind == store.ASKED)
        chain, left = asked.split(","), cell.row["needs"]
    return Approvals(
        key=key,
        status=cell.row["status"],
        values=need.digest,
        chain=[role for role in chain if role != NOBODY],
        left=[role for role in left if role != NOBODY],
        possible=NOBODY not in chain,
        discounts=list(need.discounts),
        given=given,
    )


def inbox(connection: Connection, user: str, now_ms: int, after: str | None, limit: int) -> Inbox:
    """What the caller may approve or reject now, longest waiting first."""
    if not 1 <= limit <= PAGE_MAX:
        raise Refused("request_invalid", f"a page has 1 to {PAGE_MAX} rows")
    who, door = person(connection, user), Door(connection, now_ms)
    past = _place(after) if after is not None else (-1, "")
    books = [bucket.removeprefix("book:") for bucket in who.held or () if bucket.startswith("book:")]
    query = (
        select(_P.c.submitted_at, _P.c.key, _P.c.needs)
        .join(_D, _D.c.key == _P.c.deal_key)
        .where(_P.c.status == IN_APPROVAL, ~_P.c.gone, among(_D.c.owner_key, "owners"))
        .where(_P.c.author_key != user, _P.c.submitted_by.is_distinct_from(user))
    )
    rows = connection.execute(query, {"owners": listed(connection, sorted(books))}).all()
    waits = [(at, key) for at, key, needs in rows if len(approving.left_after(needs, who.role)) < len(needs)]
    found = sorted(place for place in waits if place > past)
    keys = [key for _, key in found[:limit]]
    door.load("proposals", keys, "none")
    rules = rules_of(connection)
    items = [_waiting(door, door.cell("proposals", key, "none"), rules) for key in keys]
    return Inbox(items, "{}.{}".format(*found[limit - 1]) if len(found) > limit else None)


def _waiting(door: Door, cell: Cell, rules: Rules) -> Waiting:
    """One that cannot be made any more (a file, a template, a person is gone) says so, beside the others."""
    names = ("deal_key", "title", "submitted_by", "submitted_at", "currency", "needs", "total_minor")
    told = Waiting(key=cell.key, rev=cell.rev, **{name: cell.row[name] for name in names})
    try:
        made = drawn(door, cell.key, cell.row, door.now_ms)
        need = needed(door, cell.row, made, role_of_submitter(door, cell), door.now_ms, rules)
    except Refused as refused:
        return structs.replace(told, code=refused.code)
    total = made.priced.total_minor
    return structs.replace(told, total_minor=total, values=need.digest, discounts=list(need.discounts))


def _place(after: str) -> tuple[int, str]:
    at, _, key = after.partition(".")
    if not (at.isascii() and at.isdecimal() and len(at) <= 15 and is_key(key)):
        raise Refused("request_invalid", "`after` is the `next` of another page")
    return int(at), key


def template_versions(connection: Connection, user: str, now_ms: int, key: str) -> TemplateVersions:
    """How a template came to be what it is, the newest first."""
    _seen(Door(connection, now_ms), person(connection, user), "proposal_templates", key)
    uses = store.template_uses(connection, key)
    h = history.c
    query = select(h.changes, h.at, h.author_key).where(h.entity == "proposal_templates", h.key == key).order_by(h.rev)
    found = []
    for changes, at, by in connection.execute(query):
        if "version" in changes:
            number = changes["version"][1]
            digest, sent_at = uses.get(number, (None, None))
            fields = sorted(set(changes) - {"version", "created_at", "created_by"})
            found.append(TemplateVersion(version=number, at=at, by=by, fields=fields, digest=digest, sent_at=sent_at))
    return TemplateVersions(found[::-1])


def template_sample(connection: Connection, user: str, now_ms: int, key: str, language: str) -> Order:
    """The page of a made-up offer as this template shows it, with its brand, company and texts."""
    door = Door(connection, now_ms)
    template = _seen(door, person(connection, user), "proposal_templates", key).row
    row = {**sample.ROW, "template_key": key, "language": language, "currency": currency_of(connection)}
    made = drawn_of(door, "", row, sample.LINES, template, now_ms)
    document = structs.replace(made.document, buyer=sample.BUYER)
    return Order(canonical(document), made.template, form="screen", pictures=PICTURES)


# -- parts -------------------------------------------------------------------------------------------------------------


def _seen(door: Door, who: Who, entity: str, key: str) -> Cell:
    cell = door.cell(entity, key, "none") if is_key(key) else None
    if cell is None or not cell.exists or not edits.is_visible(door, who, cell):
        raise Refused("not_found")
    return cell


def _summary(door: Door, cell: Cell) -> Summary:
    row: Mapping[str, Any] = cell.row
    totals: dict[str, Any] = dict.fromkeys(("net_minor", "tax_minor", "total_minor"))
    code = None
    try:
        if row["status"] in OPEN:
            priced = drawn(door, cell.key, row, door.now_ms).priced
        else:
            priced = store.document_of(door.connection, cell.key, row["version"]).priced
        totals = {name: getattr(priced, name) for name in totals}
    except Refused as refused:
        code = refused.code
    names = ("deal_key", "title", "author_key", "status", "number", "version", "currency", "valid_until", "needs")
    same = {name: row[name] for name in (*names, "render_state", "sent_at")}
    return Summary(key=cell.key, rev=cell.rev, code=code, **same, **totals)
