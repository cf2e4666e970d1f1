"""`/api/forecast/rollup`, `…/nodes`, `…/deals` and `…/overrides`: one number per level, what it is made of, and what
people put in its place.

Answers say in the header `sfa-forecast` whether they were `warm` or had to be made. An override is set and taken back
with what the caller looked at: `If-Match` with its revision, or `If-None-Match: *` where there was none.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, delete, get, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody
from msgspec import structs

from forecasting import listing
from forecasting.answers import DealPage, Override, OverridePage, OverrideSet, Rollup
from forecasting.listing import PAGE_DEFAULT, Page, Which
from forecasting.overriding import Looked, Named
from forecasting.said_tables import overrides_table
from forecasting.service import Forecasts, Wanted
from forecasting.tables import deals_table, rollup_table
from sfa.core.errors import Refused
from sfa.crm.routes import IfMatch, revision
from sfa.db import scope
from sfa.web.openapi import ALSO
from sfa.web.principal import Principal
from sfa.web.sealed import Places
from sfa.web.tabled import AS_FILES, JSON, NO_STORE, Format, answered, form_of

Caller = Request[Principal, Any, Any]
IfNoneMatch = Annotated[
    str | None, HeaderParameter(name="If-None-Match", description="`*`: there was no figure when you looked.")
]


def forecast_routes(forecasts: Forecasts, places: Places) -> Sequence[HTTPRouteHandler]:
    return [
        _rollup(forecasts),
        _node(forecasts),
        _deals(forecasts, places),
        _overrides(forecasts),
        _set(forecasts),
        _revert(forecasts),
    ]


async def _told(found: Rollup, warm: bool, form: str) -> Response[Rollup]:
    state = {"sfa-forecast": "warm" if warm else "cold"}
    return await answered(found, form, lambda: rollup_table(found), state)


def _rollup(forecasts: Forecasts) -> HTTPRouteHandler:
    @get("/api/forecast/rollup", tags=["forecast"], opt={ALSO: AS_FILES})
    async def rollup(
        request: Caller,
        period: FromQuery[str | None] = None,
        node: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
        as_of: FromQuery[str | None] = None,
        by: FromQuery[str | None] = None,
        depth: FromQuery[int | None] = None,
        form: Format = JSON,
    ) -> Response[Rollup]:
        """A node with everything below it, as far as the caller may see it."""
        form_of(form)
        wanted = Wanted(period, node, currency, as_of, by, depth)
        return await _told(*await forecasts.rollup(request.user.user_key, wanted), form)

    return rollup


def _node(forecasts: Forecasts) -> HTTPRouteHandler:
    @get("/api/forecast/nodes/{node:str}", tags=["forecast"], opt={ALSO: AS_FILES})
    async def one(
        request: Caller,
        node: FromPath[str],
        period: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
        as_of: FromQuery[str | None] = None,
        form: Format = JSON,
    ) -> Response[Rollup]:
        """A node with those directly below it; which tree it is of follows from its name."""
        form_of(form)
        kind = node.partition(":")[0]
        by = kind if kind in ("territory", "product") else "owner"
        wanted = Wanted(period, node, currency, as_of, by, 1)
        return await _told(*await forecasts.rollup(request.user.user_key, wanted), form)

    return one


def _deals(forecasts: Forecasts, places: Places) -> HTTPRouteHandler:
    @get("/api/forecast/deals", tags=["forecast"], opt={ALSO: AS_FILES})
    async def deals(
        request: Caller,
        period: FromQuery[str | None] = None,
        node: FromQuery[str | None] = None,
        currency: FromQuery[str | None] = None,
        as_of: FromQuery[str | None] = None,
        by: FromQuery[str | None] = None,
        bucket: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_DEFAULT,
        form: Format = JSON,
    ) -> Response[DealPage]:
        """What a node's money is the sum of; all pages together are the node."""
        form_of(form)
        user = request.user.user_key
        about = json.dumps(["forecast/deals", user, period, node, currency, as_of, by, bucket])
        page = Page(places.open(after, about) if after is not None else None, limit)
        wanted = Wanted(period, node, currency, as_of, by)
        found = await listing.deals(forecasts, user, wanted, bucket, page)
        if found.next is not None:
            found = structs.replace(found, next=places.seal(found.next, about))
        return await answered(found, form, lambda: deals_table(found))

    return deals


def _overrides(forecasts: Forecasts) -> HTTPRouteHandler:
    @get("/api/forecast/overrides", tags=["forecast"], opt={ALSO: AS_FILES})
    async def overrides(
        request: Caller,
        period: FromQuery[str | None] = None,
        node: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_DEFAULT,
        form: Format = JSON,
    ) -> Response[OverridePage]:
        """Figures that stand or stood, each with everything that was set in its place."""
        form_of(form)
        user, screens = request.user.user_key, forecasts.screens
        found = await listing.overrides(forecasts, user, Which(period, node), Page(after, limit))
        today = await screens.read(scope.today, screens.clock.now_ms()) if form != JSON else ""
        return await answered(found, form, lambda: overrides_table(found, today))

    return overrides


_PATH = "/api/forecast/overrides/{period:str}/{node:str}/{view:str}"


def _shown(found: Override) -> Response[Override]:
    return Response(found, status_code=200, headers={**NO_STORE, "ETag": f'"{found.rev}"'})


def _looked(if_match: str | None, if_none_match: str | None) -> Looked:
    if if_none_match is not None and if_none_match.strip() != "*":
        raise Refused("request_invalid", "If-None-Match is *")
    return Looked(revision(if_match), if_none_match is not None)


def _set(forecasts: Forecasts) -> HTTPRouteHandler:
    @put(_PATH, tags=["forecast"])
    async def told(
        request: Caller,
        period: FromPath[str],
        node: FromPath[str],
        view: FromPath[str],
        data: JSONBody[OverrideSet],
        level: FromQuery[str] = "own",
        if_match: IfMatch = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response[Override]:
        """Put an absolute figure in the place of what is rolled up."""
        named = Named(period, node, view, level)
        looked = _looked(if_match, if_none_match)
        return _shown(await forecasts.set(request.user.user_key, named, data, looked))

    return told


def _revert(forecasts: Forecasts) -> HTTPRouteHandler:
    @delete(_PATH, tags=["forecast"], status_code=200)
    async def reverted(
        request: Caller,
        period: FromPath[str],
        node: FromPath[str],
        view: FromPath[str],
        level: FromQuery[str] = "own",
        if_match: IfMatch = None,
    ) -> Response[Override]:
        """Take a figure back: what is rolled up counts again."""
        named = Named(period, node, view, level)
        return _shown(await forecasts.revert(request.user.user_key, named, _looked(if_match, None)))

    return reverted
