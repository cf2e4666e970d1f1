"""What came of an order: bytes kept once by their digest, an attachment that devices hear of, the proposal's own word.

The bytes lie in their place before the one transaction that says so: the content is kept, the attachment is written
through the door, the proposal and what was sent name it, and the order is done; all of it or nothing, and once. The
attachment's key follows from document and proposal, so that nobody can make a second one; a row that has it and is not
that PDF is left alone, and ours gets another key.
"""

import hashlib
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select, update

from proposals.rendering import queue
from proposals.rendering.queue import DONE, DRAFT, FAILED, QUEUED, RENDERING, Render
from sfa.core.errors import Refused
from sfa.crm.proposing import PRINTED
from sfa.db.tables import proposal_renders, proposal_versions
from sfa.db.writes import Door, Origin
from sfa.files import arrivals
from sfa.files.rules import Content, told
from sfa.files.service import Files

PDF = "application/pdf"
NAME_MAX = 120
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\/:*?<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]+')
_STATES = {QUEUED: "queued", RENDERING: "queued", DONE: "rendered", FAILED: "failed"}


def file_name(title: str, number: str | None, version: int) -> str:
    """`P-2026-000123 v1.pdf` of what was sent, the title of a draft."""
    said = f"{number} v{version}" if number is not None else title
    safe = " ".join(_UNSAFE.sub(" ", said).split()).strip(" .")
    return f"{safe[:NAME_MAX].strip() or 'proposal'}.pdf"


def said_of(render: Render) -> dict[str, Any]:
    """What the proposal says of its order, for whoever asked for it and for who ends it."""
    said: dict[str, Any] = {"render_state": _STATES[render.state], "render_problem": render.code}
    if render.state == DONE:
        said |= {"pdf_key": render.attachment_key, "pdf_digest": render.digest}
    return said


async def store(files: Files, render: Render, pdf: bytes, by: str | None = None) -> bool:
    """The whole way of the bytes of a PDF, `by` the digest of the template that printed it; -> whether the order was
    still that of who made them."""
    content = Content(hashlib.sha256(pdf).hexdigest(), len(pdf), PDF)
    path = files.place.scratch() / uuid.uuid4().hex
    try:
        await files.aside(path.write_bytes, pdf)
        await files.database.write_async(arrivals.claim, files.clock.now_ms(), content)
        await files.aside(files.place.keep, content.sha256, path)
    finally:
        with suppress(FileNotFoundError):
            await files.aside(path.unlink)
    return await files.database.write_async(finish, files.clock.now_ms(), render, content, by)


def finish(connection: Connection, now_ms: int, render: Render, content: Content, by: str | None = None) -> bool:
    """Everything that the end of an order changes; nothing where it is not mine any more."""
    key = _attachment_key(render)
    done = {"state": DONE, "ended_at": now_ms, "claimed_by": None, "body": None, "code": None, "problem": None}
    made = {"sha256": content.sha256, "size": content.size, "attachment_key": key}
    if not queue.put(connection, render, **done, **made):
        return False
    newest = queue.newest(connection, render.proposal_key)
    is_newest = newest is not None and newest.digest == render.digest
    door = Door(connection, now_ms)
    door.load("deals", door.peek("proposals", "deal_key", (render.proposal_key,)), "share")  # what is above first
    proposal = door.cell("proposals", render.proposal_key)
    if not proposal.exists or (render.kind == DRAFT and not is_newest):
        _forget(connection, render)  # nobody has a use for it; the content goes with the next sweep
        return True
    deal = door.cell("deals", proposal.row["deal_key"], "share")
    arrivals.keep(connection, now_ms, content)
    origin = Origin(author_key=None, at=now_ms, stored_at=now_ms)
    attachment = door.cell("attachments", key)
    if attachment.exists and not _is_ours(attachment.row, render, content):
        key = f"{PRINTED}{uuid.uuid4().hex}"
        attachment = door.cell("attachments", key)
        queue.name_file(connection, render, key)
    if not attachment.exists:
        row = {
            "account_key": deal.row["account_key"],
            "deal_key": deal.key,
            "proposal_key": proposal.key,
            "author_key": proposal.row["author_key"],
            "name": render.name,
            "kind": "document",
            "media_type": PDF,
            "size": content.size,
            "sha256": content.sha256,
            "taken_at": None,
        }
        door.put(attachment, {**row, **told(content)}, origin)
    if is_newest:
        _drop_older_drafts(door, render, origin)
        _tell(door, queue.read(connection, render.proposal_key, render.digest), origin)
    if render.kind != DRAFT:
        _note_version(connection, render, content, key, by)
    door.flush()
    return True


