"""`/api/conflicts`, `/api/refusals`, `/api/suggestions`: listed, explained, decided. Each route is one transaction.

The work is that of `decisions`, `explained` and `online`, so a decision at a screen is the decision of a phone.

A decision may carry `If-Match` with the revision that was looked at; answers carry it as `ETag`.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, HeaderParameter
from litestar.status_codes import HTTP_200_OK

from sfa.core.errors import Refused
from sfa.crm import decisions, explained, online
from sfa.crm.decisions import RowList, Wanted
from sfa.crm.explained import ACTIONS, Told
from sfa.crm.online import Online, Order, RowView
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]
IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", description="The revision that was looked at.")]


def decision_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    routes: list[HTTPRouteHandler] = []
    for what in decisions.ENTITIES:
        routes += [_list(screens, what), _explain(screens, what)]
        routes += [_decide(screens, what, action) for action in ACTIONS.get(what, ("dismiss",))]
    return routes


def revision(if_match: str | None) -> int | None:
    """`If-Match: "3"` -> 3. `*` and no header compare nothing."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise Refused("request_invalid", 'If-Match is the revision in quotes, as "3"')
    return int(text)


def tagged(view: RowView) -> Response[RowView]:
    return Response(view, status_code=HTTP_200_OK, headers={"ETag": f'"{view.rev}"'})


def _list(screens: Online, what: str) -> HTTPRouteHandler:
    @get(f"/api/{what}", tags=["decisions"])
    async def listed(
        request: Asked,
        status: FromQuery[str] = "open",
        entity: FromQuery[str | None] = None,
        row: FromQuery[str | None] = None,
        kind: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = decisions.PAGE_DEFAULT,
    ) -> RowList:
        wanted = Wanted(status, entity, row, kind, after, limit)
        return await screens.read(decisions.page, request.user.user_key, what, wanted)

    return listed


def _explain(screens: Online, what: str) -> HTTPRouteHandler:
    @get(f"/api/{what}/{{key:str}}", tags=["decisions"])
    async def told(request: Asked, key: FromPath[str]) -> Response[Told]:
        found = await screens.read(explained.told, request.user.user_key, what, key)
        return Response(found, headers={"ETag": f'"{found.rev}"'})

    return told


def _decide(screens: Online, what: str, action: str) -> HTTPRouteHandler:
    command = f"{what[:-1]}.{action}"

    @post(f"/api/{what}/{{key:str}}/{action}", status_code=HTTP_200_OK, tags=["decisions"])
    async def decided(request: Asked, key: FromPath[str], if_match: IfMatch = None) -> Response[RowView]:
        asked = Order(request.user.user_key, command, key, rev=revision(if_match))
        return tagged(await screens.write(online.order, asked, screens.commands))

    return decided
