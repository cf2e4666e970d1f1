"""Everything that proves an acceptance, as files that anybody can check without this server: `sha256sum -c SHA256SUMS`.

The sums are those that were noted when it happened, never those of what is exported: whoever changed something since is
found by them. Each event of the timeline is a file of exactly the bytes that its digest is of, which name the event
before it. This is for the company and a court: events say more here than a certificate does.
"""

from collections.abc import Callable
from hashlib import sha256

import msgspec
from sqlalchemy import Connection, select

from proposals import document as doc
from proposals import store
from proposals.evidence import keys, queue
from proposals.evidence.accepted import accepted_of
from sfa.core.errors import Refused
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import proposal_answers, proposal_signatures

SUMS = "SHA256SUMS"
_A, _S = proposal_answers.c, proposal_signatures.c
Read = Callable[[str], bytes]
Files = dict[str, tuple[bytes, str]]  # name -> (content, the digest that was noted)


def evidence_of(connection: Connection, read: Read, proposal_key: str) -> dict[str, bytes]:
    """name -> content, of the version that was accepted; `read` gives a stored content by its digest. Refuses
    `not_found` where nothing was accepted."""
    version = queue.accepted_version(connection, proposal_key)
    columns = (_A.document, _A.digest, _A.final_sha256, _A.certificate_sha256, _A.seal_key)
    here = (_A.proposal_key == proposal_key, _A.version == version)
    answer = connection.execute(select(*columns).where(*here)).one()
    sent = store.version_of(connection, proposal_key, version)
    files: Files = {"document.json": (store.body_of(connection, proposal_key, version), sent.digest)}
    files["accepted.json"] = (bytes(answer.document), answer.digest)
    files |= _signed(connection, proposal_key, version, bytes(answer.document))
    pdfs = {"original": sent.pdf_sha256, "final": answer.final_sha256, "certificate": answer.certificate_sha256}
    files |= {f"{name}.pdf": (read(digest), digest) for name, digest in pdfs.items() if digest is not None}
    events = timeline.events_of(connection, proposal_key)
    files |= {f"timeline/{event.n:04d}.json": (said(proposal_key, event), event.digest) for event in events}
    exported = {name: content for name, (content, _) in files.items()}
    exported[SUMS] = "".join(f"{digest}  {name}\n" for name, (_, digest) in files.items()).encode()
    exported["timeline.json"] = msgspec.json.format(msgspec.json.encode([_told(event) for event in events]), indent=1)
    pem = next((key.pem for key in keys.known(connection) if key.seal_key == answer.seal_key), None)
    if pem is not None:
        exported["key.pem"] = pem.encode()
    return exported


def said(proposal_key: str, event: timeline.Event) -> bytes:
    """What an event's digest is of."""
    values = [getattr(event, name) for name in timeline.Event.__struct_fields__ if name != "digest"]
    return msgspec.json.encode([proposal_key, *(v.decode() if isinstance(v, bytes) else v for v in values)])


def unlike(files: dict[str, bytes]) -> list[str]:
    """Names of exported files that are not what was noted of them: as `sha256sum -c` finds them (pure)."""
    wrong = []
    for line in files[SUMS].decode().splitlines():
        digest, _, name = line.partition("  ")
        if sha256(files.get(name, b"")).hexdigest() != digest:
            wrong.append(name)
    return wrong


def _signed(connection: Connection, proposal_key: str, version: int, body: bytes) -> Files:
    """What each signer saw, agreed to and drew."""
    accepted, files = accepted_of(body), Files()
    here = (_S.proposal_key == proposal_key, _S.version == version)
    query = select(_S.ordinal, _S.picture).where(*here).order_by(_S.ordinal)
    pictures = {row.ordinal: row.picture for row in connection.execute(query)}
    for signed in accepted.signatures:
        name = f"signature-{signed.ordinal}"
        files[f"{name}.chosen.json"] = (doc.canonical(accepted.document), signed.chosen_digest)
        files[f"{name}.consent.txt"] = (signed.consent.encode(), signed.consent_digest)
        if signed.picture_sha256 is not None:
            files[f"{name}.png"] = (bytes(pictures.get(signed.ordinal) or b""), signed.picture_sha256)
    if not accepted.signatures:
        raise Refused("document_invalid", "an acceptance without a signature")
    return files


def _told(event: timeline.Event) -> dict[str, object]:
    told = msgspec.structs.asdict(event)
    return {**told, "detail": msgspec.json.decode(event.detail)}
