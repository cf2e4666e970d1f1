"""Where a row and its bytes meet, in whichever order they come.

An attachment is `stored` when an upload that named it ended with the content that it declares. Bytes are asked of every
attachment anew, even where the content is kept already: knowing a digest is no right to a content. Locks are taken in
one order everywhere: content, then row. What two transactions miss of each other (a row that is made while its bytes
arrive) `link_waiting` finds within a minute.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, and_, exists, insert, literal, or_, select, update

from sfa.db.tables import (
    ROWS,
    blobs,
    proposal_answers,
    proposal_assets,
    proposal_enclosures,
    proposal_versions,
    uploads,
)
from sfa.db.writes import Door, Origin
from sfa.files.rules import Content, differs, told

LINKED_AT_ONCE = 200
_rows = ROWS["attachments"]


def found(connection: Connection, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The server's fields of a new attachment: those of its content where that came first, else none."""
    query = select(uploads.c.key).where(
        uploads.c.attachment_key == key, uploads.c.sha256 == row["sha256"], uploads.c.state == "done"
    )
    upload = connection.execute(query.limit(1)).scalar()
    content = _kept(connection, row["sha256"]) if upload is not None else None
    if content is None:
        return {}
    refused = differs(row, content)
    if refused is not None:
        raise refused
    return told(content)  # the mutation may still be undone: `link_waiting` takes note that they have met


def claim(connection: Connection, now_ms: int, content: Content) -> None:
    """Say that this content is about to be written: whoever deletes it has done so, or will not (`collecting`)."""
    query = select(blobs.c.state).where(blobs.c.sha256 == content.sha256).with_for_update()
    state = connection.execute(query).scalar()
    if state is None:
        kind = {"media_type": content.media_type, "width": content.width, "height": content.height}
        times = {"at": now_ms, "loose_at": None, "looked_at": now_ms}
        made = {"sha256": content.sha256, "size": content.size, "state": "coming", **kind, **times}
        connection.execute(insert(blobs), made)
        return
    state = "kept" if state == "kept" else "coming"
    again = update(blobs).where(blobs.c.sha256 == content.sha256)
    connection.execute(again.values(state=state, at=now_ms, loose_at=None))


def keep(connection: Connection, now_ms: int, content: Content) -> None:
    """The content lies in its place."""
    here = update(blobs).where(blobs.c.sha256 == content.sha256)
    connection.execute(here.values(state="kept", at=now_ms, loose_at=None))


def link(connection: Connection, now_ms: int, attachment: str, content: Content, user: str | None) -> bool:
    """Tell the row that its bytes are there, through the door, so that devices hear of it; -> whether it is there.

    Refuses where the uploader's own row declares another content. Of rows of others nothing is told."""
    door = Door(connection, now_ms)
    cell = door.cell("attachments", attachment)
    if not cell.exists:
        return False
    refused = differs(cell.row, content)
    if refused is not None:
        if user is not None and user in (cell.row["author_key"], cell.row["created_by"]):
            raise refused
        return False
    if not cell.row["stored"]:
        door.put(cell, told(content), Origin(author_key=None, at=now_ms, stored_at=now_ms))
        door.flush()
    return True


def link_waiting(connection: Connection, now_ms: int) -> int:
    """Bring together what waits for each other, a bounded number at a time; -> how many rows."""
    waiting = select(uploads.c.attachment_key, uploads.c.sha256).where(
        uploads.c.state == "done", ~uploads.c.linked, _rows.c.key == uploads.c.attachment_key, ~_rows.c.gone
    )
    places = connection.execute(waiting.where(_rows.c.sha256 == uploads.c.sha256).limit(LINKED_AT_ONCE)).all()
    linked = 0
    for key, sha256 in sorted({tuple(place) for place in places}):
        content = _kept(connection, sha256)
        linked += content is not None and link(connection, now_ms, key, content, None)
        connection.execute(update(uploads).where(uploads.c.attachment_key == key).values(linked=True))
    return linked


def forget(connection: Connection, digests: Collection[str]) -> int:
    """Let contents go at once, without the grace time, where no row that is not deleted has them any more: for the
    erasure of a person. Delete the rows first; the next sweep takes the bytes. -> how many contents go."""
    going = let_go(connection, hold(connection, digests))
    ended = update(uploads).where(uploads.c.sha256.in_(going), uploads.c.state != "ended")
    connection.execute(ended.values(state="ended", code="upload_gone", holder=None))
    return len(going)


def hold(connection: Connection, digests: Collection[str]) -> list[str]:
    """Lock contents, those that there are; -> them."""
    there = select(blobs.c.sha256).where(blobs.c.sha256.in_(sorted(digests))).order_by(blobs.c.sha256)
    return list(connection.execute(there.with_for_update()).scalars())


def let_go(connection: Connection, locked: Collection[str]) -> list[str]:
    """Mark contents, locked by the caller, as going where no row that is not deleted has them; -> which. A deleted row
    that is brought back later says then that its bytes are awaited."""
    rows = select(_rows.c.key).where(_rows.c.sha256.in_(locked)).order_by(_rows.c.key).with_for_update()
    connection.execute(rows).all()
    going = list(connection.execute(select(blobs.c.sha256).where(blobs.c.sha256.in_(locked), ~in_use())).scalars())
    connection.execute(update(blobs).where(blobs.c.sha256.in_(going)).values(state="going"))
    # No device sees a deleted row, so this is no change of one: the door would bring it back.
    gone = update(_rows).where(_rows.c.sha256.in_(going), _rows.c.gone)
    connection.execute(gone.values(stored=False, sniffed_type=None, width=None, height=None))
    return going


def in_use() -> Any:
    """Whether any row that is not deleted has the content, or proposals show it."""
    attached = exists(select(literal(1)).where(and_(_rows.c.sha256 == blobs.c.sha256, ~_rows.c.gone, _rows.c.stored)))
    shown = exists(select(literal(1)).where(proposal_assets.c.sha256 == blobs.c.sha256))
    sent = exists(select(literal(1)).where(proposal_versions.c.pdf_sha256 == blobs.c.sha256))
    enclosed = exists(select(literal(1)).where(proposal_enclosures.c.sha256 == blobs.c.sha256))
    named = (proposal_answers.c.final_sha256, proposal_answers.c.certificate_sha256)
    sealed = [exists(select(literal(1)).where(digest == blobs.c.sha256)) for digest in named]
    return or_(attached, shown, sent, enclosed, *sealed)


def _kept(connection: Connection, sha256: str) -> Content | None:
    """The content, locked, so that it is not collected while a row is told of it."""
    columns = (blobs.c.sha256, blobs.c.size, blobs.c.media_type, blobs.c.width, blobs.c.height)
    query = select(*columns).where(blobs.c.sha256 == sha256, blobs.c.state == "kept").with_for_update()
    row = connection.execute(query).first()
    return Content(*row) if row is not None else None
