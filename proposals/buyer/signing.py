"""One signature: what was shown is compared with what stands, what was drawn is made anew, and it is kept.

Whoever signs first chooses for everybody. What a browser says of amounts is compared and never taken.
"""

from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import insert

from proposals import store
from proposals.buyer import cases, choosing, consent, signatures
from proposals.buyer.asked import Acceptance
from proposals.buyer.holding import Held
from proposals.document import Document
from proposals.document import digest_of as digest_of_document
from sfa.core.errors import Refused
from sfa.core.pricing.choosing import Choices
from sfa.core.pricing.values import Offer
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import proposal_signatures


class Chosen(Struct, frozen=True, kw_only=True):
    """What is signed: the document with the options that are taken, and the offer of which it is reckoned (null of what
    was sent before offers were kept)."""

    choices: Choices
    offer: Offer | None
    document: Document

    @property
    def digest(self) -> str:
        return digest_of_document(self.document)


def chosen(held: Held, asked: Choices) -> Chosen:
    """The first signer's choices where there are any. Refuses `choice_invalid`, and `proposal_changed` where somebody
    else has chosen otherwise."""
    found, link = held.found, held.link
    offer = store.offer_of(held.door.connection, link.proposal_key, link.version)
    if found.choices is None:
        return _chosen(found.document, offer, asked)
    locked = _chosen(found.document, offer, found.choices)
    if asked != cases.NO_CHOICES and _chosen(found.document, offer, asked).digest != locked.digest:
        raise Refused("proposal_changed", "somebody who signed before has chosen", version=link.version)
    return locked


def _chosen(document: Document, offer: Offer | None, choices: Choices) -> Chosen:
    return Chosen(choices=choices, offer=offer, document=choosing.chosen(document, offer, choices))


def sign(held: Held, asked: Acceptance) -> Chosen:
    """Keep the signature and note it; whether it may be given was asked before."""
    name = signatures.name_of(asked.name)
    picture = signatures.picture_of(asked.method, asked.drawing)
    this = chosen(held, asked.choices)
    total = this.document.priced.total_minor
    if (asked.digest, asked.total_minor) != (held.found.version.digest, total):
        raise Refused("proposal_changed", version=held.link.version, total_minor=total)
    text = consent.consent_of(this.document)
    if asked.consent_digest != consent.digest_of(text):
        raise Refused("consent_changed")
    link = held.link
    row: dict[str, Any] = {
        "proposal_key": held.link.proposal_key,
        "version": held.link.version,
        "recipient_key": held.link.signer,
        "ordinal": len(held.found.case.signed) + 1,
        "link_key": held.link.link_key,
        "name": name,
        "email": _address(held) if link.made_by is None else None,
        "handed_over": link.made_by is not None,
        "method": asked.method,
        "picture": picture,
        "consent": text,
        "consent_digest": asked.consent_digest,
        "document_digest": asked.digest,
        "chosen_digest": this.digest,
        "choices": msgspec.json.encode(this.choices, order="deterministic"),
        "total_minor": total,
        "address": asked.visitor.address,
        "agent": asked.visitor.agent,
        "at": held.door.now_ms,
    }
    held.door.connection.execute(insert(proposal_signatures), row)
    _note(held, asked, row)
    return this


def _address(held: Held) -> str | None:
    """To which the link was mailed: with another address it would have been revoked."""
    return next((r["email"] for r in held.found.recipients if r["key"] == held.link.recipient_key), None)


def _note(held: Held, asked: Acceptance, row: dict[str, Any]) -> None:
    link, at = held.link, held.door.now_ms
    names = ("ordinal", "name", "method", "link_key", "handed_over", "consent_digest", "document_digest")
    detail = {field: row[field] for field in (*names, "chosen_digest", "total_minor")}
    detail["handed_over_by"] = link.made_by
    detail["picture_sha256"] = digest_of_picture(row["picture"])
    of: dict[str, Any] = {"recipient_key": link.recipient_key, "visitor": asked.visitor}
    timeline.note(held.door.connection, link.proposal_key, link.version, at, timeline.SIGNED, detail=detail, **of)
    says(held, "signed")


def says(held: Held, state: str) -> None:
    """What the recipient's row says of the answer."""
    if held.link.recipient_key is None:
        return
    cell = held.door.cell("proposal_recipients", held.link.recipient_key)
    if cell.exists:
        held.door.put(cell, {"state": state, "answered_at": held.door.now_ms}, held.origin, f"proposal.{state}")


def digest_of_picture(picture: bytes | None) -> str | None:
    return sha256(picture).hexdigest() if picture is not None else None
