"""`/api/{entity}` for every entity of the register: list, read, create, change, delete, and its commands.

Each entity has addresses of its own, so a slice's special route stands beside them; what another route answers already
(`taken`) is left to it. A command is the last part of its address, with `-` for `_`: `POST /api/deals/{key}/win`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, HeaderParameter
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT, HTTP_304_NOT_MODIFIED
from msgspec import Meta, Struct

from sfa.core.access import SERVER_ONLY_ENTITIES
from sfa.core.entities import ENTITIES
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sfa.core.rules import TRANSITIONS
from sfa.crm.decisions import PAGE_DEFAULT, RowList
from sfa.crm.online import Online, RowView
from sfa.crm.rest import changes, listing
from sfa.crm.rest.changes import Asked
from sfa.crm.rest.description import Described
from sfa.crm.rest.repeats import Answer, repeat_of
from sfa.crm.routes import IfMatch, revision
from sfa.web.limits import check_depth
from sfa.web.openapi import GENERAL
from sfa.web.principal import Principal
from sfa.web.sealed import Places

Caller = Request[Principal, Any, Any]
IdempotencyKey = Annotated[
    str | None, HeaderParameter(name="Idempotency-Key", description="Sent again with the same key, it is done once.")
]
IfNoneMatch = Annotated[str | None, HeaderParameter(name="If-None-Match", description="The revision that is known.")]
JSON = "application/json"


class NewRow(Struct, frozen=True, forbid_unknown_fields=True):
    """`key` is made by the server where it is absent."""

    row: dict[str, Any]
    key: Annotated[str, Meta(min_length=1)] | None = None


class ChangedRow(Struct, frozen=True, forbid_unknown_fields=True):
    row: dict[str, Any]


def rest_routes(screens: Online, places_in: Places, taken: Iterable[tuple[str, str]]) -> Sequence[HTTPRouteHandler]:
    """The routes of every entity, but for those (method, path) that `taken` has. One handler answers all addresses of a
    kind: a handler for each would cost half a second of every start."""
    others = set(taken)

    def free(method: str, paths: Iterable[str]) -> list[str]:
        return [path for path in paths if others.isdisjoint((method, p) for p in _shapes((path,)))]

    every = [f"/api/{entity}" for entity in ENTITIES]
    ours = [f"/api/{entity}" for entity in ENTITIES if entity not in SERVER_ONLY_ENTITIES]
    orders = {
        (entity, name.partition(".")[2].replace("_", "-")): name
        for entity in ENTITIES
        for name in commands_of(entity, screens.commands)
    }
    return [
        _list(screens, places_in, free("GET", every)),
        _read(screens, free("GET", (f"{path}/{{key:str}}" for path in every))),
        _create(screens, free("POST", ours)),
        _change(screens, free("PATCH", (f"{path}/{{key:str}}" for path in ours))),
        _delete(screens, free("DELETE", (f"{path}/{{key:str}}" for path in ours))),
        _command(screens, free("POST", (f"/api/{entity}/{{key:str}}/{word}" for entity, word in orders)), orders),
    ]


def places(handler: Any) -> set[tuple[str, str]]:
    """(method, path) of a handler, parameters by their place and not by their name; `*` for any method."""
    methods = getattr(handler, "http_methods", None) or {"*"}
    return {(str(method), path) for method in methods for path in _shapes(handler.paths)}


def _shapes(paths: Iterable[str]) -> set[str]:
    return {"/".join("{}" if part.startswith("{") else part for part in path.split("/")) for path in paths}


def commands_of(entity: str, commands: Mapping[str, Any]) -> list[str]:
    every: dict[str, Any] = {**TRANSITIONS, **commands}
    return [name for name, rule in every.items() if rule.entity == entity]


def decoded(body: bytes, kind: Any) -> Any:
    """A JSON body of a documented form. Refuses json_too_deep, json_invalid and request_invalid."""
    check_depth(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Refused("request_invalid", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("json_invalid", str(error)) from None


def query(request: Caller) -> dict[str, str]:
    """The query, each name once."""
    said: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in said:
            raise Refused("request_invalid", f"{name[:100]} is said twice")
        said[name] = str(value)
    return said


def _page(said: dict[str, str]) -> listing.Page:
    order, after = said.pop("order", listing.KEY_ORDER), said.pop("after", None)
    limit = said.pop("limit", str(PAGE_DEFAULT))
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= 9):
        raise Refused("request_invalid", "`limit` is a whole number")
    return listing.Page(said, order, after, int(limit))


def _answer(answer: Answer) -> Response[bytes]:
    headers = {"ETag": f'"{answer.rev}"'} if answer.rev is not None else {}
    if answer.location is not None:
        headers["Location"] = answer.location
    return Response(answer.body, status_code=answer.status, headers=headers, media_type=JSON)


def _part(request: Caller, place: int) -> str:
    """A part of the address: 2 is the entity, 4 what is done with the row."""
    return str(request.scope["path"]).split("/")[place]


def _asked(
    request: Caller, key: str, body: bytes, said: Mapping[str, Any], if_match: str | None, again: str | None
) -> Asked:
    parts = (request.method.encode(), str(request.scope["path"]).encode(), (if_match or "").encode(), body)
    repeat = repeat_of(again, *parts)
    return Asked(request.user.user_key, _part(request, 2), key, said, revision(if_match), repeat)


def _list(screens: Online, places_in: Places, paths: list[str]) -> HTTPRouteHandler:
    @get(paths, opt={GENERAL: Described("list")})
    async def rows(request: Caller) -> RowList:
        user, entity, wanted = request.user.user_key, _part(request, 2), _page(query(request))
        about = json.dumps([user, entity, wanted.order, sorted(wanted.filters.items())])
        if wanted.after is not None:
            wanted = msgspec.structs.replace(wanted, after=places_in.open(wanted.after, about))
        found = await screens.read(listing.page, user, entity, wanted)
        return found if found.next is None else RowList(found.items, places_in.seal(found.next, about))

    return rows


def _read(screens: Online, paths: list[str]) -> HTTPRouteHandler:
    @get(paths, opt={GENERAL: Described("read")})
    async def row(request: Caller, key: FromPath[str], if_none_match: IfNoneMatch = None) -> Response[RowView | None]:
        known = revision(if_none_match)
        found = await screens.read(listing.one, request.user.user_key, _part(request, 2), key)
        headers = {"ETag": f'"{found.rev}"'}
        if known == found.rev:
            return Response(None, status_code=HTTP_304_NOT_MODIFIED, headers=headers)
        return Response(found, headers=headers)

    return row


def _create(screens: Online, paths: list[str]) -> HTTPRouteHandler:
    keys = KeyMaker(screens.clock)

    @post(paths, opt={GENERAL: Described("create")})
    async def created(request: Caller, idempotency_key: IdempotencyKey = None) -> Response[bytes]:
        body = await request.body()
        said: NewRow = decoded(body, NewRow)
        asked = _asked(request, said.key or keys.new(), body, said.row, None, idempotency_key)
        return _answer(await screens.write(changes.create, asked))

    return created


def _change(screens: Online, paths: list[str]) -> HTTPRouteHandler:
    @patch(paths, opt={GENERAL: Described("change")})
    async def changed(
        request: Caller, key: FromPath[str], if_match: IfMatch = None, idempotency_key: IdempotencyKey = None
    ) -> Response[bytes]:
        body = await request.body()
        said: ChangedRow = decoded(body, ChangedRow)
        asked = _asked(request, key, body, said.row, if_match, idempotency_key)
        return _answer(await screens.write(changes.change, asked))

    return changed


def _delete(screens: Online, paths: list[str]) -> HTTPRouteHandler:
    @delete(paths, status_code=HTTP_204_NO_CONTENT, opt={GENERAL: Described("delete")})
    async def removed(
        request: Caller, key: FromPath[str], if_match: IfMatch = None, idempotency_key: IdempotencyKey = None
    ) -> None:
        await screens.write(changes.remove, _asked(request, key, b"", {}, if_match, idempotency_key))

    return removed


def _command(screens: Online, paths: list[str], orders: Mapping[tuple[str, str], str]) -> HTTPRouteHandler:
    @post(paths, status_code=HTTP_200_OK, opt={GENERAL: Described("command", orders)})
    async def done(
        request: Caller, key: FromPath[str], if_match: IfMatch = None, idempotency_key: IdempotencyKey = None
    ) -> Response[bytes]:
        body = await request.body()
        said: dict[str, Any] = decoded(body, dict[str, Any]) if body.strip() else {}
        asked = _asked(request, key, body, said, if_match, idempotency_key)
        name = orders[asked.entity, _part(request, 4)]
        return _answer(await screens.write(changes.command, asked, name, screens.commands))

    return done
