"""What screens read of proposals: totals of drafts, documents, versions, approvals, and what waits for whom.

Everything is read in one snapshot, and only what the caller sees; nothing is told of costs or margins (R45): who asks
what must be approved is told roles, and of discounts how far they lie below the list.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, select

from proposals import approving, sample, store
from proposals.approving import NOBODY
from proposals.commands import left_of, role_of_submitter, template_of_version
from proposals.document import canonical
from proposals.document import digest_of as digest_of_document
from proposals.drafting import currency_of, drawn, drawn_of
from proposals.lifecycle import IN_APPROVAL, OPEN
from proposals.needing import needed
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

INBOX_MAX = 200
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
    """What waits for an approval of the caller's. `values` is what `proposal.approve` may name, so that nothing else is
    approved than what was looked at."""

    key: str
    rev: int
    deal_key: str
    title: str
    submitted_by: str | None
    submitted_at: int | None
    currency: str
    total_minor: int | None
    needs: list[str]
    values: str
    discounts: list[Approval]


class Inbox(Struct, frozen=True):
    items: list[Waiting]


class Approvals(Struct, frozen=True, kw_only=True):
    """`chain` are the roles that the values as they stand ask for when the caller submits them, `left` those whose
    approval is not there yet; `possible` is false where nobody may. `discounts` say of each line how far it lies below
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
    """Whom the values as they stand ask, before anything is submitted."""
    who, door = person(connection, user), Door(connection, now_ms)
    cell = _seen(door, who, "proposals", key)
    role = role_of_submitter(door, cell) if cell.row["status"] == IN_APPROVAL else who.role
    made = drawn(door, key, cell.row, now_ms)
    need = needed(door, cell.row, made, role, now_ms)
    possible = NOBODY not in need.chain
    return Approvals(
        key=key,
        status=cell.row["status"],
        values=need.digest,
        chain=[role for role in need.chain if role != NOBODY],
        left=[role for role in left_of(door, key, need) if role != NOBODY],
        possible=possible,
        discounts=list(need.discounts),
        given=store.steps_of(connection, key),
    )


def inbox(connection: Connection, user: str, now_ms: int) -> Inbox:
    """What the caller may approve or reject now, longest waiting first."""
    who, door = person(connection, user), Door(connection, now_ms)
    books = [bucket.removeprefix("book:") for bucket in who.held or () if bucket.startswith("book:")]
    query = (
        select(_P.c.key)
        .join(_D, _D.c.key == _P.c.deal_key)
        .where(_P.c.status == IN_APPROVAL, ~_P.c.gone, among(_D.c.owner_key, "owners"))
        .where(_P.c.author_key != user, _P.c.submitted_by.is_distinct_from(user))
        .order_by(_P.c.submitted_at, _P.c.key)
        .limit(INBOX_MAX)
    )
    keys = list(connection.execute(query, {"owners": listed(connection, sorted(books))}).scalars())
    door.load("proposals", keys, "none")
    found = []
    for key in keys:
        cell = door.cell("proposals", key, "none")
        needs = cell.row["needs"]
        if not needs or approving.rank(who.role) < approving.rank(needs[0]):
            continue
        made = drawn(door, key, cell.row, now_ms)
        need = needed(door, cell.row, made, role_of_submitter(door, cell), now_ms)
        same = {name: cell.row[name] for name in ("deal_key", "title", "submitted_by", "submitted_at", "currency")}
        total = made.priced.total_minor
        found.append(
            Waiting(
                key=key,
                rev=cell.rev,
                needs=needs,
                total_minor=total,
                values=need.digest,
                discounts=list(need.discounts),
                **same,
            )
        )
    return Inbox(found)


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
