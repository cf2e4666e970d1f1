"""Links that people hand over by hand, links for a look as the buyer has, and what was mailed to whom.

What somebody hands over is a link of its own, never one that was mailed: what is signed by it says so. Asked for again
by the same person it is the same. A look of the company's own people counts for nothing, answers nothing and ends after
`STAFF_MS`. A token is in the one answer that gives it, and nowhere else.
"""

from msgspec import Struct
from sqlalchemy import Connection, select

from proposals.buyer import links
from proposals.buyer.links import BUYER, STAFF, Link
from proposals.delivery import outbox
from proposals.delivery.ordering import check_works, with_buyer
from proposals.delivery.preparing import Site
from proposals.delivery.sending import RECIPIENTS
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm import edits
from sfa.crm.about import lock_first
from sfa.crm.online import begin, person, seen
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import proposal_links
from sfa.db.writes import Door

STAFF_MS, STAFF_LEFT_MS = 3_600_000, 60_000
MAILS_MAX = 500  # the newest of a proposal
_L = proposal_links.c


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`kind` is buyer: to be handed over, to `recipient_key` or (null) to whoever gets it; or staff: for a look."""

    kind: str = BUYER
    recipient_key: str | None = None


class Handed(Struct, frozen=True, kw_only=True):
    """`url` opens the page; whoever has it has the page. `ends_at` is null where it holds until it is revoked."""

    key: str
    kind: str
    version: int
    recipient_key: str | None
    url: str
    ends_at: int | None


class Delivery(Struct, frozen=True, kw_only=True):
    """A mail and what came of it: `state` is queued, sending, sent, bounced, failed or dropped; `code` says why."""

    key: str
    kind: str
    version: int
    recipient_key: str | None
    user_key: str | None
    to: str
    state: str
    code: str | None
    problem: str | None
    attempts: int
    asked_at: int
    due_at: int
    sent_at: int | None


class Given(Struct, frozen=True, kw_only=True):
    """A link, without its token."""

    key: str
    kind: str
    version: int
    recipient_key: str | None
    made_at: int
    made_by: str | None
    ends_at: int | None
    revoked_at: int | None


class Deliveries(Struct, frozen=True):
    """The newest first, of mails the newest 500."""

    mails: list[Delivery]
    links: list[Given]


def hand_over(
    connection: Connection, now_ms: int, user: str, key: str, wanted: Wanted, site: Site, link_key: str
) -> Handed:
    if wanted.kind not in (BUYER, STAFF):
        raise Refused("request_invalid", "kind is buyer or staff")
    screen = begin(connection, now_ms, user)
    door = screen.door
    if is_key(key):
        lock_first(door, "proposals", key)
    cell = seen(screen, "proposals", key)
    if wanted.kind == STAFF:
        return _for_a_look(door, user, key, cell.row["version"], site, link_key)
    check_works(door, screen.who, cell)
    version = with_buyer(door, cell, "link").version
    to = wanted.recipient_key
    if to is not None:
        named = door.cell(RECIPIENTS, to, "none") if is_key(to) else None
        if named is None or not named.exists or named.row["proposal_key"] != key:
            raise Refused("row_unknown", "the proposal has no such recipient", entity=RECIPIENTS, key=to[:64])
    given = (each for each in links.of_version(connection, key, version) if each.made_by == user)
    found = next((each for each in given if each.recipient_key == to and each.ends_at is None), None)
    if found is None:
        found = Link(link_key=link_key, proposal_key=key, version=version, recipient_key=to, made_at=now_ms)
        links.make(connection, site.key, found, by=user)
        about = {"link_key": link_key}
        timeline.note(connection, key, version, now_ms, timeline.LINKED, recipient_key=to, user_key=user, detail=about)
    return _handed(found, site)


def _for_a_look(door: Door, user: str, key: str, version: int, site: Site, link_key: str) -> Handed:
    """The version that was sent last, to whoever sees the proposal."""
    if not version:
        raise Refused("illegal_transition", "link: nothing was sent yet", status="draft")
    connection, now_ms = door.connection, door.now_ms
    ends_at = now_ms + STAFF_MS
    mine = (_L.proposal_key == key, _L.version == version, _L.kind == STAFF, _L.made_by == user)
    fresh = (_L.revoked_at.is_(None), _L.ends_at > ends_at - STAFF_LEFT_MS)
    columns = [_L[name] for name in Link.__struct_fields__]
    row = connection.execute(select(*columns).where(*mine, *fresh).limit(1)).mappings().first()
    if row is not None:
        return _handed(Link(**row), site)
    made = Link(link_key=link_key, proposal_key=key, version=version, kind=STAFF, made_at=now_ms, ends_at=ends_at)
    links.make(connection, site.key, made, by=user)
    return _handed(made, site)


def _handed(link: Link, site: Site) -> Handed:
    return Handed(
        key=link.link_key,
        kind=link.kind,
        version=link.version,
        recipient_key=link.recipient_key,
        url=site.page(link),
        ends_at=link.ends_at,
    )


def deliveries(connection: Connection, user: str, now_ms: int, key: str) -> Deliveries:
    """What was mailed of a proposal to whom, and which links there are, to whoever sees it."""
    who, door = person(connection, user), Door(connection, now_ms)
    cell = door.cell("proposals", key, "none") if is_key(key) else None
    if cell is None or not cell.exists or not edits.is_visible(door, who, cell):
        raise Refused("not_found")
    mails = [_delivery(mail) for mail in outbox.of_proposal(connection, key, MAILS_MAX)]
    names = ("kind", "version", "recipient_key", "made_at", "made_by", "ends_at", "revoked_at")
    query = select(_L.link_key.label("key"), *(_L[name] for name in names)).where(_L.proposal_key == key)
    rows = connection.execute(query.order_by(_L.made_at.desc(), _L.link_key).limit(MAILS_MAX)).mappings()
    return Deliveries(mails, [Given(**row) for row in rows])


def _delivery(mail: outbox.Mail) -> Delivery:
    same = {name: getattr(mail, name) for name in Delivery.__struct_fields__ if name not in ("key", "to")}
    return Delivery(key=mail.mail_key, to=mail.to_address, **same)
