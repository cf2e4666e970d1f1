"""What is kept of proposals beside their rows: versions as they were sent, approvals, templates as they were.

Rows are added. Of a version only what became of it changes, and its PDF is noted once by `proposals.rendering.keeping`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, insert, select, update

from proposals.approving import Terms, digest_of
from proposals.document import Document, canonical
from proposals.document import digest_of as digest_of_document
from proposals.lifecycle import SUPERSEDED, WITH_BUYER
from proposals.numbering import Number
from proposals.templates.template import Template
from sfa.core.errors import Refused
from sfa.core.pricing.values import Offer
from sfa.db.tables import (
    blobs,
    proposal_approvals,
    proposal_enclosures,
    proposal_template_versions,
    proposal_versions,
)

_V, _A, _T = proposal_versions.c, proposal_approvals.c, proposal_template_versions.c
ASKED, APPROVED, REJECTED = "asked", "approved", "rejected"
Row = Mapping[str, Any]


class Version(Struct, frozen=True, kw_only=True):
    """What was sent, without its document."""

    proposal_key: str
    version: int
    deal_key: str
    number: str
    series: str
    ordinal: int
    digest: str
    template_key: str | None
    template_version: int
    template_digest: str
    language: str
    currency: str
    total_minor: int
    valid_until: str
    quote: int | None
    sent_at: int
    sent_by: str | None
    status: str
    ended_at: int | None
    ended_by: str | None
    cause: str | None
    pdf_sha256: str | None
    pdf_key: str | None
    pdf_size: int | None
    pdf_template_digest: str | None


class Step(Struct, frozen=True, kw_only=True):
    """A row of the ledger of approvals."""

    step: int
    kind: str
    at: int
    user_key: str | None
    role: str
    digest: str
    text: str | None


class Given(Struct, frozen=True):
    """An approval: when, for which role, of what."""

    at: int
    role: str
    terms: Terms


_COLUMNS = [_V[name] for name in Version.__struct_fields__]
_STEPS = [_A[name] for name in Step.__struct_fields__]


# -- versions ----------------------------------------------------------------------------------------------------------


def versions_of(connection: Connection, key: str) -> list[Version]:
    """The newest first."""
    query = select(*_COLUMNS).where(_V.proposal_key == key).order_by(_V.version.desc())
    return [Version(**row) for row in connection.execute(query).mappings()]


def version_of(connection: Connection, key: str, version: int) -> Version:
    found = next((each for each in versions_of(connection, key) if each.version == version), None)
    if found is None:
        raise Refused("not_found")
    return found


def body_of(connection: Connection, key: str, version: int) -> bytes:
    """The bytes that `digest` is of: the document's canonical JSON."""
    query = select(_V.document).where(_V.proposal_key == key, _V.version == version)
    found = connection.execute(query).scalar()
    if found is None:
        raise Refused("not_found")
    return bytes(found)


def document_of(connection: Connection, key: str, version: int) -> Document:
    return msgspec.json.decode(body_of(connection, key, version), type=Document)


def offer_of(connection: Connection, key: str, version: int) -> Offer | None:
    """What the amounts were reckoned of; None of what was sent before it was kept."""
    query = select(_V.offer).where(_V.proposal_key == key, _V.version == version)
    body = connection.execute(query).scalar()
    return msgspec.json.decode(bytes(body), type=Offer) if body is not None else None


def products_of(connection: Connection, key: str, version: int) -> dict[str, str] | None:
    """line -> product, of all lines that are of one; None of what was sent before that was kept."""
    query = select(_V.products).where(_V.proposal_key == key, _V.version == version)
    body = connection.execute(query).scalar()
    return msgspec.json.decode(bytes(body), type=dict[str, str]) if body is not None else None


def number_of(connection: Connection, key: str) -> Number | None:
    """The number that the proposal has since it was first sent."""
    row = connection.execute(select(_V.series, _V.ordinal).where(_V.proposal_key == key).limit(1)).first()
    return Number(*row) if row is not None else None


def keep(
    connection: Connection, key: str, deal_key: str, document: Document, offer: Offer, number: Number, said: Row
) -> tuple[str, int]:
    """Freeze what is sent; older versions that the buyer still had are superseded. -> (digest, version)"""
    digest, at, by = digest_of_document(document), said["sent_at"], said["sent_by"]
    older = update(proposal_versions).where(_V.proposal_key == key, _V.status.in_(WITH_BUYER))
    connection.execute(older.values(status=SUPERSEDED, ended_at=at, ended_by=by, cause=f"version {document.version}"))
    row = {
        "proposal_key": key,
        "version": document.version,
        "deal_key": deal_key,
        "number": number.text,
        "series": number.series,
        "ordinal": number.ordinal,
        "document": canonical(document),
        "digest": digest,
        "offer": msgspec.json.encode(offer),
        "template_version": document.template.version,
        "template_digest": document.template.digest,
        "language": document.language,
        "currency": document.currency,
        "valid_until": document.valid_until,
        "total_minor": document.priced.total_minor,
        "status": "sent",
        **said,
    }
    connection.execute(insert(proposal_versions), row)
    return digest, document.version


