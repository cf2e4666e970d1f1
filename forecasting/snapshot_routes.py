"""`/api/forecast/snapshots`, `…/movement`, `…/coverage` and `…/changes`. Reads only; a job takes snapshots."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from forecasting import changes, covering, moving, snapshots
from forecasting.changes import ChangePage
from forecasting.covering import Covered
from forecasting.moving import Asked, MovedPage, Movement, Movements
from forecasting.said_tables import changes_table
from forecasting.service import Forecasts, Wanted
from forecasting.snapshots import SnapshotPage
from forecasting.tables import coverage_table, moved_table, movement_table
from sfa.core.days import local_day
from sfa.crm.online import Online
from sfa.web.openapi import ALSO
from sfa.web.principal import Principal
from sfa.web.tabled import AS_FILES, JSON, Format, answered, form_of

Caller = Request[Principal, Any, Any]
From = Annotated[str | None, QueryParameter(name="from")]
Class = Annotated[str | None, QueryParameter(name="class")]
LINES = "application/x-ndjson"


def snapshot_routes(screens: Online, forecasts: Forecasts, movements: Movements) -> Sequence[HTTPRouteHandler]:
    return [*_snapshots(screens), *_movement(movements), _coverage(forecasts), _changes(screens)]


def _snapshots(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/forecast/snapshots", tags=["forecast"])
    async def page(
        request: Caller, before: FromQuery[int | None] = None, limit: FromQuery[int] = snapshots.PAGE_DEFAULT
    ) -> SnapshotPage:
        return await screens.read(snapshots.page, request.user.user_key, before, limit)

    @get("/api/forecast/snapshots/{number:int}", media_type=LINES, tags=["forecast"])
    async def whole(request: Caller, number: FromPath[int]) -> Response[bytes]:
        found = await screens.reckon(snapshots.whole, request.user.user_key, number)
        headers = {"ETag": f'"{found.snapshot.digest}"', "Cache-Control": "private, no-store"}
        return Response(found.content, media_type=LINES, headers=headers)

    return [page, whole]


def _movement(movements: Movements) -> Sequence[HTTPRouteHandler]:
    @get("/api/forecast/movement", tags=["forecast"], opt={ALSO: AS_FILES})
    async def told(
        request: Caller,
        since: From = None,
        period: FromQuery[str | None] = None,
        node: FromQuery[str | None] = None,
        to: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
        form: Format = JSON,
    ) -> Response[Movement]:
        form_of(form)
        asked = Asked(period, node, since, to, currency)
        found = await movements.told(request.user.user_key, asked)
        return await answered(found, form, lambda: movement_table(found))

    @get("/api/forecast/movement/deals", tags=["forecast"], opt={ALSO: AS_FILES})
    async def deals(
        request: Caller,
        since: From = None,
        into: Class = None,
        period: FromQuery[str | None] = None,
        node: FromQuery[str | None] = None,
        to: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
        after: FromQuery[int | None] = None,
        limit: FromQuery[int] = moving.PAGE_DEFAULT,
        form: Format = JSON,
    ) -> Response[MovedPage]:
        form_of(form)
        asked = Asked(period, node, since, to, currency)
        found = await movements.deals(request.user.user_key, asked, into, after, limit)
        return await answered(found, form, lambda: moved_table(found))

    return [told, deals]


def _coverage(forecasts: Forecasts) -> HTTPRouteHandler:
    @get("/api/forecast/coverage", tags=["forecast"], opt={ALSO: AS_FILES})
    async def told(
        request: Caller,
        period: FromQuery[str | None] = None,
        node: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
        as_of: FromQuery[str | None] = None,
        by: FromQuery[str | None] = None,
        form: Format = JSON,
    ) -> Response[Covered]:
        form_of(form)
        wanted = covering.check_wanted(Wanted(period, node, currency, as_of, by, 1))
        found, warm = await covering.covered(forecasts, request.user.user_key, wanted)
        return await answered(found, form, lambda: coverage_table(found), {"sfa-forecast": "warm" if warm else "cold"})

    return told


def _changes(screens: Online) -> HTTPRouteHandler:
    @get("/api/forecast/changes", tags=["forecast"], opt={ALSO: AS_FILES})
    async def listed(
        request: Caller,
        since: FromQuery[str | None] = None,
        period: FromQuery[str | None] = None,
        node: FromQuery[str] = "company",
        after: FromQuery[int | None] = None,
        limit: FromQuery[int] = changes.PAGE_DEFAULT,
        form: Format = JSON,
    ) -> Response[ChangePage]:
        form_of(form)
        asked, now_ms = changes.Asked(since, period, node, after, limit), screens.clock.now_ms()
        found = await screens.reckon(changes.changes, request.user.user_key, now_ms, asked)
        return await answered(found, form, lambda: changes_table(found, local_day(now_ms, found.zone)))

    return listed
