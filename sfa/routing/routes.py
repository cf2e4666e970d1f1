"""`/api/route`: a day's visits in their best order, or any stops by any matrix. Nothing is written.

A route is worked out in a thread of its own, one at a time and within `WAIT_S`: who comes when too many wait is told
`server_busy`.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import Meta, Struct

from sfa.core.errors import Refused
from sfa.crm.online import Online
from sfa.routing import planned, visits
from sfa.routing.order import route
from sfa.routing.stops import STOPS_MAX, Hours, Matrix, Route, Stop
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]
From = Annotated[str, QueryParameter(name="from", description="When the day begins, by the organisation's clocks.")]
WAIT_S = 10.0


class RouteAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """Stops in the order that is to be beaten."""

    hours: Hours
    stops: Annotated[list[Stop], Meta(max_length=STOPS_MAX)]
    matrix: Matrix | None = None


class Planner:
    """The thread in which routes are worked out."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sfa-route")

    async def route(self, stops: Sequence[Stop], hours: Hours, matrix: Matrix | None = None) -> Route:
        work = asyncio.get_running_loop().run_in_executor(self._thread, route, stops, hours, matrix)
        try:
            return await asyncio.wait_for(work, WAIT_S)
        except TimeoutError:
            raise Refused("server_busy", "too many routes are being worked out", retry_after_s=5) from None

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def route_routes(screens: Online, planner: Planner) -> Sequence[HTTPRouteHandler]:
    @get("/api/route", tags=["route"])
    async def of_day(
        request: Asked,
        on: FromQuery[str],
        user: FromQuery[str | None] = None,
        from_: From = visits.FROM,
        to: FromQuery[str] = visits.TO,
        start: FromQuery[str | None] = None,
        end: FromQuery[str | None] = None,
        flexible_minutes: FromQuery[int] = visits.FLEXIBLE_MINUTES,
        service_minutes: FromQuery[int] = visits.SERVICE_MINUTES,
    ) -> Route:
        asked = visits.Asked(on, from_, to, start, end, flexible_minutes, service_minutes)
        stops, hours = await screens.read(planned.day_of, request.user.user_key, user, asked)
        return await planner.route(stops, hours)

    @post("/api/route", status_code=HTTP_200_OK, tags=["route"])
    async def of_stops(data: JSONBody[RouteAsked]) -> Route:
        return await planner.route(data.stops, data.hours, data.matrix)

    return [of_day, of_stops]
