"""`/api/forecast/outlook…` and `/api/forecast/honesty`: ranges, chances, why they moved, how right they were, and
runs."""

import json
from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from msgspec import structs

from forecasting.outlook import moved, open_deals, telling
from forecasting.outlook.moved import Moved
from forecasting.outlook.open_deals import LIMIT_DEFAULT, DealsTold
from forecasting.outlook.tables import honesty_table, outlook_table
from forecasting.outlook.telling import OutlookTold, RunsTold, RunTold, ScoresTold, Wanted
from sfa.crm.online import Online
from sfa.web.openapi import ALSO
from sfa.web.principal import Principal
from sfa.web.sealed import Places
from sfa.web.tabled import AS_FILES, JSON, Format, answered, form_of

Caller = Request[Principal, Any, Any]
RUNS_DEFAULT = 20


def outlook_routes(screens: Online, places: Places) -> Sequence[HTTPRouteHandler]:
    return [*_told(screens), *_deals(screens, places), *_runs(screens), *_asked(screens)]


def _told(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/forecast/outlook", tags=["forecast"], opt={ALSO: AS_FILES})
    async def outlook(
        request: Caller,
        node: FromQuery[str | None] = None,
        period: FromQuery[str | None] = None,
        as_of: FromQuery[str | None] = None,
        form: Format = JSON,
    ) -> Response[OutlookTold]:
        """The range of a node and of those directly below it, as the last run says."""
        form_of(form)
        found = await screens.read(telling.outlook, request.user.user_key, Wanted(node, period, as_of))
        return await answered(found, form, lambda: outlook_table(found))

    @get("/api/forecast/outlook/moved", tags=["forecast"])
    async def why(
        request: Caller,
        node: FromQuery[str | None] = None,
        period: FromQuery[str | None] = None,
        as_of: FromQuery[str | None] = None,
        since: FromQuery[str | None] = None,
    ) -> Moved:
        """Why the range is another than it was."""
        return await screens.reckon(moved.moved, request.user.user_key, Wanted(node, period, as_of), since)

    @get("/api/forecast/honesty", tags=["forecast"], opt={ALSO: AS_FILES})
    async def honesty(
        request: Caller,
        node: FromQuery[str | None] = None,
        as_of: FromQuery[str | None] = None,
        form: Format = JSON,
    ) -> Response[ScoresTold]:
        """How right every view of a node was, in periods that are over."""
        form_of(form)
        found = await screens.read(telling.scores, request.user.user_key, Wanted(node, None, as_of))
        return await answered(found, form, lambda: honesty_table(found))

    return [outlook, why, honesty]


def _deals(screens: Online, places: Places) -> Sequence[HTTPRouteHandler]:
    @get("/api/forecast/outlook/deals", tags=["forecast"])
    async def deals(
        request: Caller,
        node: FromQuery[str | None] = None,
        as_of: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = LIMIT_DEFAULT,
    ) -> DealsTold:
        """The open deals of a node, each with its chances and why."""
        user = request.user.user_key
        about = json.dumps(["forecast/outlook/deals", user, node, as_of])
        place = places.open(after, about) if after is not None else None
        found = await screens.reckon(open_deals.deals, user, Wanted(node, None, as_of), place, limit)
        return structs.replace(found, next=places.seal(found.next, about)) if found.next is not None else found

    @get("/api/forecast/outlook/deals/{key:str}", tags=["forecast"])
    async def deal(request: Caller, key: FromPath[str]) -> DealsTold:
        """One open deal with its chances and why."""
        return await screens.read(open_deals.deal, request.user.user_key, key)

    return [deals, deal]


def _runs(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/forecast/outlook/runs", tags=["forecast"])
    async def runs(
        request: Caller, before: FromQuery[int | None] = None, limit: FromQuery[int] = RUNS_DEFAULT
    ) -> RunsTold:
        """Runs of the engine, the newest first."""
        return await screens.read(telling.runs, request.user.user_key, before, limit)

    @get("/api/forecast/outlook/runs/{number:int}", tags=["forecast"])
    async def run(request: Caller, number: FromPath[int]) -> RunTold:
        """How far a run is, or what it was made from."""
        return await screens.read(telling.run, request.user.user_key, number)

    return [runs, run]


def _asked(screens: Online) -> Sequence[HTTPRouteHandler]:
    @post("/api/forecast/outlook/runs", tags=["forecast"], status_code=202)
    async def ask(request: Caller) -> Response[RunTold]:
        """Ask for a run now; of two who ask at once both are told the same one."""
        found = await screens.write(telling.ask, request.user.user_key)
        return Response(found, status_code=202, headers={"Location": f"/api/forecast/outlook/runs/{found.number}"})

    @delete("/api/forecast/outlook/runs/{number:int}", tags=["forecast"], status_code=200)
    async def cancel(request: Caller, number: FromPath[int]) -> RunTold:
        """Take a run back that is under way; what earlier ones found stays."""
        return await screens.write(telling.cancel, request.user.user_key, number)

    return [ask, cancel]
