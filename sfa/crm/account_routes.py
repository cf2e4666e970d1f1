"""`/api/accounts/{key}/…` and `/api/history/…`: families, sums, the line of events, and what rows were. Reads only."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from sfa.crm import families, histories, timeline
from sfa.crm.families import Family, Rollup
from sfa.crm.histories import RowWas, Versions
from sfa.crm.online import Online
from sfa.crm.timeline import Timeline
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]


def account_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/accounts/{key:str}/tree", tags=["customers"])
    async def tree(request: Asked, key: FromPath[str]) -> Family:
        return await screens.read(families.tree, request.user.user_key, key)

    @get("/api/accounts/{key:str}/rollup", tags=["customers"])
    async def rollup(request: Asked, key: FromPath[str]) -> Rollup:
        return await screens.read(families.rollup, request.user.user_key, key)

    @get("/api/accounts/{key:str}/timeline", tags=["customers"])
    async def events(
        request: Asked,
        key: FromPath[str],
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = timeline.PAGE_DEFAULT,
        kinds: FromQuery[str | None] = None,
    ) -> Timeline:
        return await screens.read(timeline.page, request.user.user_key, key, after, limit, kinds)

    return [tree, rollup, events]


def history_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/history/{entity:str}/{key:str}", tags=["history"])
    async def versions(
        request: Asked,
        entity: FromPath[str],
        key: FromPath[str],
        fields: FromQuery[str | None] = None,
        before: FromQuery[int | None] = None,
        limit: FromQuery[int] = histories.PAGE_DEFAULT,
        as_of: FromQuery[int | None] = None,
        by: FromQuery[str] = "stored",
    ) -> Versions | RowWas:
        user = request.user.user_key
        if as_of is not None:
            return await screens.read(histories.as_of, user, entity, key, as_of, by)
        return await screens.read(histories.versions, user, entity, key, fields, before, limit)

    return [versions]
