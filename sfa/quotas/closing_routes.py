"""`/api/quotas/{key}/closings` and `/restatement`, `/api/periods/{key}/closing`: closed and restated side by side.

Each is one snapshot. A period is closed by its command, `POST /api/fiscal_periods/{key}/close`, as any other command.
"""

from collections.abc import Sequence
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from sfa.crm.online import Online
from sfa.quotas import closed_periods, restatement
from sfa.quotas.closed import PAGE_DEFAULT
from sfa.quotas.closed_periods import PeriodTold
from sfa.quotas.restatement import Closings, Restatement
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]
CSV_HEADERS = {"Cache-Control": "private, no-store", "Content-Disposition": 'attachment; filename="restatement.csv"'}


def closing_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/quotas/{key:str}/closings", tags=["quotas"])
    async def closings(
        request: Asked, key: FromPath[str], before: FromQuery[int | None] = None, limit: FromQuery[int] = PAGE_DEFAULT
    ) -> Closings:
        return await screens.read(restatement.closings, request.user.user_key, key, before, limit)

    @get("/api/quotas/{key:str}/restatement", tags=["quotas"])
    async def restated(
        request: Asked, key: FromPath[str], after: FromQuery[str | None] = None, limit: FromQuery[int] = PAGE_DEFAULT
    ) -> Restatement:
        return await screens.read(restatement.restatement, request.user.user_key, key, after, limit)

    @get("/api/quotas/{key:str}/restatement.csv", media_type=MediaType.TEXT, tags=["quotas"])
    async def as_csv(request: Asked, key: FromPath[str]) -> Response[str]:
        text = await screens.read(restatement.as_csv, request.user.user_key, key)
        return Response(text, media_type="text/csv; charset=utf-8", headers=CSV_HEADERS)

    @get("/api/periods/{key:str}/closing", tags=["quotas"])
    async def period(
        request: Asked, key: FromPath[str], after: FromQuery[str | None] = None, limit: FromQuery[int] = PAGE_DEFAULT
    ) -> PeriodTold:
        return await screens.read(closed_periods.told, request.user.user_key, key, after, limit)

    return [closings, restated, as_csv, period]
