"""`GET /api/reconciliation`: what the last report found."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from sfa.app import reconcile
from sfa.app.reconcile import ReportTold
from sfa.crm.online import Online
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]


def reconcile_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/reconciliation", tags=["operations"])
    async def reconciled(
        request: Asked, after: FromQuery[int] = 0, limit: FromQuery[int] = reconcile.PAGE_DEFAULT
    ) -> ReportTold:
        return await screens.read(reconcile.told, request.user.user_key, after, limit)

    return [reconciled]
