"""What was printed and what it shows: `/api/proposals/{key}/pdf`, where its order stands, and pictures.

A PDF is for whoever sees the proposal: the bytes that were stored when it was printed, for nothing is printed for a
request. Pictures come as one body of bytes, and are the company's or, with `proposal` in the query, those of one.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar import HttpMethod, Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.types import Send
from msgspec import Struct
from sqlalchemy import Connection, select

from proposals.rendering import keeping, pictures, queue
from proposals.rendering.pictures import COMPANY, Asset
from proposals.rendering.queue import Render
from sfa.core.errors import CATALOGUE, Refused
from sfa.core.ids import is_key
from sfa.crm.online import Online
from sfa.db import scope as scopes
from sfa.db.tables import ROWS
from sfa.files.download_routes import Found, Serving, kept
from sfa.files.service import Files
from sfa.files.wire import Asked, Door, allowed, answer, plain, refuse
from sfa.web.principal import Principal

JSON = "application/json"
GET, HEAD, POST = HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST
_PROPOSALS, _FILES = ROWS["proposals"], ROWS["attachments"]


class Printing(Struct, frozen=True):
    """Where the newest order of a proposal stands. `state` is queued, rendering, done or failed, `since` from when on
    (ms); `code` says why it failed, or why it is tried again, and `problem` what that code means: what exactly happened
    stands in the server's log. `kind` is draft or final, `pdf_key` the attachment."""

    state: str
    since: int
    kind: str
    version: int
    digest: str
    name: str
    asked_at: int
    asked_by: str | None
    attempts: int
    code: str | None
    problem: str | None
    size: int | None
    pdf_key: str | None


def rendering_routes(files: Files, door: Door, screens: Online) -> Sequence[HTTPRouteHandler]:
    printed, shown = Serving(files, find_pdf), Serving(files, find_picture)

    async def serve_pdf(asked: Asked, send: Send) -> None:
        await printed.handle(asked, send, door, small=False)

    async def serve_picture(asked: Asked, send: Send) -> None:
        await shown.handle(asked, send, door, small=False)

    async def add_picture(asked: Asked, send: Send) -> None:
        try:
            allowed(asked, "POST")
            await _add(files, asked, await door.enter(asked), send)
        except Exception as error:  # the translator logs what it does not know
            await refuse(send, error)

    @get("/api/proposals/{key:str}/render", tags=["proposals"])
    async def stands(request: Request[Principal, Any, Any], key: FromPath[str]) -> Printing:
        return await screens.read(_printing, request.user.user_key, key)

    @get("/api/proposal-pictures", tags=["proposals"])
    async def listed(request: Request[Principal, Any, Any], proposal: FromQuery[str | None] = None) -> list[Asset]:
        return await screens.read(_listed, request.user.user_key, proposal or COMPANY)

    return [
        plain("/api/proposals/{key:str}/pdf", (GET, HEAD), serve_pdf),
        stands,
        listed,
        plain("/api/proposal-pictures", (POST,), add_picture),
        plain("/api/proposal-pictures/{sha256:str}", (GET, HEAD), serve_picture),
    ]


def find_pdf(connection: Connection, user: str, asked: Asked) -> Found:
    """What was printed last of a proposal, or with `version` in the query what was sent as that one. `not_found` for
    who does not see the proposal, `file_awaited` until it is printed."""
    key, said = str(asked.parameters["key"]), parse_qs(asked.query).get("version")
    row = _seen(connection, user, key)
    if said is not None:
        if not (said[-1].isascii() and said[-1].isdecimal() and len(said[-1]) < 10):
            raise Refused("request_invalid", "version is a number")
        version = keeping.of_version(connection, key, int(said[-1]))
        return kept(connection, version.sha256, keeping.file_name("", version.number, int(said[-1])))
    query = select(_FILES.c.sha256, _FILES.c.name).where(_FILES.c.key == row.pdf_key, ~_FILES.c.gone)
    file = connection.execute(query).first() if row.pdf_key is not None else None
    if file is None:
        raise Refused("file_awaited")
    return kept(connection, file.sha256, file.name)


def find_picture(connection: Connection, user: str, asked: Asked) -> Found:
    """The company's are for everybody, a proposal's for who sees it."""
    sha256 = str(asked.parameters["sha256"])
    if not is_key(sha256):  # what a database may not even be asked
        raise Refused("not_found")
    for key in pictures.proposals_with(connection, sha256):
        if key == COMPANY or _is_seen(connection, user, key):
            return kept(connection, sha256, sha256[:12])
    raise Refused("not_found")


def _seen(connection: Connection, user: str, key: str) -> Any:
    columns = (_PROPOSALS.c.buckets, _PROPOSALS.c.pdf_key)
    query = select(*columns).where(_PROPOSALS.c.key == key, ~_PROPOSALS.c.gone)
    row = connection.execute(query).first() if is_key(key) else None
    if row is None or scopes.held_now(connection, user).isdisjoint(row.buckets):
        raise Refused("not_found")
    return row


def _is_seen(connection: Connection, user: str, key: str) -> bool:
    try:
        _seen(connection, user, key)
    except Refused:
        return False
    return True


def _printing(connection: Connection, user: str, key: str) -> Printing:
    _seen(connection, user, key)
    found = queue.newest(connection, key)
    if found is None:
        raise Refused("render_missing")
    return _told(found)


def _told(render: Render) -> Printing:
    same = {name: getattr(render, name) for name in Printing.__struct_fields__ if name not in ("pdf_key", "problem")}
    entry = CATALOGUE.get(render.code or "")
    problem = entry.title if entry is not None else None
    return Printing(**same, problem=problem, pdf_key=render.attachment_key)


def _listed(connection: Connection, user: str, proposal: str) -> list[Asset]:
    if proposal != COMPANY:
        _seen(connection, user, proposal)
    return pictures.listed(connection, proposal)


async def _add(files: Files, asked: Asked, who: Principal, send: Send) -> None:
    said = parse_qs(asked.query)
    proposal, name = (said.get(word, [""])[-1] for word in ("proposal", "name"))
    await files.database.read_async(pictures.check_may_add, who.user_key, proposal)
    content = await _body(asked)
    asset = await pictures.keep(files, who.user_key, proposal, name, content)
    await answer(send, 201, [("content-type", JSON), ("cache-control", "no-store")], msgspec.json.encode(asset))


async def _body(asked: Asked) -> bytes:
    pieces, size, is_more = list[bytes](), 0, True
    while is_more:
        message: Any = await asked.receive()
        if message["type"] == "http.disconnect":
            raise Refused("body_truncated")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > pictures.BYTES_MAX:
            raise Refused("body_too_large", f"a picture has at most {pictures.BYTES_MAX} bytes")
        is_more = message.get("more_body", False)
    return b"".join(pieces)
