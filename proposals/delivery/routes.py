"""`/api/proposals/{key}/links` and `/deliveries`: a link handed over by hand, and what was mailed to whom."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from proposals.delivery import handing
from proposals.delivery.handing import Deliveries, Handed, Wanted
from proposals.delivery.running import Mailer
from sfa.crm.online import Online
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]
PRIVATE = {"Cache-Control": "no-store"}


def delivery_routes(screens: Online, mailer: Mailer) -> Sequence[HTTPRouteHandler]:
    @post("/api/proposals/{key:str}/links", tags=["proposals"])
    async def hand_over(request: Asked, key: FromPath[str], data: JSONBody[Wanted]) -> Response[Handed]:
        """The answer is the only place that says the link's token."""
        args = (request.user.user_key, key, data, mailer.site, mailer.new_key())
        return Response(await screens.write(handing.hand_over, *args), headers=PRIVATE)

    @get("/api/proposals/{key:str}/deliveries", tags=["proposals"])
    async def deliveries(request: Asked, key: FromPath[str]) -> Deliveries:
        return await screens.read(handing.deliveries, request.user.user_key, screens.clock.now_ms(), key)

    return [hand_over, deliveries]
