"""What is said of a file to anybody who asks: whether it is genuine, and of what is known no more than it says itself.

`verdict` is pure: of what a file says and what the server knows it makes a `State`. A byte changed anywhere is another
digest, which is not known, and breaks the seal; a seal by another key is foreign whatever name it bears.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, or_, select

from proposals.document import Document
from proposals.evidence import keys
from proposals.evidence.accepted import Accepted
from proposals.evidence.inspecting import Inspected, Seen
from proposals.templates.formats import money
from sfa.db.tables import proposal_answers, proposal_versions

State = Literal["genuine", "original", "known", "unlisted", "changed", "foreign", "unsealed", "unknown", "unreadable"]
Kind = Literal["final", "certificate", "offer"]
_A, _V = proposal_answers.c, proposal_versions.c


class Known(Struct, frozen=True, kw_only=True):
    """What the server says of a file that it made: `kind` is final, certificate, or offer for the PDF as it was sent.
    `total` is the text that the document has (R50)."""

    kind: Kind
    number: str
    version: int
    accepted_at: int
    total: str
    total_minor: int
    currency: str
    seller: str
    zone: str
    language: str


class Verdict(Struct, frozen=True, kw_only=True):
    """`state` is genuine (byte by byte a file that was sealed here), original (the offer as it was sent), known (a
    digest that was sealed here, no file was given), unlisted (our seal, whole, and no file that this server knows),
    changed (our seal, broken or not of all), foreign (somebody else's seal), unsealed, unknown (a digest), or
    unreadable. `sealed_by`, `key_sha256` and `sealed_at` are of the seal; `stamped` whether a timestamp authority
    confirmed the time."""

    state: State
    sha256: str
    known: Known | None = None
    sealed_by: str | None = None
    key_sha256: str | None = None
    sealed_at: int | None = None
    stamped: bool = False

    @property
    def is_good(self) -> bool:
        return self.state in ("genuine", "original", "known")


def verdict(digest: str, known: Known | None, found: Inspected | None, ours: Mapping[str, str]) -> Verdict:
    """`found` is null where a digest was asked about and no file; `ours` are names by the fingerprints of our keys."""
    if found is None:
        return Verdict(state="known" if known else "unknown", sha256=digest, known=known)
    if known is not None and known.kind == "offer":
        return Verdict(state="original", sha256=digest, known=known)
    seal = _ours(found, ours) or next(iter(found.seals), None)
    if seal is None:
        state: State = "genuine" if known else "unreadable" if found.problem else "unsealed"
        return Verdict(state=state, sha256=digest, known=known)
    if seal.fingerprint not in ours:
        return _told("foreign", digest, None, seal, seal.subject)
    if not found.is_whole_by(seal.fingerprint):
        return _told("changed", digest, None, seal, ours[seal.fingerprint])
    return _told("genuine" if known else "unlisted", digest, known, seal, ours[seal.fingerprint])


def known_file(connection: Connection, digest: str) -> Known | None:
    """What was made here with that digest, if it belongs to an acceptance."""
    columns = (_A.document, _A.at, _A.final_sha256, _A.certificate_sha256, _V.pdf_sha256)
    same = (_V.proposal_key == _A.proposal_key, _V.version == _A.version)
    these = or_(_A.final_sha256 == digest, _A.certificate_sha256 == digest, _V.pdf_sha256 == digest)
    query = select(*columns).where(*same, these, _A.document.is_not(None)).order_by(_A.at).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return None
    accepted = msgspec.json.decode(bytes(row.document), type=Accepted)
    kind: Kind = "offer"
    if digest in (row.final_sha256, row.certificate_sha256):
        kind = "final" if digest == row.final_sha256 else "certificate"
    return _of(kind, accepted.document, row.at)


def our_keys(connection: Connection) -> dict[str, str]:
    return {key.fingerprint: key.subject for key in keys.known(connection)}


def _of(kind: Kind, document: Document, at: int) -> Known:
    total = document.priced.total_minor
    return Known(
        kind=kind,
        number=document.number or "",
        version=document.version,
        accepted_at=at,
        total=money(total, document.currency, document.language),
        total_minor=total,
        currency=document.currency,
        seller=document.seller.name,
        zone=document.zone,
        language=document.language,
    )


def _ours(found: Inspected, ours: Mapping[str, str]) -> Seen | None:
    return next((seal for seal in found.seals if seal.fingerprint in ours), None)


def _told(state: State, digest: str, known: Known | None, seal: Seen, name: str) -> Verdict:
    at = seal.stamped_at if seal.stamped_at is not None else seal.at
    return Verdict(
        state=state,
        sha256=digest,
        known=known,
        sealed_by=name,
        key_sha256=seal.fingerprint,
        sealed_at=at if seal.intact else None,
        stamped=seal.stamped_at is not None and seal.intact,
    )
