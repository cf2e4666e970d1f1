"""`/api/pricing/guides` and `/api/deals/{key}/what-if`: what a price is measured against, and what another would do.

Reads only: a job makes the guides, and a what-if changes nothing, which is why asking twice is nothing either.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from sfa.crm.online import Online
from sfa.profit.price import asking, guiding
from sfa.profit.price.asking import WhatIf
from sfa.profit.price.guiding import GuidesTold
from sfa.profit.price.whatif import Changes
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

    @post("/api/deals/{key:str}/what-if", tags=["pricing"], status_code=200)
    async def compared(request: Asked, key: FromPath[str], data: JSONBody[Changes]) -> WhatIf:
        now_ms = screens.clock.now_ms()
        return await screens.read(asking.what_if, now_ms, request.user.user_key, key, data)

    return [listed, compared]
