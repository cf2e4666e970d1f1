"""How a version ends by its buyer: one row says the answer, and everything that follows of it is the same transaction.

The version's state decides who was first (R48): it is left once, under the locks that the caller holds, and what it
was left for is what the answer's row, the proposal's row, the timeline and the news say (R55).
"""

from typing import Any

from sqlalchemy import insert, select, update

from proposals import store
from proposals.buyer import cases, signing, tidings, winning
from proposals.buyer.holding import PROPOSALS, Held
from proposals.buyer.signing import Chosen
from proposals.delivery import outbox
from proposals.delivery.sending import OVER, TO_DECIDE
from proposals.evidence import accepted as evidence
from proposals.evidence.accepted import Accepted
from proposals.lifecycle import ACCEPTED, DECLINED, SUPERSEDED, WITH_BUYER
from proposals.quoting import quoted
from sfa.core.pricing.choosing import choose
from sfa.db import proposal_timeline as timeline
from sfa.db.proposal_timeline import Visitor
from sfa.db.tables import ROWS, proposal_answers, proposal_versions
from sfa.profit.deal.quotes import Offer

_V, _LINES = proposal_versions.c, ROWS["proposal_lines"].c


def accept(held: Held, this: Chosen, name: str, visitor: Visitor) -> int:
    """Everybody has signed. -> the total"""
    connection, link, at = held.door.connection, held.link, held.door.now_ms
    ended = store.end(connection, link.proposal_key, link.version, ACCEPTED, at, None, None)
    assert ended  # it was open, under the lock
    value = _accepted(held, this)
    digest, priced = evidence.digest_of(value), this.document.priced
    amounts = {"net_minor": priced.net_minor, "total_minor": priced.total_minor}
    sealing = {"document": evidence.canonical(value), "digest": digest, "seal_state": "queued", "due_at": at}
    _answer(held, ACCEPTED, name, None, **amounts, **sealing)
    sold = winning.Sold(
        proposal_key=link.proposal_key,
        version=link.version,
        offer=_offer(held, this),
        quote=held.found.version.quote,
        sent_at=held.found.version.sent_at,
    )
    won = winning.win(held.door, held.deal, sold, held.origin)
    _row(held, ACCEPTED, name, None, priced.total_minor)
    detail: dict[str, Any] = {"name": name, "link_key": link.link_key, "digest": digest, **amounts}
    detail |= {"chosen_digest": this.digest, "deal_key": held.deal.key}
    detail |= {"end": won.end, "reopened": won.reopened, "unmet": won.unmet, "quote": won.quote}
    _note(held, timeline.ACCEPTED, visitor, detail)
    tidings.accepted(held, name, {**amounts, "digest": digest})
    _supersede_others(held)
    return priced.total_minor


def decline(held: Held, name: str, reason: str, visitor: Visitor) -> None:
    connection, link = held.door.connection, held.link
    ended = store.end(connection, link.proposal_key, link.version, DECLINED, held.door.now_ms, None, reason or None)
    assert ended  # it was open, under the lock
    _answer(held, DECLINED, name, reason or None)
    _row(held, DECLINED, name, reason or None, None)
    signing.says(held, "declined")
    _note(held, timeline.DECLINED, visitor, {"name": name, "reason": reason or None, "link_key": link.link_key})
    tidings.declined(held, name, reason)


def _accepted(held: Held, this: Chosen) -> Accepted:
    link = held.link
    rows = cases.signatures_of(held.door.connection, link.proposal_key, link.version)
    return Accepted(
        proposal_key=link.proposal_key,
        version=link.version,
        document_digest=held.found.version.digest,
        document=this.document,
        signatures=tuple(cases.told_of(row, signing.digest_of_picture(row["picture"])) for row in rows),
        accepted_at=held.door.now_ms,
    )


def _offer(held: Held, this: Chosen) -> Offer:
    """As the deal and its quote know it. What was sent before offers were kept is the whole, in one amount."""
    priced = this.document.priced
    if this.offer is None:
        return Offer(priced.net_minor, priced.currency, None, ())
    products = store.products_of(held.door.connection, held.link.proposal_key, held.link.version)
    if products is None:
        products = _products(held)
    return quoted(choose(this.offer, this.choices), priced, products)


def _products(held: Held) -> dict[str, str]:
    """Of what was sent before it was kept: as the lines say it by now."""
    said = _LINES.product_key.is_not(None)
    query = select(_LINES.key, _LINES.product_key).where(_LINES.proposal_key == held.link.proposal_key, said)
    return dict(held.door.connection.execute(query).all())


def _answer(held: Held, kind: str, name: str, reason: str | None, **more: Any) -> None:
    of = {"proposal_key": held.link.proposal_key, "version": held.link.version, "kind": kind, "at": held.door.now_ms}
    row = {**of, "recipient_key": held.link.recipient_key, "by": name, "reason": reason, "attempts": 0, **more}
    held.door.connection.execute(insert(proposal_answers), row)


def _row(held: Held, kind: str, name: str, reason: str | None, total: int | None) -> None:
    """What devices see. A proposal that is revised meanwhile stays a draft when an older version is declined; what is
    accepted is accepted, whatever was begun beside it."""
    row, version = held.proposal.row, held.link.version
    outcome = {"kind": kind, "version": version, "at": held.door.now_ms, "by": name, "reason": reason}
    said: dict[str, Any] = {"outcome": {**outcome, "total_minor": total}}
    if kind == ACCEPTED or row["status"] in WITH_BUYER:
        said |= {"status": kind, "needs": []}
    held.door.put(held.proposal, said, held.origin, f"proposal.{kind}")


def _note(held: Held, kind: str, visitor: Visitor, detail: dict[str, Any]) -> None:
    link = held.link
    of: dict[str, Any] = {"recipient_key": link.recipient_key, "visitor": visitor}
    timeline.note(held.door.connection, link.proposal_key, link.version, held.door.now_ms, kind, detail=detail, **of)


def _supersede_others(held: Held) -> None:
    """Other offers about the deal that the buyer still had. The deal is locked, so no one is sent meanwhile."""
    connection, door, at = held.door.connection, held.door, held.door.now_ms
    these = (_V.deal_key == held.deal.key, _V.proposal_key != held.proposal.key, _V.status.in_(WITH_BUYER))
    keys = sorted(set(connection.execute(select(_V.proposal_key).where(*these)).scalars()))
    if not keys:
        return
    door.load(PROPOSALS, keys)
    found = connection.execute(select(_V.proposal_key, _V.version).where(*these)).all()
    cause = f"proposal {held.proposal.key} accepted"
    connection.execute(update(proposal_versions).where(*these).values(status=SUPERSEDED, ended_at=at, cause=cause))
    for key, version in sorted(found):
        cell = door.cell(PROPOSALS, key)
        if cell.row["status"] in WITH_BUYER:
            door.put(cell, {"status": SUPERSEDED, "needs": []}, held.origin, "proposal.superseded")
        detail = {"by_proposal": held.proposal.key}
        timeline.note(connection, key, version, at, timeline.SUPERSEDED, detail=detail)
        outbox.drop(connection, key, OVER, kinds=TO_DECIDE)
