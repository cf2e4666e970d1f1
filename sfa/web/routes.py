"""`/auth/*` and the page of error codes: typed in, one call, typed out."""

from collections.abc import Sequence
from html import escape
from typing import Any

from litestar import MediaType, Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from sfa.core.errors import CATALOGUE
from sfa.web.auth_messages import LoginAnswer, LoginRequest, MeAnswer, RefreshRequest
from sfa.web.middleware import PUBLIC
from sfa.web.principal import Principal
from sfa.web.sessions import Sessions

# An answer with tokens must not lie in any cache.
UNCACHED = {"Cache-Control": "no-store"}


def auth_routes(sessions: Sessions) -> Sequence[HTTPRouteHandler]:
    @post("/auth/login", opt=PUBLIC, status_code=HTTP_200_OK, tags=["auth"])
    async def login(data: JSONBody[LoginRequest], request: Request[Any, Any, Any]) -> Response[LoginAnswer]:
        address = request.client.host if request.client else None
        return Response(await sessions.login(data, address), headers=UNCACHED)

    @post("/auth/refresh", opt=PUBLIC, status_code=HTTP_200_OK, tags=["auth"])
    async def refresh(data: JSONBody[RefreshRequest]) -> Response[LoginAnswer]:
        return Response(await sessions.refresh(data.refresh_token), headers=UNCACHED)

    @post("/auth/logout", status_code=HTTP_204_NO_CONTENT, tags=["auth"])
    async def logout(request: Request[Principal, Any, Any]) -> None:
        await sessions.logout(request.user)

    @get("/auth/me", tags=["auth"])
    async def me(request: Request[Principal, Any, Any]) -> MeAnswer:
        return await sessions.me(request.user)

    return [login, refresh, logout, me]


@get("/docs/errors", opt=PUBLIC, media_type=MediaType.HTML, sync_to_thread=False, include_in_schema=False)
def errors_page() -> str:
    """What the `type` of a problem body leads to."""
    rows = "".join(
        f'<tr id="{code}"><td><code>{code}</code><td>{entry.status}<td>{escape(entry.title)}'
        for code, entry in CATALOGUE.items()
    )
    return f'<!doctype html><meta charset="utf-8"><title>Error codes</title><h1>Error codes</h1><table>{rows}</table>'
