"""Where sealed files go: bytes kept by their digests, attachments of the proposal that devices hear of, and one word of
it everywhere, all in one transaction and once (R48).

The keys of attachments follow from proposal and version, so that nobody can make a second one; a row that has such a
key and is not that file is left alone, and ours gets another key.
"""

import hashlib
import uuid
from contextlib import suppress
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from proposals.evidence import keys, queue
from proposals.evidence.accepted import Accepted
from proposals.evidence.keys import SealKey
from proposals.evidence.queue import SEALED, Claim
from proposals.evidence.words import say_in
from proposals.rendering.keeping import PDF, file_name
from sfa.crm.proposing import PRINTED
from sfa.db import proposal_timeline as timeline
from sfa.db.outgoing import emit
from sfa.db.writes import Door, Origin
from sfa.files import arrivals
from sfa.files.rules import Content, told
from sfa.files.service import Files

FINAL, CERTIFICATE = "final", "certificate"


class Done(Struct, frozen=True, kw_only=True):
    """What came of a claim; `given` is the company's own key, whose certificate is noted."""

    final: Content
    certificate: Content
    stamped: bool
    key: SealKey
    is_given: bool


async def keep(files: Files, pdf: bytes) -> Content:
    """The bytes lie in their place before anything names them; nobody else has a use for them until then."""
    content = Content(hashlib.sha256(pdf).hexdigest(), len(pdf), PDF)
    path = files.place.scratch() / uuid.uuid4().hex
    try:
        await files.aside(path.write_bytes, pdf)
        await files.database.write_async(arrivals.claim, files.clock.now_ms(), content)
        await files.aside(files.place.keep, content.sha256, path)
    finally:
        with suppress(FileNotFoundError):
            await files.aside(path.unlink)
    return content


def finish(connection: Connection, now_ms: int, claim: Claim, accepted: Accepted, done: Done) -> bool:
    """Everything that a seal changes; nothing where the claim is not mine any more. What is above comes first."""
    door = Door(connection, now_ms)
    door.load("deals", door.peek("proposals", "deal_key", (claim.proposal_key,)), "share")
    proposal = door.cell("proposals", claim.proposal_key)
    said: dict[str, Any] = {"seal_state": SEALED, "sealed_at": now_ms, "claimed_by": None, "beat_at": None}
    said |= {"code": None, "problem": None, "stamped": done.stamped, "seal_key": done.key.seal_key}
    said |= {"final_sha256": done.final.sha256, "certificate_sha256": done.certificate.sha256}
    if not queue.put(connection, claim, **said):
        return False
    if done.is_given:
        keys.note(connection, now_ms, done.key)
    for content in sorted((done.final, done.certificate), key=lambda each: each.sha256):
        arrivals.keep(connection, now_ms, content)
    digests = {"final_sha256": done.final.sha256, "certificate_sha256": done.certificate.sha256}
    detail = {**digests, "seal_key": done.key.seal_key, "key_sha256": done.key.fingerprint, "stamped": done.stamped}
    timeline.note(connection, claim.proposal_key, claim.version, now_ms, timeline.SEALED, detail=detail)
    news = {"proposal_key": claim.proposal_key, "version": claim.version, **digests, "stamped": done.stamped}
    emit(connection, "proposal.sealed", f"proposal.sealed:{claim.proposal_key}:{claim.version}", now_ms, news)
    if not proposal.exists:
        return True
    names = _attach(door, accepted, claim, done)
    door.put(proposal, {"final_key": names[FINAL], "certificate_key": names[CERTIFICATE]}, _origin(now_ms))
    door.flush()
    row = {"final_key": names[FINAL], "certificate_key": names[CERTIFICATE]}
    queue.name_files(connection, claim, **row)
    return True


def _attach(door: Door, accepted: Accepted, claim: Claim, done: Done) -> dict[str, str]:
    proposal = door.cell("proposals", claim.proposal_key)
    deal = door.cell("deals", proposal.row["deal_key"], "share")
    names = {}
    for kind, content in ((FINAL, done.final), (CERTIFICATE, done.certificate)):
        cell = door.cell("attachments", attachment_key(claim.proposal_key, claim.version, kind))
        if cell.rev:  # somebody has made a row of that key before: it is not ours
            cell = door.cell("attachments", f"{PRINTED}{uuid.uuid4().hex}")
        row = {
            "account_key": deal.row["account_key"],
            "deal_key": deal.key,
            "proposal_key": proposal.key,
            "author_key": proposal.row["author_key"],
            "name": name_of(accepted, kind),
            "kind": "document",
            "media_type": PDF,
            "size": content.size,
            "sha256": content.sha256,
            "taken_at": None,
        }
        door.put(cell, {**row, **told(content)}, _origin(door.now_ms))
        names[kind] = cell.key
    return names


def attachment_key(proposal_key: str, version: int, kind: str) -> str:
    return f"{PRINTED}{hashlib.sha256(f'{proposal_key}:{version}:{kind}'.encode()).hexdigest()[:40]}"


def name_of(accepted: Accepted, kind: str) -> str:
    """`P-2026-000123 v1 signed.pdf`, in the document's language."""
    say = say_in(accepted.document.language)
    whole = file_name("", accepted.document.number or "", accepted.version).removesuffix(".pdf")
    return f"{whole} {say('signed') if kind == FINAL else say('certificate')}.pdf"


def _origin(now_ms: int) -> Origin:
    return Origin(author_key=None, at=now_ms, stored_at=now_ms)
