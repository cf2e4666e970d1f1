"""`GET /api/proposal-funnel`: what became of what was sent, as JSON, CSV or XLSX."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from proposals import funnel_reading, funnel_table
from proposals.funnel_reading import Funnel
from sfa.crm.online import Online
from sfa.web.openapi import ALSO
from sfa.web.principal import Principal
from sfa.web.tabled import AS_FILES, JSON, Format, answered, form_of

Asked = Request[Principal, Any, Any]
From = Annotated[str, QueryParameter(name="from", description="The first local day.")]
To = Annotated[str, QueryParameter(name="to", description="The local day after the last one.")]


def funnel_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/proposal-funnel", tags=["proposals"], opt={ALSO: AS_FILES})
    async def proposal_funnel(
        request: Asked, from_: From, to: To, by: FromQuery[str] = "month", form: Format = JSON
    ) -> Response[Funnel]:
        form = form_of(form)
        user, now_ms = request.user.user_key, screens.clock.now_ms()
        found = await screens.reckon(funnel_reading.told, user, now_ms, from_, to, by)
        return await answered(found, form, lambda: funnel_table.table(found))

    return [proposal_funnel]
