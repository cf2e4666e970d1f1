"""`/api/deals/{key}/pnl`, as JSON or as a file. Reads only; a deal is quoted by its command, `deal.quote`."""

from collections.abc import Sequence
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from sfa.core.errors import Refused
from sfa.crm.online import Online
from sfa.profit.deal import pnl, sheet
from sfa.profit.deal.pnl import Pnl
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]
CSV = "text/csv"
CSV_HEADERS = {"Cache-Control": "private, no-store", "Content-Disposition": 'attachment; filename="pnl.csv"'}


def profit_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    async def read(request: Asked, key: str, as_of: str | None, currency: str | None) -> Pnl:
        now_ms = screens.clock.now_ms()
        return await screens.read(pnl.told, request.user.user_key, now_ms, key, as_of, currency)

    @get("/api/deals/{key:str}/pnl", tags=["profit"])
    async def told(
        request: Asked,
        key: FromPath[str],
        as_of: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
        format: FromQuery[str | None] = None,  # noqa: A002 - as people type it
    ) -> Response[Any]:
        if format not in (None, "json", "csv"):
            raise Refused("request_invalid", "`format` is json or csv")
        found = await read(request, key, as_of, currency)
        if format == "csv" or (format is None and _wants_csv(request)):
            return Response(sheet.as_csv(found), media_type=CSV, headers={**CSV_HEADERS, "Vary": "Accept"})
        return Response(found, media_type=MediaType.JSON, headers={"Cache-Control": "no-store", "Vary": "Accept"})

    @get("/api/deals/{key:str}/pnl.csv", media_type=CSV, tags=["profit"])
    async def as_csv(
        request: Asked,
        key: FromPath[str],
        as_of: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
    ) -> Response[str]:
        found = await read(request, key, as_of, currency)
        return Response(sheet.as_csv(found), media_type=CSV, headers=CSV_HEADERS)

    return [told, as_csv]


def _wants_csv(request: Asked) -> bool:
    """Whether the caller names CSV and prefers nothing else."""
    return request.headers.get("accept", "").split(",")[0].split(";")[0].strip() == CSV
