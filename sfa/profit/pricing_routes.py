"""`/api/pricing/guides`: what a price is measured against. Reads only: a job makes the guides."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from sfa.crm.online import Online
from sfa.profit import guiding
from sfa.profit.guiding import GuidesTold
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]


def pricing_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/pricing/guides", tags=["pricing"])
    async def listed(
        request: Asked,
        family: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = guiding.PAGE_DEFAULT,
    ) -> GuidesTold:
        now_ms = screens.clock.now_ms()
        return await screens.read(guiding.told, now_ms, request.user.user_key, family, after, limit)

    return [listed]
