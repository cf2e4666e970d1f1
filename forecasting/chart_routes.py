"""`/api/forecast/rollup/chart`, `…/movement/chart` and `…/accuracy/chart`: the answer beside it, as a picture.

`format` is vl (a Vega-Lite specification with its data in it, for consoles and phones that draw themselves), svg or
png. The same rights, parameters and figures as the answer; drawn apart from the server.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter
from sqlalchemy import Connection

from forecasting import moving, scoring
from forecasting.charts import accuracy_picture, movement_picture, rollup_picture
from forecasting.marks import marks, name_of, name_then
from forecasting.moving import Movements
from forecasting.pictures.drawing import FORMS, Order
from forecasting.pictures.studio import Studio
from forecasting.pictures.values import Picture
from forecasting.service import Forecasts, Wanted
from sfa.core.errors import Refused
from sfa.core.forecast import VIEWS
from sfa.web.openapi import ALSO
from sfa.web.principal import Principal
from sfa.web.tabled import NO_STORE

Caller = Request[Principal, Any, Any]
From = Annotated[str | None, QueryParameter(name="from")]
Format = Annotated[
    str, QueryParameter(name="format", description="`vl`, `svg` or `png`.", schema_extra={"enum": list(FORMS)})
]
Scale = Annotated[int, QueryParameter(description="Pixels of a PNG for one of the picture, 1 to 4.")]
SCALES = (1, 2, 3, 4)
SPEC = FORMS["vl"]
AS_PICTURES = {
    SPEC: {"type": "object", "description": "A specification of Vega-Lite, its data in it."},
    FORMS["svg"]: {"type": "string", "description": "With `format=svg`."},
    FORMS["png"]: {"type": "string", "description": "With `format=png`."},
}
OPT = {ALSO: AS_PICTURES}


def chart_routes(forecasts: Forecasts, movements: Movements, studio: Studio) -> Sequence[HTTPRouteHandler]:
    return [_rollup(forecasts, studio), _movement(forecasts, movements, studio), _accuracy(forecasts, studio)]


def _rollup(forecasts: Forecasts, studio: Studio) -> HTTPRouteHandler:
    @get("/api/forecast/rollup/chart", media_type=SPEC, tags=["forecast"], opt=OPT)
    async def rollup_chart(
        request: Caller,
        period: FromQuery[str | None] = None,
        node: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
        as_of: FromQuery[str | None] = None,
        by: FromQuery[str | None] = None,
        form: Format = "vl",
        scale: Scale = 2,
    ) -> Response[bytes]:
        """A node and those directly below it, by bucket, with quotas and calls."""
        _check(form, scale)
        user = request.user.user_key
        told, _ = await forecasts.rollup(user, Wanted(period, node, currency, as_of, by, 1))
        beside = await forecasts.screens.read(marks, user, told)
        return await _drawn(studio, rollup_picture(told, beside.quotas, beside.calls), form, scale)

    return rollup_chart


def _movement(forecasts: Forecasts, movements: Movements, studio: Studio) -> HTTPRouteHandler:
    @get("/api/forecast/movement/chart", media_type=SPEC, tags=["forecast"], opt=OPT)
    async def movement_chart(
        request: Caller,
        since: From = None,
        period: FromQuery[str | None] = None,
        node: FromQuery[str | None] = None,
        to: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
        view: FromQuery[str | None] = None,
        form: Format = "vl",
        scale: Scale = 2,
    ) -> Response[bytes]:
        """The bridge from one snapshot to another, of a cumulative view or of all that is not omitted."""
        _check(form, scale)
        if view is not None and view not in VIEWS:
            raise Refused("request_invalid", f"`view` is {', '.join(VIEWS)}")
        asked = moving.Asked(period, node, since, to, currency)
        told = await movements.told(request.user.user_key, asked)
        name = await forecasts.screens.read(name_then, told.node, told.to.number)
        return await _drawn(studio, movement_picture(told, name, view), form, scale)

    return movement_chart


def _accuracy(forecasts: Forecasts, studio: Studio) -> HTTPRouteHandler:
    @get("/api/forecast/accuracy/chart", media_type=SPEC, tags=["forecast"], opt=OPT)
    async def accuracy_chart(
        request: Caller,
        period: FromQuery[str | None] = None,
        node: FromQuery[str | None] = None,
        view: FromQuery[str] = "commit",
        currency: FromQuery[str | None] = None,
        weeks: FromQuery[int | None] = None,
        form: Format = "vl",
        scale: Scale = 2,
    ) -> Response[bytes]:
        """Locked calls against what was closed, lock by lock."""
        _check(form, scale)
        wanted = scoring.Wanted(period, node, "level", view, currency, weeks)
        now_ms = forecasts.screens.clock.now_ms()
        picture = await forecasts.screens.read(_scored, now_ms, request.user.user_key, wanted)
        return await _drawn(studio, picture, form, scale)

    return accuracy_chart


def _scored(connection: Connection, now_ms: int, user_key: str, wanted: scoring.Wanted) -> Picture:
    told = scoring.told(connection, now_ms, user_key, wanted)
    return accuracy_picture(told, None if wanted.node is None else name_of(connection, wanted.node))


def _check(form: str, scale: int) -> None:
    """Before anything is read."""
    if form not in FORMS:
        raise Refused("request_invalid", f"`format` is {', '.join(FORMS)}", format=form[:20])
    if scale not in SCALES:
        raise Refused("request_invalid", "`scale` is 1 to 4", scale=scale)


async def _drawn(studio: Studio, picture: Picture, form: str, scale: int) -> Response[bytes]:
    data = await studio.draw(Order(form, picture, scale if form == "png" else 1))
    return Response(data, media_type=FORMS[form], headers=NO_STORE)
