"""`/api/merges`: what was merged, how long that can be undone, and undoing it (S22). Each route is one transaction."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK

from sfa.crm import merges
from sfa.crm.decisions import PAGE_DEFAULT
from sfa.crm.merges import MergeList, MergeTold, Undo
from sfa.crm.online import Online, RowView
from sfa.crm.routes import tagged
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]


def merge_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/merges", tags=["merges"])
    async def listed(
        request: Asked,
        entity: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_DEFAULT,
    ) -> MergeList:
        now_ms = screens.clock.now_ms()
        return await screens.read(merges.page, request.user.user_key, now_ms, entity, after, limit)

    @get("/api/merges/{entity:str}/{loser_key:str}", tags=["merges"])
    async def told(request: Asked, entity: FromPath[str], loser_key: FromPath[str]) -> MergeTold:
        now_ms = screens.clock.now_ms()
        return await screens.read(merges.told, request.user.user_key, now_ms, entity, loser_key)

    @post("/api/merges/{entity:str}/{loser_key:str}/undo", status_code=HTTP_200_OK, tags=["merges"])
    async def undone(
        request: Asked, entity: FromPath[str], loser_key: FromPath[str], data: JSONBody[Undo]
    ) -> Response[RowView]:
        user = request.user.user_key
        return tagged(await screens.write(merges.undo, user, entity, loser_key, data, screens.commands))

    return [listed, told, undone]
