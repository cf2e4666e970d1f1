"""`/api/quotas/{key}/members` and `/api/fiscal-calendar`: reads beside the rows and commands that every entity has."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from sfa.crm.online import Online
from sfa.quotas import calendar, members
from sfa.quotas.calendar import DayTold
from sfa.quotas.members import Mismatch
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]


def quota_routes(screen: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/quotas/{key:str}/members", tags=["quotas"])
    async def mismatch(request: Asked, key: FromPath[str]) -> Mismatch:
        """The target of a team or territory beside those of its members (R6)."""
        return await screen.read(members.mismatch, request.user.user_key, key)

    @get("/api/fiscal-calendar", tags=["quotas"])
    async def day(on: FromQuery[str | None] = None) -> DayTold:
        """The fiscal year, quarter and month of a local day."""
        return await screen.read(calendar.day_told, screen.clock.now_ms(), on)

    return [mismatch, day]
