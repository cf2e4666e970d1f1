"""`/api/commission/statements`: whose there are, and one of them as JSON or as a file. Each is one snapshot."""

from collections.abc import Sequence
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from sfa.crm.online import Online
from sfa.profit.pay import statements
from sfa.profit.pay.statement_file import COLUMNS, as_csv
from sfa.profit.pay.statements import PAGE_DEFAULT, Statement, Statements
from sfa.web.forms import AS_CSV, CSV, Format, form_of
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]
CSV_HEADERS = {"Cache-Control": "private, no-store", "Content-Disposition": 'attachment; filename="commission.csv"'}


def commission_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/commission/statements", tags=["profit"])
    async def listed(
        request: Asked,
        period: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_DEFAULT,
    ) -> Statements:
        now_ms = screens.clock.now_ms()
        return await screens.read(statements.statements, request.user.user_key, now_ms, period, after, limit)

    @get("/api/commission/statements/{user:str}/{period:str}", tags=["profit"], opt={AS_CSV: COLUMNS})
    async def told(
        request: Asked,
        user: FromPath[str],
        period: FromPath[str],
        form: Format = None,
    ) -> Response[Statement]:
        form = form_of(form)
        return _answer(await screens.read(statements.statement, request.user.user_key, user, period), form)

    return [listed, told]


def _answer(found: Statement, form: str | None) -> Response[Any]:
    if form == "csv":
        return Response(as_csv(found), media_type=CSV, headers=CSV_HEADERS)
    return Response(found, media_type=MediaType.JSON, headers={"Cache-Control": "private, no-store"})