def hold_enclosures(connection: Connection, document: Document) -> None:
    """Lock the contents of files that go with it until the version names them: nobody lets one go in between. Refuses
    `proposal_incomplete` where one goes already."""
    wanted = {file.sha256 for file in document.enclosures}
    query = select(blobs.c.sha256, blobs.c.state).where(blobs.c.sha256.in_(sorted(wanted))).order_by(blobs.c.sha256)
    held = connection.execute(query.with_for_update()).all() if wanted else []
    if {sha256 for sha256, state in held if state == "kept"} != wanted:
        raise Refused("proposal_incomplete", "a file that goes with it is there no more", missing=["enclosures"])


def keep_enclosures(connection: Connection, key: str, document: Document, attachments: Sequence[str]) -> None:
    """The contents of files that went with a version stay, whatever becomes of their attachments."""
    said = {"proposal_key": key, "version": document.version}
    files = zip(attachments, document.enclosures, strict=True)
    rows = [{**said, "attachment_key": name, "sha256": file.sha256} for name, file in files]
    if rows:
        connection.execute(insert(proposal_enclosures), rows)


def end(
    connection: Connection, key: str, version: int, status: str, at: int, by: str | None, cause: str | None
) -> bool:
    """Of a version that the buyer may still accept; -> whether it was."""
    this = (_V.proposal_key == key, _V.version == version, _V.status.in_(WITH_BUYER))
    said = {"status": status, "ended_at": at, "ended_by": by, "cause": cause}
    return connection.execute(update(proposal_versions).where(*this).values(**said)).rowcount == 1


# -- approvals ---------------------------------------------------------------------------------------------------------


def steps_of(connection: Connection, key: str) -> list[Step]:
    query = select(*_STEPS).where(_A.proposal_key == key).order_by(_A.step)
    return [Step(**row) for row in connection.execute(query).mappings()]


def note(connection: Connection, key: str, kind: str, terms: Terms, said: Row) -> None:
    """`said` has at, user_key, role and text."""
    last = connection.execute(select(func.max(_A.step)).where(_A.proposal_key == key)).scalar() or 0
    row = {"proposal_key": key, "step": last + 1, "kind": kind, "digest": digest_of(terms)}
    connection.execute(insert(proposal_approvals), {**row, "body": msgspec.json.encode(terms), **said})


def approvals_of(connection: Connection, key: str) -> list[Given]:
    """Every approval that was given and not taken back by a later rejection."""
    query = select(_A.kind, _A.at, _A.role, _A.body).where(_A.proposal_key == key).order_by(_A.step)
    found: list[Given] = []
    for kind, at, role, body in connection.execute(query):
        if kind == REJECTED:
            found.clear()
        elif kind == APPROVED:
            found.append(Given(at, role, msgspec.json.decode(bytes(body), type=Terms)))
    return found


def has_approved(connection: Connection, key: str, user: str | None) -> bool:
    """Whether somebody approved what was asked last."""
    query = select(_A.kind, _A.user_key).where(_A.proposal_key == key).order_by(_A.step.desc())
    for kind, by in connection.execute(query):
        if kind != APPROVED:
            return False
        if user is not None and by == user:
            return True
    return False


def asked_last(connection: Connection, key: str) -> Terms | None:
    """The values that somebody was last asked about."""
    query = select(_A.body).where(_A.proposal_key == key, _A.kind == ASKED).order_by(_A.step.desc()).limit(1)
    body = connection.execute(query).scalar()
    return msgspec.json.decode(bytes(body), type=Terms) if body is not None else None


# -- templates ---------------------------------------------------------------------------------------------------------


def keep_template(connection: Connection, template: Template, at: int, by: str | None) -> None:
    """As what was sent was printed by it; once for each version."""
    here = (_T.template_key == template.key, _T.version == template.version)
    if connection.execute(select(_T.digest).where(*here)).first() is None:
        body = msgspec.json.encode(template)
        said = {"template_key": template.key, "version": template.version, "digest": template.digest, "body": body}
        connection.execute(insert(proposal_template_versions), {**said, "made_at": at, "made_by": by})


def template_kept(connection: Connection, key: str, version: int) -> Template | None:
    query = select(_T.body).where(_T.template_key == key, _T.version == version)
    body = connection.execute(query).scalar()
    return msgspec.json.decode(bytes(body), type=Template) if body is not None else None


def template_uses(connection: Connection, key: str) -> dict[int, tuple[str, int]]:
    """version -> (digest, when it was first sent with) of those that something was sent with."""
    query = select(_T.version, _T.digest, _T.made_at).where(_T.template_key == key)
    return {version: (digest, at) for version, digest, at in connection.execute(query)}


def numbers(connection: Connection) -> Sequence[Any]:
    """(series, ordinal, proposal) of every first version, by number."""
    query = select(_V.series, _V.ordinal, _V.proposal_key).where(_V.version == 1)
    return connection.execute(query.order_by(_V.series, _V.ordinal)).all()