def fail(connection: Connection, now_ms: int, render: Render, code: str, problem: str) -> bool:
    """The order is given up; who asks for it again brings along what is printed."""
    said = {"state": FAILED, "ended_at": now_ms, "claimed_by": None, "code": code, "problem": problem[:500]}
    said["body"] = None
    if not queue.put(connection, render, **said):
        return False
    tell(connection, now_ms, render)
    return True


def unavailable(connection: Connection, now_ms: int, render: Render, problem: str) -> None:
    """Give an order back to who can print, and say of all that wait why they do."""
    queue.give_back(connection, render)
    tell(connection, now_ms, *queue.mark_waiting(connection, "pdf_unavailable", problem[:500]))


def tell(connection: Connection, now_ms: int, *renders: Render) -> None:
    """Say on each proposal where its newest order stands."""
    door, origin = Door(connection, now_ms), Origin(author_key=None, at=now_ms, stored_at=now_ms)
    for render in sorted(renders, key=lambda render: render.proposal_key):
        newest = queue.newest(connection, render.proposal_key)
        if newest is not None and newest.digest == render.digest:
            _tell(door, newest, origin)
    door.flush()


class Sent(NamedTuple):
    number: str
    sha256: str


def of_version(connection: Connection, proposal_key: str, version: int) -> Sent:
    """What was sent as that version. Refuses `not_found`, and `file_awaited` until it is printed."""
    here = proposal_versions.c
    query = select(here.number, here.pdf_sha256).where(here.proposal_key == proposal_key, here.version == version)
    found = connection.execute(query).first()
    if found is None:
        raise Refused("not_found")
    if found.pdf_sha256 is None:
        raise Refused("file_awaited")
    return Sent(found.number, found.pdf_sha256)


def _tell(door: Door, render: Render, origin: Origin) -> None:
    proposal = door.cell("proposals", render.proposal_key)
    said = said_of(render)
    if proposal.exists and any(proposal.row[name] != value for name, value in said.items()):
        door.put(proposal, said, origin)


def _drop_older_drafts(door: Door, render: Render, origin: Origin) -> None:
    """There is one draft of a proposal, the newest, and none of what was sent."""
    here = proposal_renders.c
    older = (here.proposal_key == render.proposal_key, here.digest != render.digest, here.kind == DRAFT)
    ended = here.state.in_((DONE, FAILED))
    for key in door.connection.execute(select(here.attachment_key).where(*older, ended)).scalars().all():
        cell = door.cell("attachments", key) if key is not None else None
        if cell is not None and cell.exists:
            door.delete(cell, origin)
    door.connection.execute(delete(proposal_renders).where(*older, ended))


def _note_version(connection: Connection, render: Render, content: Content, key: str, by: str | None) -> None:
    """Once: what was printed first is what everybody gets."""
    here = proposal_versions.c
    this = (here.proposal_key == render.proposal_key, here.version == render.version, here.digest == render.digest)
    noted = update(proposal_versions).where(*this, here.pdf_sha256.is_(None))
    said = {"pdf_sha256": content.sha256, "pdf_key": key, "pdf_size": content.size, "pdf_template_digest": by}
    connection.execute(noted.values(**said))


def _forget(connection: Connection, render: Render) -> None:
    here = proposal_renders.c
    connection.execute(
        delete(proposal_renders).where(here.proposal_key == render.proposal_key, here.digest == render.digest)
    )


def _attachment_key(render: Render) -> str:
    return f"{PRINTED}{hashlib.sha256(f'{render.proposal_key}:{render.digest}'.encode()).hexdigest()[:40]}"


def _is_ours(row: Mapping[str, Any], render: Render, content: Content) -> bool:
    """What says that it is a proposal's PDF was written by the server: nobody else can say so."""
    return bool(row["proposal_key"] == render.proposal_key and row["sha256"] == content.sha256 and row["stored"])
