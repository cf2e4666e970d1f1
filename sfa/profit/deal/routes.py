"""`/api/deals/{key}/pnl`, as JSON or as a file. Reads only; a deal is quoted by its command, `deal.quote`."""

from collections.abc import Sequence
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from sfa.crm.online import Online
from sfa.profit.deal import pnl, sheet
from sfa.profit.deal.pnl import Pnl
from sfa.web.forms import AS_CSV, CSV, Format, form_of
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]
CSV_HEADERS = {"Cache-Control": "private, no-store", "Content-Disposition": 'attachment; filename="pnl.csv"'}


def profit_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    async def read(request: Asked, key: str, as_of: str | None, currency: str | None) -> Pnl:
        now_ms = screens.clock.now_ms()
        return await screens.read(pnl.told, request.user.user_key, now_ms, key, as_of, currency)

    @get("/api/deals/{key:str}/pnl", tags=["profit"], opt={AS_CSV: sheet.COLUMNS})
    async def told(
        request: Asked,
        key: FromPath[str],
        as_of: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
        form: Format = None,
    ) -> Response[Pnl]:
        form = form_of(form) or ("csv" if _wants_csv(request) else "json")
        return _answer(await read(request, key, as_of, currency), form)

    @get("/api/deals/{key:str}/pnl.csv", media_type=CSV, tags=["profit"], opt={AS_CSV: sheet.COLUMNS})
    async def as_csv(
        request: Asked,
        key: FromPath[str],
        as_of: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
    ) -> Response[str]:
        found = await read(request, key, as_of, currency)
        return Response(sheet.as_csv(found), media_type=CSV, headers=CSV_HEADERS)

    return [told, as_csv]


def _answer(found: Pnl, form: str) -> Response[Any]:
    if form == "csv":
        return Response(sheet.as_csv(found), media_type=CSV, headers={**CSV_HEADERS, "Vary": "Accept"})
    return Response(found, media_type=MediaType.JSON, headers={"Cache-Control": "no-store", "Vary": "Accept"})


def _wants_csv(request: Asked) -> bool:
    """Whether the caller names CSV and prefers nothing else."""
    return request.headers.get("accept", "").split(",")[0].split(";")[0].strip() == CSV
