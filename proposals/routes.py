"""`/api/proposals/…` beside the rows of `/api/proposals` itself, which are general: documents, versions, approvals.

Reads only; everything that moves a proposal is a command. A preview is a page without a script and without any address
but those of its pictures: the header says so too.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, HeaderParameter
from litestar.status_codes import HTTP_304_NOT_MODIFIED

from proposals import service
from proposals.document import Document, Language
from proposals.rendering.running import Renders
from proposals.service import Approvals, Inbox, Shown, Summaries, TemplateVersions, Versions
from sfa.core.errors import Refused
from sfa.crm.online import Online
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]
Version = FromQuery[int | None]
IfNoneMatch = Annotated[str | None, HeaderParameter(name="If-None-Match")]
VERSION_MAX = 1_000_000
PAGE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}


def proposal_routes(screens: Online, renders: Renders) -> Sequence[HTTPRouteHandler]:
    @get("/api/deals/{key:str}/proposals", tags=["proposals"])
    async def of_deal(request: Asked, key: FromPath[str]) -> Summaries:
        return await screens.read(service.of_deal, request.user.user_key, screens.clock.now_ms(), key)

    @get("/api/proposals/{key:str}/document", tags=["proposals"])
    async def document(
        request: Asked, key: FromPath[str], version: Version = None, if_none_match: IfNoneMatch = None
    ) -> Response[Document | None]:
        args = (request.user.user_key, screens.clock.now_ms(), key, _version(version))
        shown: Shown = await screens.read(service.document, *args)
        headers = {"ETag": f'"{shown.digest}"', "Cache-Control": "private, no-cache"}
        if if_none_match == f'"{shown.digest}"':
            return Response(None, status_code=HTTP_304_NOT_MODIFIED, headers=headers)
        found: Any = shown.body  # the very bytes that the digest is of
        return Response(found, headers=headers, media_type=MediaType.JSON)

    @get("/api/proposals/{key:str}/preview", media_type=MediaType.HTML, tags=["proposals"])
    async def preview(request: Asked, key: FromPath[str], version: Version = None) -> Response[str]:
        args = (request.user.user_key, screens.clock.now_ms(), key, _version(version))
        order = await screens.read(service.preview, *args)
        return Response(await renders.press.preview(order), headers=PAGE, media_type=MediaType.HTML)

    @get("/api/proposals/{key:str}/versions", tags=["proposals"])
    async def versions(request: Asked, key: FromPath[str]) -> Versions:
        return await screens.read(service.versions, request.user.user_key, screens.clock.now_ms(), key)

    @get("/api/proposals/{key:str}/approvals", tags=["proposals"])
    async def approvals(request: Asked, key: FromPath[str]) -> Approvals:
        return await screens.read(service.approvals, request.user.user_key, screens.clock.now_ms(), key)

    @get("/api/proposal-approvals", tags=["proposals"])
    async def inbox(
        request: Asked, after: FromQuery[str | None] = None, limit: FromQuery[int] = service.PAGE_DEFAULT
    ) -> Inbox:
        args = (request.user.user_key, screens.clock.now_ms(), after, limit)
        return await screens.read(service.inbox, *args)

    @get("/api/proposal_templates/{key:str}/versions", tags=["proposals"])
    async def template_versions(request: Asked, key: FromPath[str]) -> TemplateVersions:
        return await screens.read(service.template_versions, request.user.user_key, screens.clock.now_ms(), key)

    @get("/api/proposal_templates/{key:str}/preview", media_type=MediaType.HTML, tags=["proposals"])
    async def template_sample(
        request: Asked, key: FromPath[str], language: FromQuery[Language | None] = None
    ) -> Response[str]:
        args = (request.user.user_key, screens.clock.now_ms(), key, language or "en")
        order = await screens.read(service.template_sample, *args)
        return Response(await renders.press.preview(order), headers=PAGE, media_type=MediaType.HTML)

    return [of_deal, document, preview, versions, approvals, inbox, template_versions, template_sample]


def _version(said: int | None) -> int | None:
    if said is not None and not 1 <= said <= VERSION_MAX:
        raise Refused("request_invalid", "version is a number from 1 on")
    return said
