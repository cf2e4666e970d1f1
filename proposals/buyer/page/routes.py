"""`/p/...`: the prospect's page, its forms, its files. Open to everybody: the token is the key.

Nothing here is part of the API that devices speak: forms work without a script, so answers are pages.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import Send
from sqlalchemy import Connection

from proposals.buyer.links import Link
from proposals.buyer.page import reading
from proposals.buyer.page.forms import BEAT_BYTES_MAX, FORM_BYTES_MAX, Visit
from proposals.buyer.page.html import asset
from proposals.buyer.page.reading import FINAL
from proposals.buyer.page.serving import HEADERS, Answer, Pages, refused_page
from sfa.core.errors import Refused
from sfa.files import serving
from sfa.files.download_routes import Found
from sfa.files.wire import Asked, answer, plain, stream
from sfa.web.limits import read_body
from sfa.web.middleware import PUBLIC

GET, HEAD, POST = HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST
FOREVER = "public, max-age=31536000, immutable"
OF_PICTURES = "private, max-age=86400"
OF_FILES = {**HEADERS, "content-security-policy": "default-src 'none'; frame-ancestors 'none'"}
Web = Request[Any, Any, Any]
Find = Callable[[Connection, Link, str], Found]
Form = Callable[[Visit, bytes], Awaitable[Answer]]


def page_routes(pages: Pages) -> Sequence[HTTPRouteHandler]:
    @route("/p/{token:str}", http_method=[GET, HEAD], opt=PUBLIC, include_in_schema=False)
    async def shown(request: Web, token: FromPath[str]) -> Answer:
        return await _answered(request, token, pages.show)

    @route("/p/{token:str}/stop", http_method=[GET, HEAD], opt=PUBLIC, include_in_schema=False)
    async def stop_asked(request: Web, token: FromPath[str]) -> Answer:
        return await _answered(request, token, pages.ask_to_stop)

    @route("/p/{token:str}/stop", http_method=POST, opt=PUBLIC, include_in_schema=False)
    async def stopped(request: Web, token: FromPath[str]) -> Answer:
        return await _answered(request, token, pages.stop)

    @route("/p/assets/{digest:str}/{name:str}", http_method=[GET, HEAD], opt=PUBLIC, include_in_schema=False)
    async def assets(digest: FromPath[str], name: FromPath[str]) -> Answer:
        found = asset(digest, name)
        if found is None:
            raise Refused("not_found")
        headers = {"cache-control": FOREVER, "x-content-type-options": "nosniff", "content-type": found.media_type}
        return Response(found.content, headers=headers)

    return [
        shown,
        stop_asked,
        stopped,
        assets,
        *(_form(f"/p/{{token:str}}/{name}", work) for name, work in _forms(pages).items()),
        _file(pages, "/p/{token:str}/document.pdf", lambda connection, link, _: reading.pdf_of(connection, link)),
        _file(pages, "/p/{token:str}/final.pdf", lambda c, link, _: reading.sealed_of(c, link, FINAL)),
        _file(
            pages, "/p/{token:str}/certificate.pdf", lambda c, link, _: reading.sealed_of(c, link, reading.CERTIFICATE)
        ),
        _file(pages, "/p/{token:str}/enclosures/{name:str}", reading.enclosure_of),
        _file(pages, "/p/{token:str}/pictures/{name:str}", reading.picture_of, is_picture=True),
    ]


def _forms(pages: Pages) -> dict[str, Callable[[], Form]]:
    """By the last part of its address; looked up for each request."""
    return {
        "choose": lambda: pages.choose,
        "accept": lambda: pages.accept,
        "decline": lambda: pages.decline,
        "ask": lambda: pages.ask,
        "again": lambda: pages.again,
        "seen": lambda: pages.seen,
    }


def _form(path: str, work: Callable[[], Form]) -> HTTPRouteHandler:
    most = BEAT_BYTES_MAX if path.endswith("/seen") else FORM_BYTES_MAX

    @route(path, http_method=POST, opt=PUBLIC, include_in_schema=False)
    async def taken(request: Web, token: FromPath[str]) -> Answer:
        async def act(visit: Visit) -> Answer:
            headers: Any = request.scope["headers"]
            return await work()(visit, await read_body(request.receive, headers, body_max=most, inflated_max=most))

        return await _answered(request, token, act)

    return taken


def _file(pages: Pages, path: str, find: Find, *, is_picture: bool = False) -> HTTPRouteHandler:
    async def serve(asked: Asked, send: Send) -> None:
        visit = Visit(token=str(asked.parameters["token"]), headers=asked.headers, address=asked.address)
        try:
            link = await pages.link(visit)
            found = await pages.screens.read(find, link, str(asked.parameters.get("name", "")))
            span = serving.wanted_span(asked.get("range"), asked.get("if-range"), f'"{found.sha256}"', found.size)
            if await pages.files.aside(pages.files.place.size, found.sha256) != found.size:
                raise FileNotFoundError(f"the content {found.sha256} is kept and is not in its place")
        except Exception as error:  # the translator logs what it does not know
            told = refused_page(visit, error)
            body = b"" if asked.method == "HEAD" else told.content
            await answer(send, told.status_code or 500, told.headers.items(), body)
            return
        headers = _headers(found, is_picture, span)
        status = 206 if span.is_part else 200
        if asked.method == "HEAD":
            await answer(send, status, headers)
            return
        kept = pages.files.place.read(found.sha256, span.start, span.end)
        await stream(send, status, headers, pages.files.stream(kept))

    return plain(path, (GET, HEAD), serve)


def _headers(found: Found, is_picture: bool, span: serving.Span) -> list[tuple[str, str]]:
    """Files are saved, not shown: nothing that somebody enclosed opens as a page of this address."""
    said = {**OF_FILES, "content-type": serving.content_type(found.media_type)}
    said |= {"content-length": str(span.end - span.start), "etag": f'"{found.sha256}"', "accept-ranges": "bytes"}
    if is_picture:
        said["cache-control"] = OF_PICTURES
    else:
        how = serving.disposition(found.name, found.media_type).partition(";")[2]
        said["content-disposition"] = f"attachment;{how}"
    if span.is_part:
        said["content-range"] = f"bytes {span.start}-{span.end - 1}/{span.size}"
    return list(said.items())


async def _answered(request: Web, token: str, work: Callable[[Visit], Awaitable[Answer]]) -> Answer:
    visit = Visit(
        token=token,
        headers={name.lower(): value for name, value in request.headers.items()},
        address=request.client.host if request.client else None,
        query=request.url.query or "",
        is_secure=request.url.scheme == "https",
    )
    try:
        return await work(visit)
    except Exception as error:  # the translator logs what it does not know
        return refused_page(visit, error)
