"""What a seal needs to know beside what was accepted: read in one look, before anything is printed.

Pictures of signatures must be those that the acceptance names by their digests. The offer's own PDF is named where it
was printed; while its order waits or is made, sealing waits for it.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, exists, select

from proposals import store
from proposals.evidence.accepted import Accepted, accepted_of
from proposals.evidence.queue import Claim
from proposals.evidence.testimony import Happened
from proposals.rendering.queue import QUEUED, RENDERING
from proposals.templates.template import BUILT_IN, Template
from sfa.core.errors import Refused
from sfa.db import proposal_timeline as timeline
from sfa.db.proposal_timeline import Event
from sfa.db.tables import proposal_renders, proposal_signatures, proposal_versions

_S, _R, _V = proposal_signatures.c, proposal_renders.c, proposal_versions.c
COMPANY = frozenset(
    {timeline.SENT, timeline.SUPERSEDED, timeline.WITHDRAWN, timeline.LINKED, timeline.REVOKED, timeline.RECIPIENTS}
)


class Gathered(Struct, frozen=True, kw_only=True):
    """`drawings` are pictures of signatures by their SHA-256. `is_awaited` says that the offer's PDF is being made."""

    accepted: Accepted
    template: Template
    drawings: dict[str, bytes]
    original_pdf: str | None
    is_awaited: bool
    events: tuple[Happened, ...]


def gather(connection: Connection, claim: Claim) -> Gathered:
    """Refuses `document_invalid` where what is kept is not what was accepted."""
    if sha256(claim.document).hexdigest() != claim.digest:
        raise Refused("document_invalid", "what is kept is not what was accepted: its digest is another one")
    accepted = accepted_of(claim.document)
    here = (_V.proposal_key == claim.proposal_key, _V.version == claim.version)
    sent = connection.execute(select(_V.pdf_sha256, _V.digest, _V.document).where(*here)).one()
    if sent.digest != accepted.document_digest or sha256(sent.document).hexdigest() != sent.digest:
        raise Refused("document_invalid", "what was sent is not what was signed: its digest is another one")
    waits = exists().where(
        _R.proposal_key == claim.proposal_key, _R.digest == sent.digest, _R.state.in_((QUEUED, RENDERING))
    )
    return Gathered(
        accepted=accepted,
        template=_template(connection, accepted),
        drawings=_drawings(connection, claim, accepted),
        original_pdf=sent.pdf_sha256,
        is_awaited=sent.pdf_sha256 is None and bool(connection.execute(select(waits)).scalar()),
        events=_events(connection, accepted),
    )


def _template(connection: Connection, accepted: Accepted) -> Template:
    """As it was kept when the version was sent."""
    ref = accepted.document.template
    found = store.template_kept(connection, ref.key, ref.version)
    return found if found is not None else BUILT_IN.get(ref.key, BUILT_IN["classic"])


def _drawings(connection: Connection, claim: Claim, accepted: Accepted) -> dict[str, bytes]:
    here = (_S.proposal_key == claim.proposal_key, _S.version == claim.version, _S.picture.is_not(None))
    pictures = [bytes(each) for each in connection.execute(select(_S.picture).where(*here)).scalars()]
    found = {sha256(picture).hexdigest(): picture for picture in pictures}
    wanted = {signed.picture_sha256 for signed in accepted.signatures if signed.picture_sha256 is not None}
    if not wanted <= found.keys():
        raise Refused("document_invalid", "a drawn signature is not the one that was given: its digest is another one")
    return {name: found[name] for name in sorted(wanted)}


def _events(connection: Connection, accepted: Accepted) -> tuple[Happened, ...]:
    """As a buyer may see them: who of the company did something is the company."""
    events = timeline.events_of(connection, accepted.proposal_key)
    broken = timeline.broken_at(accepted.proposal_key, events)
    if broken is not None:
        raise Refused("document_invalid", f"event {broken} of the timeline does not follow from those before it")
    signers = {row.recipient_key for row in _signatures(connection, accepted)}
    return tuple(_happened(event, signers, accepted) for event in events)


def _signatures(connection: Connection, accepted: Accepted) -> Sequence[Any]:
    here = (_S.proposal_key == accepted.proposal_key, _S.version == accepted.version)
    return connection.execute(select(_S.recipient_key).where(*here)).all()


def _happened(event: Event, signers: set[str], accepted: Accepted) -> Happened:
    """Of what is about others than who signed, or about another version, the certificate says no more than that it
    was: it goes to people who may not have known of each other."""
    said = msgspec.json.decode(event.detail)
    by_company = event.user_key is not None or event.kind in COMPANY
    is_theirs = event.version == accepted.version and _whose(event, said) in signers and not by_company
    return Happened(
        n=event.n,
        version=event.version,
        at=event.at,
        kind=event.kind,
        who=accepted.document.seller.name if by_company else str(said.get("name") or "") if is_theirs else "",
        address=event.address if is_theirs else None,
        agent=event.agent if is_theirs else None,
        digest=event.digest,
    )


def _whose(event: Event, said: dict[str, Any]) -> str:
    """As `proposal_signatures` names who signed: by a link that was handed over to nobody in particular, the link."""
    return event.recipient_key or f"link:{said.get('link_key')}"
