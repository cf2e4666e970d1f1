"""`/api/notes/{key}/…`: how a note's text came to be, and its document for apps that speak Yjs (S25)."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from sfa.crm.online import Online
from sfa.web.principal import Principal
from sync import note_history
from sync.note_history import VERSIONS_DEFAULT, NoteDocument, Version, Versions

Asked = Request[Principal, Any, Any]


def note_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/notes/{key:str}/history", tags=["notes"])
    async def read_versions(
        request: Asked,
        key: FromPath[str],
        before: FromQuery[int | None] = None,
        limit: FromQuery[int] = VERSIONS_DEFAULT,
    ) -> Versions:
        return await screens.read(note_history.versions, request.user.user_key, key, before, limit)

    @get("/api/notes/{key:str}/history/{rev:int}", tags=["notes"])
    async def read_version(request: Asked, key: FromPath[str], rev: FromPath[int]) -> Version:
        return await screens.read(note_history.version, request.user.user_key, key, rev)

    @get("/api/notes/{key:str}/document", tags=["notes"])
    async def read_document(request: Asked, key: FromPath[str]) -> NoteDocument:
        return await screens.write(note_history.document, request.user.user_key, key)

    return [read_versions, read_version, read_document]
