"""Who answers holds the deal and the proposal, in this order, as commands do; what is read after that stands."""

from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import Connection

from proposals.buyer import cases, links
from proposals.buyer.links import Link
from sfa.core.errors import Refused
from sfa.crm.about import lock_first
from sfa.db import feed, scope
from sfa.db import proposal_timeline as timeline
from sfa.db.cells import Cell
from sfa.db.writes import Door, Origin

PROPOSALS = "proposals"


class Held(Struct, kw_only=True):
    """One answer's transaction."""

    door: Door
    origin: Origin
    proposal: Cell
    deal: Cell
    found: cases.Found

    @property
    def link(self) -> Link:
        return self.found.link


def hold(connection: Connection, now_ms: int, link: Link) -> Held:
    """Raises `scope.Due` as every online write does; refuses `not_found` of what was never sent, and of
    a link that was revoked meanwhile. Who waited for the locks answers after who had them, so the answer's instant
    (`door.now_ms`) is never before the last event's."""
    due_at = feed.face(connection).due_at
    if due_at is not None and due_at <= now_ms:
        raise scope.Due
    door = Door(connection, now_ms)
    lock_first(door, PROPOSALS, link.proposal_key)
    proposal = door.cell(PROPOSALS, link.proposal_key)
    at = door.now_ms = max(now_ms, timeline.last_at(connection, link.proposal_key) or now_ms)
    if not proposal.rev:
        raise Refused("not_found")
    links.check_open(connection, link, at)
    deal = door.cell("deals", proposal.row["deal_key"])
    origin = Origin(author_key=None, at=at, stored_at=at)
    return Held(door=door, origin=origin, proposal=proposal, deal=deal, found=cases.found(connection, link))


def lock_many(door: Door, keys: Iterable[str]) -> list[Cell]:
    """Proposals to be changed, whose deals only stay as they are."""
    wanted = sorted(set(keys))
    deals = door.peek(PROPOSALS, "deal_key", wanted)
    door.load("accounts", door.peek("deals", "account_key", deals), "share")
    door.load("deals", deals, "share")
    door.load(PROPOSALS, wanted)
    return [door.cell(PROPOSALS, key) for key in wanted]
